//! Request targets: the four forms of RFC 9112 section 3.2, and the pairs of a query.

use super::terms::{Method, bad};
use crate::model::authority::Authority;
use crate::model::refusal::Refusal;
use std::borrow::Cow;

/// A request target taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'b> {
    /// Begins with `/`, or is `*`.
    pub(super) path: &'b str,
    /// What follows the first `?`.
    pub(super) query: Option<&'b str>,
    /// The valid authority of an absolute target.
    pub(super) authority: Option<&'b str>,
}

/// Reads `/path?query`, `http://host/path?query`, or `*` with OPTIONS.
pub(super) fn read_target(method: Method, target: &str) -> Result<Target<'_>, Refusal> {
    if target.starts_with('/') {
        return Ok(split_query(target, None));
    }
    // It names the server and no path, which only OPTIONS can ask about (RFC 9112 section 3.2.4).
    if target == "*" && method == Method::Options {
        return Ok(Target { path: target, query: None, authority: None });
    }
    let scheme = target.as_bytes().get(..7);
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http://")) {
        return read_absolute(&target[7..]);
    }
    Err(bad("the request target begins with / or http://"))
}

fn read_absolute(rest: &str) -> Result<Target<'_>, Refusal> {
    // A query may follow the authority at once: the path is empty then, which means `/` (RFC 9110 section 4.2.3).
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if Authority::parse(authority).is_none() {
        return Err(bad("the request target names no valid host; it looks like http://example.com:8080/path"));
    }
    Ok(split_query(path, Some(authority)))
}

fn split_query<'b>(target: &'b str, authority: Option<&'b str>) -> Target<'b> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Target { path: if path.is_empty() { "/" } else { path }, query, authority }
}

/// The `name=value` pairs of a query, decoded as forms are: `+` is a space, a bad escape stays unchanged, and what is
/// not UTF-8 becomes U+FFFD. A name without `=` has an empty value; empty pairs are skipped.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(query.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{query_pairs, read_target};
    use crate::wire::http::head::Method;
    use proptest::prelude::*;

    #[test]
    fn a_query_is_read_as_a_form() {
        let pairs = |query| query_pairs(query).map(|(n, v)| format!("{n}→{v}")).collect::<Vec<_>>().join(" | ");
        assert_eq!(pairs("since=abc%3A12&last=3"), "since→abc:12 | last→3");
        assert_eq!(pairs("&&a&b=&=c&d=e=f"), "a→ | b→ | →c | d→e=f");
        assert_eq!(pairs("a+b=c+%2B+d"), "a b→c + d");
        assert_eq!(pairs("a=%&b=%4&c=%zz&d=%ff&e=100%"), "a→% | b→%4 | c→%zz | d→\u{fffd} | e→100%");
        assert_eq!(pairs("event=%E4%BD%A0"), "event→你");
        assert_eq!(pairs(""), "");
        assert_eq!(pairs("&=&==&%26=%3D&a%3Db"), "→ | →= | &→= | a=b→");
        assert_eq!(pairs("%=%&a=%2&b=%+1&c=%%41&d=%2%42"), "%→% | a→%2 | b→% 1 | c→%A | d→%2B");
        assert_eq!(pairs("%FF=%C3+%A9&a=%ED%A0%80"), "\u{fffd}→\u{fffd} \u{fffd} | a→\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(pairs("%C3%A9=%c3%a9&%EF%BB%BFa=1"), "é→é | \u{feff}a→1");
    }

    #[test]
    fn a_target_has_a_path_and_perhaps_a_host() {
        let parts = |text| read_target(Method::Get, text).map(|t| (t.path, t.query, t.authority)).ok();
        assert_eq!(parts("/a?b?c"), Some(("/a", Some("b?c"), None)));
        assert_eq!(parts("//a"), Some(("//a", None, None)));
        assert_eq!(parts("http://h:1/a?"), Some(("/a", Some(""), Some("h:1"))));
        assert_eq!(parts("HTTP://h?q"), Some(("/", Some("q"), Some("h"))));
        assert_eq!(parts("http://h"), Some(("/", None, Some("h"))));
        for bad in
            ["*", "a", "h:443", "http:/a", "http://", "http:///a", "https://h/", "http://u@h/", "http://a,b/", "?a"]
        {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_every_text_survives_encoding(text in ".{0,40}", noise in "[%+&=0-9a-fA-Z]{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let query = format!("{encoded}={encoded}");
            let pair = query_pairs(&query).next();
            prop_assert_eq!(pair, Some((text.as_str().into(), text.as_str().into())));
            let _ = query_pairs(&noise).count();
        }
    }
}
