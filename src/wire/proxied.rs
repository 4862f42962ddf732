//! The PROXY protocol, versions 1 and 2: what a proxy says of its client before the client's first byte
//! (haproxy.org/download/3.2/doc/proxy-protocol.txt).
//!
//! Where a header ends is found here, and that part alone is given to the crate that reads its addresses: so a header that is
//! wrong is noticed at its first wrong byte, and none makes its reader wait for bytes beyond it.

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use std::net::IpAddr;

/// Bytes of a whole header at most: the two addresses, and what else proxies add, which is 100 to 200 bytes.
pub const HEADER_BYTES_MAX: usize = 536;

/// How version 1 begins.
const V1: &[u8] = b"PROXY ";
/// What follows it where the proxy does not say who its client is.
const V1_UNKNOWN: &[u8] = b"UNKNOWN";
/// Bytes of a line of version 1 with its end at most (section 2.1).
const V1_BYTES_MAX: usize = 107;
/// How version 2 begins.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of version 2 before its addresses: those, command, family and length.
const V2_FIXED_BYTES: usize = 16;
/// Version 2, spoken by the proxy for itself.
const V2_LOCAL: u8 = 0x20;
/// Version 2, spoken for a client.
const V2_PROXY: u8 = 0x21;

/// A complete header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The client's address. None where the proxy speaks for itself, as for its health checks, or has a client without an
    /// address: then the peer's own is the client's.
    pub client: Option<IpAddr>,
    /// How many bytes the header has.
    pub used: usize,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// They do not begin like one.
    Missing,
    /// They break its grammar.
    Malformed,
    /// They announce more than [`HEADER_BYTES_MAX`] bytes, or a line of version 1 that does not end.
    TooLong,
}

impl HeaderFault {
    /// A sentence for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            HeaderFault::Missing => {
                "this listener expects a PROXY header before each connection's first byte, and this connection begins \
                 without one; let the proxy send it, or leave proxy_protocol out of this [[listener]]"
            }
            HeaderFault::Malformed => {
                "the PROXY header of this connection cannot be read; it is version 1 or 2 of the protocol as HAProxy defines it"
            }
            HeaderFault::TooLong => {
                "the PROXY header of this connection has more than the 536 bytes that this server reads, or a line of more \
                 than 107; let the proxy send fewer fields in it"
            }
        }
    }
}

/// Reads the header at the beginning of `bytes`; `None` while they are only the beginning of one.
///
/// # Errors
/// As soon as no further byte can make this a header; in a line of version 1 when it ends.
pub fn read_proxy_header(bytes: &[u8]) -> Result<Option<Announced>, HeaderFault> {
    let begins = |with: &[u8]| with.iter().zip(bytes).all(|(expected, byte)| expected == byte);
    if begins(V1) {
        read_v1(bytes)
    } else if begins(V2) {
        read_v2(bytes)
    } else {
        Err(HeaderFault::Missing)
    }
}

fn read_v1(bytes: &[u8]) -> Result<Option<Announced>, HeaderFault> {
    let line = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return if line.len() == V1_BYTES_MAX { Err(HeaderFault::TooLong) } else { Ok(None) };
    };
    // No CR LF is among the first bytes, which are those of the word.
    let (rest, used) = (&line[V1.len()..end], end + 2);
    // What follows the word is ignored (section 2.1), whatever it is.
    if rest.strip_prefix(V1_UNKNOWN).is_some_and(|rest| rest.is_empty() || rest[0] == b' ') {
        return Ok(Some(Announced { client: None, used }));
    }
    // Five parts, of which the crate would take words that only begin with UNKNOWN, and ports with signs and with zeros in front.
    let parts: Vec<&[u8]> = rest.split(|byte| *byte == b' ').collect();
    let [b"TCP4" | b"TCP6", _, _, ports @ ..] = &parts[..] else { return Err(HeaderFault::Malformed) };
    let is_port = |port: &&[u8]| matches!(port, [b'0'] | [b'1'..=b'9', ..]) && port.iter().all(u8::is_ascii_digit);
    if ports.len() != 2 || !ports.iter().all(is_port) {
        return Err(HeaderFault::Malformed);
    }
    announced(&bytes[..used])
}

