//! What the program publishes: data, and what goes with it.

use super::error::Error;
use crate::model::code::Code;
use crate::model::labels::{check_content_type, check_event, check_key};
use crate::model::publication::Data;
use crate::model::request::PostOptions;
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
    /// Checked when it is published.
    data: Data,
    event: Option<Box<str>>,
    key: Option<Box<str>>,
}

impl Message {
    fn new(data: Data) -> Message {
        Message { data, event: None, key: None }
    }

    /// One JSON value. It is published byte for byte; whether it is JSON is checked then.
    #[must_use]
    pub fn json(text: &str) -> Message {
        Message::new(Data::Json(Bytes::copy_from_slice(text.as_bytes())))
    }

    /// A value of this program, as JSON. Whether it nests too deep is checked when it is published.
    ///
    /// # Errors
    /// 400 `bad_json` for what JSON cannot express, such as a map whose keys are not strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Message, Error> {
        let json = serde_json::to_vec(value).map_err(|error| Error::new(Code::BadJson, error.to_string()))?;
        Ok(Message::new(Data::Json(json.into())))
    }

    /// Bytes with their media type, of 1 to 200 bytes without control characters. Text readers get them as base64.
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>, content_type: &str) -> Message {
        Message::new(Data::Binary { bytes: bytes.into(), content_type: content_type.into() })
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
            // Of a value too: what was made from one is JSON, but may nest deeper than readers need understand.
            Data::Json(text) => {
                let json = without_mark(&text);
                validate(json, &mut JsonScratch::default())?;
                // A part of the same memory: nothing is copied for a mark or white space.
                Data::Json(text.slice_ref(trim(json)))
            }
            Data::Binary { bytes, content_type } => {
                check_content_type(&content_type)?;
                Data::Binary { bytes, content_type }
            }
        };
        self.event.as_deref().map_or(Ok(()), check_event)?;
        self.key.as_deref().map_or(Ok(()), check_key)?;
        Ok(PostOptions { event: self.event, key: self.key, ..PostOptions::of(data) })
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
        Message::new(Data::Json(json.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::Message;
    use serde::Serialize;

    /// An array in an array, n levels deep.
    #[derive(Serialize)]
    struct Nested(Vec<Nested>);

    fn nested(levels: usize) -> Nested {
        Nested(if levels > 1 { vec![nested(levels - 1)] } else { Vec::new() })
    }

    #[test]
    fn a_value_of_the_program_nests_no_deeper_than_json_of_a_client() {
        let publish = |levels| Message::of(&nested(levels)).and_then(Message::checked);
        assert!(publish(64).is_ok());
        // It was published, although readers need not understand more than 64.
        assert_eq!(publish(65).expect_err("too deep").code(), "too_deep");
    }

    #[test]
    fn a_media_type_of_the_program_has_the_rules_of_a_clients() {
        let publish = |kind: &str| Message::binary(&b"x"[..], kind).checked();
        for kind in ["image/png", "odd", &"x".repeat(200)] {
            assert!(publish(kind).is_ok(), "{kind}");
        }
        for kind in ["", "image/png\r\ndata: forged", "a\u{85}b", &"x".repeat(201)] {
            assert_eq!(publish(kind).expect_err("not a media type").code(), "bad_request", "{kind:?}");
        }
    }
}
