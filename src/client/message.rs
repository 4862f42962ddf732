//! Requests as a client writes them, and the members of what a server answers, `data` byte for byte.

use super::error::ClientError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

/// A request without its id, which the client assigns.
#[derive(Debug, Clone)]
pub struct Request {
    members: String,
}

impl Request {
    /// GET of a channel: subscribes.
    #[must_use]
    pub fn get(channel: &str) -> Request {
        Request::to("GET", &format!("/channels/{}", percent_encoded(channel)))
    }

    /// POST to a channel. `json` is sent unchanged, so it must be JSON.
    #[must_use]
    pub fn post(channel: &str, json: &str) -> Request {
        let mut request = Request::to("POST", &format!("/channels/{}", percent_encoded(channel)));
        request.add("data", json);
        request
    }

    /// GET of `/livez`: whether the server still answers.
    #[must_use]
    pub fn livez() -> Request {
        Request::to("GET", "/livez")
    }

    /// GET of `/limits`: the largest message and body that the server takes, among others.
    #[must_use]
    pub fn limits() -> Request {
        Request::to("GET", "/limits")
    }

    /// AUTH: signs the connection in, or on with a new token.
    #[must_use]
    pub fn auth(token: &str) -> Request {
        Request { members: format!("\"method\":\"AUTH\",\"token\":{}", json_text(token)) }
    }

    /// Adds an option with a text as its value: `since`, `event`, `key`.
    #[must_use]
    pub fn with_text(mut self, name: &str, value: &str) -> Request {
        self.add(name, &json_text(value));
        self
    }

    /// Adds an option with a number as its value: `last`, `limit`.
    #[must_use]
    pub fn with_number(mut self, name: &str, value: u64) -> Request {
        self.add(name, &value.to_string());
        self
    }

    fn to(method: &str, path: &str) -> Request {
        Request { members: format!("\"method\":{},\"path\":{}", json_text(method), json_text(path)) }
    }

    fn add(&mut self, name: &str, json: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.members, ",{}:{json}", json_text(name));
    }

    pub(super) fn text(&self, id: u64) -> String {
        format!("{{\"id\":{id},{}}}", self.members)
    }
}

/// The members of one JSON object of the server, each as the bytes it came in.
#[derive(Debug, Clone)]
pub struct Members(BTreeMap<String, Box<RawValue>>);

impl FromStr for Members {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Members, ClientError> {
        let unexpected = |_| ClientError::Unexpected(text.chars().take(80).collect());
        serde_json::from_str(text).map(Members).map_err(unexpected)
    }
}

impl Members {
    /// A member's JSON as it came.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    /// A member that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// A member that is a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.raw(name)?.parse().ok()
    }

    /// A member that is true or false.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.raw(name)?.parse().ok()
    }

    /// The publications of an answer to a GET.
    ///
    /// # Errors
    /// The member is not a list of objects.
    pub fn publications(&self) -> Result<Vec<Members>, ClientError> {
        let Some(text) = self.raw("publications") else { return Ok(Vec::new()) };
        let unexpected = |_| ClientError::Unexpected(text.chars().take(80).collect());
        let items: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(text).map_err(unexpected)?;
        Ok(items.into_iter().map(Members).collect())
    }

    /// Whether this answer says that a request failed.
    pub(super) fn is_refusal(&self) -> bool {
        self.raw("error").is_some()
    }

    /// This answer, unless its status is that of a refusal.
    pub(super) fn or_refusal(self, status: u64) -> Result<Members, ClientError> {
        if (200..300).contains(&status) {
            return Ok(self);
        }
        let message = self.raw("error").and_then(message_of).unwrap_or_else(|| "no reason given".to_owned());
        // What is no status counts as the server's fault, after which a retry may succeed.
        Err(ClientError::Refused { status: u16::try_from(status).unwrap_or(500), message })
    }
}

fn message_of(error: &str) -> Option<String> {
    error.parse::<Members>().ok()?.text("message")
}

/// A text as a JSON string.
fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What is encoded in a segment of a path: all but the unreserved characters (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One more pair of a query, after others.
#[must_use]
pub fn query(name: &str, value: &str) -> String {
    format!("&{name}={}", percent_encoded(value))
}

/// A channel's name as one segment of a path.
pub(super) fn percent_encoded(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, SEGMENT)
}

#[cfg(test)]
mod tests {
    use super::{Members, Request};

    #[test]
    fn a_request_is_one_object_and_keeps_the_data_as_it_is() {
        let request = Request::post("a b/服", "{ \"n\": 1.10 }").with_text("event", "x\"y").with_number("last", 3);
        assert_eq!(
            request.text(7),
            "{\"id\":7,\"method\":\"POST\",\"path\":\"/channels/a%20b%2F%E6%9C%8D\",\"data\":{ \"n\": 1.10 },\
             \"event\":\"x\\\"y\",\"last\":3}"
        );
        let stays = "-._~09azAZ";
        assert!(
            Request::get(&format!("{stays}!*'():@&=+$,;%\u{7f}"))
                .text(1)
                .contains(&format!("\"/channels/{stays}%21%2A%27%28%29%3A%40%26%3D%2B%24%2C%3B%25%7F\""))
        );
        assert_eq!(Request::livez().text(1), "{\"id\":1,\"method\":\"GET\",\"path\":\"/livez\"}");
        assert!(Request::get("stocks").with_text("since", "e:1").text(1).contains("\"since\":\"e:1\""));
    }

    #[test]
    fn members_keep_the_bytes_of_their_values() {
        let members =
            "{\"offset\":3,\"recovered\":false,\"data\":[ 1.10, -0 ],\"event\":\"\\u00e9\"}".parse::<Members>();
        let members = members.expect("an object");
        assert_eq!(members.raw("data"), Some("[ 1.10, -0 ]"));
        assert_eq!((members.number("offset"), members.flag("recovered")), (Some(3), Some(false)));
        assert_eq!(members.text("event").as_deref(), Some("é"));
        assert!(members.publications().expect("none").is_empty());
        assert!("[1]".parse::<Members>().is_err());
    }

    #[test]
    fn a_refusal_carries_the_sentence_for_people() {
        let refused = "{\"id\":1,\"status\":403,\"error\":{\"code\":\"forbidden\",\"message\":\"not you\"}}";
        let error = refused.parse::<Members>().expect("an object").or_refusal(403).expect_err("refused");
        assert_eq!(error.to_string(), "refused with 403: not you");
        assert!(!error.is_temporary());
    }
}
