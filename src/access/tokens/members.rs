//! Strict JSON objects: the members of one, none of them twice at any depth, each value as it was written.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// Members of an object that are kept without an allocation: more than tokens have.
const INLINE: usize = 12;

/// Levels of objects and arrays, as in requests; the outermost object is one.
const LEVELS_MAX: usize = 64;

/// Why bytes are not a strict JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFault {
    /// Not UTF-8, not one JSON value and nothing else, nested too deeply, or a value that is no object.
    NotAnObject,
    /// A member stands twice in an object: two readers may understand it in two ways.
    Duplicate,
}

/// The members of an object, in the order in which they were written.
pub(super) struct Members<'a>(SmallVec<[(Cow<'a, str>, &'a str); INLINE]>);

impl<'a> Members<'a> {
    /// Reads an object and nothing else.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Members<'a>, ObjectFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| ObjectFault::NotAnObject)?;
        let members: Members<'a> = serde_json::from_slice(text.as_bytes()).map_err(|_| ObjectFault::NotAnObject)?;
        let mut distinct = are_distinct(members.0.iter().map(|(name, _)| name).collect());
        for (_, value) in &members.0 {
            distinct &= has_distinct_members(value)?;
        }
        if distinct { Ok(members) } else { Err(ObjectFault::Duplicate) }
    }

    /// The value of a member, as it was written and without white space around it.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }

    /// The names of all members.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
}

