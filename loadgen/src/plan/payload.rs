//! What messages consist of: a size, several sizes, or texts of the user's, each with its stamp in it.

use super::Sizes;
use crate::stamp::{ECHO_BYTES, PUBLICATION_BYTES};
use serde::{Deserialize, Serialize};

/// Where the stamp goes in a text of the user's.
const PLACE: &str = "{stamp}";
/// The minimum size of an object around a stamp, in bytes: `{"t":"…"}`.
const BARE_OBJECT_BYTES: usize = 8 + PUBLICATION_BYTES;
/// The same with something to fill it up: `{"t":"…","p":"…"}`.
const FILLED_OBJECT_BYTES: usize = 7 + BARE_OBJECT_BYTES;

/// What messages consist of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Payloads {
    /// A stamp and filling, of these sizes in bytes.
    Sizes(Sizes),
    /// Texts with `{stamp}` in them, in turn.
    Templates(Vec<String>),
}

/// Why a payload cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPayload {
    /// There is no room for the stamp.
    #[error("messages of {0} bytes have no room for their stamp: the minimum is {1}")]
    TooSmall(usize, usize),
    /// A template without a place for the stamp.
    #[error("the template `{0}` has no {PLACE}: it is where the time and the number of each message go")]
    NoPlace(String),
}

impl Payloads {
    /// Checks that stamps have room. `publications` says that the messages are published and not echoed.
    ///
    /// # Errors
    /// See [`BadPayload`].
    pub fn check(&self, publications: bool) -> Result<(), BadPayload> {
        let least = if publications { BARE_OBJECT_BYTES } else { ECHO_BYTES };
        match self {
            Payloads::Sizes(sizes) if sizes.least() < least => Err(BadPayload::TooSmall(sizes.least(), least)),
            Payloads::Sizes(_) => Ok(()),
            Payloads::Templates(texts) => match texts.iter().find(|text| !text.contains(PLACE)) {
                Some(text) => Err(BadPayload::NoPlace(text.chars().take(60).collect())),
                None => Ok(()),
            },
        }
    }

    /// The size of the message that `random` chooses; `None` for templates.
    #[must_use]
    pub fn size(&self, random: u64) -> Option<usize> {
        match self {
            Payloads::Sizes(sizes) => Some(sizes.pick(random)),
            Payloads::Templates(_) => None,
        }
    }

    /// The largest message.
    #[must_use]
    pub fn largest(&self) -> usize {
        match self {
            Payloads::Sizes(sizes) => sizes.largest(),
            Payloads::Templates(texts) => texts.iter().map(String::len).max().unwrap_or(0) + PUBLICATION_BYTES,
        }
    }

    /// Writes a publication: a JSON object of the chosen size, or a template with the stamp in it. Whether it is JSON.
    pub fn write(&self, random: u64, stamp: &[u8; PUBLICATION_BYTES], filling: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        match self {
            Payloads::Sizes(sizes) => {
                object(sizes.pick(random), stamp, filling, out);
                true
            }
            Payloads::Templates(texts) => {
                let text = &texts[usize::try_from(random % texts.len() as u64).unwrap_or(0)];
                let (before, after) = text.split_once(PLACE).unwrap_or((text, ""));
                for part in [before.as_bytes(), stamp, after.as_bytes()] {
                    out.extend_from_slice(part);
                }
                text.starts_with(['{', '['])
            }
        }
    }
}

/// An object of exactly `size` bytes with the stamp, and filling where there is room for that; white space where not.
fn object(size: usize, stamp: &[u8; PUBLICATION_BYTES], filling: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"t\":\"");
    out.extend_from_slice(stamp);
    out.push(b'"');
    if let Some(room) = size.checked_sub(FILLED_OBJECT_BYTES) {
        out.extend_from_slice(b",\"p\":\"");
        out.extend(filling.iter().copied().cycle().take(room));
        out.push(b'"');
    }
    out.resize((size - 1).max(out.len()), b' ');
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::{BARE_OBJECT_BYTES, BadPayload, Payloads, Sizes};

    #[test]
    fn objects_are_json_and_of_exactly_the_size_asked_for() {
        for size in (BARE_OBJECT_BYTES..80).chain([128, 1024]) {
            let payloads = Payloads::Sizes(Sizes::fixed(size));
            payloads.check(true).expect("room");
            let mut out = Vec::new();
            assert!(payloads.write(7, &[b'@'; 29], b"abc", &mut out));
            assert_eq!(out.len(), size);
            serde_json::from_slice::<serde_json::Value>(&out).expect("JSON");
        }
    }

    #[test]
    fn what_has_no_room_for_a_stamp_is_refused_on_this_side_of_the_limit() {
        let sized = |size| Payloads::Sizes(Sizes::fixed(size));
        assert_eq!(sized(36).check(true), Err(BadPayload::TooSmall(36, 37)));
        assert_eq!((sized(37).check(true), sized(20).check(false)), (Ok(()), Ok(())));
        assert_eq!(sized(19).check(false), Err(BadPayload::TooSmall(19, 20)));
    }

    #[test]
    fn a_template_has_its_stamp_put_in() {
        let payloads = Payloads::Templates(vec!["[\"{stamp}\"]".to_owned(), "x{stamp}".to_owned()]);
        let mut out = Vec::new();
        assert!(payloads.write(0, &[b'@'; 29], b"", &mut out));
        assert_eq!(out, ["[\"", &"@".repeat(29), "\"]"].concat().as_bytes());
        assert!(!payloads.write(1, &[b'@'; 29], b"", &mut out));
        assert!(Payloads::Templates(vec!["none".to_owned()]).check(true).is_err());
    }
}