fn read_v2(bytes: &[u8]) -> Result<Option<Announced>, HeaderFault> {
    let command = bytes.get(V2.len()).copied();
    if command.is_some_and(|command| !matches!(command, V2_LOCAL | V2_PROXY)) {
        return Err(HeaderFault::Malformed);
    }
    let Some(&[command, _, high, low]) = bytes.get(V2.len()..V2_FIXED_BYTES) else { return Ok(None) };
    let used = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if used > HEADER_BYTES_MAX {
        return Err(HeaderFault::TooLong);
    }
    let Some(header) = bytes.get(..used) else { return Ok(None) };
    // Its addresses are to be discarded, also those of a family that nobody knows (section 2.2), which the crate refuses.
    if command == V2_LOCAL { Ok(Some(Announced { client: None, used })) } else { announced(header) }
}

/// What a header says that is here whole.
fn announced(header: &[u8]) -> Result<Option<Announced>, HeaderFault> {
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    match ProxyHeader::parse(header, config) {
        Ok((read, used)) if used == header.len() => {
            // Of a datagram the client is not at the other end of this stream.
            let client = read.proxied_address().filter(|address| address.protocol == Protocol::Stream);
            let client = client.map(|address| address.source.ip()).filter(|ip| !ip.to_canonical().is_unspecified());
            Ok(Some(Announced { client, used }))
        }
        // Also where it asks for more: its own length is less than its addresses need.
        _ => Err(HeaderFault::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::{Announced, HEADER_BYTES_MAX, HeaderFault, V2, read_proxy_header};
    use HeaderFault::{Malformed, Missing, TooLong};

    /// Version 2 with these bytes after its first twelve.
    fn v2(command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
        [V2, &[command, family], &length.to_be_bytes(), rest].concat()
    }

    fn whole(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        v2(command, family, rest.len() as u16, rest)
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80];

    fn v6(source: &str) -> Vec<u8> {
        let source: std::net::Ipv6Addr = source.parse().expect("an address");
        [&source.octets()[..], &[0; 15], &[1, 0x30, 0x39, 0, 80]].concat()
    }

    /// Reads it whole, followed by other bytes, and on every prefix, which must say "more".
    fn check(header: &[u8], client: Option<&str>) {
        let client = client.map(|address| address.parse().expect("an address"));
        let expected = Ok(Some(Announced { client, used: header.len() }));
        let shown = header.escape_ascii();
        for after in [&b""[..], b"GET / HTTP/1.1\r\n", b"\r\n", b"\0"] {
            assert_eq!(read_proxy_header(&[header, after].concat()), expected, "{shown} and {}", after.escape_ascii());
        }
        for cut in 0..header.len() {
            assert_eq!(read_proxy_header(&header[..cut]), Ok(None), "{shown} cut at {cut}");
        }
    }

    #[test]
    fn a_line_of_version_1_names_the_client() {
        for (line, client) in [
            ("TCP4 192.0.2.7 10.0.0.1 12345 80", Some("192.0.2.7")),
            ("TCP4 255.255.255.255 255.255.255.255 65535 65535", Some("255.255.255.255")),
            ("TCP4 192.0.2.7 10.0.0.1 0 0", Some("192.0.2.7")),
            ("TCP6 2001:db8::7 ::1 12345 80", Some("2001:db8::7")),
            ("TCP6 ::ffff:192.0.2.7 ::1 1 1", Some("::ffff:192.0.2.7")),
            ("TCP4 0.0.0.0 10.0.0.1 0 0", None),
            ("TCP6 :: ::1 0 0", None),
            ("UNKNOWN", None),
            ("UNKNOWN ffff:f...f:ffff anything 65535", None),
        ] {
            check(format!("PROXY {line}\r\n").as_bytes(), client);
        }
    }

    #[test]
    fn version_2_names_the_client_unless_the_proxy_speaks_for_itself() {
        check(&whole(0x21, 0x11, &V4), Some("192.0.2.7"));
        check(&whole(0x21, 0x21, &v6("2001:db8::7")), Some("2001:db8::7"));
        // With what else proxies add: it is skipped, whatever it is.
        check(&whole(0x21, 0x11, &[&V4[..], &[4, 0, 2, 0, 0, 0xff, 0xff]].concat()), Some("192.0.2.7"));
        check(&whole(0x20, 0x00, &[]), None);
        check(&whole(0x20, 0x11, &V4), None);
        check(&whole(0x20, 0xff, &[1, 2, 3]), None);
        check(&whole(0x20, 0x11, &[]), None);
        check(&whole(0x21, 0x00, &[]), None);
        check(&whole(0x21, 0x00, &V4), None);
        // A client on a unix socket of the proxy's, a datagram, and no address at all.
        check(&whole(0x21, 0x31, &[b'/'; 216]), None);
        check(&whole(0x21, 0x12, &V4), None);
        check(&whole(0x21, 0x11, &[0; 12]), None);
        check(&whole(0x21, 0x21, &v6("::")), None);
        check(&whole(0x21, 0x21, &v6("::ffff:0.0.0.0")), None);
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for (bytes, fault) in [
            (&b"GET / HTTP/1.1\r\n"[..], Missing),
            (b"P0", Missing),
            (b"proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n", Missing),
            (b"PROXYxTCP4 1.2.3.4 1.2.3.4 1 1\r\n", Missing),
            (b"\r\nG", Missing),
            (b"\x16\x03\x01", Missing),
            (b"PROXY \r\n", Malformed),
            (b"PROXY TCP4\r\n", Malformed),
            (b"PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4  1.2.3.4 1 1\r\n", Malformed),
            (b"PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rx\r\n", Malformed),
            (b"PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n", Malformed),
            (b"PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n", Malformed),
            (b"PROXY TCP4 ::1 ::1 1 1\r\n", Malformed),
            (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n", Malformed),
            (b"PROXY TCP4 \xff.2.3.4 1.2.3.4 1 1\r\n", Malformed),
            (b"PROXY UNKNOWNS\r\n", Malformed),
            (b"PROXY UNKNOWNS 1.2.3.4 1.2.3.4 1 1\r\n", Malformed),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n\r\n", Malformed),
        ] {
            assert_eq!(read_proxy_header(bytes), Err(fault), "{}", bytes.escape_ascii());
        }
        for (bytes, fault) in [
            // Another version or command, at its byte.
            ([V2, &[0x22]].concat(), Malformed),
            ([V2, &[0x11]].concat(), Malformed),
            ([V2, &[0x01]].concat(), Malformed),
            (whole(0x21, 0x41, &V4), Malformed),
            (whole(0x21, 0x13, &V4), Malformed),
            (whole(0x21, 0x31, &[0; 215]), Malformed),
            // A length that is less than the addresses need, and nothing is waited for beyond it.
            (whole(0x21, 0x11, &V4[..11]), Malformed),
            (whole(0x21, 0x21, &V4), Malformed),
            (v2(0x21, 0x11, 0, &V4), Malformed),
        ] {
            assert_eq!(read_proxy_header(&bytes), Err(fault), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_header_may_be_as_long_as_its_limit_and_no_longer() {
        let padded = |bytes: usize| whole(0x21, 0x11, &[&V4[..], &vec![0; bytes - 16 - V4.len()]].concat());
        check(&padded(HEADER_BYTES_MAX), Some("192.0.2.7"));
        // Before its bytes have come, also where the proxy speaks for itself.
        assert_eq!(read_proxy_header(&padded(HEADER_BYTES_MAX + 1)[..16]), Err(TooLong));
        assert_eq!(read_proxy_header(&v2(0x20, 0, u16::MAX, &[])), Err(TooLong));
        let line = |bytes: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(bytes - 16)).into_bytes();
        check(&line(107), None);
        assert_eq!(read_proxy_header(&line(108)), Err(TooLong));
        assert_eq!(read_proxy_header(&line(108)[..106]), Ok(None));
        assert_eq!(read_proxy_header(&line(108)[..107]), Err(TooLong));
    }
}
