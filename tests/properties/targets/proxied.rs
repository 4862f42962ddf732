//! The PROXY header against a plain reading of its definition, on the whole and on every beginning.
//!
//! Input: what a proxy sends before its client's first byte, with anything after it.

use super::Target;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tidings::wire::proxied::{Announced, HEADER_BYTES_MAX, HeaderFault, read_proxy_header};

const CLIENT: &str = "a client";
const OWN: &str = "the proxy itself";
const MORE: &str = "more is wanted";
const MISSING: &str = "no header";
const MALFORMED: &str = "malformed";
const TOO_LONG: &str = "too long";

pub(crate) const TARGET: Target = Target {
    name: "proxied",
    check,
    outcomes: &[CLIENT, OWN, MORE, MISSING, MALFORMED, TOO_LONG],
    words: &[
        "PROXY ",
        "TCP4 ",
        "TCP6 ",
        "UNKNOWN",
        "192.0.2.7 ",
        "2001:db8::7 ",
        "65535",
        " ",
        "\r\n",
        "\r",
        "\r\n\r\n\u{0}\r\nQUIT\n",
        "\u{21}\u{11}\u{0}\u{c}",
        "\u{21}\u{21}\u{0}\u{24}",
        "\u{20}\u{0}\u{0}\u{0}",
        "\u{2}\u{9}",
    ],
};

type Outcome = Result<Option<Announced>, HeaderFault>;

fn check(data: &[u8]) -> &'static str {
    let whole = read_proxy_header(data);
    check_beginnings(data, &whole);
    assert_eq!(whole, plainly(data));
    match whole {
        Ok(Some(Announced { client: Some(_), .. })) => CLIENT,
        Ok(Some(Announced { client: None, .. })) => OWN,
        Ok(None) => MORE,
        Err(HeaderFault::Missing) => MISSING,
        Err(HeaderFault::Malformed) => MALFORMED,
        Err(HeaderFault::TooLong) => TOO_LONG,
    }
}

/// A beginning wants more until the header is there, and what is wrong with it is what is wrong with the whole.
fn check_beginnings(data: &[u8], whole: &Outcome) {
    let most = data.len().min(HEADER_BYTES_MAX + 8);
    for cut in 0..most {
        let early = read_proxy_header(&data[..cut]);
        match whole {
            Ok(Some(announced)) if cut >= announced.used => assert_eq!(early, *whole, "{cut}"),
            Ok(_) => assert_eq!(early, Ok(None), "{cut}"),
            Err(_) => assert!(early == Ok(None) || early == *whole, "{cut}: {early:?}, then {whole:?}"),
        }
    }
    if let Ok(Some(announced)) = whole {
        assert!(announced.used <= HEADER_BYTES_MAX.min(data.len()));
    }
    if *whole == Ok(None) {
        assert!(data.len() < HEADER_BYTES_MAX, "{} bytes are waited for", data.len());
    }
}

fn plainly(data: &[u8]) -> Outcome {
    const SIGNATURE: [u8; 12] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
    let is_prefix = |of: &[u8]| data.starts_with(of) || of.starts_with(data);
    if is_prefix(b"PROXY ") {
        return line(data);
    }
    if !is_prefix(&SIGNATURE) {
        return Err(HeaderFault::Missing);
    }
    match data.get(12) {
        None => return Ok(None),
        Some(0x20 | 0x21) => {}
        Some(_) => return Err(HeaderFault::Malformed),
    }
    if data.len() < 16 {
        return Ok(None);
    }
    let length = usize::from(data[14]) * 256 + usize::from(data[15]);
    if length + 16 > 536 {
        return Err(HeaderFault::TooLong);
    }
    if data.len() < 16 + length {
        return Ok(None);
    }
    let body = &data[16..16 + length];
    let own = Ok(Some(Announced { client: None, used: 16 + length }));
    if data[12] == 0x20 {
        return own;
    }
    let source = match (data[13], body) {
        (0x11, [a, b, c, d, rest @ ..]) if rest.len() >= 8 => IpAddr::from([*a, *b, *c, *d]),
        (0x21, body) if body.len() >= 36 => IpAddr::from(<[u8; 16]>::try_from(&body[..16]).expect("16 bytes")),
        (0x00, _) => return own,
        (0x12, body) if body.len() >= 12 => return own,
        (0x22, body) if body.len() >= 36 => return own,
        (0x31 | 0x32, body) if body.len() >= 216 => return own,
        _ => return Err(HeaderFault::Malformed),
    };
    Ok(Some(Announced { client: specified(source), used: 16 + length }))
}

/// A line of version 1: 107 bytes at most.
fn line(data: &[u8]) -> Outcome {
    let end = (0..data.len().saturating_sub(1)).find(|at| &data[*at..at + 2] == b"\r\n");
    let end = match end {
        Some(end) if end + 2 <= 107 => end,
        None if data.len() < 107 => return Ok(None),
        _ => return Err(HeaderFault::TooLong),
    };
    let announced = |client| Ok(Some(Announced { client, used: end + 2 }));
    let malformed = Err(HeaderFault::Malformed);
    if data[..end] == *b"PROXY UNKNOWN" || data[..end].starts_with(b"PROXY UNKNOWN ") {
        return announced(None);
    }
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return malformed };
    let words: Vec<&str> = text.split(' ').collect();
    let [_, family, source, target, first, second] = words[..] else { return malformed };
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port.to_string() == text);
    if !is_port(first) || !is_port(second) {
        return malformed;
    }
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    match (address(source), address(target)) {
        (Some(source), Some(_)) => announced(specified(source)),
        _ => malformed,
    }
}

fn specified(source: IpAddr) -> Option<IpAddr> {
    Some(source).filter(|source| !source.to_canonical().is_unspecified())
}
