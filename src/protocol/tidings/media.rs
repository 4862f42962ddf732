//! What an HTTP body publishes: its media type decides between JSON, a JSON string and plain bytes.

use crate::model::code::Code;
use crate::model::labels::check_content_type;
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::wire::json::scanner::trim;
use crate::wire::json::text::write_string;
use crate::wire::json::{JsonScratch, validate, without_mark};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::HashMap;

/// The maximum number of fields in a form: in memory, a field of two bytes takes a hundred.
const FORM_FIELDS_MAX: usize = 1000;

/// What kind of data a media type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Form,
    /// `text/plain`: what `fetch` calls a string, so also what it sends for the result of `JSON.stringify`.
    Plain,
    Text,
    Multipart,
    Binary,
}

/// Turns the body of a POST into data, by the rules of "HTTP bodies" in the protocol.
///
/// # Errors
/// 400 `bad_json`, `too_deep` or `bad_request` for a body that is not what its type says; 415 `unsupported_media_type`
/// for multipart and for a charset other than UTF-8.
pub fn body_to_data(content_type: Option<&str>, body: &[u8], scratch: &mut JsonScratch) -> Result<Data, Refusal> {
    let content_type = content_type.unwrap_or_default().trim();
    match kind(content_type) {
        Kind::Json => json(without_mark(body), scratch),
        Kind::Form => form(without_mark(body), scratch),
        Kind::Plain => plain(content_type, without_mark(body), scratch),
        Kind::Text => text(content_type, without_mark(body)),
        Kind::Multipart => Err(multipart()),
        Kind::Binary => {
            check_content_type(content_type)?;
            Ok(Data::Binary { bytes: Bytes::copy_from_slice(body), content_type: content_type.into() })
        }
    }
}

/// Whether a body of this type could be published: what can be decided before it has arrived.
///
/// # Errors
/// As [`body_to_data`], for multipart.
pub fn check_media_type(content_type: Option<&str>) -> Result<(), Refusal> {
    match kind(content_type.unwrap_or_default()) {
        Kind::Multipart => Err(multipart()),
        Kind::Json | Kind::Form | Kind::Plain | Kind::Text | Kind::Binary => Ok(()),
    }
}

/// Whether a body may be read: a compressed one would be published compressed, under the type of its
/// uncompressed form.
///
/// # Errors
/// 415 `unsupported_encoding` for a body with a Content-Encoding.
pub fn check_encoding(encoded: bool) -> Result<(), Refusal> {
    if encoded {
        let message =
            "this body has a Content-Encoding, and bodies are not decoded here: send it without one, uncompressed";
        return Err(Refusal::new(Code::UnsupportedEncoding, message));
    }
    Ok(())
}

fn multipart() -> Refusal {
    unsupported(
        "multipart bodies cannot be published: send application/json, text/plain, or the file alone with its own Content-Type",
    )
}

fn kind(content_type: &str) -> Kind {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "" | "application/json" => Kind::Json,
        "application/x-www-form-urlencoded" => Kind::Form,
        "text/plain" => Kind::Plain,
        "application/xml" => Kind::Text,
        other if other.ends_with("+json") => Kind::Json,
        other if other.starts_with("text/") || other.ends_with("+xml") => Kind::Text,
        other if other.starts_with("multipart/") => Kind::Multipart,
        _ => Kind::Binary,
    }
}

fn json(body: &[u8], scratch: &mut JsonScratch) -> Result<Data, Refusal> {
    let value = trim(body);
    if value.is_empty() {
        return Err(Refusal::new(
            Code::BadJson,
            "the body is empty: it is the data to publish, as in curl -d '{\"hello\":1}' (null is JSON too)",
        ));
    }
    match validate(body, scratch) {
        Ok(()) => Ok(Data::Json(Bytes::copy_from_slice(value))),
        Err(refusal) if refusal.code == Code::BadJson => {
            let message = format!("{} (to publish text, send Content-Type: text/plain)", refusal.message);
            Err(Refusal::new(refusal.code, message))
        }
        Err(refusal) => Err(refusal),
    }
}

/// `text/plain`: an object or array of JSON if it is one as a whole, otherwise a JSON string.
fn plain(content_type: &str, body: &[u8], scratch: &mut JsonScratch) -> Result<Data, Refusal> {
    check_charset(content_type)?;
    let value = trim(body);
    if matches!(value.first(), Some(b'{' | b'[')) {
        match validate(value, scratch) {
            Ok(()) => return Ok(Data::Json(Bytes::copy_from_slice(value))),
            Err(refusal) if refusal.code == Code::BadJson => {}
            Err(refusal) => return Err(refusal),
        }
    }
    text(content_type, body)
}

