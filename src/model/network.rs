//! Networks that clients come from, as a configuration names them: ranges of addresses, and unix sockets.

use super::peer_address::PeerAddress;
use ipnet::{IpNet, Ipv4Net};
use std::fmt;
use std::net::IpAddr;

/// The word for unix sockets.
const UNIX: &str = "unix";
/// Bits in front of an IPv4 address that is mapped into IPv6 (RFC 4291 section 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// One network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Unix sockets, whose clients have no address.
    Unix,
    /// A range of addresses. One of IPv4 holds its addresses also where they come mapped into IPv6.
    Range(IpNet),
}

/// Why a text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadNetwork {
    /// It has not the form of one.
    Form,
    /// Bits of its address are beyond its length; this range has the same length.
    Bits(IpNet),
}

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadNetwork::Form => f.write_str(
                "a network is a range of addresses such as \"10.0.0.0/8\" or \"2001:db8::/32\", an address, or \"unix\" for \
                 unix sockets",
            ),
            BadNetwork::Bits(range) => write!(f, "its address has bits beyond its length; did you mean \"{range}\"?"),
        }
    }
}

impl Network {
    /// Reads a network: a range, an address alone, or `unix`.
    ///
    /// # Errors
    /// It has another form, or an address that is not the first of its range: one of both is a mistake then.
    pub fn parse(text: &str) -> Result<Network, BadNetwork> {
        if text == UNIX {
            return Ok(Network::Unix);
        }
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        let range = text.parse::<IpNet>().or_else(|_| alone()).map_err(|_| BadNetwork::Form)?;
        let first = range.trunc();
        if range != first {
            return Err(BadNetwork::Bits(first));
        }
        Ok(Network::Range(canonical(range)))
    }

    /// Whether a peer comes from it.
    #[must_use]
    pub fn holds(&self, peer: PeerAddress) -> bool {
        match (self, peer.ip()) {
            (Network::Unix, None) => true,
            (Network::Range(range), Some(address)) => range.contains(&address),
            _ => false,
        }
    }
}

/// The range as one of IPv4 where it is one: peers are compared by the shortest form of their address.
fn canonical(range: IpNet) -> IpNet {
    let bits = range.prefix_len().checked_sub(MAPPED_BITS);
    match (range.addr().to_canonical(), bits) {
        (IpAddr::V4(address), Some(bits)) if matches!(range, IpNet::V6(_)) => {
            Ipv4Net::new(address, bits).map_or(range, IpNet::V4)
        }
        _ => range,
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Network::Unix => f.write_str(UNIX),
            Network::Range(range) => write!(f, "{range}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BadNetwork, Network};
    use crate::model::peer_address::PeerAddress;
    use std::net::IpAddr;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    fn peer(address: &str) -> PeerAddress {
        match address {
            "unix" => PeerAddress::UNIX,
            address => address.parse::<IpAddr>().expect("an address").into(),
        }
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..], &["9.255.255.255", "11.0.0.0"][..]),
            ("192.0.2.7", &["192.0.2.7", "::ffff:192.0.2.7"], &["192.0.2.6", "192.0.2.8", "::192.0.2.7"]),
            ("::ffff:192.0.2.0/120", &["192.0.2.255", "::ffff:192.0.2.1"], &["192.0.3.0", "::1"]),
            ("::ffff:192.0.2.7", &["192.0.2.7"], &["192.0.2.8"]),
            ("2001:db8::/32", &["2001:db8::", "2001:db8:ffff::1"], &["2001:db9::", "32.1.13.184"]),
            ("::1", &["::1"], &["127.0.0.1", "::2"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], &["::1", "2001:db8::1"]),
            ("::/0", &["::1", "2001:db8::1"], &["127.0.0.1", "::ffff:1.2.3.4"]),
            ("unix", &["unix"], &["127.0.0.1", "::1", "0.0.0.0"]),
        ] {
            let network = network(text);
            assert!(inside.iter().all(|address| network.holds(peer(address))), "{text} {inside:?}");
            assert!(!outside.iter().any(|address| network.holds(peer(address))), "{text} {outside:?}");
            assert!(text == "unix" || !network.holds(PeerAddress::UNIX), "{text}");
            assert_eq!(Network::parse(&network.to_string()), Ok(network), "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_told_what_one_looks_like() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "localhost", "*", "Unix", "10.0.0.0/8 ", "::/129"] {
            assert_eq!(Network::parse(text), Err(BadNetwork::Form), "{text}");
        }
        for (text, meant) in [("10.1.2.3/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32")] {
            let problem = Network::parse(text).expect_err(text).to_string();
            assert!(problem.contains(&format!("did you mean \"{meant}\"?")), "{problem}");
        }
    }
}
