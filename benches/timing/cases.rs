//! The checks that are timed, each with two inputs that it answers alike, and their twins that have a leak.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use std::path::Path;
use std::rc::Rc;
use tidings::access::tokens::Issuers;
use tidings::access::{Keys, SignedNames};
use tidings::config::{IssuerConfig, KeySecretFrom, KeySettings};
use tidings::model::api_key::{KeyHash, KeySecret, secret_of};
use tidings::model::name::ChannelName;
use tidings::model::operator_key::OperatorKey;
use tidings::model::peer_address::PeerAddress;
use tidings::model::sign_secrets::SignSecrets;
use tidings::model::signing_secret::SigningSecret;

/// Keys of the server: what one comparison tells is there as often.
const KEYS: u8 = 100;
/// Bytes of a hash, and of a signature.
const BYTES: usize = 32;
const SECRET: [u8; BYTES] = [b's'; BYTES];
const NOW: u64 = 1_800_000_000;

/// Whether what is presented counts.
type Check = Rc<dyn Fn(&str) -> bool>;

/// One check with two inputs that its time should not tell apart.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) inputs: [String; 2],
    pub(super) check: Check,
    /// Whether there is a leak to be found.
    pub(super) leaks: bool,
}

impl Case {
    fn new(name: impl Into<String>, check: &Check, inputs: [&str; 2]) -> Case {
        let name = name.into();
        assert_eq!(check(inputs[0]), check(inputs[1]), "{name}: an answer is not told by the time");
        assert_eq!(inputs[0].len(), inputs[1].len(), "{name}: what is presented is not told its own length");
        Case { name, inputs: inputs.map(str::to_owned), check: Rc::clone(check), leaks: false }
    }

    /// The same with something beside the check that compares until the first difference.
    fn with_leak(
        name: impl Into<String>,
        check: &Check,
        inputs: [&str; 2],
        beside: impl Fn(&str) -> bool + 'static,
    ) -> Case {
        let check = Rc::clone(check);
        let both: Check = Rc::new(move |presented| check(presented) | beside(presented));
        Case { leaks: true, ..Case::new(name, &both, inputs) }
    }
}

pub(super) fn all() -> Vec<Case> {
    [keys(), signed_names(), tokens(), operators()].into_iter().flatten().collect()
}

/// Keys are compared by their hashes. Those of this server are, but for one byte that makes them differ, those of two secrets
/// that are presented: all of them at once match one in their first half, and the other in their second half.
fn keys() -> Vec<Case> {
    let [one, other, neither] = [1, 2, 3].map(|number| secret_of(&[number; BYTES]));
    let hash = |secret: &str| digest(&SHA256, secret.as_bytes()).as_ref().to_vec();
    let (half, beginning, end) = (BYTES / 2, hash(&one), hash(&other));
    let hashes: Vec<Vec<u8>> = (0..KEYS)
        .map(|number| [&beginning[..half - 1], &[beginning[half - 1] ^ (number + 1)], &end[half..]].concat())
        .collect();
    let find = |hashes: &[KeyHash]| -> Check {
        let settings = |(number, hash): (usize, &KeyHash)| KeySettings {
            name: number.to_string(),
            secret: KeySecretFrom::Hash(*hash),
            grants: Vec::new(),
            networks: Vec::new(),
        };
        let keys = Keys::new(&hashes.iter().enumerate().map(settings).collect::<Vec<_>>()).expect("keys");
        Rc::new(move |presented| keys.find(presented, PeerAddress::UNIX).is_ok())
    };
    let text = |hash: &Vec<u8>| format!("sha256:{}", HEXLOWER.encode(hash));
    let near: Vec<KeyHash> = hashes.iter().map(|hash| KeyHash::parse(&text(hash)).expect("a hash")).collect();
    let own: Vec<String> = (0..KEYS).map(|number| secret_of(&[number; BYTES])).collect();
    let right: Vec<KeyHash> = own.iter().map(|text| KeySecret::parse(text).expect("a secret").hash()).collect();
    let (find_near, find_right) = (find(&near), find(&right));
    let naive = move |presented: &str| {
        let presented = digest(&SHA256, presented.as_bytes());
        hashes.iter().any(|hash| equal(hash, presented.as_ref()))
    };
    vec![
        Case::new("key: the same twice, to see what chance makes", &find_near, [&one, &one]),
        Case::new("key: first or last half of each hash right", &find_near, [&one, &other]),
        Case::new("key: first half of each hash right, or nothing", &find_near, [&one, &neither]),
        Case::new("key: that of the first [[key]] or the last, right", &find_right, [&own[0], &own[own.len() - 1]]),
        Case::with_leak("key, with a leak: first or last half right", &find_near, [&one, &other], naive),
    ]
}

