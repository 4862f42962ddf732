//! Centrifugo's bidirectional protocol, version 2, in JSON (centrifugal.dev, "client protocol").

use super::{Adapter, Event, HttpRequest, Kind, Memory, Opening, Outlet, Payload, Peer, ProtocolError, Transport};
use serde_json::{Value, json};

/// Speaks to Centrifugo.
#[derive(Debug, Clone)]
pub struct Centrifugo {
    /// Where clients connect.
    pub path: String,
    /// The key of the server's API, for publishing over HTTP.
    pub api_key: String,
    /// Whether subscribers that come back ask for what they missed.
    pub resume: bool,
}

/// The id of the first command; those of subscriptions follow, and then those of publications.
const CONNECT_ID: u32 = 1;
const FIRST_PUBLICATION_ID: u32 = 1 << 20;

impl Adapter for Centrifugo {
    fn opening(&self, _peer: &Peer<'_>, _memory: &Memory) -> Opening {
        Opening {
            transport: Transport::WebSocket,
            path: self.path.clone(),
            headers: Vec::new(),
            subprotocol: Some("centrifuge-json"),
        }
    }

    fn opened(&self, peer: &Peer<'_>, memory: &mut Memory, out: &mut dyn Outlet, _emit: &mut dyn FnMut(Event<'_>)) {
        (memory.joined, memory.next_id) = (0, FIRST_PUBLICATION_ID);
        let connect = peer.token(0).map_or(json!({}), |token| json!({ "token": token }));
        send(out, &json!({ "id": CONNECT_ID, "connect": connect }));
    }

    fn read(
        &self,
        peer: &Peer<'_>,
        memory: &mut Memory,
        message: &[u8],
        out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        for line in message.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if line == b"{}" {
                out.send(Kind::Text, b"{}");
            } else if line.starts_with(b"{\"push\":") {
                self.push(peer, memory, line, emit)?;
            } else {
                let reply =
                    serde_json::from_slice(line).map_err(|error| ProtocolError(format!("no reply: {error}")))?;
                self.reply(peer, memory, &reply, out, emit);
            }
        }
        Ok(())
    }

    fn publish(&self, memory: &mut Memory, channel: &str, payload: Payload<'_>, out: &mut dyn Outlet) -> bool {
        let id = memory.next_id;
        memory.next_id = memory.next_id.wrapping_add(1).max(FIRST_PUBLICATION_ID);
        let data = payload.as_json();
        out.send(
            Kind::Text,
            format!("{{\"id\":{id},\"publish\":{{\"channel\":\"{channel}\",\"data\":{data}}}}}").as_bytes(),
        );
        true
    }

    fn http_publish(&self, channel: &str, payload: Payload<'_>) -> Option<HttpRequest> {
        let headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("X-API-Key".to_owned(), self.api_key.clone()),
        ];
        let body = format!("{{\"channel\":\"{channel}\",\"data\":{}}}", payload.as_json()).into_bytes();
        Some(HttpRequest { method: "POST", path: "/api/publish".to_owned(), headers, body })
    }

    fn acknowledges(&self) -> bool {
        true
    }

    fn resumes(&self) -> bool {
        self.resume
    }
}

impl Centrifugo {
    fn reply(
        &self,
        peer: &Peer<'_>,
        memory: &mut Memory,
        reply: &Value,
        out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) {
        let id = reply["id"].as_u64().unwrap_or(0);
        if let Some(error) = reply.get("error") {
            return emit(Event::Refused(format!(
                "{} {}",
                error["code"],
                error["message"].as_str().unwrap_or_default()
            )));
        }
        if id == u64::from(CONNECT_ID) {
            return self.subscribe(peer, memory, out, emit);
        }
        if id >= u64::from(FIRST_PUBLICATION_ID) {
            return emit(Event::Ack);
        }
        let result = &reply["subscribe"];
        let missed = result["publications"].as_array().map_or(&[][..], Vec::as_slice);
        // A reply that recovers has the offset that was requested: the channel's own is that of its last publication.
        let offset = missed.last().and_then(|last| last["offset"].as_u64()).or_else(|| result["offset"].as_u64());
        if let (Some(epoch), Some(offset), Some(place)) = (result["epoch"].as_str(), offset, place(id)) {
            keep(memory, place, epoch, offset);
        }
        if result["was_recovering"] == true {
            emit(Event::Resumed { complete: result["recovered"] == true });
        }
        for publication in missed {
            emit(Event::Message(publication.to_string().as_bytes()));
        }
        memory.joined += 1;
        if memory.joined == peer.channel_count() {
            emit(Event::Ready);
        }
    }

