//! Rows about algorithms, keys and signatures: each issuer with each algorithm and each key, and signatures that are nearly right.

use super::keys::{KEYS, PublicKey, Signer, base64url};
use super::row::{Expected, Object, Rows, token, token_of};
use super::world::{Known, World, secret};
use std::ops::Range;

/// Every name of an algorithm that a header may have, and some that none may.
const NAMES: [&str; 7] = ["HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA"];

pub(crate) fn add(rows: &mut Rows, world: &World) {
    right(rows, world);
    none(rows, world);
    crossed(rows, world);
    public_keys_as_secrets(rows, world);
    issuers_swapped(rows, world);
    for name in ["secret", "rsa", "ec", "ed", "mixed", "twin"] {
        for signer in &world.known(name).signers {
            signatures(rows, world.known(name), signer);
        }
    }
}

/// Each signer of each issuer.
fn right(rows: &mut Rows, world: &World) {
    for known in &world.issuers {
        for (algorithm, kid, signer) in &known.signers {
            let claims = claims_for(rows, known);
            let what = format!("right: {} {algorithm} {kid:?}", known.config.name);
            rows.add(what, token(&Object::header(algorithm, *kid), &claims, signer), Expected::Accepted);
        }
    }
}

/// Claims under the names that an issuer has for them.
pub(crate) fn claims_for(rows: &Rows, known: &Known) -> Object {
    let names = &known.config.claims;
    rows.claims(known.iss()).without("sub").with(&names.user, &format!("\"{}\"", super::row::USER))
}

fn none(rows: &mut Rows, world: &World) {
    for known in &world.issuers {
        let claims = claims_for(rows, known);
        for name in ["none", "None", "nOnE", "NONE", "none ", "", "null", "NULL"] {
            let header = Object::header(name, None);
            for (what, signature) in [("x", vec![b'x']), ("zeros", vec![0; 64])] {
                let wrong = token(&header, &claims, &Signer::Bytes(signature));
                rows.add(format!("alg {name:?} with {what}: {}", known.config.name), wrong, Expected::Header);
            }
            let unsigned = token(&header, &claims, &Signer::Bytes(Vec::new()));
            rows.add(format!("alg {name:?} without a signature: {}", known.config.name), unsigned, Expected::Form);
        }
    }
}

/// Everything that signs, with the name of its algorithm.
fn all_signers(world: &World) -> Vec<(String, &'static str, Signer)> {
    let mut all = Vec::new();
    for known in &world.issuers {
        for (algorithm, kid, signer) in &known.signers {
            all.push((format!("the {algorithm} of {} {kid:?}", known.config.name), *algorithm, signer.clone()));
        }
    }
    for (name, signer) in [
        ("RS512", Signer::Rs512(&KEYS.rsa)),
        ("ES384", Signer::Ec(&KEYS.p384)),
        ("ES512", Signer::Ec(&KEYS.p521)),
        ("ES256K", Signer::Ec(&KEYS.k256)),
        ("HS256", Signer::Hs256(Vec::new())),
        ("HS256", Signer::Hs256(vec![0; 32])),
        ("HS256", Signer::Hs256(vec![0; 64])),
        ("HS256", Signer::Hs256(b"secret".to_vec())),
        ("HS256", Signer::Hs256(secret('l', 63))),
    ] {
        all.push((format!("a {name} of no issuer"), name, signer));
    }
    all
}

/// Every issuer, every algorithm in the header, everything that signs: right only where all three belong together.
fn crossed(rows: &mut Rows, world: &World) {
    let signers = all_signers(world);
    for known in &world.issuers {
        let claims = claims_for(rows, known);
        let able: Vec<&str> = known.signers.iter().map(|(algorithm, ..)| *algorithm).collect();
        for name in NAMES {
            let kid = known.signers.iter().find(|(algorithm, ..)| *algorithm == name).and_then(|(_, kid, _)| *kid);
            for (whose, made_with, signer) in &signers {
                let fits = |(algorithm, _, own): &(&str, Option<&str>, Signer)| {
                    *algorithm == name && *made_with == name && same(own, signer)
                };
                let expected = if known.config.name == "unloaded" && !name.starts_with("HS") {
                    Expected::Unavailable
                } else if known.signers.iter().any(fits) {
                    Expected::Accepted
                } else if able.contains(&name) {
                    Expected::Signature
                } else {
                    Expected::Algorithm
                };
                let what = format!("crossed: {} {name} by {whose}", known.config.name);
                rows.add(what, token(&Object::header(name, kid), &claims, signer), expected);
            }
        }
    }
}

