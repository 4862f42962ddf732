//! Payloads that are all different, of all shapes that must travel byte for byte, and how each transport shows them.

use crate::support::json::member;
use data_encoding::BASE64;
use rand::RngExt;
use rand::rngs::StdRng;

/// What was published, as exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Payload {
    Json(String),
    Binary { content_type: String, bytes: Vec<u8> },
}

impl Payload {
    /// JSON that nobody else publishes.
    pub(super) fn json(random: &mut StdRng, who: usize, number: usize) -> Payload {
        let tag = format!("{who}-{number}");
        Payload::Json(match random.random_range(0..6) {
            0 => format!("{{\"tag\":\"{tag}\",\"price\":1.10,\"zero\":-0,\"big\":123456789012345678901234567890}}"),
            1 => format!("[ 1.0e+2 ,\t-0.0 , \"{tag}\" ]"),
            2 => format!("{{\n  \"tag\" : \"{tag}\",\n  \"text\": \"\\u00e9\\n\\\"é消息\"\n}}"),
            3 => format!("\"{tag}\""),
            4 => format!("{{\"tag\":\"{tag}\",\"tag\":{{\"data\":[]}},\"offset\":7}}"),
            _ => format!("{{\"tag\":\"{tag}\",\"pad\":\"{}\"}}", "x".repeat(random.random_range(0..12_000))),
        })
    }

    /// Bytes that nobody else publishes.
    pub(super) fn binary(random: &mut StdRng, who: usize, number: usize) -> Payload {
        let mut bytes = format!("{who}-{number}\n").into_bytes();
        bytes.extend((0..random.random_range(0..600)).map(|_| random.random::<u8>()));
        Payload::Binary { content_type: "image/png".to_owned(), bytes }
    }

    /// Either.
    pub(super) fn any(random: &mut StdRng, who: usize, number: usize) -> Payload {
        let make = if random.random_bool(0.25) { Payload::binary } else { Payload::json };
        make(random, who, number)
    }

    /// As the object of a push or of a replay shows it.
    pub(super) fn of_object(object: &str) -> Payload {
        match member(object, "data") {
            Some(json) => Payload::Json(json.to_owned()),
            None => Payload::of_base64(object),
        }
    }

    /// As the data of an event stream shows it.
    pub(super) fn of_stream(data: &str) -> Payload {
        let is_binary = data.starts_with("{\"content_type\":");
        if is_binary { Payload::of_base64(data) } else { Payload::Json(data.to_owned()) }
    }

    /// As the library shows it.
    pub(super) fn of_publication(publication: &tidings::Publication) -> Payload {
        let bytes = publication.data().to_vec();
        match publication.content_type() {
            None => Payload::Json(String::from_utf8(bytes).expect("JSON is UTF-8")),
            Some(content_type) => Payload::Binary { content_type: content_type.to_owned(), bytes },
        }
    }

    fn of_base64(object: &str) -> Payload {
        let text = |name| member(object, name).unwrap_or_else(|| panic!("no {name} in {object}")).trim_matches('"');
        let bytes = BASE64.decode(text("data_base64").as_bytes()).expect("base64");
        Payload::Binary { content_type: text("content_type").to_owned(), bytes }
    }
}
