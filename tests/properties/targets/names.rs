//! Channel names and paths against a second, plain implementation of their grammar; the socket's way in and HTTP's agree.
//!
//! Input: a name as it stands in a path, or a path when it begins with `/`.

use super::grammar::{self, Place};
use super::{Target, head};
use tidings::model::name::{ChannelName, NAME_BYTES_MAX};
use tidings::protocol::tidings::path::{Route, parse_name, parse_name_in_url, parse_path};
use tidings::wire::http::head::{HeadLimits, parse_head};

const NAME: &str = "a name";
const PATH: &str = "a path";
const NO_NAME: &str = "no name";
const NO_PATH: &str = "no path";
const NO_TEXT: &str = "not UTF-8";

pub(crate) const TARGET: Target = Target {
    name: "names",
    check,
    outcomes: &[NAME, PATH, NO_NAME, NO_PATH, NO_TEXT],
    words: &[
        "%",
        "%2",
        "%2F",
        "%25",
        "%C3%A9",
        "%ff",
        "%00",
        "%C2%85",
        "+",
        ".",
        "..",
        "*",
        "/",
        "?",
        "/livez",
        "/limits",
        "/channels/",
        "é",
        "消",
    ],
};

fn check(data: &[u8]) -> &'static str {
    let Ok(text) = std::str::from_utf8(data) else { return NO_TEXT };
    if text.starts_with('/') {
        return check_path(text);
    }
    let expected = grammar::name(text);
    let found = parse_name(text);
    assert_eq!(found.as_deref().ok(), expected.as_deref(), "{found:?}");
    check_on_the_socket(text, expected.as_deref());
    check_over_http(text, expected.as_deref());
    assert_eq!(ChannelName::new(text).is_ok(), grammar::is_name(text));
    let Some(name) = expected else {
        assert_eq!(found.expect_err("no name").label(), "bad_channel");
        return NO_NAME;
    };
    assert!(name.len() <= NAME_BYTES_MAX);
    let again: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(parse_name(&again).as_deref(), Ok(&*name), "encoded whole");
    NAME
}

fn check_path(text: &str) -> &'static str {
    let found = parse_path(text).map_err(|refusal| refusal.label());
    let found = found.map(|route| match route {
        Route::Channel(name) => Place::Channel(name.to_string()),
        Route::Subscription(name) => Place::Subscription(name.to_string()),
        Route::Livez => Place::Livez,
        Route::Limits => Place::Limits,
    });
    assert_eq!(found, grammar::path(text));
    if found.is_ok() { PATH } else { NO_PATH }
}

fn check_on_the_socket(encoded: &str, name: Option<&str>) {
    let found = parse_path(&format!("/channels/{encoded}"));
    let expected = name
        .filter(|_| !encoded.contains('?'))
        .map(|name| Route::Channel(ChannelName::new(name).expect("a valid name")));
    assert_eq!(found.ok(), expected);
}

/// Over HTTP a name stands in a target, so it is visible ASCII, and what follows a `?` is no part of it.
fn check_over_http(encoded: &str, name: Option<&str>) {
    let text = format!("GET /channels/{encoded} HTTP/1.1\r\nHost: a\r\n\r\n");
    let limits = HeadLimits { target_bytes: 8192, ..HeadLimits { head_bytes: 16_384, ..head::LIMITS } };
    let fits = encoded.bytes().all(|byte| byte.is_ascii_graphic()) && !encoded.contains('#') && encoded.len() < 8000;
    let found = parse_head(text.as_bytes(), &limits).ok().flatten().map(|(head, _)| (head.path, head.query));
    let Some((path, query)) = found else {
        assert!(!fits, "refused as a target");
        return;
    };
    if !fits || query.is_some() {
        return;
    }
    let standing = path.strip_prefix("/channels/").expect("the path as it was sent");
    assert_eq!(standing, encoded);
    // There a bare slash begins another segment, which no name has.
    assert_eq!(parse_name_in_url(standing).as_deref().ok(), name.filter(|_| !encoded.contains('/')));
}
