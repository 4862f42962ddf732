//! Origins: one grammar for the settings that allow them and for the field that browsers send.

use super::authority::Authority;

/// The origin of pages that were opened as files, as some browsers send it.
const FILE: &str = "file://";
/// The origin of pages that have no other: files, sandboxed frames, data URLs.
const NULL: &str = "null";
/// The setting that allows every page.
const ANY: &str = "*";
/// The prefix of a name whose subdomains are allowed.
const SUBDOMAINS: &str = "*.";

/// `scheme://host[:port]` (RFC 6454 section 7.1), valid.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    /// Reads one serialised origin; `None` for `null`, `file://`, a list, or anything with a path.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Origin<'a>> {
        let (scheme, authority) = split(text)?;
        Some(Origin { scheme, authority: Authority::parse(authority)? })
    }

    /// Whether scheme, host and port (its scheme's default when none is named) are the same.
    #[must_use]
    pub fn same(&self, other: &Origin<'_>) -> bool {
        self.same_door(other) && self.authority.same_host(&other.authority)
    }

    /// Whether scheme and port are the same.
    fn same_door(&self, other: &Origin<'_>) -> bool {
        let port = |origin: &Origin<'_>| origin.authority.port.or_else(|| origin.default_port());
        self.scheme.eq_ignore_ascii_case(other.scheme) && port(self) == port(other)
    }

    /// Whether this is the origin of the server that `host` names. A Host without a port stands for the
    /// default port of the origin's scheme: after a proxy that ends TLS only the origin has the scheme.
    #[must_use]
    pub fn same_as_host(&self, host: &Authority<'_>) -> bool {
        // The server's own pages come by http or https, so an origin of another scheme is never its own.
        let Some(default) = self.default_port() else { return false };
        self.authority.same_host(host) && self.authority.port.unwrap_or(default) == host.port.unwrap_or(default)
    }

    /// Whether the page comes from `http(s)://localhost`, a name below it, `127.0.0.1` or `[::1]`, on any port.
    #[must_use]
    pub fn is_loopback_page(&self) -> bool {
        // Only http and https: pages of apps, as of capacitor://localhost, have to be allowed by name.
        self.default_port().is_some() && self.authority.is_common_loopback()
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme {
            // Schemes are the same in either letter case (RFC 3986 section 3.1).
            scheme if scheme.eq_ignore_ascii_case("http") => Some(80),
            scheme if scheme.eq_ignore_ascii_case("https") => Some(443),
            _ => None,
        }
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let (scheme, authority) = text.split_once("://")?;
    let letter = scheme.as_bytes().first()?.is_ascii_alphabetic();
    let clean = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (letter && clean).then_some((scheme, authority))
}

