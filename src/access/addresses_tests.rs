//! Tests of where a request comes from: a table of peers and fields, and what clients write to be taken for another.

use super::addresses::{RequestSource, TrustedProxies, client_address};
use crate::model::network::Network;
use crate::model::peer_address::PeerAddress;
use crate::wire::http::head::SenderFields;
use std::net::IpAddr;

const X: &str = "X-Forwarded-For";
const F: &str = "Forwarded";

/// The peer, the lines of the field, the address that counts, and whether something could not be read. Trusted are 10.0.0.0/8,
/// 2001:db8:1::/48 and unix sockets; `U` is a peer on one of these.
type Row = (&'static str, &'static [&'static str], &'static str, bool);

/// Hops that both fields spell alike.
const HOPS: &[(&str, Option<&str>)] = &[
    ("192.0.2.1", Some("192.0.2.1")),
    ("192.0.2.1:80", Some("192.0.2.1")),
    ("192.0.2.1:65535", Some("192.0.2.1")),
    ("192.0.2.1:_a.b-c_9", Some("192.0.2.1")),
    ("255.255.255.255", Some("255.255.255.255")),
    ("127.0.0.1", Some("127.0.0.1")),
    ("2001:db8::7", Some("2001:db8::7")),
    ("2001:DB8::7", Some("2001:db8::7")),
    ("[2001:db8::7]", Some("2001:db8::7")),
    ("[2001:db8::7]:443", Some("2001:db8::7")),
    ("[2001:db8::7]:_x", Some("2001:db8::7")),
    ("::1", Some("::1")),
    ("::ffff:192.0.2.1", Some("192.0.2.1")),
    ("[::ffff:192.0.2.1]:80", Some("192.0.2.1")),
    ("2001:db8::7:443", Some("2001:db8::7:443")),
    // What is hidden is the nearest proxy that is known.
    ("unknown", Some("10.0.0.1")),
    ("Unknown", Some("10.0.0.1")),
    ("unknown:80", Some("10.0.0.1")),
    ("_hidden", Some("10.0.0.1")),
    ("_SEVKISEK", Some("10.0.0.1")),
    ("_a.b-c_9:_port", Some("10.0.0.1")),
    ("unix:", Some("10.0.0.1")),
    // What is no hop.
    ("0.0.0.0", None),
    ("::", None),
    ("[::]:80", None),
    ("::ffff:0.0.0.0", None),
    ("192.0.2", None),
    ("192.0.2.1.5", None),
    ("192.0.2.256", None),
    ("192.0.2.01", None),
    ("3221225985", None),
    ("0xc0000201", None),
    ("192.0.2.1:", None),
    ("192.0.2.1:+80", None),
    ("192.0.2.1:123456", None),
    ("192.0.2.1:80:80", None),
    ("192.0.2.1/32", None),
    ("192.0.2.1 192.0.2.2", None),
    ("[192.0.2.1]", None),
    ("[2001:db8::7", None),
    ("2001:db8::7]", None),
    ("[2001:db8::7]443", None),
    ("[]", None),
    ("fe80::1%eth0", None),
    ("2001:db8::7::1", None),
    ("_", None),
    ("_a b", None),
    ("_\u{e9}", None),
    ("unknown.example", None),
    ("localhost", None),
    ("client.example", None),
    ("unix:/run/a", None),
    ("-", None),
    ("\u{e9}", None),
];

/// X-Forwarded-For.
const ENTRIES: &[Row] = &[
    // Peers that are not trusted name nobody.
    ("192.0.2.9", &["198.51.100.1"], "192.0.2.9", false),
    ("192.0.2.9", &["garbage"], "192.0.2.9", false),
    ("127.0.0.1", &["198.51.100.1"], "127.0.0.1", false),
    ("2001:db8:2::1", &["198.51.100.1"], "2001:db8:2::1", false),
    // Peers that are.
    ("10.0.0.1", &[], "10.0.0.1", false),
    ("10.0.0.1", &[""], "10.0.0.1", false),
    ("10.0.0.1", &[" , ,"], "10.0.0.1", false),
    ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1", false),
    ("2001:db8:1::1", &["192.0.2.1"], "192.0.2.1", false),
    ("U", &["192.0.2.1"], "192.0.2.1", false),
    ("U", &[], "U", false),
    ("U", &["unknown"], "U", false),
    ("U", &["garbage"], "U", true),
    // The rightmost that is no trusted proxy's.
    ("10.0.0.1", &["198.51.100.1, 192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &["198.51.100.1,192.0.2.1,10.0.0.2"], "192.0.2.1", false),
    ("10.0.0.1", &["198.51.100.1", "192.0.2.1", "10.0.0.2, 2001:db8:1::2", "10.0.0.3"], "192.0.2.1", false),
    ("10.0.0.1", &["192.0.2.1\t,\t [2001:db8:1::2]:80 "], "192.0.2.1", false),
    ("10.0.0.1", &["192.0.2.1,, ,10.0.0.2,"], "192.0.2.1", false),
    ("10.0.0.1", &["192.0.2.1", ""], "192.0.2.1", false),
    // All of them are: the farthest.
    ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3", false),
    ("U", &["10.0.0.3"], "10.0.0.3", false),
    // What is left of the first that is not trusted is not even read.
    ("10.0.0.1", &["garbage, 192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &["\"", "192.0.2.1"], "192.0.2.1", false),
    // The last good hop.
    ("10.0.0.1", &["192.0.2.1, garbage, 10.0.0.2"], "10.0.0.2", true),
    ("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2", false),
    ("10.0.0.1", &["192.0.2.1, garbage"], "10.0.0.1", true),
    ("10.0.0.1", &["\"192.0.2.1\""], "10.0.0.1", true),
    ("10.0.0.1", &["192.0.2.1;192.0.2.2"], "10.0.0.1", true),
    ("10.0.0.1", &["for=192.0.2.1"], "10.0.0.1", true),
    // A hop without an address, between proxies on one machine.
    ("10.0.0.1", &["192.0.2.1, unix:"], "192.0.2.1", false),
    ("10.0.0.1", &["192.0.2.1, unix:, 10.0.0.2"], "192.0.2.1", false),
];

/// Forwarded.
const ELEMENTS: &[Row] = &[
    ("192.0.2.9", &["for=198.51.100.1"], "192.0.2.9", false),
    ("10.0.0.1", &[""], "10.0.0.1", false),
    ("10.0.0.1", &["for=192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &["For=\"192.0.2.1\""], "192.0.2.1", false),
    ("10.0.0.1", &["FOR=\"[2001:db8::7]:4711\""], "2001:db8::7", false),
    ("10.0.0.1", &["for=192.0.2.1;proto=http;by=203.0.113.43"], "192.0.2.1", false),
    ("10.0.0.1", &["by=203.0.113.43;for=192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &["proto=https; for = 192.0.2.1 ; host=a"], "10.0.0.1", true),
    ("10.0.0.1", &["proto=https ; for=192.0.2.1 ;host=a;"], "192.0.2.1", false),
    ("10.0.0.1", &[";;for=192.0.2.1;; ;proto=https;"], "192.0.2.1", false),
    ("10.0.0.1", &["for=198.51.100.1, for=192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &["for=198.51.100.1", "for=192.0.2.1,for=10.0.0.2"], "192.0.2.1", false),
    ("10.0.0.1", &["for=192.0.2.1, for=\"[2001:db8:1::2]:80\""], "192.0.2.1", false),
    ("10.0.0.1", &["for=10.0.0.3, for=10.0.0.2"], "10.0.0.3", false),
    ("10.0.0.1", &["for=192.0.2.1, for=unknown, for=10.0.0.2"], "10.0.0.2", false),
    ("10.0.0.1", &["for=192.0.2.1, for=_gate"], "10.0.0.1", false),
    // An element that says nothing of its client hides it.
    ("10.0.0.1", &["for=192.0.2.1, proto=https"], "10.0.0.1", false),
    ("10.0.0.1", &["proto=https;by=_gate"], "10.0.0.1", false),
    ("10.0.0.1", &["for=192.0.2.1, host=\"a,for=198.51.100.1\""], "10.0.0.1", false),
    // Commas, semicolons and escaped quotation marks of what a client chose and a proxy quotes.
    ("10.0.0.1", &["for=192.0.2.1;host=\"a,b;for=198.51.100.1\""], "192.0.2.1", false),
    ("10.0.0.1", &["host=\"a\\\",for=198.51.100.1\\\"\";for=192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &["host=\"\\\\\";for=192.0.2.1"], "192.0.2.1", false),
    // What a client wrote before it, open or not, does not reach what the proxy wrote.
    ("10.0.0.1", &["for=\", for=192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &["for=\"198.51.100.1, for=\"[2001:db8::7]\""], "2001:db8::7", false),
    ("10.0.0.1", &["for=\"\\, for=\"192.0.2.1\""], "192.0.2.1", false),
    ("10.0.0.1", &["for=\"", "for=192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &[";;;=, for=192.0.2.1"], "192.0.2.1", false),
    ("10.0.0.1", &["for=192.0.2.1, for=\", for=10.0.0.2"], "10.0.0.2", true),
    // What is no element.
    ("10.0.0.1", &["192.0.2.1"], "10.0.0.1", true),
    ("10.0.0.1", &["for"], "10.0.0.1", true),
    ("10.0.0.1", &["for="], "10.0.0.1", true),
    ("10.0.0.1", &["for=\"\""], "10.0.0.1", true),
    ("10.0.0.1", &["for=192.0.2.1;for=192.0.2.1"], "10.0.0.1", true),
    ("10.0.0.1", &["for=192.0.2.1;for=198.51.100.1"], "10.0.0.1", true),
    ("10.0.0.1", &["for=\"192.0.2.1"], "10.0.0.1", true),
    ("10.0.0.1", &["for=\"192.0.2.1\\\""], "10.0.0.1", true),
    ("10.0.0.1", &["for=\"192.0.\\2.1\""], "10.0.0.1", true),
    ("10.0.0.1", &["for=\"192.0.2.1\"x"], "10.0.0.1", true),
    ("10.0.0.1", &["for=192.0.2.1;proto"], "10.0.0.1", true),
];

fn address(text: &str) -> PeerAddress {
    if text == "U" { PeerAddress::UNIX } else { text.parse::<IpAddr>().expect("an address").into() }
}

fn proxies(networks: &[&str]) -> TrustedProxies {
    TrustedProxies::new(networks.iter().map(|text| Network::parse(text).expect("a network")).collect())
}

fn lines<'b>(texts: &[&'b str]) -> smallvec::SmallVec<[&'b [u8]; 1]> {
    texts.iter().map(|text| text.as_bytes()).collect()
}

fn trusted() -> TrustedProxies {
    proxies(&["10.0.0.0/8", "2001:db8:1::/48", "unix"])
}

fn check(peer: &str, sender: &SenderFields<'_>, expected: &str, unreadable: Option<&'static str>) {
    let source = client_address(address(peer), &trusted(), sender);
    assert_eq!(source, RequestSource { address: address(expected), unreadable }, "{peer} {sender:?}");
}

#[test]
fn the_address_is_that_of_the_nearest_hop_that_is_not_trusted() {
    for (peer, texts, expected, bad) in ENTRIES {
        let sender = SenderFields { forwarded_for: lines(texts), ..SenderFields::default() };
        check(peer, &sender, expected, bad.then_some(X));
    }
    for (peer, texts, expected, bad) in ELEMENTS {
        let sender = SenderFields { forwarded: lines(texts), ..SenderFields::default() };
        check(peer, &sender, expected, bad.then_some(F));
    }
}

#[test]
fn a_hop_is_spelled_alike_in_both_fields() {
    for (hop, expected) in HOPS {
        let entry = SenderFields { forwarded_for: lines(&[hop]), ..SenderFields::default() };
        check("10.0.0.1", &entry, expected.unwrap_or("10.0.0.1"), expected.is_none().then_some(X));
        for element in [format!("for=\"{hop}\""), format!("proto=http;for={hop}")] {
            let element = SenderFields { forwarded: lines(&[&element]), ..SenderFields::default() };
            check("10.0.0.1", &element, expected.unwrap_or("10.0.0.1"), expected.is_none().then_some(F));
        }
    }
}

/// Most proxies write X-Forwarded-For and pass the other on, which any client can send.
#[test]
fn x_forwarded_for_wins_where_both_came() {
    for (entries, elements, expected, unreadable) in [
        ("192.0.2.1", "for=198.51.100.1", "192.0.2.1", None),
        ("192.0.2.1", "for=\"", "192.0.2.1", None),
        ("unknown", "for=198.51.100.1", "10.0.0.1", None),
        ("garbage", "for=198.51.100.1", "10.0.0.1", Some(X)),
        ("", "for=198.51.100.1", "10.0.0.1", None),
    ] {
        let sender =
            SenderFields { forwarded_for: lines(&[entries]), forwarded: lines(&[elements]), ..SenderFields::default() };
        check("10.0.0.1", &sender, expected, unreadable);
    }
}

#[test]
fn bytes_that_are_no_text_are_no_address() {
    for bytes in [&b"\xff"[..], b"192.0.2.1\xff", b"\xc3, \xff"] {
        let fields = || smallvec::smallvec![bytes];
        check("10.0.0.1", &SenderFields { forwarded_for: fields(), ..SenderFields::default() }, "10.0.0.1", Some(X));
        let sender =
            SenderFields { forwarded_for: smallvec::smallvec![bytes, &b"192.0.2.1"[..]], ..SenderFields::default() };
        check("10.0.0.1", &sender, "192.0.2.1", None);
    }
}

/// No text makes a client one on a unix socket, which counts as one of this machine.
#[test]
fn a_unix_socket_is_trusted_by_its_word_and_named_by_no_text() {
    for (networks, peer, expected) in [
        (&["unix"][..], "U", "192.0.2.1"),
        (&["10.0.0.0/8"], "U", "U"),
        (&["0.0.0.0/0", "::/0"], "U", "U"),
        (&["unix"], "10.0.0.1", "10.0.0.1"),
        (&[], "U", "U"),
        (&[], "10.0.0.1", "10.0.0.1"),
    ] {
        let sender = SenderFields { forwarded_for: lines(&["192.0.2.1"]), ..SenderFields::default() };
        let source = client_address(address(peer), &proxies(networks), &sender);
        assert_eq!(source.address, address(expected), "{networks:?} {peer}");
    }
    for text in ["unix:", "::", "[::]", "::ffff:0:0", "0.0.0.0", "unix", "U"] {
        for networks in [&["10.0.0.0/8"][..], &["10.0.0.0/8", "unix"], &["0.0.0.0/0", "::/0"]] {
            let sender = SenderFields { forwarded_for: lines(&[text]), ..SenderFields::default() };
            let source = client_address(address("10.0.0.1"), &proxies(networks), &sender);
            assert_eq!(source.address, address("10.0.0.1"), "{text} {networks:?}");
        }
    }
}
