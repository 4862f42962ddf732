//! Pusher Channels, protocol 7: Sockudo, Soketi, Reverb, Pylon and Pusher itself.

use super::{Adapter, Event, HttpRequest, Kind, Memory, Opening, Outlet, Payload, Peer, ProtocolError, Transport};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use sha2::Sha256;

/// Speaks protocol 7 to one application.
#[derive(Debug, Clone)]
pub struct Pusher {
    /// The application's id, in the paths of its HTTP API.
    pub app_id: String,
    /// Its key, in the path of its sockets.
    pub key: String,
    /// Its secret, for signatures.
    pub secret: String,
    /// Seconds since 1970, for signatures.
    pub clock: fn() -> u64,
}

/// The event that publications are.
const EVENT: &str = "client-tick";

impl Adapter for Pusher {
    fn opening(&self, _peer: &Peer<'_>, _memory: &Memory) -> Opening {
        let path = format!("/app/{}?protocol=7&client=tidings-loadgen&version=1.0&flash=false", self.key);
        Opening { transport: Transport::WebSocket, path, headers: Vec::new(), subprotocol: None }
    }

    /// The server speaks first.
    fn opened(&self, _peer: &Peer<'_>, memory: &mut Memory, _out: &mut dyn Outlet, _emit: &mut dyn FnMut(Event<'_>)) {
        memory.joined = 0;
    }

    fn read(
        &self,
        peer: &Peer<'_>,
        memory: &mut Memory,
        message: &[u8],
        out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        let text = std::str::from_utf8(message).map_err(|_| ProtocolError("an event that is not UTF-8".to_owned()))?;
        if !text.contains("\"pusher") {
            emit(Event::Message(message));
            return Ok(());
        }
        let event: Value = serde_json::from_str(text).map_err(|error| ProtocolError(format!("no event: {error}")))?;
        match event["event"].as_str().unwrap_or_default() {
            "pusher:connection_established" => self.established(peer, &event, out, emit),
            "pusher_internal:subscription_succeeded" => {
                memory.joined += 1;
                if memory.joined == self.rooms(peer).len() as u32 {
                    emit(Event::Ready);
                }
            }
            "pusher:ping" => out.send(Kind::Text, b"{\"event\":\"pusher:pong\",\"data\":{}}"),
            "pusher:error" | "pusher:subscription_error" => emit(Event::Refused(event["data"].to_string())),
            name if name.starts_with("pusher") => {}
            _ => emit(Event::Message(message)),
        }
        Ok(())
    }

    /// A client's event, on a channel that the publisher has joined; it needs one that begins with `private-`.
    fn publish(&self, _memory: &mut Memory, channel: &str, payload: Payload<'_>, out: &mut dyn Outlet) -> bool {
        let data = payload.as_json();
        out.send(Kind::Text, format!("{{\"event\":\"{EVENT}\",\"channel\":\"{channel}\",\"data\":{data}}}").as_bytes());
        true
    }

    fn socket_prefix(&self) -> &'static str {
        "private-"
    }

    fn http_publish(&self, channel: &str, payload: Payload<'_>) -> Option<HttpRequest> {
        let body = format!("{{\"name\":\"tick\",\"channel\":\"{channel}\",\"data\":{}}}", payload.as_json_string());
        let path = format!("/apps/{}/events", self.app_id);
        let query = self.signed("POST", &path, (self.clock)(), body.as_bytes());
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Some(HttpRequest { method: "POST", path: format!("{path}?{query}"), headers, body: body.into_bytes() })
    }
}

impl Pusher {
    fn established(&self, peer: &Peer<'_>, event: &Value, out: &mut dyn Outlet, emit: &mut dyn FnMut(Event<'_>)) {
        let data: Value = event["data"].as_str().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        let socket = data["socket_id"].as_str().unwrap_or_default();
        let rooms = self.rooms(peer);
        if rooms.is_empty() {
            return emit(Event::Ready);
        }
        for channel in rooms {
            let mut data = json!({ "channel": channel });
            if channel.starts_with("private-") {
                data["auth"] = json!(format!("{}:{}", self.key, self.signature(&format!("{socket}:{channel}"))));
            }
            out.send(Kind::Text, json!({ "event": "pusher:subscribe", "data": data }).to_string().as_bytes());
        }
    }

    /// The channels that a connection joins: a reader its own, and a publisher all where it may send events itself.
    fn rooms(&self, peer: &Peer<'_>) -> Vec<String> {
        match peer.job {
            super::Job::Publish if peer.naming.prefix.starts_with("private-") => {
                (0..peer.naming.channels).map(|channel| peer.naming.name(channel)).collect()
            }
            _ => peer.channels().collect(),
        }
    }

    /// The query of a signed request (Pusher's "Generating authentication signatures").
    fn signed(&self, method: &str, path: &str, timestamp: u64, body: &[u8]) -> String {
        let digest = HEXLOWER.encode(&Md5::digest(body));
        let query = format!("auth_key={}&auth_timestamp={timestamp}&auth_version=1.0&body_md5={digest}", self.key);
        let signature = self.signature(&format!("{method}\n{path}\n{query}"));
        format!("{query}&auth_signature={signature}")
    }

    fn signature(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Adapter, Job, Memory, Naming, Peer};
    use super::Pusher;

    fn pusher() -> Pusher {
        Pusher {
            app_id: "3".into(),
            key: "278d425bdf160c739803".into(),
            secret: "7ad3773142a6692b25b8".into(),
            clock: || 1_353_088_179,
        }
    }

    /// The examples of Pusher's documents, computed with openssl.
    #[test]
    fn signatures_are_those_of_the_documents() {
        assert_eq!(
            pusher().signature("1234.1234:private-foobar"),
            "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
        );
        let body = br#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
        let query = pusher().signed("POST", "/apps/3/events", 1_353_088_179, body);
        assert!(query.contains("body_md5=ec365a775a4cd0599faeb73354201b6f"), "{query}");
        assert!(
            query.ends_with("auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"),
            "{query}"
        );
    }

    /// Exchanges as protocol 7 has them.
    #[test]
    fn a_session_is_followed() {
        let (adapter, naming) = (pusher(), Naming { prefix: "private-c".into(), channels: 1, per_connection: 1 });
        let peer = Peer { number: 0, job: Job::Subscribe, naming: &naming, tokens: None };
        let (mut memory, mut out, mut heard) = (Memory::default(), Vec::new(), Vec::new());
        for message in [
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"123.456\",\"activity_timeout\":120}"}"#,
            r#"{"event":"pusher_internal:subscription_succeeded","channel":"private-c0","data":"{}"}"#,
            r#"{"event":"pusher:ping","data":{}}"#,
            r#"{"event":"tick","channel":"private-c0","data":"{\"t\":1}"}"#,
            r#"{"event":"pusher:error","data":{"code":4301,"message":"rate"}}"#,
        ] {
            adapter
                .read(&peer, &mut memory, message.as_bytes(), &mut out, &mut |event| heard.push(format!("{event:?}")))
                .expect("sense");
        }
        assert!(heard[0] == "Ready" && heard[1].starts_with("Message") && heard[2].contains("4301"), "{heard:?}");
        let sent: Vec<String> = out.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
        assert!(
            sent[0].contains("\"auth\":\"278d425bdf160c739803:") && sent[0].contains("pusher:subscribe"),
            "{sent:?}"
        );
        assert_eq!(sent[1], "{\"event\":\"pusher:pong\",\"data\":{}}");
    }
}