fn signed_names() -> Vec<Case> {
    let names = SignedNames::with(&SignSecrets::parse(&text_of(&SECRET)).expect("a secret"));
    let (name, exp) = (ChannelName::new("orders:42").expect("a name"), u64::MAX.to_string());
    let right = HEXLOWER.encode(&sign(format!("tidings-read-v1\norders:42\n{exp}").as_bytes()));
    let check: Check = Rc::new(move |signature| names.verify(&name, signature, &exp, NOW).is_ok());
    assert!(check(&right), "this is the signature");
    let wrong_ones = wrong(&right, |bytes| HEXLOWER.encode(bytes), &HEXLOWER.decode(right.as_bytes()).expect("hex"));
    of_wrong_bytes("signed name", &check, &wrong_ones, right)
}

fn tokens() -> Vec<Case> {
    let secret = SigningSecret::parse(&SECRET).expect("a secret");
    let config = IssuerConfig { secrets: vec![secret], ..IssuerConfig::new("hs", "hs", "tidings") };
    let mut no_files = |_: &Path| Err(String::new());
    let issuers = Issuers::new(&[config], &mut no_files).expect("issuers");
    let claims = r#"{"iss":"hs","aud":"tidings","sub":"ada","exp":1800003600}"#;
    let parts = [r#"{"alg":"HS256"}"#, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
    let signed = parts.join(".");
    let signature = sign(signed.as_bytes());
    let token = |signature: &[u8]| format!("{signed}.{}", BASE64URL_NOPAD.encode(signature));
    let right = token(&signature);
    let check: Check = Rc::new(move |token| issuers.verify(token, NOW).is_ok());
    assert!(check(&right), "this is the signature");
    let wrong_ones = wrong(&right, token, &signature);
    of_wrong_bytes("HS256", &check, &wrong_ones, right)
}

fn operators() -> Vec<Case> {
    let key = OperatorKey::parse(&"k".repeat(43)).expect("a key");
    let right = key.reveal().to_owned();
    let check: Check = Rc::new(move |presented| key.is(presented));
    let wrong_ones = wrong(&right, text_of, right.as_bytes());
    of_wrong_bytes("operators' key", &check, &wrong_ones, right)
}

/// The cases of something that is right in all of its bytes or does not count: wrong in its last, in its first or in all of them.
fn of_wrong_bytes(what: &str, check: &Check, [last, first, all]: &[String; 3], right: String) -> Vec<Case> {
    vec![
        Case::new(format!("{what}: last or first byte wrong"), check, [last, first]),
        Case::new(format!("{what}: last byte wrong, or all"), check, [last, all]),
        Case::with_leak(
            format!("{what}, with a leak: last or first byte wrong"),
            check,
            [last, first],
            ends_early(right),
        ),
    ]
}

/// What `write` makes of these bytes with the last one wrong, the first one, and all of them.
fn wrong(right: &str, write: impl Fn(&[u8]) -> String, bytes: &[u8]) -> [String; 3] {
    let changed = |places: std::ops::Range<usize>| {
        let mut bytes = bytes.to_vec();
        bytes[places].iter_mut().for_each(|byte| *byte ^= 1);
        write(&bytes)
    };
    assert_eq!(write(bytes), right);
    let count = bytes.len();
    [changed(count - 1..count), changed(0..1), changed(0..count)]
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("ASCII")
}

fn sign(text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), text).as_ref().to_vec()
}

/// The comparison that must not be used.
fn equal(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

fn ends_early(right: String) -> impl Fn(&str) -> bool {
    move |presented| equal(presented.as_bytes(), right.as_bytes())
}
