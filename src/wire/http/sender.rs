//! The fields that say who sends a request and through which proxies, as they were sent, and the value of one cookie
//! (RFC 6265).

use smallvec::SmallVec;
use std::fmt;

/// The fields of one head; what is wrong with them refuses no request, but for X-API-Key, which comes once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SenderFields<'b> {
    /// Each Cookie value, in order. HTTP/1.1 has one (RFC 6265 section 5.4); what comes from HTTP/2 may have more.
    pub cookies: SmallVec<[&'b [u8]; 1]>,
    /// X-API-Key. It is judged with the head and not kept.
    pub api_key: Option<&'b str>,
    /// Sec-Fetch-Site. Repeated or not UTF-8 it is [`UNREADABLE_SITE`], which no browser sends.
    pub fetch_site: Option<&'b str>,
    /// Each X-Forwarded-For value, in order, unparsed.
    pub forwarded_for: SmallVec<[&'b [u8]; 1]>,
    /// Each Forwarded value (RFC 7239), in order, unparsed.
    pub forwarded: SmallVec<[&'b [u8]; 1]>,
}

/// Replaces a Sec-Fetch-Site that cannot be read: it must not count as `same-origin`, nor as left out.
pub const UNREADABLE_SITE: &str = "?";

/// Secrets stay out of whatever is printed.
impl fmt::Debug for SenderFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |lines: &[&[u8]]| lines.iter().map(|line| line.escape_ascii().to_string()).collect::<Vec<_>>();
        f.debug_struct("SenderFields")
            .field("cookies", &format_args!("{} lines", self.cookies.len()))
            .field("api_key", &self.api_key.map(|_| "..."))
            .field("fetch_site", &self.fetch_site)
            .field("forwarded_for", &text(&self.forwarded_for))
            .field("forwarded", &text(&self.forwarded))
            .finish()
    }
}

/// Why a cookie that was sent has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieFault {
    /// Several have this name: one of another path, or of a domain that others can set cookies for too.
    Ambiguous,
    /// Its value has a byte that no cookie's value has (RFC 6265 section 4.1.1).
    Unreadable,
}

/// The value of the cookie that is called exactly `name`, without the quotation marks that may stand around it; `None` when
/// there is none.
///
/// # Errors
/// Several cookies have this name, whatever their values, or its value cannot be read. Other cookies may be anything.
pub fn cookie_value<'b>(lines: &[&'b [u8]], name: &str) -> Result<Option<&'b str>, CookieFault> {
    let mut found = None;
    // A semicolon separates also between quotation marks: for browsers these are part of the value.
    for pair in lines.iter().flat_map(|line| line.split(|byte| *byte == b';')) {
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
        // Which of them is meant, the one that the site set or the one that its neighbour planted, nothing tells.
        if pair[..at].trim_ascii() == name.as_bytes() && found.replace(pair[at + 1..].trim_ascii()).is_some() {
            return Err(CookieFault::Ambiguous);
        }
    }
    found.map(read_value).transpose()
}

fn read_value(value: &[u8]) -> Result<&str, CookieFault> {
    let bare = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    if !bare.iter().all(|byte| is_cookie_byte(*byte)) {
        return Err(CookieFault::Unreadable);
    }
    std::str::from_utf8(bare).map_err(|_| CookieFault::Unreadable)
}

/// `cookie-octet`: visible ASCII but `"`, `,`, `;` and `\`.
const fn is_cookie_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'+' | b'-'..=b':' | b'<'..=b'[' | b']'..=b'~')
}

#[cfg(test)]
mod tests {
    use super::{CookieFault, SenderFields, cookie_value};
    use smallvec::smallvec;

    fn value<'b>(lines: &[&'b str], name: &str) -> Result<Option<&'b str>, CookieFault> {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        cookie_value(&lines, name)
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name() {
        for (lines, found) in [
            (&["token=abc"][..], Some("abc")),
            (&["a=1; token=abc; b=2"], Some("abc")),
            (&["a=1;token=abc"], Some("abc")),
            (&["a=1", "token=abc", "b=2"], Some("abc")),
            (&["token=\"abc\""], Some("abc")),
            (&["token="], Some("")),
            (&["token=\"\""], Some("")),
            (&["token=a=b=="], Some("a=b==")),
            (&["token=eyJ.a-b_c.d~e"], Some("eyJ.a-b_c.d~e")),
            (&["\t token = abc \t"], Some("abc")),
            (&[""], None),
            (&[], None),
            (&["token"], None),
            (&["Token=abc"], None),
            (&["token2=abc"], None),
            (&["xtoken=abc"], None),
            (&["__Host-token=abc"], None),
            (&["a=token=abc"], None),
            (&["token; a=1"], None),
            (&["=abc"], None),
            (&[";;;token=abc;;"], Some("abc")),
            (&["a=\"x; token=abc\""], None),
        ] {
            let expected = if lines == ["a=\"x; token=abc\""] { Err(CookieFault::Unreadable) } else { Ok(found) };
            assert_eq!(value(lines, "token"), expected, "{lines:?}");
        }
    }

    /// One of them may have been planted from a neighbouring domain.
    #[test]
    fn a_name_that_comes_twice_has_no_value() {
        for lines in [
            &["token=a; token=b"][..],
            &["token=a", "token=b"],
            &["token=a; token=a"],
            &["token=; token=b"],
            &["token=\"a\"; x=1; token = a"],
        ] {
            assert_eq!(value(lines, "token"), Err(CookieFault::Ambiguous), "{lines:?}");
        }
        assert_eq!(value(&["token=a; Token=b; token"], "token"), Ok(Some("a")), "only one has this name");
    }

    #[test]
    fn a_value_is_visible_ascii_and_other_cookies_are_not_looked_at() {
        for text in ["a b", "a,b", "a\"b", "a\\b", "\"a", "a\"", "\"a\"\"", "é", "a\u{7f}", "a\tb", "\""] {
            assert_eq!(value(&[&format!("token={text}")], "token"), Err(CookieFault::Unreadable), "{text:?}");
            assert_eq!(value(&[&format!("other={text}; token=x")], "token"), Ok(Some("x")), "{text:?}");
        }
        assert_eq!(cookie_value(&[b"a=\xff; token=x; \xff"], "token"), Ok(Some("x")));
        assert_eq!(cookie_value(&[b"token=\xff"], "token"), Err(CookieFault::Unreadable));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let fields = SenderFields {
            cookies: smallvec![&b"token=hidden"[..]],
            api_key: Some("td_hidden"),
            forwarded_for: smallvec![&b"192.0.2.1"[..]],
            ..SenderFields::default()
        };
        let printed = format!("{fields:?}");
        assert!(!printed.contains("hidden") && printed.contains("192.0.2.1"), "{printed}");
    }
}
