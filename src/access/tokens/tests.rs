//! Tests of issuers: the keys of their configuration, key sets that come later, and what a verified token says. Which tokens
//! are accepted and refused is a table, `tests/credentials`.

use super::{ClaimFault, Issuers, KeyFault, KeySet, KeySetFault, PemFault, TokenRefused};
use crate::access::{AccessPolicy, AccessRules, ChannelRules, Identity, Presented, Way, Who};
use crate::config::IssuerConfig;
use crate::model::algorithm::Algorithm;
use crate::model::grants::Action;
use crate::model::name::ChannelName;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::model::signing_secret::SigningSecret;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use std::path::Path;
use std::sync::Arc;

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const CLAIMS: &str = r#"{"iss":"https://a.example","aud":"me","sub":"ann","exp":1800000100,"iat":1799999999,"jti":"t1",
    "info":{"name" : "Ann"},"grants":[{"channels":"chat:*","may":"read"}],"subs":["chat:1"]}"#;

fn config() -> IssuerConfig {
    IssuerConfig::new("a", "https://a.example", "me")
}

fn with_secret() -> IssuerConfig {
    IssuerConfig { secrets: vec![SigningSecret::parse(SECRET).expect("a secret")], ..config() }
}

fn issuers(config: &IssuerConfig) -> Issuers {
    Issuers::new(std::slice::from_ref(config), &mut |_| Err("is not there".to_owned())).expect("issuers")
}

/// What is wrong with an issuer whose files have these contents.
fn faults(config: &IssuerConfig, contents: &str) -> Vec<KeyFault> {
    let read = &mut |path: &Path| {
        if path == Path::new("gone") { Err("cannot be read".to_owned()) } else { Ok(contents.as_bytes().to_vec()) }
    };
    let faults = Issuers::new(std::slice::from_ref(config), read).err().unwrap_or_default();
    faults.into_iter().map(|fault| fault.fault).collect()
}