/// The text of a value that is a string.
pub(super) fn text(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    // What `Members` read has no control characters, so a string without escapes is its own text.
    if inner.contains('\\') { serde_json::from_str(value).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// The values of a list.
pub(super) fn list(value: &str) -> Option<Vec<&str>> {
    let values: Vec<&RawValue> = serde_json::from_slice(value.as_bytes()).ok()?;
    Some(values.into_iter().map(RawValue::get).collect())
}

/// The texts of a value that is a string, or a list of nothing but strings.
pub(super) fn texts(value: &str) -> Option<Vec<Cow<'_, str>>> {
    match text(value) {
        Some(one) => Some(vec![one]),
        None => list(value)?.into_iter().map(text).collect(),
    }
}

/// Whether no object within a value has a member twice.
fn has_distinct_members(value: &str) -> Result<bool, ObjectFault> {
    let is_plain = !value.starts_with(['{', '[']) && !value.contains('\\');
    // Numbers, literals and strings without escapes were read to their end already.
    if is_plain {
        return Ok(true);
    }
    // From bytes and not from a text, here and above: requests are read from texts, and the compiler puts a reader into its
    // place where it has one user alone (3 % of parsing a request).
    let mut reader = serde_json::Deserializer::from_slice(value.as_bytes());
    // What follows the value was read already, so its end needs no look.
    Distinct(LEVELS_MAX - 1).deserialize(&mut reader).map_err(|_| ObjectFault::NotAnObject)
}

/// Sorted and not compared each with each: a token may have a thousand members, and is not verified yet.
fn are_distinct(mut names: SmallVec<[&Cow<'_, str>; INLINE]>) -> bool {
    names.sort_unstable();
    names.windows(2).all(|pair| pair[0] != pair[1])
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'de>, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members(SmallVec::new());
                while let Some(Name(name)) = map.next_key()? {
                    members.0.push((name, map.next_value::<&RawValue>()?.get()));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The name of a member, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name<'de>, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Reads a value of any kind to its end: whether no object within it has a member twice. The number is that of levels that
/// may stand in it.
#[derive(Clone, Copy)]
struct Distinct(usize);

impl Distinct {
    /// What reads the values within an array or an object.
    fn within<E: Error>(self) -> Result<Distinct, E> {
        self.0.checked_sub(1).map(Distinct).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let (mut all, within) = (true, self.within()?);
        while let Some(one) = items.next_element_seed(within)? {
            all &= one;
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let (mut all, mut names, within) = (true, Vec::new(), self.within()?);
        while let Some(Name(name)) = map.next_key()? {
            all &= map.next_value_seed(within)?;
            names.push(name);
        }
        Ok(all && are_distinct(names.iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::{LEVELS_MAX, Members, ObjectFault, list, text, texts};

    fn fault(json: &[u8]) -> Option<ObjectFault> {
        Members::of(json).err()
    }

    #[test]
    fn members_are_found_as_they_were_written() {
        let json = br#" {"a" : 1.50 , "b":"x", "c\u0041":{"d": [ ]} } "#;
        let members = Members::of(json).expect("an object");
        assert_eq!((members.get("a"), members.get("b")), (Some("1.50"), Some("\"x\"")));
        assert_eq!((members.get("cA"), members.get("c")), (Some("{\"d\": [ ]}"), None));
        assert_eq!(members.names().collect::<Vec<_>>(), ["a", "b", "cA"]);
    }

    #[test]
    fn what_is_no_object_or_not_json_to_its_end_is_refused() {
        for json in [
            "",
            " ",
            "null",
            "1",
            "\"a\"",
            "[]",
            "[{}]",
            "{",
            "{}{}",
            "{} x",
            "{}\0",
            "{a:1}",
            "{'a':1}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"\\ud800\":1}",
            "{\"a\":[\"\\udc00\"]}",
            "{\"a\":1}//",
            "/**/{}",
            "\u{feff}{}",
            "{\"a\":[1,]}",
            "{\"a\":{\"b\":tru}}",
            "{\"a\":1 \"b\":2}",
            "{1:2}",
        ] {
            assert_eq!(fault(json.as_bytes()), Some(ObjectFault::NotAnObject), "{json:?}");
        }
        for bytes in [&b"{\"a\":\"\xff\"}"[..], b"\xff\xfe{\0}\0", b"{\"\xc0\x80\":1}", b"{\"a\":\"\xed\xa0\x80\"}"] {
            assert_eq!(fault(bytes), Some(ObjectFault::NotAnObject), "{bytes:?}");
        }
    }

    #[test]
    fn no_member_stands_twice_at_any_depth_however_it_is_written() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"":1,"":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[1,{"y":[{"a":1,"b":2,"\u0061":3}]}]}"#,
            r#"{"x":{"a":{"a":1,"a":1}}}"#,
        ] {
            assert_eq!(fault(json.as_bytes()), Some(ObjectFault::Duplicate), "{json}");
        }
        for json in [r#"{"a":1,"A":1}"#, r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#, r#"{"":1," ":2}"#, "{}"] {
            assert_eq!(fault(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        // Of these levels, in the outermost object.
        let nested = |open: &str, levels: usize, close: &str| {
            format!("{{\"a\":{}1{}}}", open.repeat(levels - 1), close.repeat(levels - 1))
        };
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            assert_eq!(fault(nested(open, LEVELS_MAX, close).as_bytes()), None);
            for levels in [LEVELS_MAX + 1, 130, 4000] {
                assert_eq!(fault(nested(open, levels, close).as_bytes()), Some(ObjectFault::NotAnObject), "{levels}");
            }
        }
    }

    #[test]
    fn values_are_read_by_their_kind() {
        assert_eq!(text("\"a\\u0041\\n\"").as_deref(), Some("aA\n"));
        assert_eq!(text("\"ä\"").as_deref(), Some("ä"));
        assert_eq!((text("1"), text("null"), text("[\"a\"]"), text("\"")), (None, None, None, None));
        assert_eq!(list("[ 1, \"a\" ,{}]"), Some(vec!["1", "\"a\"", "{}"]));
        assert_eq!((list("{}"), list("\"a\"")), (None, None));
        assert_eq!(texts("\"a\""), Some(vec!["a".into()]));
        assert_eq!(texts("[\"a\",\"\\u0062\"]"), Some(vec!["a".into(), "b".into()]));
        assert_eq!((texts("[1]"), texts("[\"a\",null]"), texts("{}"), texts("1")), (None, None, None, None));
    }
}
