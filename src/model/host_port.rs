//! A host and a port to connect to.

use super::authority::Authority;
use std::fmt;

/// A host and a port to connect to. The host is looked up at each attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name, or an address without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl HostPort {
    /// Reads `host`, `host:port` or `[address]:port`. `None` when it is none of these, or its port is 0.
    #[must_use]
    pub fn parse(text: &str, default_port: u16) -> Option<HostPort> {
        let port = Authority::parse(text)?.port;
        // A colon behind the host is that of a port, whose digits may be missing.
        let host =
            if text.starts_with('[') { text.split(']').next()?.strip_prefix('[')? } else { text.split(':').next()? };
        let port = port.unwrap_or(default_port);
        (port != 0).then(|| HostPort { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostPort { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::HostPort;

    #[test]
    fn what_it_reads_it_writes() {
        for (text, written) in [
            ("redis", "redis:6379"),
            ("redis:", "redis:6379"),
            ("redis_1.internal:65535", "redis_1.internal:65535"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[2001:db8::7]", "[2001:db8::7]:6379"),
            ("[::1]:7000", "[::1]:7000"),
        ] {
            let read = HostPort::parse(text, 6379).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.to_string(), written);
            assert_eq!(HostPort::parse(written, 1), Some(read));
        }
        for wrong in ["", ":6379", "a:0", "a:65536", "a:+1", "a b", "::1", "[::1", "[::g]:1", "a:1:2", "u@a", "a/b"] {
            assert_eq!(HostPort::parse(wrong, 6379), None, "{wrong}");
        }
    }
}
