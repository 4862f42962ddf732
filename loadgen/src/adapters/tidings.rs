//! Tidings' own protocol, `tidings.v1`: requests and answers in JSON over one socket, `/echo`, and POST over HTTP.

use super::{Adapter, HttpRequest, Job, Kind, Memory, News, Nonsense, Opening, Outlet, Payload, Transport, Who};
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
    fn opening(&self, who: &Who<'_>, _memory: &Memory) -> Opening {
        let (path, subprotocol) = match who.job {
            Job::Echo => ("/echo", None),
            _ => ("/ws", Some("tidings.v1")),
        };
        let headers =
            who.token.map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))).into_iter().collect();
        Opening { transport: Transport::WebSocket, path: path.to_owned(), headers, subprotocol }
    }

    fn opened(&self, who: &Who<'_>, memory: &mut Memory, out: &mut dyn Outlet, news: &mut dyn FnMut(News<'_>)) {
        memory.next_id = FIRST_PUBLICATION_ID;
        memory.joined = 0;
        if who.channel_count() == 0 {
            return news(News::Ready);
        }
        for (id, channel) in who.channels().enumerate() {
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
        who: &Who<'_>,
        memory: &mut Memory,
        message: &[u8],
        _out: &mut dyn Outlet,
        news: &mut dyn FnMut(News<'_>),
    ) -> Result<(), Nonsense> {
        if who.job == Job::Echo {
            news(News::Message(message));
            return Ok(());
        }
        if is_push(message) {
            if self.resume {
                self.keep_position(who, memory, message);
            }
            news(News::Message(message));
            return Ok(());
        }
        let answer: Answer =
            serde_json::from_slice(message).map_err(|error| Nonsense(format!("no answer: {error}")))?;
        self.answered(who, memory, answer, news);
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
    fn answered(&self, who: &Who<'_>, memory: &mut Memory, answer: Answer, news: &mut dyn FnMut(News<'_>)) {
        if let Some(refusal) = answer.error {
            return news(News::Refused(format!("{}: {}", refusal.code, refusal.message)));
        }
        if answer.status != Some(200) {
            return;
        }
        match answer.id {
            Some(id) if id >= FIRST_PUBLICATION_ID => news(News::Ack),
            Some(id) if id < who.channel_count() => {
                if let (true, Some(epoch), Some(offset)) = (self.resume, answer.epoch, answer.offset) {
                    let positions = memory.positions.get_or_insert_default();
                    let place = id as usize;
                    positions.resize(positions.len().max(place + 1), String::new());
                    positions[place] = format!("{epoch}:{offset}");
                }
                if let Some(complete) = answer.recovered {
                    news(News::Resumed { complete });
                }
                for missed in answer.publications {
                    news(News::Message(missed.to_string().as_bytes()));
                }
                memory.joined += 1;
                if memory.joined == who.channel_count() {
                    news(News::Ready);
                }
            }
            _ => {}
        }
    }

    /// Notes the offset of a push, so that a resumed subscription goes on behind it.
    fn keep_position(&self, who: &Who<'_>, memory: &mut Memory, push: &[u8]) {
        let Some((channel, offset)) = channel_and_offset(push) else { return };
        let Some(place) = who.channels().position(|name| name == channel) else { return };
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
    use super::super::{Adapter, Job, Kind, Memory, Naming, News, Payload, Who};
    use super::Tidings;

    fn naming() -> Naming {
        Naming { prefix: "c".to_owned(), channels: 2, per_connection: 2 }
    }

    fn heard(adapter: &Tidings, who: &Who<'_>, memory: &mut Memory, message: &str) -> Vec<String> {
        let mut heard = Vec::new();
        let mut out = Vec::new();
        adapter
            .read(who, memory, message.as_bytes(), &mut out, &mut |news| heard.push(format!("{news:?}")))
            .expect("sense");
        heard
    }

    #[test]
    fn a_subscriber_is_ready_when_both_channels_answered_and_resumes_behind_its_last_push() {
        let (adapter, naming) = (Tidings { resume: true, acknowledge: false }, naming());
        let who = Who { number: 0, job: Job::Subscribe, naming: &naming, token: None };
        let (mut memory, mut out) = (Memory::default(), Vec::new());
        adapter.opened(&who, &mut memory, &mut out, &mut |_| panic!("not ready yet"));
        assert_eq!(out[1], (Kind::Text, br#"{"id":1,"method":"GET","path":"/channels/c1"}"#.to_vec()));
        let answer = r#"{"id":0,"status":200,"channel":"c0","epoch":"e","offset":4,"publications":[]}"#;
        assert!(heard(&adapter, &who, &mut memory, answer).is_empty());
        let answer = r#"{"id":1,"status":200,"channel":"c1","epoch":"f","offset":0,"publications":[]}"#;
        assert_eq!(heard(&adapter, &who, &mut memory, answer), ["Ready"]);
        assert_eq!(heard(&adapter, &who, &mut memory, r#"{"channel":"c1","offset":7,"data":1}"#).len(), 1);
        let mut out = Vec::new();
        adapter.opened(&who, &mut memory, &mut out, &mut |_| panic!("not ready yet"));
        assert!(String::from_utf8_lossy(&out[0].1).contains(r#""since":"e:4""#));
        assert!(String::from_utf8_lossy(&out[1].1).contains(r#""since":"f:7""#));
        let answer =
            r#"{"id":0,"status":200,"epoch":"e","offset":6,"recovered":true,"publications":[{"offset":5,"data":"x"}]}"#;
        let news = heard(&adapter, &who, &mut memory, answer);
        assert!(news[0].contains("complete: true") && news[1].starts_with("Message"), "{news:?}");
    }

    #[test]
    fn refusals_and_acknowledgements_are_told_apart() {
        let (adapter, naming) = (Tidings { resume: false, acknowledge: true }, naming());
        let who = Who { number: 0, job: Job::Publish, naming: &naming, token: None };
        let (mut memory, mut out) = (Memory::default(), Vec::new());
        let mut ready = 0;
        adapter.opened(&who, &mut memory, &mut out, &mut |_| ready += 1);
        assert_eq!((ready, out.len()), (1, 0));
        assert!(adapter.publish(&mut memory, "c0", Payload { text: "abc", json: false }, &mut out));
        let sent = String::from_utf8(out.remove(0).1).expect("text");
        assert_eq!(sent, r#"{"id":1048576,"method":"POST","path":"/channels/c0","data":"abc"}"#);
        assert_eq!(heard(&adapter, &who, &mut memory, r#"{"id":1048576,"status":200,"offset":1}"#), ["Ack"]);
        let refusal = r#"{"id":1048577,"status":503,"error":{"code":"busy","message":"later"}}"#;
        assert_eq!(heard(&adapter, &who, &mut memory, refusal), [r#"Refused("busy: later")"#]);
        assert!(
            heard(&adapter, &who, &mut memory, r#"{"channel":"c0","epoch":"e","offset":0,"reset":true}"#).is_empty()
        );
    }

    #[test]
    fn a_message_that_is_no_json_is_nonsense() {
        let naming = naming();
        let who = Who { number: 0, job: Job::Idle, naming: &naming, token: None };
        let adapter = Tidings { resume: false, acknowledge: false };
        let read = adapter.read(&who, &mut Memory::default(), b"what?", &mut Vec::new(), &mut |news| {
            assert!(matches!(news, News::Ready), "{news:?}");
        });
        assert!(read.is_err());
    }
}
