//! Where a request comes from: X-Forwarded-For against a plain reading, Forwarded against that, and what clients write before it.
//!
//! Input: a line of trusted networks, a line with the peer (`unix` for one on a unix socket), then header fields, a line each.

use super::Target;
use super::input::Input;
use std::net::{IpAddr, SocketAddr};
use tidings::access::{RequestSource, TrustedProxies, client_address};
use tidings::model::network::Network;
use tidings::model::peer_address::PeerAddress;
use tidings::wire::http::head::{HeadLimits, parse_head};

const OTHER_PEER: &str = "the peer is not trusted";
const NAMED: &str = "a client is named";
const ALL_TRUSTED: &str = "every hop is trusted, or the last is hidden";
const UNREADABLE: &str = "a hop cannot be read";
const NO_INPUT: &str = "no networks, no peer, or no head";

pub(crate) const TARGET: Target = Target {
    name: "addresses",
    check,
    outcomes: &[OTHER_PEER, NAMED, ALL_TRUSTED, UNREADABLE, NO_INPUT],
    words: &[
        "\n",
        ",",
        ", ",
        ";",
        "\"",
        "\\",
        "\\\"",
        "=",
        "for=",
        "For=\"",
        ";proto=https",
        "[2001:db8::7]:80",
        "::ffff:192.0.2.1",
        "192.0.2.1",
        "10.0.0.1",
        ":_x",
        "unknown",
        "_hidden",
        "unix:",
        "0.0.0.0",
        "X-Forwarded-For: ",
        "Forwarded: ",
    ],
};

/// What a client may have written before its proxy appended to it.
const BEFORE: &[&str] =
    &["198.51.100.9", "for=198.51.100.9", "for=\"", "\"", "\\", "for=\"198.51.100.9\\", ";", "x=\"a,", "\u{e9}"];

/// A hop by a plain reading: what it says, or nothing when it cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hop {
    At(IpAddr),
    Hidden,
    Unix,
}

fn check(data: &[u8]) -> &'static str {
    let mut input = Input::new(data);
    let (networks, peer) = (input.line(), input.line());
    let fields: Vec<&[u8]> = input.rest().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let (Some(networks), Some(peer)) = (networks_in(networks), peer_in(peer)) else { return NO_INPUT };
    let trusted = TrustedProxies::new(networks);
    let Some(source) = source(peer, &trusted, &fields) else { return NO_INPUT };
    if !trusted.include(peer) {
        assert_eq!(source, RequestSource { address: peer, unreadable: None });
        return OTHER_PEER;
    }
    let entries = values(&fields, "x-forwarded-for");
    if entries.is_empty() {
        check_what_comes_before(peer, &trusted, &fields, "forwarded", source);
    } else {
        assert_eq!(source, plainly(peer, &trusted, &entries), "{entries:?}");
        check_what_comes_before(peer, &trusted, &fields, "x-forwarded-for", source);
        check_as_elements(peer, &trusted, &entries, source);
    }
    match source {
        RequestSource { unreadable: Some(_), .. } => UNREADABLE,
        RequestSource { address, .. } if trusted.include(address) => ALL_TRUSTED,
        _ => NAMED,
    }
}

fn networks_in(line: &[u8]) -> Option<Vec<Network>> {
    let words = std::str::from_utf8(line).ok()?.split(' ').filter(|word| !word.is_empty());
    words.map(|word| Network::parse(word).ok()).collect()
}

fn peer_in(line: &[u8]) -> Option<PeerAddress> {
    match std::str::from_utf8(line).ok()? {
        "unix" => Some(PeerAddress::UNIX),
        text => text.parse::<IpAddr>().ok().map(PeerAddress::from),
    }
}

/// What the server says of a head with these fields; `None` when that is no head.
fn source(peer: PeerAddress, trusted: &TrustedProxies, fields: &[&[u8]]) -> Option<RequestSource> {
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
    for field in fields {
        head.extend_from_slice(field);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let (head, used) = parse_head(&head, &HeadLimits::default()).ok()??;
    // A field that ends the head early says nothing of those after it.
    (used > 0).then(|| client_address(peer, trusted, &head.sender))
}

fn values<'a>(fields: &[&'a [u8]], name: &str) -> Vec<&'a [u8]> {
    let split = |field: &&'a [u8]| {
        let colon = field.iter().position(|byte| *byte == b':')?;
        field[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| &field[colon + 1..])
    };
    fields.iter().filter_map(split).collect()
}

