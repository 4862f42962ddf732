//! Keys that verify tokens, each bound to one algorithm: the key says how a signature is checked, and never the token.

use crate::access::Basis;
use crate::model::algorithm::Algorithm;
use crate::model::signing_secret::SigningSecret;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaParameters, RsaPublicKeyComponents,
};

/// Bits of an RSA key. Fewer are no longer safe (NIST SP 800-131A), more take too long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Bytes of a coordinate on P-256, and of an Ed25519 key.
const POINT_BYTES: usize = 32;

/// Why a public key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPublicKey {
    /// It is none of a kind that is supported, or damaged.
    Kind,
    /// An RSA key of this many bits.
    RsaBits(usize),
}

/// A key with the one algorithm that it is used with.
pub(super) struct Key {
    pub(super) id: Option<Box<str>>,
    pub(super) algorithm: Algorithm,
    /// That of its bytes; once an issuer has it, that of the issuer and of them.
    pub(super) basis: Basis,
    verifier: Verifier,
}

enum Verifier {
    // Boxed: with the states of its hash it has more than 1 KB.
    Secret(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    /// Whether a signature is that of `signed` by this key.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.verifier {
            // Compared in constant time, and only at its full length.
            Verifier::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
            Verifier::Public(key) => key.verify_sig(signed, signature).is_ok(),
        }
    }

    /// A secret, once for each algorithm that it is long enough for.
    pub(super) fn of_secret(secret: &SigningSecret) -> Vec<Key> {
        let bytes = secret.reveal();
        let basis = Basis::of(&[b"secret", bytes]);
        let key = |(algorithm, hash): (Algorithm, hmac::Algorithm)| {
            let fits = algorithm.secret_bytes_min().is_some_and(|min| bytes.len() >= min);
            let verifier = || Verifier::Secret(Box::new(hmac::Key::new(hash, bytes)));
            fits.then(|| Key { id: None, algorithm, basis, verifier: verifier() })
        };
        let hashes = [
            (Algorithm::Hs256, hmac::HMAC_SHA256),
            (Algorithm::Hs384, hmac::HMAC_SHA384),
            (Algorithm::Hs512, hmac::HMAC_SHA512),
        ];
        hashes.into_iter().filter_map(key).collect()
    }

    fn public(algorithm: Algorithm, key: ParsedPublicKey, bytes: &[u8]) -> Key {
        let basis = Basis::of(&[b"public", bytes]);
        Key { id: None, algorithm, basis, verifier: Verifier::Public(key) }
    }

    /// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7): an RSA key once for each algorithm.
    pub(super) fn of_spki(der: &[u8]) -> Result<Vec<Key>, BadPublicKey> {
        // A raw key would be taken for one, too, and a file that holds one is a mistake.
        if der.len() <= POINT_BYTES {
            return Err(BadPublicKey::Kind);
        }
        if let Ok(key) = ParsedPublicKey::new(&ED25519, der) {
            return Ok(vec![Key::public(Algorithm::EdDsa, key, der)]);
        }
        if let Ok(key) = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der) {
            return Ok(vec![Key::public(Algorithm::Es256, key, der)]);
        }
        rsa_keys(der)
    }

    /// An RSA key by its modulus and exponent (RFC 7518 section 6.3.1).
    pub(super) fn of_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Vec<Key>, BadPublicKey> {
        let components = RsaPublicKeyComponents { n: modulus, e: exponent };
        let key = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(|_| BadPublicKey::Kind)?;
        rsa_keys(key.as_der().map_err(|_| BadPublicKey::Kind)?.as_ref())
    }

    /// A key on P-256 by its coordinates (RFC 7518 section 6.2.1).
    pub(super) fn of_p256(x: &[u8], y: &[u8]) -> Result<Key, BadPublicKey> {
        if x.len() != POINT_BYTES || y.len() != POINT_BYTES {
            return Err(BadPublicKey::Kind);
        }
        // An uncompressed point (SEC 1 section 2.3.3). That it is on the curve is checked where it is parsed.
        let point = [&[4], x, y].concat();
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).map_err(|_| BadPublicKey::Kind)?;
        Ok(Key::public(Algorithm::Es256, key, &point))
    }

    /// An Ed25519 key (RFC 8037 section 2).
    pub(super) fn of_ed25519(x: &[u8]) -> Result<Key, BadPublicKey> {
        if x.len() != POINT_BYTES {
            return Err(BadPublicKey::Kind);
        }
        let key = ParsedPublicKey::new(&ED25519, x).map_err(|_| BadPublicKey::Kind)?;
        Ok(Key::public(Algorithm::EdDsa, key, x))
    }
}

fn rsa_keys(spki: &[u8]) -> Result<Vec<Key>, BadPublicKey> {
    // Only this type checks the exponent and tells the size.
    let checked = PublicEncryptingKey::from_der(spki).map_err(|_| BadPublicKey::Kind)?;
    let bits = checked.key_size_bits();
    if !RSA_BITS.contains(&bits) {
        return Err(BadPublicKey::RsaBits(bits));
    }
    let both: [(Algorithm, &'static RsaParameters); 2] =
        [(Algorithm::Rs256, &RSA_PKCS1_2048_8192_SHA256), (Algorithm::Ps256, &RSA_PSS_2048_8192_SHA256)];
    let key = |(algorithm, parameters): (Algorithm, &'static RsaParameters)| {
        let key = ParsedPublicKey::new(parameters, spki).map_err(|_| BadPublicKey::Kind)?;
        Ok(Key::public(algorithm, key, spki))
    };
    both.into_iter().map(key).collect()
}
