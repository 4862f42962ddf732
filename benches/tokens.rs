//! Verifying a token, by algorithm, refusing one, and finding out who presents it: what each connection with one costs.

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
use std::sync::Arc;
use tidings::access::tokens::Issuers;
use tidings::access::{AccessPolicy, AccessRules, ChannelRules, Keys, Presented, Way};
use tidings::config::{IssuerConfig, KeySecretFrom, KeySettings};
use tidings::model::api_key::{KeySecret, secret_of};
use tidings::model::peer_address::PeerAddress;
use tidings::model::signing_secret::SigningSecret;

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// Tokens of a crowd: more than the server remembers.
const CROWD: usize = 10_000;

/// The claims of a client of a chat: 259 bytes of a token with HS256.
fn claims(issuer: &str, user: usize) -> String {
    format!(
        r#"{{"iss":"{issuer}","aud":"tidings","sub":"user-{user:04}","iat":1799999990,"exp":1800003600,"grants":[{{"channels":["chat:*"],"may":["read","write"]}}]}}"#
    )
}

fn token(algorithm: &str, issuer: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    token_of(4711, algorithm, issuer, sign)
}

fn token_of(user: usize, algorithm: &str, issuer: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    let signed = format!(
        "{}.{}",
        BASE64URL_NOPAD.encode(header.as_bytes()),
        BASE64URL_NOPAD.encode(claims(issuer, user).as_bytes())
    );
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn by_secret(signed: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed).as_ref().to_vec()
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
    let hs256 = token("HS256", "hs", by_secret);
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

/// What a listener makes of whatever is presented: the operators' key, keys, tokens it remembers, and new ones.
fn identifying(c: &mut Criterion) {
    let secret = SigningSecret::parse(SECRET).expect("a secret");
    let config = IssuerConfig { secrets: vec![secret], ..IssuerConfig::new("hs", "hs", "tidings") };
    let issuers = Issuers::new(&[config], &mut |_| Err(String::new())).expect("issuers");
    let (secret, grants, networks) = (secret_of(&[7; 32]), Vec::new(), Vec::new());
    let hash = KeySecret::parse(&secret).expect("a secret").hash();
    let key = KeySettings { name: "app".into(), secret: KeySecretFrom::Hash(hash), grants, networks };
    let rules = AccessRules {
        channels: ChannelRules::new(&[], false, ""),
        issuers: Arc::new(issuers),
        keys: Keys::new(&[key]).expect("keys"),
        ..AccessRules::default()
    };
    let policy = AccessPolicy { rules: Arc::new(rules), ..AccessPolicy::default() };
    let tokens: Vec<String> = (0..CROWD).map(|user| token_of(user, "HS256", "hs", by_secret)).collect();
    let identify = |secret: &str| {
        let presented = Presented { secret, way: Way::Authorization };
        policy.identify(black_box(presented), PeerAddress::UNIX, NOW).expect("it counts")
    };
    let mut group = c.benchmark_group("identify");
    let mut next = 0;
    group.bench_function("HS256, each a new one", |b| {
        b.iter(|| {
            next = (next + 1) % CROWD;
            identify(&tokens[next])
        });
    });
    group.bench_function("HS256, presented before", |b| b.iter(|| identify(&tokens[0])));
    group.bench_function("key", |b| b.iter(|| identify(&secret)));
    group.finish();
}

criterion_group!(benches, verifying, identifying);
criterion_main!(benches);
