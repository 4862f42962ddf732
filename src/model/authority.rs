//! Host and port: reads `host[:port]` strictly and compares it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name in DNS, in bytes.
const HOST_BYTES: usize = 255;

/// `host[:port]`, valid.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    host: &'a str,
    address: Option<IpAddr>,
    /// The port, if there is one.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads a Host field or the authority of a URI; `None` with user information, a list, white space, a path, or no host.
    pub fn parse(text: &'a str) -> Option<Authority<'a>> {
        // The colons of an IPv6 literal separate no port: the search begins after its bracket.
        let bracket = if text.starts_with('[') { text.find(']')? + 1 } else { 0 };
        let colon = text[bracket..].find(':').map(|at| at + bracket);
        let (host, port) = match colon {
            Some(at) => (&text[..at], parse_port(&text[at + 1..])?),
            None => (text, None),
        };
        // Of IPv4 only four decimal numbers: browsers write any other spelling that way before they send it (URL
        // Standard, host parsing).
        let address =
            if bracket > 0 { Some(parse_literal(host)?) } else { host.parse::<Ipv4Addr>().ok().map(IpAddr::V4) };
        let named = (1..=HOST_BYTES).contains(&host.len()) && host.bytes().all(is_name_byte);
        (address.is_some() || named).then_some(Authority { host, address, port })
    }

    /// Whether both name the same host; letter case, a final dot and the spelling of an address do not matter.
    #[must_use]
    pub fn same_host(&self, other: &Authority<'_>) -> bool {
        match (self.address, other.address) {
            (Some(mine), Some(theirs)) => mine == theirs,
            (None, None) => self.name().eq_ignore_ascii_case(other.name()),
            // No name is looked up: even `localhost` is not the same as 127.0.0.1.
            _ => false,
        }
    }

    /// Whether the host is an address and not a name.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.address.is_some()
    }

    /// Whether the host is a subdomain of `other`, as `a.b` is of `b`.
    #[must_use]
    pub fn is_below(&self, other: &Authority<'_>) -> bool {
        self.address.is_none() && other.address.is_none() && is_below(self.name(), other.name())
    }

    /// Whether the host is `localhost`, a name below it (RFC 6761 section 6.3), or an address of the loopback interface.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_localhost() || self.address.is_some_and(|address| address.is_loopback())
    }

    /// Whether the host is `localhost`, a name below it, `127.0.0.1` or `[::1]`.
    #[must_use]
    pub fn is_common_loopback(&self) -> bool {
        const COMMON: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        self.is_localhost() || self.address.is_some_and(|address| COMMON.contains(&address))
    }

    fn is_localhost(&self) -> bool {
        self.address.is_none() && (self.name().eq_ignore_ascii_case("localhost") || is_below(self.name(), "localhost"))
    }

    /// The name without the dot that may end it: a full name is the same name.
    fn name(&self) -> &'a str {
        self.host.strip_suffix('.').unwrap_or(self.host)
    }
}

fn is_below(name: &str, parent: &str) -> bool {
    // A label has to stand before the dot: `.localhost` is not below `localhost`. Valid names are ASCII, so a byte is
    // a character.
    let Some(at) = name.len().checked_sub(parent.len() + 1).filter(|at| *at > 0) else { return false };
    name.as_bytes()[at] == b'.' && !name.starts_with('.') && name[at + 1..].eq_ignore_ascii_case(parent)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `Some(None)`: a colon without digits, which RFC 3986 allows.
fn parse_port(text: &str) -> Option<Option<u16>> {
    if text.is_empty() {
        return Some(None);
    }
    // `parse` alone would take a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().map(Some) } else { None }
}

fn parse_literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[')?.strip_suffix(']')?;
    // An IPv4-mapped IPv6 address is the same address.
    inner.parse::<Ipv6Addr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::Authority;

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
        assert!(same("example.com.", "example.com"));
        assert!(same("[::ffff:127.0.0.1]", "127.0.0.1"));
        assert!(!same("localhost", "127.0.0.1"));
        assert!(!same("example.com", "example.com.evil"));
        for (host, any, common) in [
            ("localhost", true, true),
            ("LocalHost:9", true, true),
            ("127.0.0.1", true, true),
            ("127.1.2.3", true, false),
            ("[::1]:80", true, true),
            ("localhost.", true, true),
            ("app.localhost:5173", true, true),
            ("a.b.LocalHost.", true, true),
            ("[::ffff:127.0.0.1]:8080", true, true),
            ("[::ffff:127.1.2.3]", true, false),
            ("[::ffff:192.0.2.7]", false, false),
            (".localhost", false, false),
            ("localhost..", false, false),
            ("notlocalhost", false, false),
            ("localhost.evil", false, false),
            ("127.0.0.1.evil", false, false),
            ("128.0.0.1", false, false),
            ("[::2]", false, false),
        ] {
            let authority = Authority::parse(host).expect(host);
            assert_eq!((authority.is_loopback(), authority.is_common_loopback()), (any, common), "{host}");
        }
    }
}
