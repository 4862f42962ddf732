//! A small HTTP/1.1 client: requests as text, answers as values.

use super::raw::RawClient;
use std::net::SocketAddr;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a field, by its name in any case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether it says when to come back: after 2 s, half of it more or less.
    pub(crate) fn says_when(&self) -> bool {
        self.field("Retry-After").is_some_and(|seconds| ["1", "2", "3"].contains(&seconds))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// `error.code` of a refusal.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// One connection that sends requests one after the other.
pub(crate) struct HttpClient {
    pub(crate) raw: RawClient,
}

impl HttpClient {
    pub(crate) fn connect(address: SocketAddr) -> HttpClient {
        HttpClient { raw: RawClient::connect(address) }
    }

    /// Sends a request. `fields` are added to Host (unless they have one) and Content-Length.
    pub(crate) fn request(&mut self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        self.raw.send(request_bytes(method, target, fields, body));
        self.read_answer(method == "HEAD")
    }

    /// Sends bytes as they are, a whole request; its answer.
    pub(crate) fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        let bytes = bytes.as_ref();
        self.raw.send(bytes);
        self.read_answer(bytes.starts_with(b"HEAD "))
    }

    /// Whether the next request on this connection is answered.
    pub(crate) fn is_kept(&mut self) -> bool {
        self.request("GET", "/livez", &[], b"").status == 200
    }

    /// Whether the server ends the stream, with nothing behind what was read.
    pub(crate) fn is_ended(&mut self) -> bool {
        self.raw.read_more() == 0 && self.raw.received.is_empty()
    }

    /// Reads one answer; what comes behind it stays.
    pub(crate) fn read_answer(&mut self, to_head: bool) -> Answer {
        self.raw.read_until(b"\r\n\r\n");
        let end = self.raw.received.windows(4).position(|window| window == b"\r\n\r\n").expect("it was found") + 4;
        let head = String::from_utf8(self.raw.received.drain(..end).collect()).expect("a head is text");
        let (status, fields) = parse_head(&head);
        let mut answer = Answer { status, fields, body: Vec::new() };
        let bodiless = to_head || status == 204 || status == 304 || (100..200).contains(&status);
        if bodiless {
            return answer;
        }
        if let Some(length) = answer.field("Content-Length").map(|text| text.parse::<usize>().expect("a length")) {
            while self.raw.received.len() < length {
                assert_ne!(self.raw.read_more(), 0, "the body ended early");
            }
            answer.body = self.raw.received.drain(..length).collect();
        } else {
            self.raw.read_to_end();
            answer.body = std::mem::take(&mut self.raw.received);
        }
        answer
    }
}

/// The bytes of a request.
pub(crate) fn request_bytes(method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// GET on a connection of its own.
pub(crate) fn get(address: SocketAddr, target: &str) -> Answer {
    HttpClient::connect(address).request("GET", target, &[], b"")
}

/// GET of an operators' page on a connection of its own.
pub(crate) fn get_as_operator(address: SocketAddr, target: &str) -> Answer {
    HttpClient::connect(address).request("GET", target, &[super::OPERATOR], b"")
}

/// POST of JSON on a connection of its own.
pub(crate) fn post(address: SocketAddr, target: &str, json: &str) -> Answer {
    HttpClient::connect(address).request("POST", target, &[], json.as_bytes())
}

fn parse_head(head: &str) -> (u16, Vec<(String, String)>) {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let fields =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned()));
    (status.unwrap_or_else(|| panic!("no status in {head:?}")), fields.collect())
}
