//! Where a request comes from: its peer, or the client that trusted proxies name in X-Forwarded-For or Forwarded (RFC 7239).

use crate::model::network::Network;
use crate::model::peer_address::PeerAddress;
use crate::model::token::is_token_byte;
use crate::wire::http::head::SenderFields;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The proxies whose word counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Those in these networks.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> TrustedProxies {
        TrustedProxies(networks)
    }

    /// Whether there is none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is at this address.
    #[must_use]
    pub fn include(&self, peer: PeerAddress) -> bool {
        self.0.iter().any(|network| network.holds(peer))
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSource {
    /// The address that counts.
    pub address: PeerAddress,
    /// The field in which a trusted proxy passed on something that is no address. The one that counts then is that of the
    /// last hop that is known.
    pub unreadable: Option<&'static str>,
}

/// One hop, as a proxy wrote it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hop {
    /// Its address.
    At(PeerAddress),
    /// The proxy does not say: `unknown`, or a name of its own (RFC 7239 section 6.3).
    Hidden,
    /// A unix socket, as nginx writes it: its peer has no address.
    Unix,
}

/// The address that counts for a request of `peer`: the rightmost in X-Forwarded-For, or without that in Forwarded, that is not
/// itself a trusted proxy's. Left of it is what the client wrote, or whoever it says.
///
/// X-Forwarded-For wins where both came: nearly all proxies write that one, and pass on a Forwarded that the client made up.
#[must_use]
pub fn client_address(peer: PeerAddress, trusted: &TrustedProxies, sender: &SenderFields<'_>) -> RequestSource {
    if !trusted.include(peer) {
        return RequestSource { address: peer, unreadable: None };
    }
    if sender.forwarded_for.is_empty() {
        walk(peer, trusted, "Forwarded", elements(&sender.forwarded).map(read_element))
    } else {
        walk(peer, trusted, "X-Forwarded-For", entries(&sender.forwarded_for).map(read_hop))
    }
}

/// Goes from hop to hop, the nearest first, as long as each is trusted to name the next.
fn walk(
    peer: PeerAddress,
    trusted: &TrustedProxies,
    field: &'static str,
    hops: impl Iterator<Item = Option<Hop>>,
) -> RequestSource {
    let mut source = RequestSource { address: peer, unreadable: None };
    for hop in hops {
        match hop {
            Some(Hop::At(address)) => {
                source.address = address;
                if !trusted.include(address) {
                    break;
                }
            }
            // It has no address that could count, so the one before it stays.
            Some(Hop::Unix) if trusted.include(PeerAddress::UNIX) => {}
            Some(Hop::Hidden | Hop::Unix) => break,
            None => {
                source.unreadable = Some(field);
                break;
            }
        }
    }
    source
}

/// The entries of X-Forwarded-For, the last first.
fn entries<'b>(lines: &'b [&'b [u8]]) -> impl Iterator<Item = &'b [u8]> {
    let all = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
    // Empty members of a list are ignored (RFC 9110 section 5.6.1).
    all.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty())
}

/// The elements of Forwarded, the last first.
fn elements<'b>(lines: &'b [&'b [u8]]) -> impl Iterator<Item = &'b [u8]> {
    let all = lines.iter().rev().flat_map(|line| {
        let mut rest = Some(*line);
        std::iter::from_fn(move || {
            let line = rest?;
            let comma = last_comma(line);
            rest = comma.map(|at| &line[..at]);
            Some(comma.map_or(line, |at| &line[at + 1..]))
        })
    });
    all.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The last comma that stands in no quoted string.
///
/// Read from the right, so that nothing to the left of what the nearest proxy wrote, such as an open quotation mark of the
/// client's, can hide it.
fn last_comma(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    (0..line.len()).rev().find(|at| {
        if line[*at] == b'"' {
            let backslashes = line[..*at].iter().rev().take_while(|byte| **byte == b'\\').count();
            quoted ^= backslashes % 2 == 0;
        }
        line[*at] == b',' && !quoted
    })
}

/// Reads one element of Forwarded: `for=192.0.2.7;proto=https`. One that does not say for whom hides it.
fn read_element(element: &[u8]) -> Option<Hop> {
    let (mut rest, mut found) = (after_semicolons(element), None);
    while !rest.is_empty() {
        let (name, value);
        (name, value, rest) = next_pair(rest)?;
        if name.eq_ignore_ascii_case(b"for") && found.replace(read_hop(value)?).is_some() {
            return None;
        }
    }
    Some(found.unwrap_or(Hop::Hidden))
}

/// The first `name=value` of an element, its value without quotation marks, and what follows it.
fn next_pair(element: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let equals = element.iter().position(|byte| *byte == b'=')?;
    let (name, after) = (element[..equals].trim_ascii(), &element[equals + 1..]);
    // With a quotation mark elsewhere than around a value, `last_comma` could have seen another element.
    if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte)) {
        return None;
    }
    // Beyond its grammar, colons and brackets are taken without quotation marks, too: many proxies leave these out.
    let (value, after) = match after.strip_prefix(b"\"") {
        Some(text) => {
            let end = end_of_quoted(text)?;
            (&text[..end], text[end + 1..].trim_ascii_start())
        }
        None => {
            let end = after.iter().position(|byte| matches!(byte, b';' | b'"')).unwrap_or(after.len());
            (after[..end].trim_ascii_end(), &after[end..])
        }
    };
    let is_separated = after.is_empty() || after.starts_with(b";");
    is_separated.then(|| (name, value, after_semicolons(after)))
}

/// Pairs may be left out (RFC 7239 section 4), so several semicolons may follow each other.
fn after_semicolons(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !matches!(byte, b';' | b' ' | b'\t')).unwrap_or(text.len());
    &text[start..]
}

/// Where a quoted string ends that has begun. Its backslashes stay in it: no address needs one, but a host that a client chose
/// and a proxy passes on may.
fn end_of_quoted(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}

/// Reads one hop: an address with or without port, IPv6 with or without brackets, `unknown`, `_name`, `unix:`.
fn read_hop(text: &[u8]) -> Option<Hop> {
    let text = std::str::from_utf8(text).ok()?;
    if text == "unix:" {
        return Some(Hop::Unix);
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return named(address.into());
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if !(port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) {
        return None;
    }
    if text.starts_with('[') {
        return named(host.parse::<Ipv6Addr>().ok()?.into());
    }
    if host.eq_ignore_ascii_case("unknown") || host.strip_prefix('_').is_some_and(is_hidden_name) {
        return Some(Hop::Hidden);
    }
    named(host.parse::<Ipv4Addr>().ok()?.into())
}

/// The unspecified address is no client's, and within this server it means a unix socket.
fn named(address: IpAddr) -> Option<Hop> {
    (!address.to_canonical().is_unspecified()).then(|| Hop::At(address.into()))
}

fn is_port(text: &str) -> bool {
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number || text.strip_prefix('_').is_some_and(is_hidden_name)
}

fn is_hidden_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