    fn subscribe(&self, peer: &Peer<'_>, memory: &Memory, out: &mut dyn Outlet, emit: &mut dyn FnMut(Event<'_>)) {
        if peer.channel_count() == 0 {
            return emit(Event::Ready);
        }
        for (place, channel) in peer.channels().enumerate() {
            let mut request = json!({ "channel": channel });
            let position = memory
                .positions
                .as_ref()
                .filter(|_| self.resume)
                .and_then(|positions| positions.get(place)?.rsplit_once(':'));
            if let Some((epoch, offset)) = position {
                request["recover"] = json!(true);
                request["epoch"] = json!(epoch);
                request["offset"] = json!(offset.parse::<u64>().unwrap_or(0));
            }
            send(out, &json!({ "id": place + 2, "subscribe": request }));
        }
    }

    fn push(
        &self,
        peer: &Peer<'_>,
        memory: &mut Memory,
        line: &[u8],
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        if !self.resume && is_publication(line) {
            emit(Event::Message(line));
            return Ok(());
        }
        let push: Value = serde_json::from_slice(line).map_err(|error| ProtocolError(format!("no push: {error}")))?;
        let push = &push["push"];
        if let Some(publication) = push.get("pub") {
            if self.resume {
                advance(peer, memory, push["channel"].as_str(), publication["offset"].as_u64());
            }
            emit(Event::Message(line));
        } else if let Some(end) = push.get("unsubscribe") {
            let reason = end["reason"].as_str().unwrap_or_default();
            emit(Event::Refused(format!("unsubscribed: {} {reason}", end["code"])));
        }
        Ok(())
    }
}

/// Whether a push begins as the server writes publications, which saves reading it. Others are read.
fn is_publication(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"{\"push\":{\"channel\":\"") else { return false };
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    end.is_some_and(|end| rest[end..].starts_with(b"\",\"pub\":"))
}

/// Notes the offset of a publication, so that a resumed subscription goes on after it.
fn advance(peer: &Peer<'_>, memory: &mut Memory, channel: Option<&str>, offset: Option<u64>) {
    let (Some(channel), Some(offset)) = (channel, offset) else { return };
    let Some(place) = peer.channels().position(|name| name == channel) else { return };
    let Some(position) = memory.positions.as_ref().and_then(|positions| positions.get(place)) else { return };
    let Some((epoch, _)) = position.rsplit_once(':') else { return };
    let epoch = epoch.to_owned();
    keep(memory, place, &epoch, offset);
}

fn send(out: &mut dyn Outlet, command: &Value) {
    out.send(Kind::Text, command.to_string().as_bytes());
}

/// The place of a subscription among a connection's own, by the id of its command.
fn place(id: u64) -> Option<usize> {
    usize::try_from(id).ok()?.checked_sub(2)
}

fn keep(memory: &mut Memory, place: usize, epoch: &str, offset: u64) {
    let positions = memory.positions.get_or_insert_default();
    positions.resize(positions.len().max(place + 1), String::new());
    positions[place] = format!("{epoch}:{offset}");
}

#[cfg(test)]
mod tests {
    use super::super::{Adapter, Event, Job, Memory, Naming, Peer};
    use super::Centrifugo;

