//! Host, port and origin: reads `host[:port]` and `scheme://host[:port]` strictly and compares them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name DNS knows.
const HOST_BYTES: usize = 255;

/// `host[:port]`, valid.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    host: &'a str,
    address: Option<IpAddr>,
    /// The port that was named.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads a Host field or the authority of a URI; `None` with user information, a list, white space, a path, or no host.
    pub fn parse(text: &'a str) -> Option<Authority<'a>> {
        let bracket = if text.starts_with('[') { text.find(']')? + 1 } else { 0 };
        let colon = text[bracket..].find(':').map(|at| at + bracket);
        let (host, port) = match colon {
            Some(at) => (&text[..at], parse_port(&text[at + 1..])?),
            None => (text, None),
        };
        let address =
            if bracket > 0 { Some(parse_literal(host)?) } else { host.parse::<Ipv4Addr>().ok().map(IpAddr::V4) };
        let named = (1..=HOST_BYTES).contains(&host.len()) && host.bytes().all(is_name_byte);
        (address.is_some() || named).then_some(Authority { host, address, port })
    }

    /// Whether both name the same host; letter case and the spelling of an IPv6 address do not count.
    pub fn same_host(&self, other: &Authority<'_>) -> bool {
        match (self.address, other.address) {
            (Some(mine), Some(theirs)) => mine == theirs,
            (None, None) => self.host.eq_ignore_ascii_case(other.host),
            _ => false,
        }
    }

    /// Whether the host is `localhost` or an address of the loopback interface.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost") || self.address.is_some_and(|address| address.is_loopback())
    }

    /// Whether the host is `localhost`, `127.0.0.1` or `[::1]`.
    pub fn is_common_loopback(&self) -> bool {
        const COMMON: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        self.host.eq_ignore_ascii_case("localhost") || self.address.is_some_and(|address| COMMON.contains(&address))
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `Some(None)`: a colon without digits, which RFC 3986 allows.
fn parse_port(text: &str) -> Option<Option<u16>> {
    if text.is_empty() {
        return Some(None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().map(Some) } else { None }
}

fn parse_literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// `scheme://host[:port]` (RFC 6454 section 6.1), valid.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    /// Reads one serialised origin; `None` for `null`, a list, or anything with a path.
    pub fn parse(text: &'a str) -> Option<Origin<'a>> {
        let (scheme, authority) = text.split_once("://")?;
        let letter = scheme.as_bytes().first()?.is_ascii_alphabetic();
        let clean = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !letter || !clean {
            return None;
        }
        Some(Origin { scheme, authority: Authority::parse(authority)? })
    }

    /// Whether scheme, host and port (its scheme's default when none is named) are the same.
    pub fn same(&self, other: &Origin<'_>) -> bool {
        let port = |origin: &Origin<'_>| origin.authority.port.or_else(|| origin.default_port());
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.authority.same_host(&other.authority)
            && port(self) == port(other)
    }

    /// Whether a page of this origin asked the very server that `host` names. A Host without a port stands for the
    /// default port of the origin's scheme: behind a proxy that ends TLS only the origin knows the scheme.
    pub fn same_as_host(&self, host: &Authority<'_>) -> bool {
        let Some(default) = self.default_port() else { return false };
        self.authority.same_host(host) && self.authority.port.unwrap_or(default) == host.port.unwrap_or(default)
    }

    /// Whether the page comes from `http(s)://localhost`, `127.0.0.1` or `[::1]`, on any port.
    pub fn is_loopback_page(&self) -> bool {
        self.default_port().is_some() && self.authority.is_common_loopback()
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme {
            scheme if scheme.eq_ignore_ascii_case("http") => Some(80),
            scheme if scheme.eq_ignore_ascii_case("https") => Some(443),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Authority, Origin};

    #[test]
    fn a_host_is_a_name_or_an_address_with_at_most_a_port() {
        let long = "a".repeat(255);
        for good in
            ["a", "a:", "a:0", "a:65535", "A-b.c_d~", "127.0.0.1:8080", "[::1]", "[::1]:80", "[2001:db8::7]:", &long]
        {
            assert!(Authority::parse(good).is_some(), "{good}");
        }
        let longer = "a".repeat(256);
        for bad in [
            "",
            ":80",
            "a:65536",
            "a:+1",
            "a:b",
            "a:1:2",
            "u@a",
            "a/b",
            "a,b",
            "a b",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]x:80",
            "[]",
            "[a]",
            "[127.0.0.1]",
            "[fe80::1%eth0]",
            "a?b",
            "a#b",
            "a%41",
            "ä",
            "[::1]:x",
            "*",
            &longer,
        ] {
            assert!(Authority::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn hosts_are_compared_by_what_they_name() {
        let same = |a, b| Authority::parse(a).expect(a).same_host(&Authority::parse(b).expect(b));
        assert!(same("EXAMPLE.com", "example.COM:80"));
        assert!(same("[::1]", "[0:0:0:0:0:0:0:1]"));
        assert!(!same("localhost", "127.0.0.1"));
        assert!(!same("example.com", "example.com.evil"));
        for (host, any, common) in [
            ("localhost", true, true),
            ("LocalHost:9", true, true),
            ("127.0.0.1", true, true),
            ("127.1.2.3", true, false),
            ("[::1]:80", true, true),
            ("localhost.evil", false, false),
            ("127.0.0.1.evil", false, false),
            ("128.0.0.1", false, false),
            ("[::2]", false, false),
        ] {
            let authority = Authority::parse(host).expect(host);
            assert_eq!((authority.is_loopback(), authority.is_common_loopback()), (any, common), "{host}");
        }
    }

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
}
