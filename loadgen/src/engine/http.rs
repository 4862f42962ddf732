//! HTTP/1.1 as a client needs it: a request's head, an answer's head, and bodies by length or in chunks (RFC 9112).

use httparse::{EMPTY_HEADER, Response, Status};
use tungstenite::handshake::derive_accept_key;

/// The longest head of an answer, in bytes.
const HEAD_BYTES: usize = 64 * 1024;
/// The maximum number of fields of a response.
const FIELDS: usize = 100;

/// What an answer's head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Body,
    /// The value of Sec-WebSocket-Accept.
    pub(super) accept: Option<String>,
    /// The value of Sec-WebSocket-Protocol.
    pub(super) subprotocol: Option<String>,
    /// The values of Sec-WebSocket-Extensions.
    pub(super) extensions: Vec<String>,
    /// Whether the server ends the connection after the body.
    pub(super) closes: bool,
}

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// After n more bytes.
    Length(u64),
    /// After the last chunk.
    Chunks(Chunk),
    /// With the connection.
    Rest,
}

/// Where in a chunked body one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In or before the line with the next chunk's size.
    Size,
    /// So many bytes before the end of the chunk's data.
    Data(u64),
    /// In the line end after the data.
    End,
    /// In the lines after the last chunk.
    Trailer,
    /// Behind the body.
    Over,
}

/// Reads the head at the start of `input`: it and its length, or nothing while it is not complete.
pub(super) fn read_head(input: &[u8]) -> Result<Option<(Answer, usize)>, String> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut response = Response::new(&mut fields);
    let length = match response.parse(input) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if input.len() < HEAD_BYTES => return Ok(None),
        Ok(Status::Partial) => return Err(format!("the head of an answer has more than {HEAD_BYTES} bytes")),
        Err(error) => return Err(format!("an answer that is not HTTP: {error}")),
    };
    let status = response.code.unwrap_or(0);
    let mut answer = Answer {
        status,
        body: Body::Rest,
        accept: None,
        subprotocol: None,
        extensions: Vec::new(),
        // HTTP/1.0 closes unless it says otherwise (RFC 9112 section 9.3).
        closes: response.version == Some(0),
    };
    if has_no_body(status) {
        answer.body = Body::Length(0);
    }
    for field in response.headers.iter() {
        take_field(&mut answer, field.name, &String::from_utf8_lossy(field.value))?;
    }
    Ok(Some((answer, length)))
}

/// Whether an answer ends with its head, whatever its fields say (RFC 9112 section 6.3).
fn has_no_body(status: u16) -> bool {
    status < 200 || status == 204 || status == 304
}

fn take_field(answer: &mut Answer, name: &str, value: &str) -> Result<(), String> {
    let value = value.trim();
    match name.to_ascii_lowercase().as_str() {
        "sec-websocket-accept" => answer.accept = Some(value.to_owned()),
        "sec-websocket-protocol" => answer.subprotocol = Some(value.to_owned()),
        "sec-websocket-extensions" => answer.extensions.push(value.to_owned()),
        "connection" => {
            answer.closes =
                value.eq_ignore_ascii_case("close") || answer.closes && value.eq_ignore_ascii_case("upgrade")
        }
        "transfer-encoding" if value.eq_ignore_ascii_case("chunked") && !has_no_body(answer.status) => {
            answer.body = Body::Chunks(Chunk::Size);
        }
        // Chunks win over a length, in whichever order they are named (RFC 9112 section 6.3).
        "content-length" if matches!(answer.body, Body::Rest) => {
            let length = value.parse().map_err(|_| format!("a Content-Length of `{value}`"))?;
            answer.body = Body::Length(length);
        }
        _ => {}
    }
    Ok(())
}

/// Whether the server has understood the key of the handshake (RFC 6455 section 4.1).
pub(super) fn accepts(answer: &Answer, key: &str) -> bool {
    answer.accept.as_deref() == Some(derive_accept_key(key.as_bytes()).as_str())
}