/// X-Forwarded-For, all lines joined and read from the left.
fn plainly(peer: PeerAddress, trusted: &TrustedProxies, lines: &[&[u8]]) -> RequestSource {
    let joined = lines.join(&b","[..]);
    let hops: Vec<&[u8]> =
        joined.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty()).collect();
    let mut address = peer;
    for hop in hops.into_iter().rev() {
        match hop_in(hop) {
            None => return RequestSource { address, unreadable: Some("X-Forwarded-For") },
            Some(Hop::Unix) if trusted.include(PeerAddress::UNIX) => {}
            Some(Hop::Hidden | Hop::Unix) => break,
            Some(Hop::At(ip)) => {
                address = ip.into();
                if !trusted.include(address) {
                    break;
                }
            }
        }
    }
    RequestSource { address, unreadable: None }
}

fn hop_in(hop: &[u8]) -> Option<Hop> {
    let hop = std::str::from_utf8(hop).ok()?;
    if hop == "unix:" {
        return Some(Hop::Unix);
    }
    let is_name =
        |name: &str| name.len() > 1 && name.chars().skip(1).all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    // The standard library takes zones.
    if hop.contains('%') {
        return None;
    }
    // What may stand for a port and is none becomes one, so that the standard library reads the rest.
    let hop = match hop.rsplit_once(":_") {
        Some((host, _)) if host.contains(':') && !host.starts_with('[') => return None,
        Some((host, name)) if is_name(&format!("_{name}")) && !host.is_empty() => format!("{host}:0"),
        _ => hop.to_owned(),
    };
    let hidden = hop.rsplit_once(':').filter(|(_, port)| is_number(port)).map_or(&*hop, |(host, _)| host);
    if hidden.eq_ignore_ascii_case("unknown") || (hidden.starts_with('_') && is_name(hidden)) {
        return Some(Hop::Hidden);
    }
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|inner| inner.contains(':'));
    let ip = bare.unwrap_or(&hop).parse::<IpAddr>().ok().or_else(|| with_port(&hop))?;
    (!ip.to_canonical().is_unspecified()).then_some(Hop::At(ip))
}

fn is_number(port: &str) -> bool {
    (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// An address with a port, which may be larger than the standard library's.
fn with_port(hop: &str) -> Option<IpAddr> {
    let (host, port) = hop.rsplit_once(':')?;
    is_number(port).then(|| format!("{host}:0").parse::<SocketAddr>().ok())?.map(|address| address.ip())
}

/// The same hops as elements of Forwarded say the same.
fn check_as_elements(peer: PeerAddress, trusted: &TrustedProxies, lines: &[&[u8]], source_by_entries: RequestSource) {
    if lines.concat().iter().any(|byte| matches!(byte, b'"' | b'\\')) {
        return;
    }
    let element = |hop: &[u8]| [b"for=\"", hop.trim_ascii(), b"\""].concat();
    let line = |line: &&[u8]| {
        let hops = line.split(|byte| *byte == b',').filter(|hop| !hop.trim_ascii().is_empty());
        [&b"Forwarded: "[..], &hops.map(element).collect::<Vec<_>>().join(&b","[..])].concat()
    };
    let fields: Vec<Vec<u8>> = lines.iter().map(line).collect();
    let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    let Some(by_elements) = source(peer, trusted, &fields) else { return };
    let unreadable = source_by_entries.unreadable.map(|_| "Forwarded");
    assert_eq!(by_elements, RequestSource { unreadable, ..source_by_entries }, "{fields:?}");
}

/// Once a client is named, nothing that stands left of it changes that, on a line of its own or on the same.
fn check_what_comes_before(
    peer: PeerAddress,
    trusted: &TrustedProxies,
    fields: &[&[u8]],
    name: &str,
    expected: RequestSource,
) {
    if expected.unreadable.is_some() || trusted.include(expected.address) {
        return;
    }
    let is_it = |field: &&[u8]| {
        field.len() > name.len()
            && field[..name.len()].eq_ignore_ascii_case(name.as_bytes())
            && field[name.len()] == b':'
    };
    let Some(first) = fields.iter().position(is_it) else { return };
    for before in BEFORE {
        let own_line = [name.as_bytes(), b": ", before.as_bytes()].concat();
        let with_line: Vec<&[u8]> = std::iter::once(&own_line[..]).chain(fields.iter().copied()).collect();
        let same_line = [&own_line, &b", "[..], &fields[first][name.len() + 1..]].concat();
        let mut with_entry = fields.to_vec();
        with_entry[first] = &same_line;
        for fields in [with_line, with_entry] {
            if let Some(found) = source(peer, trusted, &fields) {
                assert_eq!(found, expected, "{before:?} before {fields:?}");
            }
        }
    }
}
