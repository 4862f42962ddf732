//! Verifying a token, by algorithm, and refusing one: what each connection that presents one costs.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use criterion::{Criterion, criterion_group, criterion_main};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use std::hint::black_box;
use std::path::PathBuf;
use tidings::access::tokens::Issuers;
use tidings::config::IssuerConfig;
use tidings::model::signing_secret::SigningSecret;

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// The claims of a client of a chat: 259 bytes of a token with HS256.
fn claims(issuer: &str) -> String {
    format!(
        r#"{{"iss":"{issuer}","aud":"tidings","sub":"user-4711","iat":1799999990,"exp":1800003600,"grants":[{{"channels":["chat:*"],"may":["read","write"]}}]}}"#
    )
}

fn token(algorithm: &str, issuer: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    let signed =
        format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims(issuer).as_bytes()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn pem(der: &[u8]) -> Vec<u8> {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der)).into_bytes()
}

fn verifying(c: &mut Criterion) {
    let random = SystemRandom::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let ed = Ed25519KeyPair::generate().expect("a key");
    let config = |name: &str| IssuerConfig::new(name, name, "tidings");
    let of_file = |name: &str| IssuerConfig { public_key_files: vec![name.into()], ..config(name) };
    let secret = SigningSecret::parse(SECRET).expect("a secret");
    let configs =
        [IssuerConfig { secrets: vec![secret], ..config("hs") }, of_file("rsa"), of_file("ec"), of_file("ed")];
    let files: Vec<(PathBuf, Vec<u8>)> = vec![
        ("rsa".into(), pem(rsa.public_key().as_der().expect("a key").as_ref())),
        ("ec".into(), pem(ec.public_key().as_der().expect("a key").as_ref())),
        ("ed".into(), pem(ed.public_key().as_der().expect("a key").as_ref())),
    ];
    let mut read = |path: &std::path::Path| {
        let file = files.iter().find(|(own, _)| own == path);
        file.map(|(_, contents)| contents.clone()).ok_or_else(String::new)
    };
    let issuers = Issuers::new(&configs, &mut read).expect("issuers");
    let by_rsa = |encoding, signed: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(encoding, &random, signed, &mut signature).expect("a signature");
        signature
    };
    let hs256 =
        token("HS256", "hs", |signed| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed).as_ref().to_vec());
    let changed = format!("{}{}", &hs256[..hs256.len() - 8], "AAAAAAAA");
    let right = [
        ("HS256", hs256),
        ("RS256", token("RS256", "rsa", |signed| by_rsa(&RSA_PKCS1_SHA256, signed))),
        ("PS256", token("PS256", "rsa", |signed| by_rsa(&RSA_PSS_SHA256, signed))),
        ("ES256", token("ES256", "ec", |signed| ec.sign(&random, signed).expect("a signature").as_ref().to_vec())),
        ("EdDSA", token("EdDSA", "ed", |signed| ed.sign(signed).as_ref().to_vec())),
    ];
    let mut group = c.benchmark_group("tokens");
    for (name, token) in &right {
        group.bench_function(*name, |b| b.iter(|| issuers.verify(black_box(token), NOW).expect("a right token")));
    }
    group.bench_function("HS256, a wrong signature", |b| {
        b.iter(|| issuers.verify(black_box(&changed), NOW).expect_err("a wrong token"));
    });
    group.bench_function("no token", |b| b.iter(|| issuers.verify(black_box("a.b.c"), NOW).expect_err("no token")));
    group.finish();
}

criterion_group!(benches, verifying);
criterion_main!(benches);
