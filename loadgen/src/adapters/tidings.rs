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

/// Says that continuity was lost, and where the channel goes on.
#[derive(Deserialize)]
struct Reset {
    channel: String,
    epoch: String,
    offset: u64,
}

/// The members of an answer that matter here.
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

/// What says why an AUTH of a schedule was refused; its id is the stamp.
#[derive(Deserialize)]
struct NotSignedIn {
    error: Refusal,
}

/// Ids below these are those of subscriptions, by their place.
const FIRST_PUBLICATION_ID: u32 = 1 << 20;
/// The id of an AUTH that no schedule asks for: the first of a connection, and those for a token that expires.
const AUTH_ID: u32 = FIRST_PUBLICATION_ID - 1;
/// What an answer to an AUTH of a schedule begins with.
const STAMPED: &[u8] = b"{\"id\":\"";

impl Adapter for Tidings {
    fn opening(&self, peer: &Peer<'_>, memory: &Memory) -> Opening {
        let (path, subprotocol) = match peer.job {
            Job::Echo => ("/echo", None),
            _ => ("/ws", Some("tidings.v1")),
        };
        let token = peer.token(memory.stage).filter(|_| peer.job != Job::SignIn);
        let headers = token.map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))).into_iter().collect();
        Opening { transport: Transport::WebSocket, path: path.to_owned(), headers, subprotocol }
    }

    fn opened(&self, peer: &Peer<'_>, memory: &mut Memory, out: &mut dyn Outlet, emit: &mut dyn FnMut(Event<'_>)) {
        memory.next_id = FIRST_PUBLICATION_ID;
        memory.joined = 0;
        if peer.job == Job::SignIn {
            return sign_in(peer, memory, &AUTH_ID.to_string(), out);
        }
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
        out: &mut dyn Outlet,
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
        if is_reset(message) {
            if self.resume {
                take_position(peer, memory, &parsed(message)?);
            }
            return Ok(());
        }
        if message.starts_with(b"{\"auth\":\"expiring\"") {
            memory.stage = memory.stage.saturating_add(1);
            sign_in(peer, memory, &AUTH_ID.to_string(), out);
            return Ok(());
        }
        // It counts who is closed and what is lost by that: it leaves no server by itself.
        if message.starts_with(b"{\"reconnect\":") {
            return Ok(());
        }
        if let Some(rest) = message.strip_prefix(STAMPED) {
            return signed_in(message, rest, emit);
        }
        let answer: Answer = parsed(message)?;
        if let (Job::SignIn, 0, Some(refusal)) = (peer.job, memory.joined, &answer.error) {
            return Err(ProtocolError(format!("refused: {}: {}", refusal.code, refusal.message)));
        }
        self.answered(peer, memory, answer, emit);
        Ok(())
    }

    fn echo(&self, peer: &Peer<'_>, memory: &mut Memory, payload: &[u8], out: &mut dyn Outlet) {
        if peer.job == Job::SignIn {
            // A stamp needs no escaping.
            return sign_in(peer, memory, &format!("\"{}\"", String::from_utf8_lossy(payload)), out);
        }
        out.send(Kind::Text, payload);
    }

    fn signs_in(&self) -> bool {
        true
    }

    fn expired(&self, memory: &mut Memory, code: u16, reason: &str) -> bool {
        let has = code == 4401 && reason.split(':').next() == Some("token_expired");
        memory.stage = memory.stage.saturating_add(u16::from(has));
        has
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
            Some(AUTH_ID) if peer.job == Job::SignIn && memory.joined == 0 => {
                memory.joined = 1;
                emit(Event::Ready);
            }
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
        let Some(position) = position_of(peer, memory, channel) else { return };
        if let Some(colon) = position.find(':') {
            position.truncate(colon + 1);
            position.push_str(offset);
        }
    }
}

/// Notes where a reset says that its channel goes on.
fn take_position(peer: &Peer<'_>, memory: &mut Memory, reset: &Reset) {
    if let Some(position) = position_of(peer, memory, &reset.channel) {
        *position = format!("{}:{}", reset.epoch, reset.offset);
    }
}

/// Where a subscription to a channel goes on, if that is known.
fn position_of<'m>(peer: &Peer<'_>, memory: &'m mut Memory, channel: &str) -> Option<&'m mut String> {
    let place = peer.channels().position(|name| name == channel)?;
    memory.positions.as_mut()?.get_mut(place)
}

fn parsed<'m, T: Deserialize<'m>>(message: &'m [u8]) -> Result<T, ProtocolError> {
    serde_json::from_slice(message).map_err(|error| ProtocolError(format!("no answer: {error}")))
}

/// Sends an AUTH with the token that is in use. `id` is JSON.
fn sign_in(peer: &Peer<'_>, memory: &Memory, id: &str, out: &mut dyn Outlet) {
    let token = serde_json::Value::from(peer.token(memory.stage).unwrap_or_default());
    out.send(Kind::Text, format!("{{\"id\":{id},\"method\":\"AUTH\",\"token\":{token}}}").as_bytes());
}