    /// Exchanges as the protocol's documents show them: no registry here has the server.
    #[test]
    fn a_session_is_followed_and_resumed() {
        let adapter = Centrifugo { path: "/connection/websocket".into(), api_key: String::new(), resume: true };
        let naming = Naming { prefix: "c".into(), channels: 1, per_connection: 1 };
        let peer = Peer { number: 0, job: Job::Subscribe, naming: &naming, tokens: Some("jwt") };
        let (mut memory, mut out, mut heard) = (Memory::default(), Vec::new(), Vec::new());
        adapter.opened(&peer, &mut memory, &mut out, &mut |_| panic!("not yet"));
        for message in [
            "{\"id\":1,\"connect\":{\"client\":\"u\",\"version\":\"6\",\"ping\":25,\"pong\":true}}",
            "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"epoch\":\"ab\",\"offset\":5,\"positioned\":true}}\n{}",
            "{\"push\":{\"channel\":\"c0\",\"pub\":{\"data\":{\"t\":1},\"offset\":6}}}",
            "{\"id\":1048576,\"publish\":{}}\n{\"id\":1048577,\"error\":{\"code\":103,\"message\":\"permission denied\"}}",
        ] {
            adapter
                .read(&peer, &mut memory, message.as_bytes(), &mut out, &mut |event| heard.push(format!("{event:?}")))
                .expect("sense");
        }
        assert_eq!(
            (heard[0].as_str(), heard[2].as_str(), heard[3].as_str()),
            ("Ready", "Ack", "Refused(\"103 permission denied\")")
        );
        let sent: Vec<String> = out.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
        assert_eq!(
            sent,
            ["{\"connect\":{\"token\":\"jwt\"},\"id\":1}", "{\"id\":2,\"subscribe\":{\"channel\":\"c0\"}}", "{}"]
        );
        let (mut again, mut heard) = (Vec::new(), Vec::new());
        adapter.read(&peer, &mut memory, b"{\"id\":1,\"connect\":{}}", &mut again, &mut |_| {}).expect("sense");
        assert!(
            String::from_utf8_lossy(&again[0].1).contains("\"epoch\":\"ab\",\"offset\":6,\"recover\":true"),
            "{again:?}"
        );
        let reply = b"{\"id\":2,\"subscribe\":{\"epoch\":\"ab\",\"offset\":6,\"was_recovering\":true,\"recovered\":true,\"publications\":[{\"data\":1,\"offset\":7}]}}";
        adapter
            .read(&peer, &mut memory, reply, &mut again, &mut |event| heard.push(format!("{event:?}")))
            .expect("sense");
        assert!(heard[0].contains("complete: true") && heard[1].starts_with("Message"), "{heard:?}");
    }

    fn subscriber(naming: &Naming) -> Peer<'_> {
        Peer { number: 0, job: Job::Subscribe, naming, tokens: None }
    }

    /// A reply that recovers has the offset that was requested, and the publications after it.
    #[test]
    fn what_was_recovered_is_not_asked_for_again() {
        let adapter = Centrifugo { path: "/connection/websocket".into(), api_key: String::new(), resume: true };
        let naming = Naming { prefix: "c".into(), channels: 1, per_connection: 1 };
        let (peer, mut memory, mut out) = (subscriber(&naming), Memory::default(), Vec::new());
        memory.positions = Some(Box::new(vec!["ab:6".to_owned()]));
        let reply = br#"{"id":2,"subscribe":{"epoch":"ab","offset":6,"was_recovering":true,"recovered":true,"publications":[{"data":1,"offset":7},{"data":2,"offset":8}]}}"#;
        adapter.read(&peer, &mut memory, reply, &mut out, &mut |_| {}).expect("sense");
        adapter.read(&peer, &mut memory, br#"{"id":1,"connect":{}}"#, &mut out, &mut |_| {}).expect("sense");
        let sent = String::from_utf8_lossy(&out[0].1);
        assert!(sent.contains(r#""offset":8"#), "{sent}");
    }

    #[test]
    fn only_publications_are_messages_and_a_subscription_that_ends_is_told() {
        let adapter = Centrifugo { path: "/connection/websocket".into(), api_key: String::new(), resume: false };
        let naming = Naming { prefix: "c".into(), channels: 1, per_connection: 1 };
        let (peer, mut memory, mut heard) = (subscriber(&naming), Memory::default(), Vec::new());
        for push in [
            r#"{"push":{"channel":"c0","join":{"info":{"user":"u","client":"x"}}}}"#,
            r#"{"push":{"channel":"c0","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#,
            r#"{"push":{"channel":"c0","pub":{"data":{"t":1}}}}"#,
            r#"{"push":{"pub":{"data":{"t":2}},"channel":"c0"}}"#,
        ] {
            let read = adapter.read(&peer, &mut memory, push.as_bytes(), &mut Vec::new(), &mut |event| {
                heard.push(match event {
                    Event::Message(_) => "Message".to_owned(),
                    other => format!("{other:?}"),
                });
            });
            assert_eq!(read, Ok(()));
        }
        assert_eq!(heard, ["Refused(\"unsubscribed: 2500 insufficient state\")", "Message", "Message"]);
    }
}
