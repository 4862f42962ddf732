//! Tidings' own protocol, `tidings.v1`: requests and answers in JSON over one socket, `/echo`, and POST over HTTP.

use super::{Adapter, Event, HttpRequest, Job, Kind, Memory, Opening, Outlet, Payload, Peer, ProtocolError, Transport};
use crate::percent;
use serde::Deserialize;

/// Speaks `tidings.v1`.
#[derive(Debug, Clone)]
pub struct Tidings {
    /// Whether subscribers that come back ask for what they missed.
    pub resume: bool,
    /// Whether each publication over the socket asks for an answer.
    pub acknowledge: bool,
}

/// The members of an answer, or of a reset, that matter here.
#[derive(Deserialize)]
struct Answer {
    id: Option<u32>,
    status: Option<u16>,
    epoch: Option<String>,
    offset: Option<u64>,
    recovered: Option<bool>,
    error: Option<Refusal>,
    #[serde(default)]
    publications: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

/// Ids below this are those of subscriptions, by their place.
const FIRST_PUBLICATION_ID: u32 = 1 << 20;

impl Adapter for Tidings {
    fn opening(&self, peer: &Peer<'_>, _memory: &Memory) -> Opening {
        let (path, subprotocol) = match peer.job {
            Job::Echo => ("/echo", None),
            _ => ("/ws", Some("tidings.v1")),
        };
        let headers =
            peer.token.map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))).into_iter().collect();
        Opening { transport: Transport::WebSocket, path: path.to_owned(), headers, subprotocol }
    }

    fn opened(&self, peer: &Peer<'_>, memory: &mut Memory, out: &mut dyn Outlet, emit: &mut dyn FnMut(Event<'_>)) {
        memory.next_id = FIRST_PUBLICATION_ID;
        memory.joined = 0;
        if peer.channel_count() == 0 {
            return emit(Event::Ready);
        }
        for (id, channel) in peer.channels().enumerate() {
            let since = memory.positions.as_ref().filter(|_| self.resume).and_then(|positions| positions.get(id));
            // One that was cut before its answer came has no position yet.
            let since = since.filter(|position| !position.is_empty());
            let since = since.map_or_else(String::new, |position| format!(",\"since\":\"{position}\""));
            let name = percent::segment(&channel);
            let request = format!("{{\"id\":{id},\"method\":\"GET\",\"path\":\"/channels/{name}\"{since}}}");
            out.send(Kind::Text, request.as_bytes());
        }
    }

    fn read(
        &self,
        peer: &Peer<'_>,
        memory: &mut Memory,
        message: &[u8],
        _out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        if peer.job == Job::Echo {
            emit(Event::Message(message));
            return Ok(());
        }
        if is_push(message) {
            if self.resume {
                self.keep_position(peer, memory, message);
            }
            emit(Event::Message(message));
            return Ok(());
        }
        let answer: Answer =
            serde_json::from_slice(message).map_err(|error| ProtocolError(format!("no answer: {error}")))?;
        self.answered(peer, memory, answer, emit);
        Ok(())
    }

    fn publish(&self, memory: &mut Memory, channel: &str, payload: Payload<'_>, out: &mut dyn Outlet) -> bool {
        let id = if self.acknowledge { format!("\"id\":{},", memory.next_id) } else { String::new() };
        memory.next_id = memory.next_id.wrapping_add(1).max(FIRST_PUBLICATION_ID);
        let (data, channel) = (payload.as_json(), percent::segment(channel));
        let request = format!("{{{id}\"method\":\"POST\",\"path\":\"/channels/{channel}\",\"data\":{data}}}");
        out.send(Kind::Text, request.as_bytes());
        true
    }

    fn http_publish(&self, channel: &str, payload: Payload<'_>) -> Option<HttpRequest> {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let body = payload.as_json().into_bytes();
        Some(HttpRequest { method: "POST", path: format!("/channels/{}", percent::segment(channel)), headers, body })
    }

    fn acknowledges(&self) -> bool {
        self.acknowledge
    }

    fn resumes(&self) -> bool {
        self.resume
    }
}

impl Tidings {
    fn answered(&self, peer: &Peer<'_>, memory: &mut Memory, answer: Answer, emit: &mut dyn FnMut(Event<'_>)) {
        if let Some(refusal) = answer.error {
            return emit(Event::Refused(format!("{}: {}", refusal.code, refusal.message)));
        }
        if answer.status != Some(200) {
            return;
        }
        match answer.id {
            Some(id) if id >= FIRST_PUBLICATION_ID => emit(Event::Ack),
            Some(id) if id < peer.channel_count() => {
                if let (true, Some(epoch), Some(offset)) = (self.resume, answer.epoch, answer.offset) {
                    let positions = memory.positions.get_or_insert_default();
                    let place = id as usize;
                    positions.resize(positions.len().max(place + 1), String::new());
                    positions[place] = format!("{epoch}:{offset}");
                }
                if let Some(complete) = answer.recovered {
                    emit(Event::Resumed { complete });
                }
                for missed in answer.publications {
                    emit(Event::Message(missed.to_string().as_bytes()));
                }
                memory.joined += 1;
                if memory.joined == peer.channel_count() {
                    emit(Event::Ready);
                }
            }
            _ => {}
        }
    }

    /// Notes the offset of a push, so that a resumed subscription goes on after it.
    fn keep_position(&self, peer: &Peer<'_>, memory: &mut Memory, push: &[u8]) {
        let Some((channel, offset)) = channel_and_offset(push) else { return };
        let Some(place) = peer.channels().position(|name| name == channel) else { return };
        let Some(position) = memory.positions.as_mut().and_then(|positions| positions.get_mut(place)) else { return };
        if let Some(colon) = position.find(':') {
            position.truncate(colon + 1);
            position.push_str(offset);
        }
    }
}