/// `text/*` and XML: a JSON string.
fn text(content_type: &str, body: &[u8]) -> Result<Data, Refusal> {
    check_charset(content_type)?;
    let text = std::str::from_utf8(body).map_err(|error| not_utf8("the text", error.valid_up_to()))?;
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + 2);
    write_string(&mut out, text);
    Ok(Data::Json(out.into()))
}

fn check_charset(content_type: &str) -> Result<(), Refusal> {
    let is_utf8 = |charset: &str| ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known));
    if charset(content_type).is_none_or(is_utf8) {
        return Ok(());
    }
    Err(unsupported("text is published as UTF-8: convert it, or send it as application/octet-stream"))
}

/// The value of the parameter `charset`, without quotation marks.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// A form: JSON when the whole body is JSON (`curl -d`), otherwise an object of strings. What begins as JSON was meant to
/// be JSON: as a form, a typing mistake would be published as the name of a field.
fn form(body: &[u8], scratch: &mut JsonScratch) -> Result<Data, Refusal> {
    let value = trim(body);
    match validate(body, scratch) {
        Ok(()) => Ok(Data::Json(Bytes::copy_from_slice(value))),
        Err(refusal) if refusal.code == Code::BadJson && !matches!(value.first(), Some(b'{' | b'[' | b'"')) => {
            Ok(Data::Json(form_object(body)?.into()))
        }
        Err(refusal) if refusal.code == Code::BadJson => {
            let message = format!("{} (a body that begins with {{, [ or \" is JSON, also as a form)", refusal.message);
            Err(Refusal::new(refusal.code, message))
        }
        Err(refusal) => Err(refusal),
    }
}

/// The fields of a form in the order of their first appearance; a name that comes more than once holds an array.
fn form_object(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut fields: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let pairs = || body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    if pairs().count() > FORM_FIELDS_MAX {
        return Err(Refusal::new(Code::BadRequest, format!("a form has at most {FORM_FIELDS_MAX} fields: send JSON")));
    }
    for pair in pairs() {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let name = form_text(&pair[..equals.unwrap_or(pair.len())])?;
        let value = form_text(equals.map_or(&[], |at| &pair[at + 1..]))?;
        match places.get(&name) {
            Some(place) => fields[*place].1.push(value),
            None => {
                places.insert(name.clone(), fields.len());
                fields.push((name, vec![value]));
            }
        }
    }
    Ok(write_form(&fields))
}

fn write_form(fields: &[(String, Vec<String>)]) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (name, values) in fields {
        if out.len() > 1 {
            out.push(b',');
        }
        write_string(&mut out, name);
        out.push(b':');
        match values.as_slice() {
            [only] => write_string(&mut out, only),
            several => write_array(&mut out, several),
        }
    }
    out.push(b'}');
    out
}

fn write_array(out: &mut Vec<u8>, values: &[String]) {
    let mut bracket = b'[';
    for value in values {
        out.push(bracket);
        write_string(out, value);
        bracket = b',';
    }
    out.push(b']');
}

/// A name or a value: `+` is a space, `%XX` a byte, and a `%` that begins no escape stays (as browsers read forms).
///
/// `form_urlencoded` reads them alike, but turns what is not UTF-8 into U+FFFD, and what is published is never altered.
fn form_text(raw: &[u8]) -> Result<String, Refusal> {
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = percent_encoding::percent_decode(&spaced).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|error| not_utf8("a field of the form", error.valid_up_to()))
}

fn unsupported(message: &'static str) -> Refusal {
    Refusal::new(Code::UnsupportedMediaType, message)
}

fn not_utf8(what: &str, at: usize) -> Refusal {
    Refusal::new(Code::BadRequest, format!("{what} is not UTF-8 from its byte {at} on"))
}

#[cfg(test)]
mod tests {
    use super::body_to_data;
    use crate::model::code::Code;
    use crate::model::publication::Data;
    use crate::wire::json::JsonScratch;

