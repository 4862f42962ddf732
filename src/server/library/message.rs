//! What the program publishes: data, and what goes with it.

use super::error::Error;
use crate::model::code::Code;
use crate::model::publication::Data;
use crate::model::request::PostOptions;
use crate::protocol::tidings::parse::{check_event, check_key};
use crate::wire::json::scanner::trim;
use crate::wire::json::{JsonScratch, validate, without_mark};
use bytes::Bytes;
use serde::Serialize;

/// What is to be published. A `&str` or `String` is one as well: its text is one JSON value.
///
/// ```
/// use tidings::Message;
///
/// let message = Message::json(r#"{"TIDE":101.25}"#).event("price").key("order-17");
/// let image = Message::binary(vec![0x89, b'P', b'N', b'G'], "image/png");
/// # let _ = (message, image);
/// ```
#[derive(Debug, Clone)]
pub struct Message {
    data: Data,
    /// Whether the data is known to be valid; JSON given as text is validated when it is published.
    is_checked: bool,
    event: Option<Box<str>>,
    key: Option<Box<str>>,
}

impl Message {
    fn new(data: Data, is_checked: bool) -> Message {
        Message { data, is_checked, event: None, key: None }
    }

    /// One JSON value. It is published byte for byte; whether it is JSON is checked then.
    #[must_use]
    pub fn json(text: &str) -> Message {
        Message::new(Data::Json(Bytes::copy_from_slice(text.as_bytes())), false)
    }

    /// A value of this program, as JSON.
    ///
    /// # Errors
    /// 400 `bad_json` for what JSON cannot express, such as a map whose keys are not strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Message, Error> {
        let json = serde_json::to_vec(value).map_err(|error| Error::new(Code::BadJson, error.to_string()))?;
        Ok(Message::new(Data::Json(json.into()), true))
    }

    /// Bytes with their media type. Text readers get them as base64.
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>, content_type: &str) -> Message {
        Message::new(Data::Binary { bytes: bytes.into(), content_type: content_type.into() }, true)
    }

    /// Names the kind of publication: the `event` of an event stream. At most 200 bytes, no control characters.
    #[must_use]
    pub fn event(self, name: &str) -> Message {
        Message { event: Some(name.into()), ..self }
    }

    /// Gives it an idempotency key of 1 to 200 bytes: a second publication under the same key is not published, and the
    /// position of the first is returned; other data under it is refused. Keys are remembered per channel for
    /// `history.idempotency_ttl`.
    #[must_use]
    pub fn key(self, key: &str) -> Message {
        Message { key: Some(key.into()), ..self }
    }

    /// The options of a POST that a client would send for it.
    pub(super) fn checked(self) -> Result<PostOptions, Error> {
        let data = match self.data {
            Data::Json(text) if !self.is_checked => {
                let json = without_mark(&text);
                validate(json, &mut JsonScratch::default())?;
                // A part of the same memory: nothing is copied for a mark or white space.
                Data::Json(text.slice_ref(trim(json)))
            }
            data => data,
        };
        self.event.as_deref().map_or(Ok(()), check_event)?;
        self.key.as_deref().map_or(Ok(()), check_key)?;
        Ok(PostOptions { data, event: self.event, key: self.key, exclude_self: false, exclude: None })
    }
}

impl From<&str> for Message {
    fn from(json: &str) -> Message {
        Message::json(json)
    }
}

impl From<&String> for Message {
    fn from(json: &String) -> Message {
        Message::json(json)
    }
}

impl From<String> for Message {
    fn from(json: String) -> Message {
        Message::new(Data::Json(json.into()), false)
    }
}