/// A push begins with its channel; an answer with its id or status. A reset is no push: it has no data.
fn is_push(message: &[u8]) -> bool {
    message.starts_with(b"{\"channel\":") && !message.ends_with(b"\"reset\":true}")
}

/// The channel and the offset of a push, which the protocol puts first. Names that need escaping are not ours.
fn channel_and_offset(push: &[u8]) -> Option<(&str, &str)> {
    let rest = std::str::from_utf8(push).ok()?.strip_prefix("{\"channel\":\"")?;
    let (channel, rest) = rest.split_once("\",\"offset\":")?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    Some((channel, &rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::super::{Adapter, Event, Job, Kind, Memory, Naming, Payload, Peer};
    use super::Tidings;

    fn naming() -> Naming {
        Naming { prefix: "c".to_owned(), channels: 2, per_connection: 2 }
    }

    fn heard(adapter: &Tidings, peer: &Peer<'_>, memory: &mut Memory, message: &str) -> Vec<String> {
        let mut heard = Vec::new();
        let mut out = Vec::new();
        adapter
            .read(peer, memory, message.as_bytes(), &mut out, &mut |event| heard.push(format!("{event:?}")))
            .expect("sense");
        heard
    }

    #[test]
    fn a_subscriber_is_ready_when_both_channels_answered_and_resumes_behind_its_last_push() {
        let (adapter, naming) = (Tidings { resume: true, acknowledge: false }, naming());
        let peer = Peer { number: 0, job: Job::Subscribe, naming: &naming, token: None };
        let (mut memory, mut out) = (Memory::default(), Vec::new());
        adapter.opened(&peer, &mut memory, &mut out, &mut |_| panic!("not ready yet"));
        assert_eq!(out[1], (Kind::Text, br#"{"id":1,"method":"GET","path":"/channels/c1"}"#.to_vec()));
        let answer = r#"{"id":0,"status":200,"channel":"c0","epoch":"e","offset":4,"publications":[]}"#;
        assert!(heard(&adapter, &peer, &mut memory, answer).is_empty());
        let answer = r#"{"id":1,"status":200,"channel":"c1","epoch":"f","offset":0,"publications":[]}"#;
        assert_eq!(heard(&adapter, &peer, &mut memory, answer), ["Ready"]);
        assert_eq!(heard(&adapter, &peer, &mut memory, r#"{"channel":"c1","offset":7,"data":1}"#).len(), 1);
        let mut out = Vec::new();
        adapter.opened(&peer, &mut memory, &mut out, &mut |_| panic!("not ready yet"));
        assert!(String::from_utf8_lossy(&out[0].1).contains(r#""since":"e:4""#));
        assert!(String::from_utf8_lossy(&out[1].1).contains(r#""since":"f:7""#));
        let answer =
            r#"{"id":0,"status":200,"epoch":"e","offset":6,"recovered":true,"publications":[{"offset":5,"data":"x"}]}"#;
        let events = heard(&adapter, &peer, &mut memory, answer);
        assert!(events[0].contains("complete: true") && events[1].starts_with("Message"), "{events:?}");
    }

    #[test]
    fn refusals_and_acknowledgements_are_told_apart() {
        let (adapter, naming) = (Tidings { resume: false, acknowledge: true }, naming());
        let peer = Peer { number: 0, job: Job::Publish, naming: &naming, token: None };
        let (mut memory, mut out) = (Memory::default(), Vec::new());
        let mut ready = 0;
        adapter.opened(&peer, &mut memory, &mut out, &mut |_| ready += 1);
        assert_eq!((ready, out.len()), (1, 0));
        assert!(adapter.publish(&mut memory, "c0", Payload { text: "abc", json: false }, &mut out));
        let sent = String::from_utf8(out.remove(0).1).expect("text");
        assert_eq!(sent, r#"{"id":1048576,"method":"POST","path":"/channels/c0","data":"abc"}"#);
        assert_eq!(heard(&adapter, &peer, &mut memory, r#"{"id":1048576,"status":200,"offset":1}"#), ["Ack"]);
        let refusal = r#"{"id":1048577,"status":503,"error":{"code":"busy","message":"later"}}"#;
        assert_eq!(heard(&adapter, &peer, &mut memory, refusal), [r#"Refused("busy: later")"#]);
        assert!(
            heard(&adapter, &peer, &mut memory, r#"{"channel":"c0","epoch":"e","offset":0,"reset":true}"#).is_empty()
        );
    }

    #[test]
    fn a_message_that_is_no_json_breaks_the_protocol() {
        let naming = naming();
        let peer = Peer { number: 0, job: Job::Idle, naming: &naming, token: None };
        let adapter = Tidings { resume: false, acknowledge: false };
        let read = adapter.read(&peer, &mut Memory::default(), b"what?", &mut Vec::new(), &mut |event| {
            assert!(matches!(event, Event::Ready), "{event:?}");
        });
        assert!(read.is_err());
    }
}
