//! Public keys from PEM files (RFC 7468): exactly one key a file, and never a private one.

use super::key::{BadPublicKey, Key};
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use std::fmt;

/// Why a file is no public key. Nothing of it is repeated: it may be a private one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PemFault {
    /// A private key.
    PrivateKey,
    /// A certificate.
    Certificate,
    /// A key of RSA alone (PKCS #1).
    Pkcs1,
    /// Nothing that is PEM, or a damaged file.
    NotPem,
    /// More than one key.
    Several,
    /// A public key that cannot be used.
    Key(BadPublicKey),
}

impl fmt::Display for PemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PemFault::PrivateKey => f.write_str(
                "this is a private key, with which tokens could be made: keep it where they are made, and give the public \
                 key here, as written by: openssl pkey -in FILE -pubout",
            ),
            PemFault::Certificate => f.write_str(
                "this is a certificate: give its public key, as written by: openssl x509 -in FILE -noout -pubkey",
            ),
            PemFault::Pkcs1 => f.write_str(
                "this is an RSA key as PKCS #1 has it: give the form of every kind of key (BEGIN PUBLIC KEY), as written \
                 by: openssl rsa -RSAPublicKey_in -in FILE -pubout",
            ),
            PemFault::NotPem => {
                f.write_str("this is not a public key: a PEM file begins with -----BEGIN PUBLIC KEY-----")
            }
            PemFault::Several => f.write_str("there is more than one key: give each a file, and list the files"),
            PemFault::Key(BadPublicKey::Kind) => {
                f.write_str("this key cannot be used: it must be RSA of 2048 to 8192 bits, EC on P-256, or Ed25519")
            }
            PemFault::Key(BadPublicKey::RsaBits(bits)) => {
                write!(f, "this RSA key has {bits} bits, and must have 2048 to 8192")
            }
        }
    }
}

/// The key of a file.
pub(super) fn read(pem: &[u8]) -> Result<Vec<Key>, PemFault> {
    let has = |text: &str| pem.windows(text.len()).any(|window| window == text.as_bytes());
    // By its words, so that also one that is encrypted, or of a kind that is not known here, is named for what it is.
    if has("PRIVATE KEY-----") {
        return Err(PemFault::PrivateKey);
    }
    let sections: Result<Vec<(SectionKind, Vec<u8>)>, _> = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).collect();
    match sections.map_err(|_| PemFault::NotPem)?.as_slice() {
        [(SectionKind::PublicKey, der)] => Key::of_spki(der).map_err(PemFault::Key),
        [(SectionKind::Certificate, _), ..] => Err(PemFault::Certificate),
        [] if has("-----BEGIN RSA PUBLIC KEY-----") => Err(PemFault::Pkcs1),
        [] | [_] => Err(PemFault::NotPem),
        _ => Err(PemFault::Several),
    }
}

#[cfg(test)]
mod tests {
    use super::{PemFault, read};
    use crate::access::tokens::key::BadPublicKey;
    use crate::model::algorithm::Algorithm;
    use rcgen::{
        KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData as _,
    };

    fn pair(of: &'static rcgen::SignatureAlgorithm) -> KeyPair {
        KeyPair::generate_for(of).expect("a key")
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let base64 = data_encoding::BASE64.encode(der);
        let lines: Vec<&str> =
            base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    fn algorithms(text: &str) -> Result<Vec<Algorithm>, PemFault> {
        read(text.as_bytes()).map(|keys| keys.iter().map(|key| key.algorithm).collect())
    }

    #[test]
    fn the_kind_of_a_key_says_its_algorithms() {
        for (of, expected) in [
            (&PKCS_ED25519, &[Algorithm::EdDsa][..]),
            (&PKCS_ECDSA_P256_SHA256, &[Algorithm::Es256]),
            (&PKCS_RSA_SHA256, &[Algorithm::Rs256, Algorithm::Ps256]),
        ] {
            let text = pair(of).public_key_pem();
            assert_eq!(algorithms(&text).as_deref(), Ok(expected), "{of:?}");
            assert_eq!(algorithms(&text.replace('\n', "\r\n")).as_deref(), Ok(expected), "{of:?}");
            assert_eq!(algorithms(&format!("a comment\n{text}")).as_deref(), Ok(expected), "{of:?}");
        }
    }

    #[test]
    fn what_is_no_public_key_is_named_for_what_it_is() {
        let key = pair(&PKCS_ECDSA_P256_SHA256);
        let (public, private) = (key.public_key_pem(), key.serialize_pem());
        let certificate =
            rcgen::CertificateParams::new(vec!["a".to_owned()]).expect("names").self_signed(&key).expect("one");
        for (text, fault) in [
            (private.clone(), PemFault::PrivateKey),
            (format!("{public}{private}"), PemFault::PrivateKey),
            (pem("ENCRYPTED PRIVATE KEY", b"x"), PemFault::PrivateKey),
            (pem("RSA PRIVATE KEY", b"x"), PemFault::PrivateKey),
            (pem("EC PRIVATE KEY", b"x"), PemFault::PrivateKey),
            (pem("OPENSSH PRIVATE KEY", b"x"), PemFault::PrivateKey),
            (certificate.pem(), PemFault::Certificate),
            (pem("RSA PUBLIC KEY", b"x"), PemFault::Pkcs1),
            (format!("{public}{public}"), PemFault::Several),
            (String::new(), PemFault::NotPem),
            (public.replace("END", "DNE"), PemFault::NotPem),
            (public.replace("PUBLIC", "PUBIC"), PemFault::NotPem),
            (data_encoding::BASE64.encode(&key.subject_public_key_info()), PemFault::NotPem),
            (pem("PUBLIC KEY", &[7; 32]), PemFault::Key(BadPublicKey::Kind)),
            (pem("PUBLIC KEY", b""), PemFault::Key(BadPublicKey::Kind)),
            (pem("PUBLIC KEY", &[0x30; 91]), PemFault::Key(BadPublicKey::Kind)),
            (pair(&PKCS_ECDSA_P384_SHA384).public_key_pem(), PemFault::Key(BadPublicKey::Kind)),
        ] {
            assert_eq!(algorithms(&text), Err(fault), "{text}");
        }
        let shown = algorithms(&private).expect_err("a private key").to_string();
        assert!(shown.contains("openssl pkey") && !shown.contains("MIG"), "{shown}");
    }
}
