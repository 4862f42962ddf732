//! A response over HTTP, from whatever protocol.

use super::tidings::reply::body_refused;
use crate::model::refusal::Refusal;
use crate::node::answer::Answer;
use smallvec::SmallVec;

/// The media type of every JSON response.
pub const JSON: &str = "application/json";
/// The media type of every text.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// A response but for what its request and the server add to it.
#[derive(Debug, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The media type of the body, if there is one.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
    /// Of a file that everyone may read: its Cache-Control.
    pub public: Option<&'static str>,
    /// When the same would be allowed, in milliseconds from now; 0 when that is not known.
    pub retry_after_ms: u32,
    /// The entity tag of a body that its reader may hold, and ask for again: then it is 304 and has none.
    pub tag: Option<String>,
    /// Fields of this response alone.
    pub extra: SmallVec<[(&'static str, String); 2]>,
}

/// What an answer to a request became over HTTP.
#[derive(Debug)]
pub enum Responded {
    /// The whole response.
    Whole(Response),
    /// An event stream begins with this answer.
    Stream(Answer),
    /// An event stream that says only why there is none for now: `EventSource` gives up for good on any status but 200.
    RefusedStream(Refusal),
    /// More answers are to come before there is a response.
    Partly,
}

impl Response {
    /// A text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Response {
        Response { status, content_type: Some(TEXT), body: body.into(), ..Response::default() }
    }

    /// JSON.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Response {
        Response { status, content_type: Some(JSON), body, ..Response::default() }
    }
}

/// Whether a status says that the same may be asked again later.
#[must_use]
pub const fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

/// A refusal as JSON, `{"error":{"code":"…","message":"…"}}` and a line end.
#[must_use]
pub fn refused(refusal: &Refusal) -> Response {
    let mut body = Vec::new();
    body_refused(&mut body, refusal);
    body.push(b'\n');
    Response { retry_after_ms: refusal.retry_after_ms, ..Response::json(refusal.status(), body) }
}

#[cfg(test)]
mod tests {
    use super::refused;
    use crate::model::code::Code;
    use crate::model::refusal::Refusal;

    #[test]
    fn a_refusal_is_json_whatever_it_says() {
        let body = |message: &'static str| refused(&Refusal::new(Code::BadChannel, message)).body;
        assert_eq!(body("b"), b"{\"error\":{\"code\":\"bad_channel\",\"message\":\"b\"}}\n");
        let body = body("\"quoted\"\n\\ \u{1} é");
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(value["error"]["message"], "\"quoted\"\n\\ \u{1} é");
    }
}