/// What a setting allows, or an Origin field contains.
enum Pattern<'a> {
    Any,
    Null,
    File,
    One(Origin<'a>),
    /// Every subdomain of this name.
    Below(Origin<'a>),
}

impl<'a> Pattern<'a> {
    /// What browsers send: nothing else can be the origin of a request.
    fn sent(text: &'a str) -> Option<Pattern<'a>> {
        match text {
            // In small letters alone, as RFC 6454 section 6.2 has it.
            NULL => Some(Pattern::Null),
            file if file.eq_ignore_ascii_case(FILE) => Some(Pattern::File),
            text => Origin::parse(text).map(Pattern::One),
        }
    }

    /// What a setting may contain: all of that, also with the final slash that people copy with it, and patterns.
    fn set(text: &'a str) -> Option<Pattern<'a>> {
        if text == ANY {
            return Some(Pattern::Any);
        }
        // Before a final slash is taken off: `file://` ends with one.
        if let Some(sent) = Pattern::sent(text) {
            return Some(sent);
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        if let Some((scheme, name)) =
            split(text).and_then(|(scheme, host)| Some((scheme, host.strip_prefix(SUBDOMAINS)?)))
        {
            // An address has no subdomains.
            let authority = Authority::parse(name).filter(|authority| !authority.is_address())?;
            return Some(Pattern::Below(Origin { scheme, authority }));
        }
        Pattern::sent(text)
    }
}

/// Whether a text is something that browsers send as Origin; a setting of the same text can allow it.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    Pattern::sent(text).is_some()
}

/// Whether a setting allows any origin: itself an origin, `https://*.example.com`, or `*`.
#[must_use]
pub fn is_setting(text: &str) -> bool {
    Pattern::set(text).is_some()
}

/// Whether a setting allows pages that anyone can make: `*`, and pages that have no origin of their own.
#[must_use]
pub fn is_anybodys(setting: &str) -> bool {
    matches!(Pattern::set(setting), Some(Pattern::Any | Pattern::Null | Pattern::File))
}

/// Whether a setting allows an origin as it was sent.
#[must_use]
pub fn allows(setting: &str, origin: &str) -> bool {
    match (Pattern::set(setting), Pattern::sent(origin)) {
        // Not even `*` allows what is no origin: the field is repeated in Access-Control-Allow-Origin.
        (Some(Pattern::Any), Some(_)) | (Some(Pattern::Null), Some(Pattern::Null)) => true,
        (Some(Pattern::File), Some(Pattern::File)) => true,
        (Some(Pattern::One(allowed)), Some(Pattern::One(origin))) => allowed.same(&origin),
        (Some(Pattern::Below(allowed)), Some(Pattern::One(origin))) => {
            allowed.same_door(&origin) && origin.authority.is_below(&allowed.authority)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, allows, is_anybodys, is_origin, is_setting};

    #[test]
    fn origins_know_their_default_ports() {
        let same = |a, b| Origin::parse(a).expect(a).same(&Origin::parse(b).expect(b));
        assert!(same("http://a", "HTTP://A:80"));
        assert!(same("https://a:443", "https://a"));
        assert!(!same("http://a", "https://a"));
        assert!(!same("http://a", "http://a:8080"));
        assert!(same("chrome-extension://abc", "chrome-extension://abc"));
        for bad in [
            "null",
            "",
            "http://",
            "http://a/",
            "http://a b",
            "http://a http://b",
            "//a",
            "://a",
            "1x://a",
            "http://u@a",
            "*",
        ] {
            assert!(Origin::parse(bad).is_none(), "{bad}");
        }
    }

    /// A refusal named `null` and `file://`, and the setting refused them.
    #[test]
    fn whatever_browsers_send_can_be_set_and_is_then_allowed() {
        for origin in [
            "null",
            "file://",
            "https://app.example",
            "http://app.example:8080",
            "http://[2001:db8::7]:3000",
            "http://192.0.2.7",
            "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai",
            "moz-extension://1b2c3d4e-0000-4000-8000-123456789abc",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://obsidian.md",
            "vscode-webview://0abc1def",
            "https://xn--bcher-kva.example",
            "https://a_b.example~",
        ] {
            assert!(is_origin(origin) && is_setting(origin) && allows(origin, origin), "{origin}");
            assert!(allows("*", origin), "{origin}");
            assert!(!allows("https://other.example", origin), "{origin}");
        }
        for (copied, origin) in [("https://app.example/", "https://app.example"), ("file:///", "file://")] {
            assert!(is_setting(copied) && allows(copied, origin) && !is_origin(copied), "{copied}");
        }
        for no_origin in ["", "*", "localhost:8080", "http://a/", "http://a b", "http://*.a", "ftp", "NULL"] {
            assert!(!is_origin(no_origin) && !allows("*", no_origin), "{no_origin}");
        }
        for no_setting in [
            "",
            "example.com",
            "https://",
            "https://a/b",
            "https://*",
            "https://*.",
            "https://*.1.2.3.4",
            "**",
            "https://a.*.b",
        ] {
            assert!(!is_setting(no_setting), "{no_setting}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_the_names_below_and_for_nothing_else() {
        for (origin, allowed) in [
            ("https://a.example.com", true),
            ("https://a.b.EXAMPLE.com:443", true),
            ("https://example.com", false),
            ("https://evilexample.com", false),
            ("https://.example.com", false),
            ("https://a.example.com.evil", false),
            ("http://a.example.com", false),
            ("https://a.example.com:8443", false),
            ("null", false),
        ] {
            assert_eq!(allows("https://*.example.com", origin), allowed, "{origin}");
        }
        assert!(allows("http://*.example.com:3000/", "http://a.example.com:3000"));
    }

    #[test]
    fn what_anybody_can_send_is_known() {
        for setting in ["*", "null", "file://", "file:///"] {
            assert!(is_anybodys(setting), "{setting}");
        }
        for setting in ["https://a", "https://*.a", "chrome-extension://a"] {
            assert!(!is_anybodys(setting), "{setting}");
        }
    }
}
