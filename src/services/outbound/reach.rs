//! Which addresses may be called: those of the internet by https, or, where it is allowed, any.

use super::fault::CallFault;
use hyper::Uri;
use hyper::http::uri::Scheme;
use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far calls may go. What one may reach is nothing to another, so each has connections of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By https to public addresses.
    Public,
    /// By http too, and to any address: this machine, private networks, metadata services.
    Anywhere,
}

/// IPv4 addresses that are no host of the internet (IANA's registry of special-purpose addresses), and what they are.
const IPV4: &[(Ipv4Net, &str)] = &[
    (v4([0, 0, 0, 0], 8), "an address of \"this network\""),
    (v4([10, 0, 0, 0], 8), "a private address"),
    (v4([100, 64, 0, 0], 10), "a shared address of a carrier's network"),
    (v4([127, 0, 0, 0], 8), "a loopback address"),
    (v4([169, 254, 0, 0], 16), "a link-local address"),
    (v4([172, 16, 0, 0], 12), "a private address"),
    (v4([192, 0, 0, 0], 24), "an address for protocols"),
    (v4([192, 0, 2, 0], 24), "an address for documentation"),
    (v4([192, 88, 99, 0], 24), "an address of 6to4 relays"),
    (v4([192, 168, 0, 0], 16), "a private address"),
    (v4([198, 18, 0, 0], 15), "an address for benchmarks"),
    (v4([198, 51, 100, 0], 24), "an address for documentation"),
    (v4([203, 0, 113, 0], 24), "an address for documentation"),
    (v4([224, 0, 0, 0], 4), "a multicast address"),
    (v4([255, 255, 255, 255], 32), "the broadcast address"),
    (v4([240, 0, 0, 0], 4), "a reserved address"),
];

/// The same of IPv6: the first range that has an address says what it is.
const IPV6: &[(Ipv6Net, &str)] = &[
    (v6([0; 8], 128), "the unspecified address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (v6([0; 8], 96), "an IPv4-compatible address"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "an address of a local translator"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "an address for protocols"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "an address for documentation"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "an address for documentation"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "a private address"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local address"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a private address"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
];

/// All that is given out to hosts of the internet. What else there is may be given another meaning.
const GLOBAL: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), bits)
}

/// What an address is if it is no host of the internet: the end of a sentence.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => IPV4.iter().find(|(net, _)| net.contains(&address)).map(|(_, what)| *what),
        IpAddr::V6(address) => match within(address) {
            Some(inner) => special(IpAddr::V4(inner)),
            None => IPV6
                .iter()
                .find(|(net, _)| net.contains(&address))
                .map(|(_, what)| *what)
                .or_else(|| (!GLOBAL.contains(&address)).then_some("a reserved address")),
        },
    }
}

/// The IPv4 address that packets to this one come to in the end: mapped, by NAT64 (RFC 6052) or by 6to4 (RFC 3056).
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, _, _, _, _, _] => of(high, low),
        _ => None,
    }
}

impl Reach {
    /// Judges an address that would be connected to.
    pub(super) fn admit(self, address: IpAddr) -> Result<(), CallFault> {
        match (self, special(address)) {
            (Reach::Public, Some(what)) => Err(CallFault::NotPublic { address, what }),
            _ => Ok(()),
        }
    }

    /// Judges what a URL says by itself: its scheme, and its host where that is an address, for which no name is looked up.
    pub(super) fn admit_url(self, url: &Uri) -> Result<(), CallFault> {
        let is_https = url.scheme() == Some(&Scheme::HTTPS);
        if !is_https && url.scheme() != Some(&Scheme::HTTP) {
            return Err(CallFault::NotHttp);
        }
        if !is_https && self == Reach::Public {
            return Err(CallFault::NotHttps);
        }
        match literal(url) {
            Some(address) => self.admit(address),
            None => Ok(()),
        }
    }
}

/// The host of a URL, if it is an address.
fn literal(url: &Uri) -> Option<IpAddr> {
    url.host()?.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Reach, special};
    use std::net::IpAddr;

    /// Both ends of each range that is refused, with the neighbours that are not.
    const REFUSED: &[&str] = &[
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.0",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.0",
        "198.51.100.255",
        "203.0.113.0",
        "203.0.113.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.254",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::8.8.8.8",
        "::ffff:0.0.0.0",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "::ffff:0:8.8.8.8",
        "64:ff9b::127.0.0.1",
        "64:ff9b::192.168.1.1",
        "64:ff9b::1:808:808",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "100::1",
        "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001::1",
        "2001:0:808:808::1",
        "2001:2::1",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2002:c0a8:101::1",
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "4000::",
        "5f00::1",
        "fc00::",
        "fd00:ec2::254",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fe80::1",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fec0::1",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "ff00::",
        "ff02::1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ];

    const PUBLIC: &[&str] = &[
        "1.0.0.0",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.1.255",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2000::",
        "2001:200::",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        "2001:4860:4860::8888",
        "2002:808:808::1",
        "2003::1",
        "2606:4700::1111",
        "3ffe:ffff::1",
        "3fff:1000::",
    ];

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    #[test]
    fn only_hosts_of_the_internet_are_public() {
        for address in addresses(REFUSED) {
            assert!(special(address).is_some(), "{address}");
            assert!(Reach::Public.admit(address).is_err() && Reach::Anywhere.admit(address).is_ok(), "{address}");
        }
        for address in addresses(PUBLIC) {
            assert_eq!(special(address), None, "{address}");
            assert!(Reach::Public.admit(address).is_ok(), "{address}");
        }
    }

    #[test]
    fn a_url_is_judged_by_its_scheme_and_by_an_address_in_it() {
        for (url, public, anywhere) in [
            ("https://login.example/keys", true, true),
            ("https://8.8.8.8/keys", true, true),
            ("https://[2606:4700::1111]:8443/keys", true, true),
            // Names all of them, which are looked up and judged then: getaddrinfo reads the first three as addresses.
            ("https://127.1/", true, true),
            ("https://2130706433/", true, true),
            ("https://0x7f.1/", true, true),
            ("https://localhost/", true, true),
            ("https://127.0.0.1/", false, true),
            ("https://127.0.0.1:443/", false, true),
            ("https://user@127.0.0.1/", false, true),
            ("https://[::1]/", false, true),
            ("https://[::ffff:10.0.0.1]/", false, true),
            ("https://169.254.169.254/latest/meta-data", false, true),
            ("http://login.example/keys", false, true),
            ("http://127.0.0.1:8080/keys", false, true),
            ("ftp://login.example/keys", false, false),
            ("unix://login.example/keys", false, false),
            ("/keys", false, false),
            ("login.example:443", false, false),
        ] {
            let url = url.parse().expect(url);
            assert_eq!(Reach::Public.admit_url(&url).is_ok(), public, "{url}");
            assert_eq!(Reach::Anywhere.admit_url(&url).is_ok(), anywhere, "{url}");
        }
    }
}