fn same(one: &Signer, other: &Signer) -> bool {
    match (one, other) {
        (Signer::Hs256(one), Signer::Hs256(other))
        | (Signer::Hs384(one), Signer::Hs384(other))
        | (Signer::Hs512(one), Signer::Hs512(other)) => one == other,
        (Signer::Rs256(one), Signer::Rs256(other)) | (Signer::Ps256(one), Signer::Ps256(other)) => {
            std::ptr::eq(*one, *other)
        }
        (Signer::Ec(one), Signer::Ec(other)) => std::ptr::eq(*one, *other),
        (Signer::Ed(one), Signer::Ed(other)) => std::ptr::eq(*one, *other),
        _ => false,
    }
}

/// The well-known swap: what everybody can read becomes the secret.
fn public_keys_as_secrets(rows: &mut Rows, world: &World) {
    let keys = &*KEYS;
    for (name, kind, key, members) in [
        ("rsa", "RSA", PublicKey::rsa(&keys.rsa), PublicKey::rsa(&keys.rsa).rsa_members()),
        ("ec", "EC", PublicKey::ec(&keys.ec), PublicKey::ec(&keys.ec).ec_members("P-256")),
        ("ed", "Ed25519", PublicKey::ed(&keys.ed), PublicKey::ed(&keys.ed).ed_members()),
    ] {
        let pem = key.pem();
        let secrets = [
            ("PEM", pem.clone().into_bytes()),
            ("PEM without its line end", pem.trim_end().as_bytes().to_vec()),
            ("PEM with other line ends", pem.replace('\n', "\r\n").into_bytes()),
            ("DER", key.spki.clone()),
            ("raw", key.raw.clone()),
            ("raw, by letters", base64url(&key.raw).into_bytes()),
            ("DER, by letters", base64url(&key.spki).into_bytes()),
            ("JSON", format!("{{{members}}}").into_bytes()),
        ];
        for (form, secret) in secrets {
            let signers = [
                ("HS256", Signer::Hs256(secret.clone())),
                ("HS384", Signer::Hs384(secret.clone())),
                ("HS512", Signer::Hs512(secret)),
            ];
            for (algorithm, signer) in signers {
                for issuer in [name, "mixed", "set"] {
                    let known = world.known(issuer);
                    let is_able = known.signers.iter().any(|(own, ..)| *own == algorithm);
                    let expected = if is_able { Expected::Signature } else { Expected::Algorithm };
                    let wrong = token(&Object::header(algorithm, None), &claims_for(rows, known), &signer);
                    rows.add(format!("swap: {kind} as {form} for {algorithm} of {issuer}"), wrong, expected);
                }
            }
        }
    }
}

/// A right token of one issuer that names another one.
fn issuers_swapped(rows: &mut Rows, world: &World) {
    for from in &world.issuers {
        for to in &world.issuers {
            for (algorithm, kid, signer) in &from.signers {
                if to.signers.iter().any(|(name, _, own)| name == algorithm && same(own, signer)) {
                    continue;
                }
                let able = to.signers.iter().any(|(name, ..)| name == algorithm);
                let knows = |kid: &str| to.signers.iter().any(|(_, own, _)| *own == Some(kid));
                let fetched = matches!(&*to.config.name, "twin" | "nameless");
                let nameless = to.signers.iter().any(|(name, own, _)| name == algorithm && own.is_none());
                let possible = able || (to.config.key_set_url.is_some() && !algorithm.starts_with("HS"));
                let expected = match kid {
                    _ if !possible => Expected::Algorithm,
                    _ if to.config.name == "unloaded" => Expected::Unavailable,
                    Some(kid) if !knows(kid) && (fetched || !nameless) => Expected::UnknownKey,
                    // With keys of this algorithm under other ids.
                    Some(kid)
                        if !to
                            .signers
                            .iter()
                            .any(|(name, own, _)| name == algorithm && (own.is_none() || *own == Some(*kid))) =>
                    {
                        Expected::Algorithm
                    }
                    None if !able => Expected::Algorithm,
                    _ => Expected::Signature,
                };
                let wrong = token(&Object::header(algorithm, *kid), &claims_for(rows, to), signer);
                let what = format!("swapped: {algorithm} of {} as one of {}", from.config.name, to.config.name);
                rows.add(what, wrong, expected);
            }
        }
    }
}

