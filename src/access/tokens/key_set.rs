//! Sets of keys: those that an issuer publishes (RFC 7517), and which of a set a token may be tried with.

use super::header::is_key_id;
use super::key::Key;
use super::members::{Members, list, text};
use crate::access::Basis;
use crate::model::algorithm::{Algorithm, Algorithms};
use data_encoding::BASE64URL_NOPAD;
use std::fmt;

/// Bytes of a key set that is read.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// Keys of a set.
pub const KEY_SET_KEYS_MAX: usize = 100;

/// Members of a key that only its owner may know: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why bytes are not a key set. What they hold is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySetFault {
    /// It has this many bytes.
    TooLarge(usize),
    /// It is not a strict JSON object with a list `keys` of objects.
    Form,
    /// It has this many keys.
    TooMany(usize),
    /// The key at this place, from 1, has private members.
    Private(usize),
}

impl fmt::Display for KeySetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySetFault::TooLarge(bytes) => {
                write!(f, "a key set has at most {KEY_SET_BYTES_MAX} bytes, and this one has {bytes}")
            }
            KeySetFault::Form => f.write_str(
                "this is not a key set: a JSON object such as {\"keys\":[{\"kty\":\"EC\",…}]} (RFC 7517 section 5), no member twice",
            ),
            KeySetFault::TooMany(count) => {
                write!(f, "a key set has at most {KEY_SET_KEYS_MAX} keys, and this one has {count}")
            }
            KeySetFault::Private(at) => write!(
                f,
                "key number {at} of this set is a private or a secret one, with which everyone who reads the set can make \
                 tokens: replace that key, publish only public ones, and give a secret by \"secret_file\""
            ),
        }
    }
}

impl std::error::Error for KeySetFault {}

/// Keys to verify with.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<Key>,
    usable: usize,
    skipped: usize,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} usable, {} skipped)", self.usable, self.skipped)
    }
}

impl KeySet {
    /// Reads a key set. Keys that cannot verify tokens here are skipped: those of other kinds and sizes, of other
    /// algorithms, for another use, or damaged.
    ///
    /// # Errors
    /// It is too large, is no key set, or has a private key in it.
    pub fn from_jwks(bytes: &[u8]) -> Result<KeySet, KeySetFault> {
        if bytes.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetFault::TooLarge(bytes.len()));
        }
        let members = Members::of(bytes).map_err(|_| KeySetFault::Form)?;
        let items = members.get("keys").and_then(list).ok_or(KeySetFault::Form)?;
        if items.len() > KEY_SET_KEYS_MAX {
            return Err(KeySetFault::TooMany(items.len()));
        }
        let mut set = KeySet::default();
        for (index, item) in items.into_iter().enumerate() {
            let members = Members::of(item.as_bytes()).map_err(|_| KeySetFault::Form)?;
            if PRIVATE_MEMBERS.iter().any(|name| members.get(name).is_some()) {
                return Err(KeySetFault::Private(index + 1));
            }
            match read_key(&members) {
                Some(keys) => set.add(keys),
                None => set.skipped += 1,
            }
        }
        Ok(set)
    }

    /// Adds a key, once for each algorithm that it is used with.
    pub(super) fn add(&mut self, keys: Vec<Key>) {
        self.usable += 1;
        self.keys.extend(keys);
    }

    /// Adds the keys of another set.
    pub(super) fn extend(&mut self, other: KeySet) {
        self.usable += other.usable;
        self.skipped += other.skipped;
        self.keys.extend(other.keys);
    }

    /// They are an issuer's, whose tokens are judged on this basis.
    pub(super) fn rest_on(&mut self, terms: Basis) {
        self.keys.iter_mut().for_each(|key| key.basis = terms.and(key.basis.bytes()));
    }

    /// What identities rest on that these keys proved.
    pub(super) fn bases(&self) -> impl Iterator<Item = Basis> {
        self.keys.iter().map(|key| key.basis)
    }

    /// How many keys can be used.
    #[must_use]
    pub fn usable(&self) -> usize {
        self.usable
    }

    /// How many keys of the set cannot be used here.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The algorithms that its keys are used with.
    pub(super) fn algorithms(&self) -> Algorithms {
        self.keys.iter().map(|key| key.algorithm).collect()
    }

    /// Whether a key has this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// The keys for an algorithm.
    pub(super) fn of(&self, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.algorithm == algorithm)
    }
}

/// One key of a set (RFC 7517 section 4), once for each algorithm that it is used with; `None` if it is of no use here.
fn read_key(members: &Members<'_>) -> Option<Vec<Key>> {
    let id = match members.get("kid") {
        Some(value) => Some(text(value).filter(|id| is_key_id(id))?),
        None => None,
    };
    // A key for encryption, or that its owner wants to be used for something else, verifies nothing.
    if members.get("use").is_some_and(|value| text(value).is_none_or(|word| word != "sig")) {
        return None;
    }
    let is_for_verifying = |value: &str| list(value).is_some_and(|words| words.iter().any(|word| is_verify(word)));
    if members.get("key_ops").is_some_and(|value| !is_for_verifying(value)) {
        return None;
    }
    let mut keys = public_keys(members)?;
    if let Some(value) = members.get("alg") {
        let only = Algorithm::parse(&text(value)?)?;
        keys.retain(|key| key.algorithm == only);
    }
    keys.iter_mut().for_each(|key| key.id = id.as_deref().map(Box::from));
    if keys.is_empty() { None } else { Some(keys) }
}

