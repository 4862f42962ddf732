//! Where a connection comes from: kept once for each, in 16 bytes.

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The address of a peer, without its port. IPv4 is mapped into IPv6 (RFC 4291, section 2.5.5.2), so that a client has one
/// address, whichever of the two a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress([u8; 16]);

impl PeerAddress {
    /// That of a peer on a unix socket: the unspecified address, which no peer on a network has (RFC 4291, section 2.5.2).
    pub const UNIX: PeerAddress = PeerAddress([0; 16]);

    /// The address in its shortest form, or none for a peer on a unix socket.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        (self != PeerAddress::UNIX).then(|| Ipv6Addr::from(self.0).to_canonical())
    }

    /// Whether the peer is on this machine, as one on a unix socket always is.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        // IPv4 is kept mapped, and `Ipv6Addr::is_loopback` is true of ::1 alone.
        self == PeerAddress::UNIX || Ipv6Addr::from(self.0).to_canonical().is_loopback()
    }
}

impl fmt::Display for PeerAddress {
    /// The address, or `unix`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip() {
            Some(ip) => ip.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

impl FromStr for PeerAddress {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<PeerAddress, AddrParseError> {
        match text {
            "unix" => Ok(PeerAddress::UNIX),
            text => text.parse::<IpAddr>().map(PeerAddress::from),
        }
    }
}

impl PeerAddress {
    /// What limits count by: an IPv4 address, or the /64 of an IPv6 address, of which one customer has as many addresses as it
    /// likes (RFC 6177).
    #[must_use]
    pub fn prefix(self) -> AddressPrefix {
        let mut prefix = self.0;
        if Ipv6Addr::from(self.0).to_ipv4_mapped().is_none() {
            prefix[8..].fill(0);
        }
        AddressPrefix(prefix)
    }
}

/// An IPv4 address, or the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressPrefix([u8; 16]);

impl From<IpAddr> for PeerAddress {
    fn from(address: IpAddr) -> PeerAddress {
        PeerAddress(match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::PeerAddress;
    use std::net::IpAddr;

    fn of(address: &str) -> PeerAddress {
        address.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn an_address_is_16_bytes_without_alignment() {
        assert_eq!((size_of::<PeerAddress>(), align_of::<PeerAddress>()), (16, 1));
    }

    #[test]
    fn an_ipv4_address_is_the_same_through_both_kinds_of_listeners() {
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("::192.0.2.7"));
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for here in ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:127.8.9.10"] {
            assert!(of(here).is_loopback(), "{here}");
        }
        for elsewhere in
            ["0.0.0.0", "126.255.255.255", "128.0.0.1", "10.0.0.1", "::2", "::127.0.0.1", "fe80::1", "2001:db8::1"]
        {
            assert!(!of(elsewhere).is_loopback(), "{elsewhere}");
        }
    }

    #[test]
    fn limits_count_ipv4_by_its_address_and_ipv6_by_its_64_bits() {
        for (one, other, is_same) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("::192.0.2.7", "192.0.2.7", false),
        ] {
            assert_eq!(of(one).prefix() == of(other).prefix(), is_same, "{one} {other}");
        }
    }

    #[test]
    fn a_unix_socket_has_an_address_of_its_own_on_this_machine() {
        assert!(PeerAddress::UNIX.is_loopback());
        for address in ["127.0.0.1", "::1", "0.0.0.0"] {
            assert_ne!(of(address), PeerAddress::UNIX);
        }
    }
}