/// An AUTH of a schedule was answered: its stamp, with which `rest` begins, is what came back, if it counts.
fn signed_in(message: &[u8], rest: &[u8], emit: &mut dyn FnMut(Event<'_>)) -> Result<(), ProtocolError> {
    let end = rest.iter().position(|byte| *byte == b'"').unwrap_or(rest.len());
    if rest[end..].starts_with(b"\",\"status\":200") {
        emit(Event::Message(&rest[..end]));
        return Ok(());
    }
    let NotSignedIn { error } = parsed(message)?;
    emit(Event::Refused(format!("{}: {}", error.code, error.message)));
    Ok(())
}

/// A push begins with its channel; an answer with its id or status. A reset is no push: it has no data.
fn is_push(message: &[u8]) -> bool {
    message.starts_with(b"{\"channel\":") && !is_reset(message)
}

fn is_reset(message: &[u8]) -> bool {
    message.starts_with(b"{\"channel\":") && message.ends_with(b",\"reset\":true}")
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
        let peer = Peer { number: 0, job: Job::Subscribe, naming: &naming, tokens: None };
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
        let reset = r#"{"channel":"c1","epoch":"g","offset":5,"reset":true}"#;
        assert!(heard(&adapter, &peer, &mut memory, reset).is_empty());
        let mut out = Vec::new();
        adapter.opened(&peer, &mut memory, &mut out, &mut |_| panic!("not ready yet"));
        assert!(String::from_utf8_lossy(&out[1].1).contains(r#""since":"g:5""#), "where the reset says");
    }

    #[test]
    fn refusals_and_acknowledgements_are_told_apart() {
        let (adapter, naming) = (Tidings { resume: false, acknowledge: true }, naming());
        let peer = Peer { number: 0, job: Job::Publish, naming: &naming, tokens: None };
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
    fn a_connection_signs_in_first_and_goes_on_with_its_next_token() {
        let (adapter, naming) = (Tidings { resume: false, acknowledge: false }, naming());
        let peer = Peer { number: 0, job: Job::SignIn, naming: &naming, tokens: Some("one two") };
        let (mut memory, mut out) = (Memory::default(), Vec::new());
        assert!(adapter.opening(&peer, &memory).headers.is_empty(), "the token is in a frame");
        adapter.opened(&peer, &mut memory, &mut out, &mut |_| panic!("not ready yet"));
        let auth = |id: &str, token: &str| {
            (Kind::Text, format!("{{\"id\":{id},\"method\":\"AUTH\",\"token\":\"{token}\"}}").into_bytes())
        };
        assert_eq!(out, [auth("1048575", "one")]);
        assert_eq!(heard(&adapter, &peer, &mut memory, r#"{"id":1048575,"status":200}"#), ["Ready"]);
        assert!(heard(&adapter, &peer, &mut memory, r#"{"id":1048575,"status":200}"#).is_empty(), "said once");
        let advice = r#"{"reconnect":"server_shutdown","after_ms":0}"#;
        assert!(heard(&adapter, &peer, &mut memory, advice).is_empty(), "it stays");
        let stamp = "@0123456789abcdefghi";
        out.clear();
        adapter.echo(&peer, &mut memory, stamp.as_bytes(), &mut out);
        adapter.read(&peer, &mut memory, br#"{"auth":"expiring","in":60}"#, &mut out, &mut |_| {}).expect("sense");
        assert_eq!(out, [auth(&format!("\"{stamp}\""), "one"), auth("1048575", "two")]);
        let (answer, refusal) =
            (r#","status":200}"#, r#","status":401,"error":{"code":"token_invalid","message":"no"}}"#);
        let came = heard(&adapter, &peer, &mut memory, &format!("{{\"id\":\"{stamp}\"{answer}"));
        assert_eq!(came, [format!("{:?}", Event::Message(stamp.as_bytes()))]);
        let came = heard(&adapter, &peer, &mut memory, &format!("{{\"id\":\"{stamp}\"{refusal}"));
        assert_eq!(came, [r#"Refused("token_invalid: no")"#]);
    }

    #[test]
    fn a_connection_whose_token_expired_comes_back_with_the_next_one() {
        let (adapter, naming) = (Tidings { resume: false, acknowledge: false }, naming());
        let peer = Peer { number: 0, job: Job::Subscribe, naming: &naming, tokens: Some("one  two") };
        let mut memory = Memory::default();
        let field = |memory: &Memory| adapter.opening(&peer, memory).headers[0].1.clone();
        assert_eq!(field(&memory), "Bearer one");
        for (code, reason) in [(4401, "token_revoked: by its id"), (1001, "token_expired"), (4401, "")] {
            assert!(!adapter.expired(&mut memory, code, reason), "{code} {reason}");
        }
        for _ in 0..2 {
            assert!(adapter.expired(&mut memory, 4401, "token_expired: it was valid until now"));
            assert_eq!(field(&memory), "Bearer two", "the last one again where there is no other");
        }
    }

    #[test]
    fn a_message_that_is_no_json_breaks_the_protocol() {
        let naming = naming();
        let peer = Peer { number: 0, job: Job::Idle, naming: &naming, tokens: None };
        let adapter = Tidings { resume: false, acknowledge: false };
        let read = adapter.read(&peer, &mut Memory::default(), b"what?", &mut Vec::new(), &mut |event| {
            assert!(matches!(event, Event::Ready), "{event:?}");
        });
        assert!(read.is_err());
    }
}
