//! Channel names and the paths that hold them: decoded exactly once, then checked by one set of rules.

use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::refusal::Refusal;
use std::borrow::Cow;
use std::cell::RefCell;

/// The paths of requests on a socket, for messages.
pub const KNOWN_PATHS: &str = "/channels/{name}, /subscriptions/{name}, /livez and /limits";

/// What a path on the socket names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/channels/{name}`.
    Channel(ChannelName),
    /// `/subscriptions/{name}`.
    Subscription(ChannelName),
    /// `/livez`.
    Livez,
    /// `/limits`.
    Limits,
}

/// Reads a channel's name as it stands in a path: percent-decoding it exactly once, then
/// [`ChannelName::new`].
///
/// # Errors
/// 400 `bad_channel` for a broken escape, for bytes that are not UTF-8 and for a name that breaks a rule.
pub fn parse_name(encoded: &str) -> Result<ChannelName, Refusal> {
    let decoded = percent_decode(encoded)?;
    RECENT.with_borrow_mut(|recent| {
        let place = &mut recent[place_of(&decoded)];
        if let Some(name) = place
            && **name == *decoded
        {
            return Ok(ChannelName::clone(name));
        }
        Ok(ChannelName::clone(place.insert(ChannelName::new(&decoded)?)))
    })
}

/// The same for a name as it stands in the path of a URL, where a slash that belongs to it is encoded: what follows a bare one
/// is another place.
///
/// # Errors
/// As [`parse_name`], and 400 `bad_channel` for a bare slash.
pub fn parse_name_in_url(encoded: &str) -> Result<ChannelName, Refusal> {
    if encoded.contains('/') {
        return Err(bad_channel("in a URL a \"/\" inside a channel's name is written %2F"));
    }
    parse_name(encoded)
}

/// How many names a thread keeps because requests named them recently: most requests name a channel that another one just
/// named, and a name that is kept costs no allocation.
const RECENT_NAMES: usize = 64;

// A thread's own, and not a value that callers lend: a name is read at the bottom of every way in (a socket's frame, an
// HTTP path, a worker's job), and all of them would carry one more argument. It can be seen only by its speed: a name that
// is kept equals one that was made anew, and what was refused is not kept.

thread_local! {
    static RECENT: RefCell<[Option<ChannelName>; RECENT_NAMES]> = const { RefCell::new([const { None }; RECENT_NAMES]) };
}

/// Where a name would be kept: by its length and its end, which is where names differ.
fn place_of(name: &str) -> usize {
    let end = name.bytes().rev().take(4).fold(name.len(), |sum, byte| sum * 31 + usize::from(byte));
    end % RECENT_NAMES
}

/// Reads a path as it stands in a request on the socket.
///
/// # Errors
/// 400 `bad_request` for a path with a query, 400 `bad_channel` for a bad name, 404 `not_found` for any other path.
pub fn parse_path(path: &str) -> Result<Route, Refusal> {
    // First: options after the name would otherwise become a part of it.
    if path.contains('?') {
        return Err(Refusal::new(
            Code::BadRequest,
            "a path on the socket has no query: options are members of the request, as in {\"last\":5}",
        ));
    }
    if let Some(name) = path.strip_prefix("/channels/") {
        return Ok(Route::Channel(parse_name(name)?));
    }
    if let Some(name) = path.strip_prefix("/subscriptions/") {
        return Ok(Route::Subscription(parse_name(name)?));
    }
    match path {
        "/livez" => Ok(Route::Livez),
        "/limits" => Ok(Route::Limits),
        _ => Err(not_found(path)),
    }
}

fn not_found(path: &str) -> Refusal {
    let shown: String = path.chars().take(60).collect();
    Refusal::new(Code::NotFound, format!("there is nothing at {shown:?}: the paths on a socket are {KNOWN_PATHS}"))
}

fn bad_channel(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::BadChannel, message)
}

/// Decodes every `%XX` once; `+` stays `+`.
fn percent_decode(encoded: &str) -> Result<Cow<'_, str>, Refusal> {
    // Nearly no name has an escape, and the library would look for one and then check again that the text is UTF-8.
    if !encoded.contains('%') {
        return Ok(Cow::Borrowed(encoded));
    }
    // The library leaves a "%" that begins no escape in place: "100%" and "100%25" would be the same channel.
    if !encoded.split('%').skip(1).all(begins_with_two_digits) {
        return Err(bad_channel(
            "a \"%\" in a path is followed by two hexadecimal digits (\"%25\" is the sign itself)",
        ));
    }
    percent_encoding::percent_decode_str(encoded)
        .decode_utf8()
        .map_err(|_| bad_channel("the channel's name is not UTF-8 after percent-decoding"))
}

