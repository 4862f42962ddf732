//! Keys that are made for the tests, those of issuers and those of attackers, and what signs with them.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaKeyPair,
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use std::sync::LazyLock;

/// All keys of the tests, made once.
pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::make);

/// Keys of issuers, and others that no issuer has.
pub(crate) struct Keys {
    pub(crate) rsa: RsaKeyPair,
    pub(crate) other_rsa: RsaKeyPair,
    pub(crate) ec: EcdsaKeyPair,
    pub(crate) other_ec: EcdsaKeyPair,
    pub(crate) ed: Ed25519KeyPair,
    pub(crate) other_ed: Ed25519KeyPair,
    pub(crate) p384: EcdsaKeyPair,
    pub(crate) p521: EcdsaKeyPair,
    pub(crate) k256: EcdsaKeyPair,
}

impl Keys {
    fn make() -> Keys {
        let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let ec = |of: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::generate(of).expect("a key");
        let ed = || Ed25519KeyPair::generate().expect("a key");
        Keys {
            rsa: rsa(),
            other_rsa: rsa(),
            ec: ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            other_ec: ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            ed: ed(),
            other_ed: ed(),
            p384: ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            p521: ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            k256: ec(&ECDSA_P256K1_SHA256_FIXED_SIGNING),
        }
    }
}

/// What makes a signature.
#[derive(Clone)]
pub(crate) enum Signer {
    Hs256(Vec<u8>),
    Hs384(Vec<u8>),
    Hs512(Vec<u8>),
    Rs256(&'static RsaKeyPair),
    Rs512(&'static RsaKeyPair),
    Ps256(&'static RsaKeyPair),
    Ec(&'static EcdsaKeyPair),
    Ed(&'static Ed25519KeyPair),
    /// These bytes, whatever is signed.
    Bytes(Vec<u8>),
}

impl Signer {
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let mac = |algorithm, key: &[u8]| hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec();
        let rsa = |key: &RsaKeyPair, encoding| {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(encoding, &random, message, &mut signature).expect("a signature");
            signature
        };
        match self {
            Signer::Hs256(key) => mac(hmac::HMAC_SHA256, key),
            Signer::Hs384(key) => mac(hmac::HMAC_SHA384, key),
            Signer::Hs512(key) => mac(hmac::HMAC_SHA512, key),
            Signer::Rs256(key) => rsa(key, &RSA_PKCS1_SHA256),
            Signer::Rs512(key) => rsa(key, &RSA_PKCS1_SHA512),
            Signer::Ps256(key) => rsa(key, &RSA_PSS_SHA256),
            Signer::Ec(key) => key.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Signer::Ed(key) => key.sign(message).as_ref().to_vec(),
            Signer::Bytes(bytes) => bytes.clone(),
        }
    }

    /// What another library verifies this with: its algorithm and its key.
    pub(crate) fn theirs(&self) -> (Algorithm, DecodingKey) {
        let secret = |key: &[u8]| DecodingKey::from_secret(key).expect("a key");
        match self {
            Signer::Hs256(key) => (Algorithm::HS256, secret(key)),
            Signer::Hs384(key) => (Algorithm::HS384, secret(key)),
            Signer::Hs512(key) => (Algorithm::HS512, secret(key)),
            Signer::Rs256(key) => (Algorithm::RS256, DecodingKey::from_rsa_der(&PublicKey::rsa(key).raw)),
            Signer::Ps256(key) => (Algorithm::PS256, DecodingKey::from_rsa_der(&PublicKey::rsa(key).raw)),
            Signer::Ec(key) => (Algorithm::ES256, DecodingKey::from_ec_der(&PublicKey::ec(key).raw)),
            Signer::Ed(key) => (Algorithm::EdDSA, DecodingKey::from_ed_der(&PublicKey::ed(key).raw)),
            Signer::Rs512(_) | Signer::Bytes(_) => panic!("no issuer signs with it"),
        }
    }
}

/// A public key in the forms in which it may be given.
pub(crate) struct PublicKey {
    /// SubjectPublicKeyInfo.
    pub(crate) spki: Vec<u8>,
    /// What is specific to the kind: an RSAPublicKey, a point, the bytes of Ed25519.
    pub(crate) raw: Vec<u8>,
}

impl PublicKey {
    pub(crate) fn rsa(key: &RsaKeyPair) -> PublicKey {
        let public = key.public_key();
        PublicKey { spki: public.as_der().expect("a key").as_ref().to_vec(), raw: public.as_ref().to_vec() }
    }

    pub(crate) fn ec(key: &EcdsaKeyPair) -> PublicKey {
        let public = key.public_key();
        PublicKey { spki: public.as_der().expect("a key").as_ref().to_vec(), raw: public.as_ref().to_vec() }
    }

    pub(crate) fn ed(key: &Ed25519KeyPair) -> PublicKey {
        let public = key.public_key();
        PublicKey { spki: public.as_der().expect("a key").as_ref().to_vec(), raw: public.as_ref().to_vec() }
    }

    pub(crate) fn pem(&self) -> String {
        let base64 = BASE64.encode(&self.spki);
        let lines = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The members of an RSA key in a key set.
    pub(crate) fn rsa_members(&self) -> String {
        let (modulus, exponent) = rsa_numbers(&self.raw);
        format!(r#""kty":"RSA","n":"{}","e":"{}""#, base64url(modulus), base64url(exponent))
    }

    /// The members of a key on a curve in a key set.
    pub(crate) fn ec_members(&self, curve: &str) -> String {
        let (x, y) = self.raw[1..].split_at((self.raw.len() - 1) / 2);
        format!(r#""kty":"EC","crv":"{curve}","x":"{}","y":"{}""#, base64url(x), base64url(y))
    }

    /// The members of an Ed25519 key in a key set.
    pub(crate) fn ed_members(&self) -> String {
        format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, base64url(&self.raw))
    }
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017 appendix A.1.1), without the zero that keeps DER's numbers positive.
pub(crate) fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    let (sequence, _) = der_value(der);
    let (modulus, rest) = der_value(sequence);
    let (exponent, _) = der_value(rest);
    let positive = |number: &'_ [u8]| number.len() - number.strip_prefix(&[0]).map_or(number.len(), <[u8]>::len);
    (&modulus[positive(modulus)..], &exponent[positive(exponent)..])
}

/// The contents of the first value, and what follows it.
fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let bytes = usize::from(long & 0x7f);
            (der[2..2 + bytes].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + bytes)
        }
    };
    (&der[start..start + length], &der[start + length..])
}