fn token(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encoded = |text: &[u8]| BASE64URL_NOPAD.encode(text);
    let signed = format!("{}.{}", encoded(header.as_bytes()), encoded(claims.as_bytes()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encoded(&signature))
}

fn by_secret(claims: &str) -> String {
    let sign = |signed: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed).as_ref().to_vec();
    token(r#"{"alg":"HS256"}"#, claims, sign)
}

/// A key on P-256 as an issuer has it.
struct Pair(EcdsaKeyPair);

impl Pair {
    fn new() -> Pair {
        Pair(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    /// In a key set, with other members before the coordinates.
    fn jwk(&self, more: &str) -> String {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let encoded = |bytes| BASE64URL_NOPAD.encode(bytes);
        format!(r#"{{{more}"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, encoded(x), encoded(y))
    }

    fn token(&self, kid: &str) -> String {
        let sign = |signed: &[u8]| self.0.sign(&SystemRandom::new(), signed).expect("a signature").as_ref().to_vec();
        token(&format!(r#"{{"alg":"ES256"{kid}}}"#), CLAIMS, sign)
    }
}

fn set(keys: &[String]) -> Result<KeySet, KeySetFault> {
    KeySet::from_jwks(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
}

#[test]
fn a_verified_token_says_who_its_bearer_is_and_what_it_may_do() {
    let issuers = issuers(&with_secret());
    let claims = issuers.verify(&by_secret(CLAIMS), NOW).expect("a right token");
    assert_eq!((claims.issuer, &*claims.user, claims.info.as_deref()), (0, "ann", Some("{\"name\" : \"Ann\"}")));
    assert_eq!(
        (claims.until, claims.issued_at, claims.token_id.as_deref()),
        (Some(NOW + 110), Some(NOW - 1), Some("t1"))
    );
    assert_eq!(claims.subs, [ChannelName::new("chat:1").expect("a name")]);
    assert!(claims.grants.allow(Action::Read, &claims.subs[0]) && !claims.grants.include(Action::Write));
    let identity = Identity::from(claims);
    let facts = identity.token.as_deref().expect("it came by a token");
    assert_eq!((&identity.who, identity.until), (&Who::User("ann".into()), Some(NOW + 110)));
    assert_eq!((facts.id.as_deref(), facts.issued_at, facts.subs.len()), (Some("t1"), Some(NOW - 1), 1));
    let bare = by_secret(r#"{"iss":"https://a.example","aud":["x","me"],"sub":"ann","exp":1800000100}"#);
    let claims = issuers.verify(&bare, NOW).expect("a right token");
    assert_eq!((claims.info, claims.issued_at, claims.token_id, claims.subs), (None, None, None, Vec::new()));
    assert!(Action::ALL.into_iter().all(|action| !claims.grants.include(action)));
    assert_eq!(issuers.verify(&bare, NOW + 110), Err(TokenRefused::Expired));
}

#[test]
fn a_refusal_has_a_code_and_says_what_is_expected() {
    let issuers = issuers(&with_secret());
    for (claims, code, said) in [
        (CLAIMS.replace("\"me\"", "\"you\""), "token_invalid", "\"me\""),
        (CLAIMS.replace("1800000100", "1700000000"), "token_expired", "exp"),
        (CLAIMS.replace("1800000100", "\"1800000100\""), "token_invalid", "number of seconds"),
        (CLAIMS.replace("\"sub\"", "\"user\""), "token_invalid", "\"sub\""),
        (CLAIMS.replace("a.example", "b.example"), "token_invalid", "[[issuer]]"),
        (CLAIMS.replace("chat:*", "chat:***"), "token_invalid", "number 1"),
    ] {
        let refusal = Refusal::from(issuers.verify(&by_secret(&claims), NOW).expect_err("a wrong token"));
        assert_eq!((refusal.status(), refusal.label()), (401, code), "{claims}");
        assert!(refusal.message.contains(said), "{}", refusal.message);
    }
    let unknown = Refusal::from(TokenRefused::KeysUnavailable { issuer: 0 });
    assert_eq!((unknown.status(), unknown.label()), (503, "keys_unavailable"));
}

#[test]
fn keys_that_are_fetched_replace_those_before_them_whole() {
    let issuers = issuers(&IssuerConfig { key_set_url: Some("https://a.example/keys".to_owned()), ..config() });
    let (first, second) = (Pair::new(), Pair::new());
    let (of_first, of_second) = (first.token(r#","kid":"1""#), second.token(r#","kid":"2""#));
    assert_eq!(issuers.verify(&of_first, NOW), Err(TokenRefused::KeysUnavailable { issuer: 0 }));
    issuers.set_keys(0, set(&[first.jwk(r#""kid":"1","#)]).expect("a set"));
    assert!(issuers.verify(&of_first, NOW).is_ok());
    assert_eq!(issuers.verify(&of_second, NOW), Err(TokenRefused::UnknownKey { issuer: 0 }));
    issuers.set_keys(0, set(&[second.jwk(r#""kid":"2","#)]).expect("a set"));
    assert!(issuers.verify(&of_second, NOW).is_ok());
    assert_eq!(issuers.verify(&of_first, NOW), Err(TokenRefused::UnknownKey { issuer: 0 }));
    // An issuer that publishes none any more has none.
    issuers.set_keys(0, set(&[]).expect("a set"));
    assert_eq!(issuers.verify(&of_second, NOW), Err(TokenRefused::UnknownKey { issuer: 0 }));
    issuers.set_keys(1, set(&[first.jwk("")]).expect("a set"));
}

#[test]
fn a_token_that_was_verified_is_not_remembered_when_its_key_is_withdrawn() {
    let issuers =
        Arc::new(issuers(&IssuerConfig { key_set_url: Some("https://a.example/keys".to_owned()), ..config() }));
    let channels = ChannelRules::new(&[], false, "");
    let rules = AccessRules { issuers: Arc::clone(&issuers), channels, ..AccessRules::default() };
    let policy = AccessPolicy { rules: Arc::new(rules), ..AccessPolicy::default() };
    let pair = Pair::new();
    let token = pair.token("");
    let identify = || {
        let presented = Presented { secret: &token, way: Way::Authorization };
        policy.identify_here(presented, PeerAddress::UNIX, NOW).map_err(|refusal| refusal.label())
    };
    issuers.set_keys(0, set(&[pair.jwk("")]).expect("a set"));
    let first = identify().expect("a right token");
    assert!(Arc::ptr_eq(&first, &identify().expect("a right token")), "it is remembered");
    issuers.set_keys(0, set(&[Pair::new().jwk("")]).expect("a set"));
    assert_eq!(identify(), Err("token_invalid"));
}

#[test]
fn a_wrong_signature_by_a_secret_asks_for_no_key_set() {
    let url = Some("https://a.example/keys".to_owned());
    let issuers = issuers(&IssuerConfig { key_set_url: url, ..with_secret() });
    for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","kid":"new"}"#] {
        let wrong = token(header, CLAIMS, |_| vec![1; 32]);
        assert_eq!(issuers.verify(&wrong, NOW), Err(TokenRefused::Signature), "before the set is loaded: {header}");
        issuers.set_keys(0, set(&[]).expect("a set"));
        assert_eq!(issuers.verify(&wrong, NOW), Err(TokenRefused::Signature), "{header}");
    }
}

#[test]
fn a_changed_configuration_keeps_the_keys_of_an_address_that_stays() {
    let at = |url: &str| issuers(&IssuerConfig { key_set_url: Some(url.to_owned()), ..config() });
    let (pair, before) = (Pair::new(), at("https://a.example/keys"));
    before.set_keys(0, set(&[pair.jwk("")]).expect("a set"));
    let (same, other) = (at("https://a.example/keys"), at("https://a.example/other"));
    same.keep_keys_of(&before);
    other.keep_keys_of(&before);
    assert!(same.verify(&pair.token(""), NOW).is_ok());
    assert_eq!(other.verify(&pair.token(""), NOW), Err(TokenRefused::KeysUnavailable { issuer: 0 }));
}

#[test]
fn a_token_is_tried_with_eight_keys_at_most_and_first_with_those_it_names() {
    let issuers = issuers(&IssuerConfig { key_set_url: Some("https://a.example/keys".to_owned()), ..config() });
    let pairs: Vec<Pair> = (0..9).map(|_| Pair::new()).collect();
    let nameless = |pairs: &[Pair]| pairs.iter().map(|pair| pair.jwk("")).collect::<Vec<_>>();
    issuers.set_keys(0, set(&nameless(&pairs)).expect("a set"));
    assert!(issuers.verify(&pairs[7].token(""), NOW).is_ok());
    assert_eq!(issuers.verify(&pairs[8].token(""), NOW), Err(TokenRefused::Signature));
    let mut keys = nameless(&pairs[..8]);
    keys.push(pairs[8].jwk(r#""kid":"9","#));
    issuers.set_keys(0, set(&keys).expect("a set"));
    assert!(issuers.verify(&pairs[8].token(r#","kid":"9""#), NOW).is_ok());
    // Two keys of one id are both tried.
    issuers.set_keys(0, set(&[pairs[0].jwk(r#""kid":"1","#), pairs[1].jwk(r#""kid":"1","#)]).expect("a set"));
    assert!(pairs[..2].iter().all(|pair| issuers.verify(&pair.token(r#","kid":"1""#), NOW).is_ok()));
}

#[test]
fn ten_thousand_ids_that_nobody_has_are_each_unknown_and_nothing_is_kept_of_them() {
    let issuers = issuers(&IssuerConfig { key_set_url: Some("https://a.example/keys".to_owned()), ..config() });
    let pair = Pair::new();
    let keys: Vec<String> = (0..100).map(|id| pair.jwk(&format!(r#""kid":"{id}","#))).collect();
    issuers.set_keys(0, set(&keys).expect("a set"));
    for id in 0..10_000 {
        let wrong = token(&format!(r#"{{"alg":"ES256","kid":"x{id}"}}"#), CLAIMS, |_| vec![1; 64]);
        assert_eq!(issuers.verify(&wrong, NOW), Err(TokenRefused::UnknownKey { issuer: 0 }));
    }
    assert!(issuers.verify(&pair.token(r#","kid":"99""#), NOW).is_ok());
}

#[test]
fn the_keys_of_a_configuration_have_to_be_of_use() {
    let pair = Pair::new();
    let file = |files: fn(&mut IssuerConfig)| {
        let mut config = config();
        files(&mut config);
        config
    };
    let public = |path: &'static str| file_of(config(), path);
    let jwks = file(|config| config.key_set_files.push("a".into()));
    assert_eq!(faults(&public("gone"), ""), [KeyFault::Unreadable("cannot be read".to_owned())]);
    assert_eq!(faults(&public("a"), "x"), [KeyFault::Pem(PemFault::NotPem)]);
    assert_eq!(faults(&jwks, "x"), [KeyFault::KeySet(KeySetFault::Form)]);
    let set = |keys: &str| format!(r#"{{"keys":[{keys}]}}"#);
    assert_eq!(faults(&jwks, &set(&pair.jwk(""))), []);
    let all = Algorithm::ALL.into_iter().collect();
    assert_eq!(faults(&jwks, &set("")), [KeyFault::Useless { skipped: 0, allowed: all }]);
    assert_eq!(faults(&jwks, &set(r#"{"kty":"EC"}"#)), [KeyFault::Useless { skipped: 1, allowed: all }]);
    let secret = file(|config| config.secret_files.push("a".into()));
    assert!(matches!(faults(&secret, "short")[..], [KeyFault::Secret(_)]));
    let text = std::str::from_utf8(SECRET).expect("ASCII");
    assert_eq!(faults(&secret, text), []);
    let asks = |algorithms: &[Algorithm]| IssuerConfig { algorithms: algorithms.to_vec(), ..secret.clone() };
    assert_eq!(faults(&asks(&[Algorithm::Hs256]), text), []);
    let useless = KeyFault::Useless { skipped: 0, allowed: [Algorithm::Hs512].into_iter().collect() };
    assert_eq!(faults(&asks(&[Algorithm::Hs512]), text), [useless, KeyFault::NoKeyFor(Algorithm::Hs512)]);
    let both = [Algorithm::Hs256, Algorithm::Hs512];
    assert_eq!(faults(&asks(&both), text), [KeyFault::NoKeyFor(Algorithm::Hs512)]);
    assert_eq!(faults(&asks(&both), &text.repeat(2)), []);
    // What a fault says names the file, and nothing of its contents.
    let config = file_of(config(), "a");
    let fault = Issuers::new(&[config], &mut |_| Ok(pair.jwk("").into_bytes())).expect_err("no PEM").remove(0);
    let said = fault.to_string();
    assert!(said.starts_with("[[issuer]] 1 (a): a: ") && !said.contains("kty"), "{said}");
}

fn file_of(config: IssuerConfig, path: &str) -> IssuerConfig {
    IssuerConfig { public_key_files: vec![path.into()], ..config }
}

#[test]
fn a_claim_that_is_at_fault_is_named_as_it_is_configured() {
    let mut config = with_secret();
    config.claims.user = "https://a.example/user".to_owned();
    let refused = issuers(&config).verify(&by_secret(CLAIMS), NOW);
    let expected = TokenRefused::Claim { name: "https://a.example/user".into(), fault: ClaimFault::Missing };
    assert_eq!(refused, Err(expected));
}