fn begins_with_two_digits(text: &str) -> bool {
    text.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::{Route, parse_name, parse_path, percent_decode};
    use crate::model::name::ChannelName;
    use crate::model::refusal::Refusal;
    use proptest::prelude::*;

    fn name(text: &str) -> ChannelName {
        ChannelName::new(text).expect("a name")
    }

    fn code(path: &str) -> (u16, &'static str) {
        let refusal = parse_path(path).expect_err(path);
        (refusal.status(), refusal.label())
    }

    #[test]
    fn a_name_asked_for_again_is_the_same_one_and_no_other() {
        for round in 0..3 {
            for number in 0..1000 {
                let name = parse_name(&format!("n{number}")).expect("a name");
                assert_eq!(*name, format!("n{number}"), "round {round}");
            }
        }
        let (once, again) = (parse_name("stocks"), parse_name("%73tocks"));
        assert_eq!(once.expect("a name").as_ptr(), again.expect("the same name").as_ptr());
        assert!(parse_name("st?cks").is_err() && parse_name("st?cks").is_err(), "what is refused is not kept");
    }

    #[test]
    fn a_name_is_decoded_exactly_once() {
        for (encoded, decoded) in [
            ("stocks", "stocks"),
            ("a%20b", "a b"),
            ("a+b", "a+b"),
            ("a%2Bb%2bc", "a+b+c"),
            ("%41%7a", "Az"),
            ("%2525", "%25"),
            ("100%25", "100%"),
            ("%E6%B6%88%e6%81%af", "消息"),
            ("消息", "消息"),
            ("...", "..."),
            ("a#b&c=d:e,f|g", "a#b&c=d:e,f|g"),
        ] {
            assert_eq!(&*parse_name(encoded).expect(encoded), decoded);
        }
    }

    #[test]
    fn broken_escapes_and_bytes_that_are_no_utf8_are_refused() {
        let escape = "a \"%\" in a path is followed by two hexadecimal digits (\"%25\" is the sign itself)";
        let utf8 = "the channel's name is not UTF-8 after percent-decoding";
        for (message, all) in [
            (escape, &["%", "a%", "a%2", "%zz", "%4g", "%+1", "%2 ", "%é", "a%%41", "%25%", "%FF%"][..]),
            (utf8, &["%FF", "%C3", "%ED%A0%80", "é%FF", "%C3+%A9"]),
        ] {
            for bad in all {
                let refusal = parse_name(bad).expect_err(bad);
                assert_eq!((refusal.label(), &*refusal.message), ("bad_channel", message), "{bad}");
            }
        }
    }

    #[test]
    fn a_name_obeys_its_rules_on_both_sides() {
        for good in ["a", " ", "a/b", "a/.b/c", "a.b", ".a", "e\u{301}", "\u{e9}", &"x".repeat(255), &"é".repeat(127)]
        {
            ChannelName::new(good).expect(good);
        }
        for bad in [
            "",
            ".",
            "..",
            "/",
            "/a",
            "a/",
            "a//b",
            "./a",
            "a/..",
            "a/./b",
            "a\\b",
            "*",
            "a*",
            "a?",
            "a\n",
            "\0",
            "\u{7f}",
            "\u{85}",
            &"x".repeat(256),
            &"é".repeat(128),
        ] {
            let refusal = Refusal::from(ChannelName::new(bad).expect_err(bad));
            assert_eq!((refusal.status(), refusal.label()), (400, "bad_channel"), "{bad}");
        }
        for bad in ["%2F", "a%2F%2Fb", "a%2F%2e%2e", "%5c", "%2A", "%3F", "%2e", "%2E%2e", "%00", "%0A", "%C2%80", ""] {
            assert_eq!(parse_name(bad).expect_err(bad).label(), "bad_channel", "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_every_text_survives_encoding(text in ".{0,40}", noise in "[%+&=0-9a-fA-Z]{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let decoded = percent_decode(&encoded);
            prop_assert_eq!(decoded.as_deref(), Ok(&*text));
            let _ = percent_decode(&noise);
        }
    }

    #[test]
    fn a_name_is_never_normalised() {
        assert_ne!(parse_name("%C3%A9").expect("composed"), parse_name("e%CC%81").expect("decomposed"));
    }

    #[test]
    fn a_path_names_a_channel_a_subscription_the_health_or_the_limits() {
        assert_eq!(parse_path("/channels/a%20b"), Ok(Route::Channel(name("a b"))));
        assert_eq!(parse_path("/subscriptions/消息"), Ok(Route::Subscription(name("消息"))));
        assert_eq!(parse_path("/livez"), Ok(Route::Livez));
        assert_eq!(parse_path("/limits"), Ok(Route::Limits));
        assert_eq!(code("/channels/a?last=1"), (400, "bad_request"));
        assert_eq!(code("/livez?"), (400, "bad_request"));
        assert_eq!(code("/channels/"), (400, "bad_channel"));
        assert_eq!(code("/channels/a//b"), (400, "bad_channel"));
        for path in ["/channels/a/b", "/channels/a%2Fb", "/channels/a%2fb"] {
            assert_eq!(parse_path(path), Ok(Route::Channel(name("a/b"))), "{path}");
        }
        for unknown in
            ["", "/", "/channels", "/channel/a", "channels/a", "/Channels/a", "/livez/", "/limits/", "http://h/livez"]
        {
            assert_eq!(code(unknown), (404, "not_found"), "{unknown}");
            let message = parse_path(unknown).expect_err(unknown).message;
            assert!(message.contains("/channels/{name}") && message.contains("/livez"), "{message}");
        }
    }
}