/// Signatures that are nearly right: every byte, every length, and what some verifiers took for right.
fn signatures(rows: &mut Rows, known: &Known, (algorithm, kid, signer): &(&'static str, Option<&'static str>, Signer)) {
    let (header, claims) = (Object::header(algorithm, *kid).json(), claims_for(rows, known).json());
    let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
    let right = signer.sign(signed.as_bytes());
    let name = format!("{algorithm} of {}", known.config.name);
    let mut add = |what: String, signature: &[u8]| {
        // Without a signature it is no token at all.
        let expected = if signature.is_empty() { Expected::Form } else { Expected::Signature };
        rows.add(format!("signature: {name}: {what}"), format!("{signed}.{}", base64url(signature)), expected);
    };
    for place in 0..right.len() {
        let mut changed = right.clone();
        changed[place] ^= 1 << (place % 8);
        add(format!("byte {place}"), &changed);
    }
    for length in [0, 1, 2, right.len() / 2, right.len() - 2, right.len() - 1] {
        add(format!("the first {length} bytes"), &right[..length]);
    }
    let swapped = |range: Range<usize>| [&right[range.clone()], &right[..range.start], &right[range.end..]].concat();
    for (what, signature) in [
        ("a zero after it", [&right[..], &[0]].concat()),
        ("a zero before it", [&[0], &right[..]].concat()),
        ("twice", [&right[..], &right[..]].concat()),
        ("without its first byte", right[1..].to_vec()),
        ("zeros", vec![0; right.len()]),
        ("ones", vec![0xff; right.len()]),
        ("one", [vec![0; right.len() - 1], vec![1]].concat()),
        ("halves swapped", swapped(right.len() / 2..right.len())),
        ("in DER", der(&right)),
        ("by letters once more", base64url(&right).into_bytes()),
        ("of other claims", signer.sign(format!("{signed}x").as_bytes())),
        ("of the payload alone", signer.sign(claims.as_bytes())),
        ("of what is within", signer.sign(format!("{header}.{claims}").as_bytes())),
    ] {
        add(what.to_owned(), &signature);
    }
    if *algorithm == "EdDSA" {
        add("not reduced".to_owned(), &not_reduced(&right));
    }
    // The same signature for a payload in which one letter differs.
    let other = claims.replace("ursula", "ursulb");
    let moved = format!("{}.{}.{}", base64url(header.as_bytes()), base64url(other.as_bytes()), base64url(&right));
    rows.add(format!("signature: {name}: of another user"), moved, Expected::Signature);
    let spaced = token_of(format!("{header} "), &claims, &Signer::Bytes(right));
    rows.add(format!("signature: {name}: with a space in the header"), spaced, Expected::Signature);
}

/// A signature of two numbers as X9.62 writes it: right for TLS, wrong here (RFC 7518 section 3.4).
fn der(signature: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| [&[0x02, bytes.len() as u8 + 1, 0][..], bytes].concat();
    let (r, s) = signature.split_at(signature.len() / 2);
    let both = [number(r), number(s)].concat();
    [&[0x30, both.len() as u8][..], &both].concat()
}

/// The second number of an Ed25519 signature with the order of the group added: the same for a verifier that reduces it,
/// which RFC 8032 section 5.1.7 forbids.
fn not_reduced(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut changed = signature.to_vec();
    let mut carry = 0;
    for (byte, more) in changed[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    changed
}