    fn json(content_type: &str, body: &str) -> String {
        match body_to_data(Some(content_type), body.as_bytes(), &mut JsonScratch::new()) {
            Ok(Data::Json(bytes)) => {
                serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).expect("what is published is JSON");
                String::from_utf8(bytes.to_vec()).expect("UTF-8")
            }
            other => panic!("{content_type}: {other:?}"),
        }
    }

    fn refusal(content_type: Option<&str>, body: &[u8]) -> (u16, &'static str) {
        let refusal = body_to_data(content_type, body, &mut JsonScratch::new()).expect_err("refused");
        (refusal.status(), refusal.label())
    }

    #[test]
    fn json_types_travel_byte_for_byte() {
        for kind in [
            "",
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/vnd.api+json",
            "application/json ;x",
        ] {
            assert_eq!(json(kind, " {\"a\": 1.10}\n"), "{\"a\": 1.10}");
        }
        let none = body_to_data(None, b"-0", &mut JsonScratch::new());
        assert_eq!(none, Ok(Data::Json("-0".into())));
    }

    #[test]
    fn json_types_refuse_what_is_no_json() {
        for body in ["", "  \n", "{", "hello", "{\"a\":\"\u{1}\"}"] {
            assert_eq!(refusal(None, body.as_bytes()), (400, "bad_json"), "{body}");
            assert_eq!(refusal(Some("application/json"), body.as_bytes()), (400, "bad_json"), "{body}");
        }
        assert_eq!(refusal(None, b"\"\xff\""), (400, "bad_json"));
        assert_eq!(refusal(None, "[".repeat(65).as_bytes()), (400, "bad_json"));
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(refusal(None, deep.as_bytes()), (400, "too_deep"));
        assert_eq!(refusal(Some("application/x-www-form-urlencoded"), deep.as_bytes()), (400, "too_deep"));
    }

    #[test]
    fn a_form_is_json_or_an_object_of_strings() {
        let kind = "application/x-www-form-urlencoded; charset=UTF-8";
        for (body, data) in [
            (" {\"a\":1} ", "{\"a\":1}"),
            ("1e400", "1e400"),
            ("", "{}"),
            ("hello", "{\"hello\":\"\"}"),
            ("a=1&b=x+y%20z&c=", "{\"a\":\"1\",\"b\":\"x y z\",\"c\":\"\"}"),
            ("a=1&b=2&a=3&a=", "{\"a\":[\"1\",\"3\",\"\"],\"b\":\"2\"}"),
            ("&&a=b=c&", "{\"a\":\"b=c\"}"),
            ("%E6%B6%88=%22%5C%0A", "{\"消\":\"\\\"\\\\\\n\"}"),
            ("a=100%&b=%zz", "{\"a\":\"100%\",\"b\":\"%zz\"}"),
            ("a={\"b\":1", "{\"a\":\"{\\\"b\\\":1\"}"),
            ("=x", "{\"\":\"x\"}"),
            ("=", "{\"\":\"\"}"),
            ("&&", "{}"),
            ("a=%2B+%2b", "{\"a\":\"+ +\"}"),
            ("a=%26%3D&%3d=b", "{\"a\":\"&=\",\"=\":\"b\"}"),
            ("%=%&a=%2&b=%+1&c=%%41&d=%2%42", "{\"%\":\"%\",\"a\":\"%2\",\"b\":\"% 1\",\"c\":\"%A\",\"d\":\"%2B\"}"),
            ("é=消&é=2", "{\"é\":[\"消\",\"2\"]}"),
        ] {
            assert_eq!(json(kind, body), data, "{body}");
        }
        for (body, place) in [(&b"a=%FF"[..], 0), (b"b=1&%41%FF=2", 1), (b"a=x+%C3+%A9", 2), (b"a=\xff", 0)] {
            let refusal = body_to_data(Some(kind), body, &mut JsonScratch::new()).expect_err("no UTF-8");
            assert_eq!(refusal.label(), "bad_request");
            assert_eq!(refusal.message, format!("a field of the form is not UTF-8 from its byte {place} on"));
        }
        json(kind, &"a&".repeat(1000));
        assert_eq!(refusal(Some(kind), "a&".repeat(1001).as_bytes()), (400, "bad_request"));
    }

    #[test]
    fn a_form_that_begins_as_json_is_json_or_refused_with_the_place() {
        let kind = Some("application/x-www-form-urlencoded");
        for (body, place) in [
            ("{'a':1}", "line 1 column 2"),
            ("{\"a\":1,}", "line 1 column 8"),
            ("[1,2", "line 1 column 4"),
            (" \n[1,2", "line 2 column 4"),
            ("\"hello", "line 1 column 6"),
            ("{a=1}", "line 1 column 2"),
            ("\u{feff}{\"a\"}", "line 1 column 5"),
        ] {
            let refusal = body_to_data(kind, body.as_bytes(), &mut JsonScratch::new()).expect_err(body);
            assert_eq!((refusal.status(), refusal.label()), (400, "bad_json"), "{body}");
            assert!(refusal.message.contains(place), "{body}: {}", refusal.message);
        }
        let refusal = body_to_data(kind, b"{\"a\":\"\xff\"}", &mut JsonScratch::new()).expect_err("no UTF-8");
        assert!(refusal.code == Code::BadJson && refusal.message.contains("byte 6"), "{}", refusal.message);
    }

    #[test]
    fn plain_text_that_is_an_object_or_array_as_a_whole_is_json_and_other_text_is_a_string() {
        for (body, data) in [
            ("{\"price\": 1.10}", "{\"price\": 1.10}"),
            ("\n [1, 2]\n", "[1, 2]"),
            ("{}", "{}"),
            ("{\"a\":1} and more", "\"{\\\"a\\\":1} and more\""),
            ("[sic]", "\"[sic]\""),
            ("{", "\"{\""),
            ("42", "\"42\""),
            ("null", "\"null\""),
            ("\"quoted\"", "\"\\\"quoted\\\"\""),
        ] {
            assert_eq!(json("text/plain;charset=UTF-8", body), data, "{body}");
        }
        for other in ["text/html", "text/csv", "application/xml"] {
            assert_eq!(json(other, "[1]"), "\"[1]\"", "{other}");
        }
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(refusal(Some("text/plain"), deep.as_bytes()), (400, "too_deep"));
        assert_eq!(refusal(Some("text/plain; charset=utf-16"), b"[1]"), (415, "unsupported_media_type"));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text_and_some_bytes_of_anything_else() {
        for (kind, body, data) in [
            ("", "\u{feff} {\"a\":1}", "{\"a\":1}"),
            ("application/json", "\u{feff}1", "1"),
            ("application/x-www-form-urlencoded", "\u{feff}[1]", "[1]"),
            ("application/x-www-form-urlencoded", "\u{feff}a=1", "{\"a\":\"1\"}"),
            ("text/plain", "\u{feff}hello", "\"hello\""),
            ("text/plain", "\u{feff}[1]", "[1]"),
            ("application/xml", "\u{feff}<a/>", "\"<a/>\""),
        ] {
            assert_eq!(json(kind, body), data, "{kind} {body}");
        }
        assert_eq!(refusal(None, "\u{feff}\u{feff}1".as_bytes()), (400, "bad_json"));
        assert_eq!(refusal(None, "\u{feff}".as_bytes()), (400, "bad_json"));
        let kept = body_to_data(Some("application/pdf"), "\u{feff}x".as_bytes(), &mut JsonScratch::new());
        assert_eq!(kept.map(|data| data.len()), Ok(4));
    }

    #[test]
    fn text_and_xml_become_a_json_string() {
        for kind in [
            "text/plain",
            "TEXT/html; charset=\"UTF-8\"",
            "text/csv;charset=us-ascii",
            "application/xml",
            "image/svg+xml",
            "text/xml; charset=utf8",
        ] {
            assert_eq!(json(kind, "a\"\r\n消"), "\"a\\\"\\r\\n消\"", "{kind}");
        }
        assert_eq!(json("text/plain", ""), "\"\"");
        assert_eq!(refusal(Some("text/plain; charset=iso-8859-1"), b"a"), (415, "unsupported_media_type"));
        assert_eq!(refusal(Some("text/plain; format=flowed; Charset = UTF-16"), b"a"), (415, "unsupported_media_type"));
        assert_eq!(refusal(Some("text/plain"), b"a\xff"), (400, "bad_request"));
    }

    #[test]
    fn multipart_is_refused_with_advice() {
        assert_eq!(refusal(Some("multipart/form-data; boundary=x"), b"--x--"), (415, "unsupported_media_type"));
    }

    #[test]
    fn anything_else_is_bytes_under_its_own_type() {
        let long = format!("application/{}", "x".repeat(188));
        for kind in ["image/png", "application/octet-stream", "application/pdf; x=Y", "odd", &long] {
            let data = body_to_data(Some(kind), b"\x00\xff", &mut JsonScratch::new()).expect(kind);
            let expected = Data::Binary { bytes: bytes::Bytes::from_static(b"\x00\xff"), content_type: kind.into() };
            assert_eq!(data, expected);
        }
        assert_eq!(refusal(Some(&format!("{long}x")), b""), (400, "bad_request"));
        assert_eq!(refusal(Some("image/p\u{1}ng"), b""), (400, "bad_request"));
    }
}
