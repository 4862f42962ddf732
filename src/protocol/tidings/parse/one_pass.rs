//! A small request read in one pass: serde_json checks the text and finds its members at once.
//!
//! What this does not take, wrong or unusual, is read in full by the caller, which can say what is wrong with it.

use super::fields::Fields;
use crate::wire::json::DEPTH_MAX;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The largest text read in this way, in bytes: beyond it parsing takes longer than anything it saves.
const BYTES_MAX: usize = 16 * 1024;

/// The members of the object that `text` is, if it is valid JSON, an object, small and not deep.
pub(super) fn fields(text: &[u8]) -> Option<Fields<'_>> {
    let could_be = text.first() == Some(&b'{') && text.len() <= BYTES_MAX;
    // With at most `DEPTH_MAX` brackets nothing is nested too deeply; where there are more, the full validation counts levels.
    if !could_be || brackets(text) > DEPTH_MAX {
        return None;
    }
    // Once for the whole text: otherwise serde_json checks each string on its own.
    let text = simdutf8::basic::from_utf8(text).ok()?;
    let mut source = serde_json::Deserializer::from_str(text);
    let fields = source.deserialize_map(Members).ok()?;
    // The object ends before the text may: what follows it would pass unread.
    source.end().ok()?;
    Some(fields)
}

/// How many brackets open in a text, those in strings included.
fn brackets(text: &[u8]) -> usize {
    // Sums of bytes, which a compiler turns into vectors.
    let count = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(*byte | 0x20 == b'{')).sum::<u8>();
    // 255, so that a sum fits into its byte. Only `[` and `{` become `{` by the bit that is set above.
    text.chunks(255).map(|chunk| usize::from(count(chunk))).sum()
}

/// Takes the members of an object.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::empty();
        while let Some(key) = map.next_key_seed(Key)? {
            fields.add(key, map.next_value::<&RawValue>()?.get().as_bytes());
        }
        Ok(fields)
    }
}

/// Takes a key, without a copy where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        // A key with escapes lies in serde_json's own memory, which the next key overwrites.
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::{Fields, Name};
    use super::{BYTES_MAX, brackets, fields};
    use crate::wire::json::{DEPTH_MAX, JsonScratch, validate};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// Both ways see the same members, or only the long way sees any.
    fn agrees(text: &[u8]) -> bool {
        let Some(found) = fields(text) else { return false };
        assert!(validate(text, &mut JsonScratch::default()).is_ok(), "{}", String::from_utf8_lossy(text));
        assert_eq!(format!("{found:?}"), format!("{:?}", Fields::read(text)), "{}", String::from_utf8_lossy(text));
        true
    }

    #[test]
    fn members_are_those_of_the_long_way() {
        for text in [
            r#"{}"#,
            r#"{"method":"GET","path":"/channels/x","since":"e:4","last":5}"#,
            r#"{ "method" : "POST" , "path":"/channels/x" ,"data": { "a" : [1, 2.50, -0.0e+9, 1e999, "\ud83e\udd80 é"] } }"#,
            r#"{"m\u0065thod":"GET","method":"POST","id":1,"id":2,"data":null,"pth":1,"q":2}"#,
            r#"{"data":"\ud800"}"#,
            r#"{"data":123456789012345678901234567890}"#,
        ] {
            assert!(agrees(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "[]",
            "1",
            "{",
            "{}x",
            "{\"a\":}",
            "{\"a\":01}",
            "{\"a\":\"\u{1}\"}",
            "{\"\\ud800\":1}",
            "{1:2}",
            "{\"a\":1,}",
        ] {
            assert!(!agrees(text.as_bytes()), "{text:?} is left to the long way");
        }
        assert!(!agrees(b"{\"a\":\"\xff\"}") && !agrees(b"{\"\xff\":1}"));
        let found = fields(br#"{"m\u0065thod":"GET"}"#).expect("an object");
        assert_eq!(found.get(Name::Method), Some(&b"\"GET\""[..]));
    }

    #[test]
    fn what_may_be_too_deep_or_is_large_goes_the_long_way() {
        let nested = |levels: usize| format!("{{\"data\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(agrees(nested(DEPTH_MAX).as_bytes()) && !agrees(nested(DEPTH_MAX + 1).as_bytes()));
        let long = |bytes: usize| format!("{{\"data\":\"{}\"}}", "x".repeat(bytes - 11));
        assert!(agrees(long(BYTES_MAX).as_bytes()) && !agrees(long(BYTES_MAX + 1).as_bytes()));
        assert_eq!(brackets("[{".repeat(1000).as_bytes()), 2000);
    }

    /// Objects broken in any place: never more is taken than the long way takes, and never something else.
    #[test]
    fn broken_objects_are_taken_as_the_long_way_takes_them() {
        let mut random = StdRng::seed_from_u64(3);
        let whole = r#"{"id":"é","method":"POST","path":"/channels/x","data":{"a":[1,-2.5e3,true,null,"\n\u00e9"]}}"#
            .as_bytes();
        let mut taken = 0;
        for _ in 0..20_000 {
            let mut text = whole.to_vec();
            for _ in 0..random.random_range(1..3) {
                let place = random.random_range(0..text.len());
                match random.random_range(0..3) {
                    0 => text[place] = random.random(),
                    1 => drop(text.remove(place)),
                    _ => text.insert(place, b"{}[]\",:0e\\ "[random.random_range(0..11)]),
                }
            }
            taken += usize::from(agrees(&text));
        }
        assert!(taken > 1000, "{taken}");
    }
}