fn is_verify(word: &str) -> bool {
    text(word).is_some_and(|word| word == "verify")
}

fn public_keys(members: &Members<'_>) -> Option<Vec<Key>> {
    let word = |name| members.get(name).and_then(text);
    let bytes = |name| BASE64URL_NOPAD.decode(word(name)?.as_bytes()).ok();
    match (&*word("kty")?, word("crv").as_deref()) {
        ("RSA", _) => Key::of_rsa(&bytes("n")?, &bytes("e")?).ok(),
        ("EC", Some("P-256")) => Some(vec![Key::of_p256(&bytes("x")?, &bytes("y")?).ok()?]),
        ("OKP", Some("Ed25519")) => Some(vec![Key::of_ed25519(&bytes("x")?).ok()?]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX, KeySet, KeySetFault};
    use crate::model::algorithm::Algorithm;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair as _,
    };
    use data_encoding::BASE64URL_NOPAD;

    fn encoded(bytes: &[u8]) -> String {
        BASE64URL_NOPAD.encode(bytes)
    }

    fn ec(of: &'static EcdsaSigningAlgorithm, curve: &str) -> String {
        let pair = EcdsaKeyPair::generate(of).expect("a key");
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        format!(r#""kty":"EC","crv":"{curve}","x":"{}","y":"{}""#, encoded(x), encoded(y))
    }

    fn p256() -> String {
        ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    fn ed25519() -> String {
        let pair = Ed25519KeyPair::generate().expect("a key");
        format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, encoded(pair.public_key().as_ref()))
    }

    /// An RSA key of a size, by numbers of that size: whether anyone could sign with it does not matter here.
    fn rsa(bits: usize, exponent: &[u8]) -> String {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= modulus.len() * 8 - bits;
        format!(r#""kty":"RSA","n":"{}","e":"{}""#, encoded(&modulus), encoded(exponent))
    }

    const F4: &[u8] = &[1, 0, 1];

    fn read(keys: &[String]) -> Result<KeySet, KeySetFault> {
        let objects: Vec<String> = keys.iter().map(|members| format!("{{{members}}}")).collect();
        KeySet::from_jwks(format!(r#"{{"keys":[{}]}}"#, objects.join(",")).as_bytes())
    }

    /// What one key is used with; none if it is skipped.
    fn used_with(members: &str) -> Vec<Algorithm> {
        let set = read(&[members.to_owned()]).expect("a key set");
        assert_eq!(set.usable() + set.skipped(), 1, "{members}");
        set.algorithms().iter().collect()
    }

    #[test]
    fn the_kind_of_a_key_and_what_it_says_of_itself_decide_what_it_is_used_with() {
        let both = [Algorithm::Rs256, Algorithm::Ps256];
        assert_eq!(used_with(&p256()), [Algorithm::Es256]);
        assert_eq!(used_with(&ed25519()), [Algorithm::EdDsa]);
        assert_eq!(used_with(&rsa(2048, F4)), both);
        for (more, expected) in [
            (r#""alg":"RS256","#, &both[..1]),
            (r#""alg":"PS256","#, &both[1..]),
            (r#""use":"sig","#, &both),
            (r#""key_ops":["verify"],"#, &both),
            (r#""key_ops":["sign","verify"],"use":"sig","alg":"RS256","#, &both[..1]),
            (r#""kid":"k","x5t":"x","x5c":["x"],"unknown":{"a":[]},"#, &both),
            (r#""alg":"RS512","#, &[]),
            (r#""alg":"RSA-OAEP","#, &[]),
            (r#""alg":"ES256","#, &[]),
            (r#""alg":"HS256","#, &[]),
            (r#""alg":"none","#, &[]),
            (r#""alg":1,"#, &[]),
            (r#""use":"enc","#, &[]),
            (r#""use":"SIG","#, &[]),
            (r#""use":["sig"],"#, &[]),
            (r#""use":null,"#, &[]),
            (r#""key_ops":["encrypt"],"#, &[]),
            (r#""key_ops":[],"#, &[]),
            (r#""key_ops":"verify","#, &[]),
            (r#""key_ops":null,"#, &[]),
            (r#""kid":1,"#, &[]),
            (r#""kid":"","#, &[]),
        ] {
            assert_eq!(used_with(&format!("{more}{}", rsa(2048, F4))), expected, "{more}");
        }
        for (bytes, expected) in [(255, &both[..]), (256, &[])] {
            assert_eq!(used_with(&format!(r#""kid":"{}",{}"#, "k".repeat(bytes), rsa(2048, F4))), expected);
        }
    }

    #[test]
    fn keys_of_other_kinds_and_sizes_and_damaged_ones_are_skipped() {
        for (bits, exponent, fits) in [
            (1024, F4, false),
            (2047, F4, false),
            (2048, F4, true),
            (4096, F4, true),
            (8192, F4, true),
            (8193, F4, false),
            (2048, &[3], true),
            (2048, &[1], false),
            (2048, &[2], false),
            (2048, &[0], false),
            (2048, &[0, 1, 0, 1], false),
            (2048, &[0xff; 32], false),
        ] {
            assert_eq!(!used_with(&rsa(bits, exponent)).is_empty(), fits, "{bits} {exponent:?}");
        }
        let (p256, ed25519) = (p256(), ed25519());
        let x =
            |members: &str| members.split("\"x\":\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
        let (x, x_of_ed) = (x(&p256).expect("a number"), x(&ed25519).expect("a number"));
        for members in [
            String::new(),
            r#""kty":"oct""#.to_owned(),
            r#""kty":1"#.to_owned(),
            ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-256"),
            p256.replace("P-256", "P-384"),
            p256.replace("P-256", "secp256k1"),
            p256.replace("\"crv\"", "\"curve\""),
            p256.replace("\"EC\"", "\"ec\""),
            p256.replace(&x, &encoded(&[7; 32])),
            p256.replace(&x, &encoded(&[0; 32])),
            p256.replace(&x, &format!("AA{x}")),
            p256.replace(&x, &x[..40]),
            p256.replace(&x, &format!("{x}=")),
            p256.replace(&x, ""),
            p256.replace("\"y\"", "\"z\""),
            ed25519.replace("Ed25519", "Ed448"),
            ed25519.replace("Ed25519", "X25519"),
            ed25519.replace("\"OKP\"", "\"EC\""),
            ed25519.replace(&x_of_ed, &x_of_ed[..40]),
            rsa(2048, F4).replace("\"n\"", "\"m\""),
            rsa(2048, F4).replace("\"e\":\"AQAB\"", "\"e\":65537"),
            rsa(2048, F4).replace("AQAB", ""),
        ] {
            assert_eq!(used_with(&members), [], "{members}");
        }
        let set = read(&[p256, r#""kty":"oct""#.to_owned(), ed25519]).expect("a key set");
        assert_eq!((set.usable(), set.skipped()), (2, 1), "one that is of no use keeps the others");
    }

    #[test]
    fn a_set_with_a_private_or_secret_key_is_refused_whole() {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            for value in ["\"AAAA\"", "null", "[]"] {
                let keys = [p256(), format!(r#"{},"{member}":{value}"#, p256())];
                assert_eq!(read(&keys).err(), Some(KeySetFault::Private(2)), "{member} {value}");
            }
        }
        let said = KeySetFault::Private(2).to_string();
        assert!(said.contains("number 2") && said.contains("secret_file"), "{said}");
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for json in [
            "",
            "null",
            "[]",
            "{}",
            "{\"keys\":null}",
            "{\"keys\":{}}",
            "{\"keys\":[1]}",
            "{\"keys\":[null]}",
            "{\"keys\":[[]]}",
            "{\"keys\":[]}x",
            "{\"keys\":[],\"keys\":[]}",
            "{\"keys\":[{\"kty\":\"EC\",\"kty\":\"EC\"}]}",
            "{\"Keys\":[]}",
            "<html></html>",
            "{\"keys\":[{\"kid\":\"\\ud800\"}]}",
        ] {
            assert_eq!(KeySet::from_jwks(json.as_bytes()).err(), Some(KeySetFault::Form), "{json}");
        }
        let empty = KeySet::from_jwks(b"{\"keys\":[],\"more\":1}").expect("a key set");
        assert_eq!((empty.usable(), empty.skipped()), (0, 0));
    }

    #[test]
    fn a_set_has_a_largest_size_and_a_largest_number_of_keys() {
        let padded = |bytes: usize| format!("{{\"keys\":[]{}}}", " ".repeat(bytes - "{\"keys\":[]}".len()));
        assert!(KeySet::from_jwks(padded(KEY_SET_BYTES_MAX).as_bytes()).is_ok());
        let fault = KeySet::from_jwks(padded(KEY_SET_BYTES_MAX + 1).as_bytes()).err();
        assert_eq!(fault, Some(KeySetFault::TooLarge(KEY_SET_BYTES_MAX + 1)));
        let key = p256();
        assert_eq!(read(&vec![key.clone(); KEY_SET_KEYS_MAX]).map(|set| set.usable()), Ok(KEY_SET_KEYS_MAX));
        assert_eq!(read(&vec![key; KEY_SET_KEYS_MAX + 1]).err(), Some(KeySetFault::TooMany(KEY_SET_KEYS_MAX + 1)));
    }
}
