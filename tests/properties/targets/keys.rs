//! Keys and their hashes against a plain reading of their forms: exactly the secrets that are configured are keys, each
//! from its own networks.
//!
//! Input: an address, or `unix`, on a line of its own, then what is presented as a key, or as the hash of one.

use super::Target;
use super::input::Input;
use std::net::IpAddr;
use std::sync::LazyLock;
use tidings::access::{KeyRefused, Keys};
use tidings::config::{KeySecretFrom, KeySettings};
use tidings::model::api_key::{KeyHash, KeySecret};
use tidings::model::grants::{Actions, Grant};
use tidings::model::network::Network;
use tidings::model::peer_address::PeerAddress;

const KEY: &str = "a key";
const ELSEWHERE: &str = "a key from elsewhere";
const UNKNOWN: &str = "the secret of no key";
const HASH: &str = "a hash";
const NEITHER: &str = "neither secret nor hash";
const NO_TEXT: &str = "not UTF-8";

/// Secrets, and the network of each; empty for anywhere.
const SECRETS: [(&str, &str); 3] = [
    ("td_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""),
    ("td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "10.0.0.0/8"),
    ("td___________________________________________8", "unix"),
];

pub(crate) const TARGET: Target = Target {
    name: "keys",
    check,
    outcomes: &[KEY, ELSEWHERE, UNKNOWN, HASH, NEITHER, NO_TEXT],
    words: &[
        "td_",
        "TD_",
        "A",
        "_",
        "-",
        "=",
        "8",
        "9",
        "sha256:",
        "5e445d17",
        "\n",
        " ",
        "unix",
        "10.1.2.3",
        "::ffff:10.1.2.3",
    ],
};

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let key = |(index, (secret, network)): (usize, &(&str, &str))| KeySettings {
        name: index.to_string(),
        secret: KeySecretFrom::Hash(KeySecret::parse(secret).expect("a secret").hash()),
        grants: vec![Grant { channels: Box::default(), may: Actions::default() }],
        networks: (!network.is_empty()).then(|| Network::parse(network).expect("a network")).into_iter().collect(),
    };
    Keys::new(&SECRETS.iter().enumerate().map(key).collect::<Vec<_>>()).expect("keys")
});

fn check(data: &[u8]) -> &'static str {
    let mut input = Input::new(data);
    let (from, rest) = (input.line(), input.rest());
    let Some((from, text)) = std::str::from_utf8(from).ok().zip(std::str::from_utf8(rest).ok()) else { return NO_TEXT };
    let address: Option<IpAddr> = from.parse().ok();
    let peer = address.map_or(PeerAddress::UNIX, PeerAddress::from);
    let found = KEYS.find(text, peer);
    let hash = KeyHash::parse(text);
    assert_eq!(hash.is_ok(), is_hash(text));
    if let Ok(hash) = hash {
        assert_eq!(hash.to_string(), text);
        assert_eq!(found, Err(KeyRefused::Unknown), "the hash of a key is none");
        return HASH;
    }
    assert_eq!(KeySecret::parse(text).is_ok(), is_secret(text));
    let Some(index) = SECRETS.iter().position(|(secret, _)| *secret == text) else {
        assert_eq!(found, Err(KeyRefused::Unknown));
        return if is_secret(text) { UNKNOWN } else { NEITHER };
    };
    let is_ten = |address: IpAddr| matches!(address.to_canonical(), IpAddr::V4(v4) if v4.octets()[0] == 10);
    let may = match SECRETS[index].1 {
        "" => true,
        "unix" => peer == PeerAddress::UNIX,
        _ => address.is_some_and(is_ten),
    };
    match found {
        Ok(key) => assert!(may && key.name() == index.to_string()),
        Err(refused) => {
            assert_eq!((may, refused), (false, KeyRefused::Network { name: index.to_string().into(), from: peer }))
        }
    }
    if may { KEY } else { ELSEWHERE }
}

/// 32 bytes in base64url are 42 letters of 6 bits and one of 4.
fn is_secret(text: &str) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let Some(encoded) = text.strip_prefix("td_") else { return false };
    encoded.len() == 43 && encoded.as_bytes().iter().all(letter) && "AEIMQUYcgkosw048".contains(&encoded[42..])
}

fn is_hash(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(digit))
}
