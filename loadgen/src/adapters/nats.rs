//! NATS over WebSocket: the text protocol of its clients (docs.nats.io, "client protocol"), in binary messages that need
//! not end where its own do.

use super::{Adapter, Event, HttpRequest, Kind, Memory, Opening, Outlet, Payload, Peer, ProtocolError, Transport};

/// Speaks NATS; a channel is a subject.
#[derive(Debug, Clone)]
pub struct Nats;

/// The longest line and message that are read, in bytes: the server's own default for messages.
const MOST: usize = 1 << 20;

const CONNECT: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"tidings-loadgen\",\"version\":\"1\",\"protocol\":1}\r\n";

impl Adapter for Nats {
    fn opening(&self, _peer: &Peer<'_>, _memory: &Memory) -> Opening {
        Opening { transport: Transport::WebSocket, path: "/".to_owned(), headers: Vec::new(), subprotocol: None }
    }

    fn opened(&self, peer: &Peer<'_>, _memory: &mut Memory, out: &mut dyn Outlet, _emit: &mut dyn FnMut(Event<'_>)) {
        let mut text = CONNECT.to_owned();
        for (id, channel) in peer.channels().enumerate() {
            text.push_str(&format!("SUB {channel} {}\r\n", id + 1));
        }
        // Its answer says that everything before it was done.
        text.push_str("PING\r\n");
        out.send(Kind::Binary, text.as_bytes());
    }

    fn read(
        &self,
        _peer: &Peer<'_>,
        memory: &mut Memory,
        message: &[u8],
        out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        let Some(mut rest) = memory.rest.take() else {
            let used = operations(memory, message, out, emit)?;
            if used < message.len() {
                memory.rest = Some(Box::new(message[used..].to_vec()));
            }
            return Ok(());
        };
        rest.extend_from_slice(message);
        let used = operations(memory, &rest, out, emit)?;
        rest.drain(..used);
        if rest.len() > 2 * MOST {
            return Err(ProtocolError("an operation of NATS that does not end".to_owned()));
        }
        memory.rest = (!rest.is_empty()).then_some(rest);
        Ok(())
    }

    fn publish(&self, _memory: &mut Memory, channel: &str, payload: Payload<'_>, out: &mut dyn Outlet) -> bool {
        let text = format!("PUB {channel} {}\r\n{}\r\n", payload.text.len(), payload.text);
        out.send(Kind::Binary, text.as_bytes());
        true
    }

    fn http_publish(&self, _channel: &str, _payload: Payload<'_>) -> Option<HttpRequest> {
        None
    }
}

/// Goes through whole operations; how many bytes are done with.
fn operations(
    memory: &mut Memory,
    input: &[u8],
    out: &mut dyn Outlet,
    emit: &mut dyn FnMut(Event<'_>),
) -> Result<usize, ProtocolError> {
    let mut at = 0;
    while let Some(end) = input[at..].iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(input[at..at + end].trim_ascii_end());
        let after = at + end + 1;
        let name = line.split([' ', '\t']).next().unwrap_or_default().to_ascii_uppercase();
        match name.as_str() {
            "MSG" => {
                let size =
                    line.rsplit(' ').next().and_then(|size| size.parse::<usize>().ok()).filter(|size| *size <= MOST);
                let size = size.ok_or_else(|| ProtocolError(format!("a message of NATS without a size: {line}")))?;
                let Some(payload) = input.get(after..after + size + 2) else { return Ok(at) };
                emit(Event::Message(&payload[..size]));
                at = after + size + 2;
                continue;
            }
            "PING" => out.send(Kind::Binary, b"PONG\r\n"),
            "PONG" if memory.stage == 0 => {
                memory.stage = 1;
                emit(Event::Ready);
            }
            "PONG" | "INFO" | "+OK" => {}
            "-ERR" => emit(Event::Refused(line.trim_start_matches("-ERR").trim().to_owned())),
            _ => return Err(ProtocolError(format!("an operation that NATS does not have: {line}"))),
        }
        at = after;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::super::{Adapter, Event, Job, Memory, Naming, Peer};
    use super::Nats;

    /// As nats-server 2.9.10 sends it, cut everywhere.
    #[test]
    fn operations_are_understood_wherever_they_are_cut() {
        let session = b"INFO {\"server_id\":\"X\",\"max_payload\":1048576}\r\nPONG\r\nPING\r\nMSG c0 1 5\r\nhello\r\nMSG c1 2 reply 3\r\na\nb\r\n-ERR 'Slow Consumer'\r\n";
        let naming = Naming { prefix: "c".into(), channels: 2, per_connection: 2 };
        let peer = Peer { number: 0, job: Job::Subscribe, naming: &naming, tokens: None };
        for cut in 1..session.len() {
            let (mut memory, mut out, mut heard) = (Memory::default(), Vec::new(), Vec::new());
            for piece in session.chunks(cut) {
                let read = Nats.read(&peer, &mut memory, piece, &mut out, &mut |event| {
                    heard.push(match event {
                        Event::Message(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                        other => format!("{other:?}"),
                    });
                });
                assert_eq!(read, Ok(()), "cut at {cut}");
            }
            assert_eq!(heard, ["Ready", "hello", "a\nb", "Refused(\"'Slow Consumer'\")"], "cut at {cut}");
            assert_eq!((out.len(), memory.rest), (1, None), "its ping is answered");
        }
        assert!(Nats.read(&peer, &mut Memory::default(), b"WHAT\r\n", &mut Vec::new(), &mut |_| {}).is_err());
    }
}