impl Body {
    /// Whether everything has come.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Body::Length(0) | Body::Chunks(Chunk::Over))
    }

    /// Goes through what came of the body: gives its data to `sink`, and says how many bytes are done with. Part of a
    /// line stays where it is.
    pub(super) fn read(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize, String> {
        match self {
            Body::Rest => {
                sink(input);
                Ok(input.len())
            }
            Body::Length(left) => {
                let count = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                sink(&input[..count]);
                *left -= count as u64;
                Ok(count)
            }
            Body::Chunks(state) => read_chunks(state, input, sink),
        }
    }
}

fn read_chunks(state: &mut Chunk, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize, String> {
    let mut at = 0;
    loop {
        match &mut *state {
            Chunk::Over => return Ok(at),
            Chunk::Data(left) => {
                let count = (input.len() - at).min(usize::try_from(*left).unwrap_or(usize::MAX));
                sink(&input[at..at + count]);
                at += count;
                *left -= count as u64;
                if *left > 0 {
                    return Ok(at);
                }
                *state = Chunk::End;
            }
            line => {
                let Some(length) = input[at..].iter().position(|byte| *byte == b'\n') else { return Ok(at) };
                *line = next_chunk(*line, input[at..at + length].trim_ascii_end())?;
                at += length + 1;
            }
        }
    }
}

fn next_chunk(state: Chunk, line: &[u8]) -> Result<Chunk, String> {
    Ok(match state {
        Chunk::Size => {
            let text = String::from_utf8_lossy(line);
            let digits = text.split(';').next().unwrap_or_default().trim();
            match u64::from_str_radix(digits, 16).map_err(|_| format!("a chunk of size `{digits}`"))? {
                0 => Chunk::Trailer,
                size => Chunk::Data(size),
            }
        }
        Chunk::End => Chunk::Size,
        Chunk::Trailer if line.is_empty() => Chunk::Over,
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::{Body, accepts, read_head};

    fn body_of(answer: &str, cut: usize) -> (Vec<u8>, bool) {
        let (head, length) = read_head(answer.as_bytes()).expect("HTTP").expect("a whole head");
        let (mut body, mut data, mut rest) = (head.body, Vec::new(), Vec::new());
        for piece in answer.as_bytes()[length..].chunks(cut) {
            rest.extend_from_slice(piece);
            let used = body.read(&rest, &mut |bytes| data.extend_from_slice(bytes)).expect("a body");
            rest.drain(..used);
        }
        (data, body.is_over())
    }

    #[test]
    fn bodies_end_where_they_say_however_they_are_cut() {
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nT: t\r\n\r\n";
        let sized = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello!";
        for cut in 1..40 {
            assert_eq!(body_of(chunked, cut), (b"hello!".to_vec(), true), "cut at {cut}");
            assert_eq!(body_of(sized, cut), (b"hello!".to_vec(), true), "cut at {cut}");
        }
        assert_eq!(body_of("HTTP/1.1 200 OK\r\n\r\nwhatever", 3), (b"whatever".to_vec(), false));
    }

    #[test]
    fn an_answer_whose_status_allows_no_body_has_none_in_chunks_either() {
        // What follows was read as chunks, but it is the next answer (RFC 9112 section 6.3).
        for status in [100, 101, 103, 204, 304] {
            let head = format!("HTTP/1.1 {status} x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n");
            let (answer, length) = read_head(head.as_bytes()).expect("HTTP").expect("a whole head");
            assert_eq!((answer.body, length), (Body::Length(0), head.len()), "{status}");
        }
    }

    #[test]
    fn the_handshake_of_the_rfc_is_understood() {
        let text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n\x01";
        let (answer, length) = read_head(text.as_bytes()).expect("HTTP").expect("whole");
        assert!(accepts(&answer, "dGhlIHNhbXBsZSBub25jZQ==") && !accepts(&answer, "AAAAIHNhbXBsZSBub25jZQ=="));
        assert_eq!((answer.status, answer.body, answer.subprotocol.as_deref()), (101, Body::Length(0), Some("chat")));
        assert_eq!(length, text.len() - 1);
        assert_eq!(read_head(&text.as_bytes()[..60]), Ok(None));
    }

    #[test]
    fn what_is_not_http_is_told() {
        assert!(read_head(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").is_err());
        assert!(read_head(&[b"HTTP/1.1 200 OK\r\nA: ".as_slice(), &[b'x'; 70_000]].concat()).is_err());
    }
}
