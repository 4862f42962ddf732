//! Socket.IO 5 over Engine.IO 4, over WebSocket alone (socket.io's documents "The Engine.IO protocol" and "The Socket.IO
//! protocol"). What a server does with events is its own affair: this speaks to one that sends `echo` back, enters the
//! room of `join` and acknowledges it, and sends `publish`ed payloads to the room as `message`.

use super::{Adapter, Event, HttpRequest, Job, Kind, Memory, Opening, Outlet, Payload, Peer, ProtocolError, Transport};

/// Speaks Socket.IO.
#[derive(Debug, Clone)]
pub struct SocketIo {
    /// Where the server is.
    pub path: String,
}

impl Adapter for SocketIo {
    fn opening(&self, _peer: &Peer<'_>, _memory: &Memory) -> Opening {
        let path = format!("{}?EIO=4&transport=websocket", self.path);
        Opening { transport: Transport::WebSocket, path, headers: Vec::new(), subprotocol: None }
    }

    /// The server speaks first.
    fn opened(&self, _peer: &Peer<'_>, _memory: &mut Memory, _out: &mut dyn Outlet, _emit: &mut dyn FnMut(Event<'_>)) {}

    fn read(
        &self,
        peer: &Peer<'_>,
        memory: &mut Memory,
        message: &[u8],
        out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        match message {
            [b'0', ..] => out.send(Kind::Text, b"40"),
            [b'2'] => out.send(Kind::Text, b"3"),
            [b'4', b'0', ..] if peer.channel_count() == 0 => emit(Event::Ready),
            [b'4', b'0', ..] => {
                for (id, channel) in peer.channels().enumerate() {
                    out.send(Kind::Text, format!("42{id}[\"join\",\"{channel}\"]").as_bytes());
                }
            }
            [b'4', b'3', ..] => {
                memory.joined += 1;
                if memory.joined == peer.channel_count() {
                    emit(Event::Ready);
                }
            }
            [b'4', b'4', rest @ ..] => emit(Event::Refused(String::from_utf8_lossy(rest).into_owned())),
            [b'4', b'2', rest @ ..] if peer.job == Job::Echo => {
                // What came back is exactly what was sent, between these.
                let inner = rest.strip_prefix(b"[\"echo\",\"").and_then(|rest| rest.strip_suffix(b"\"]"));
                emit(Event::Message(inner.unwrap_or(rest)));
            }
            [b'4', b'2', rest @ ..] => emit(Event::Message(rest)),
            [b'3' | b'6', ..] => {}
            other => {
                return Err(ProtocolError(format!(
                    "no packet of Socket.IO: {}",
                    String::from_utf8_lossy(&other[..other.len().min(40)])
                )));
            }
        }
        Ok(())
    }

    fn echo(&self, _peer: &Peer<'_>, _memory: &mut Memory, payload: &[u8], out: &mut dyn Outlet) {
        out.send(Kind::Text, &[b"42[\"echo\",\"", payload, b"\"]"].concat());
    }

    fn publish(&self, _memory: &mut Memory, channel: &str, payload: Payload<'_>, out: &mut dyn Outlet) -> bool {
        out.send(Kind::Text, format!("42[\"publish\",\"{channel}\",{}]", payload.as_json()).as_bytes());
        true
    }

    fn http_publish(&self, _channel: &str, _payload: Payload<'_>) -> Option<HttpRequest> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Adapter, Job, Kind, Memory, Naming, Peer};
    use super::SocketIo;

    /// As socket.io 4.8.3 sends it.
    #[test]
    fn a_session_is_followed() {
        let adapter = SocketIo { path: "/socket.io/".into() };
        let naming = Naming { prefix: "c".into(), channels: 1, per_connection: 1 };
        let peer = Peer { number: 0, job: Job::Subscribe, naming: &naming, tokens: None };
        let (mut memory, mut out, mut heard) = (Memory::default(), Vec::new(), Vec::new());
        let session = [
            "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}",
            "40{\"sid\":\"b\"}",
            "430[\"ok\"]",
            "2",
            "42[\"message\",{\"t\":1}]",
        ];
        for message in session {
            adapter
                .read(&peer, &mut memory, message.as_bytes(), &mut out, &mut |event| heard.push(format!("{event:?}")))
                .expect("sense");
        }
        let sent: Vec<String> = out
            .iter()
            .map(|(kind, bytes)| {
                assert_eq!(*kind, Kind::Text);
                String::from_utf8_lossy(bytes).into_owned()
            })
            .collect();
        assert_eq!(sent, ["40", "420[\"join\",\"c0\"]", "3"]);
        assert!(heard.len() == 2 && heard[0] == "Ready", "{heard:?}");
        assert!(adapter.read(&peer, &mut memory, b"9", &mut out, &mut |_| {}).is_err());
    }
}
