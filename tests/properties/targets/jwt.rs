//! Tokens: what is accepted, another library accepts as well, and a plain reading by serde finds the same in it.
//!
//! Input: a header, a line end and a payload, which are signed with the secret of the issuer; or without a line end a token
//! as it is.

use super::Target;
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use std::sync::LazyLock;
use tidings::access::tokens::{Claims, Issuers, TOKEN_BYTES_MAX, TokenRefused};
use tidings::config::IssuerConfig;
use tidings::model::refusal::Refusal;
use tidings::model::signing_secret::SigningSecret;

const ACCEPTED: &str = "accepted";
const FORM: &str = "no token";
const JSON: &str = "no strict JSON";
const HEADER: &str = "a header that is refused";
const ISSUER: &str = "an unknown issuer";
const ALGORITHM: &str = "another algorithm";
const SIGNATURE: &str = "a wrong signature";
const CLAIM: &str = "a claim that is refused";
const AUDIENCE: &str = "another audience";
const TIME: &str = "another time";

pub(crate) const TARGET: Target = Target {
    name: "jwt",
    check,
    outcomes: &[ACCEPTED, FORM, JSON, HEADER, ISSUER, ALGORITHM, SIGNATURE, CLAIM, AUDIENCE, TIME],
    words: &[
        "\n",
        ".",
        "=",
        "\"",
        "{",
        "}",
        "[]",
        ",",
        "null",
        "1e9",
        "1800000000",
        "\\u0061",
        "\\ud800",
        "\"alg\":\"none\"",
        "\"alg\":\"HS256\"",
        "\"kid\":\"a\"",
        "\"crit\":[]",
        "\"iss\":\"issuer\"",
        "\"aud\":\"me\"",
        "\"aud\":\"you\"",
        "\"sub\":\"ann\"",
        "\"exp\":1800000001",
        "\"nbf\":1800000011",
        "\"grants\":[{\"channels\":\"a\",\"may\":\"read\"}]",
        "\"subs\":[\"a\"]",
        "\"info\":{}",
        "eyJhbGciOiJIUzI1NiJ9",
    ],
};

const NOW: u64 = 1_800_000_000;
const LEEWAY: u64 = 10;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

static ISSUERS: LazyLock<Issuers> = LazyLock::new(|| {
    let secret = SigningSecret::parse(SECRET).expect("a secret");
    let config = IssuerConfig { secrets: vec![secret], ..IssuerConfig::new("a", "issuer", "me") };
    Issuers::new(&[config], &mut |_| Err("there are none".to_owned())).expect("issuers")
});

fn check(data: &[u8]) -> &'static str {
    let token = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => signed(&data[..end], &data[end + 1..]),
        None => match std::str::from_utf8(data) {
            Ok(text) => text.to_owned(),
            Err(_) => return FORM,
        },
    };
    match ISSUERS.verify(&token, NOW) {
        Ok(claims) => {
            check_accepted(&token, &claims);
            ACCEPTED
        }
        Err(refused) => {
            let refusal = Refusal::from(refused.clone());
            assert!(matches!(refusal.label(), "token_invalid" | "token_expired"), "{refusal:?}");
            assert!(!refusal.message.is_empty() && refusal.message.len() < 400, "{refusal:?}");
            outcome(&refused)
        }
    }
}

fn signed(header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(payload));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

fn outcome(refused: &TokenRefused) -> &'static str {
    use tidings::access::tokens::HeaderFault;
    match refused {
        TokenRefused::Form(_) => FORM,
        TokenRefused::Payload(_) | TokenRefused::Header(HeaderFault::Object(_)) => JSON,
        TokenRefused::Header(_) => HEADER,
        TokenRefused::UnknownIssuer => ISSUER,
        TokenRefused::Algorithm { .. } => ALGORITHM,
        TokenRefused::Signature => SIGNATURE,
        TokenRefused::Claim { .. } => CLAIM,
        TokenRefused::Audience { .. } => AUDIENCE,
        TokenRefused::Expired | TokenRefused::NotYetValid { .. } => TIME,
        TokenRefused::KeysUnavailable { .. } | TokenRefused::UnknownKey { .. } => {
            panic!("there is no key set: {refused:?}")
        }
    }
}

fn check_accepted(token: &str, claims: &Claims) {
    assert!(token.len() <= TOKEN_BYTES_MAX);
    // There is one way to write it: what was decoded, signed and encoded again is the same text.
    let parts: Vec<Vec<u8>> =
        token.split('.').map(|part| BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url")).collect();
    assert_eq!(parts.len(), 3);
    assert_eq!(signed(&parts[0], &parts[1]), token);
    let payload: Value = serde_json::from_slice(&parts[1]).expect("JSON");
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&["issuer"]);
    validation.set_audience(&["me"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Its clock is this machine's; the second of this target is checked below.
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    let theirs = jsonwebtoken::decode::<Value>(token, &DecodingKey::from_secret(SECRET).expect("a key"), &validation);
    assert_eq!(theirs.expect("accepted by another library").claims, payload);
    let number = |name: &str| payload.get(name).map(|value| value.as_f64().expect("a number"));
    assert!(number("exp").expect("exp").floor() as u64 + LEEWAY > NOW);
    assert_eq!(claims.until, number("exp").map(|exp| exp as u64 + LEEWAY));
    for claim in ["nbf", "iat"] {
        assert!(number(claim).is_none_or(|time| time <= (NOW + LEEWAY) as f64), "{claim}");
    }
    assert_eq!(claims.issued_at, number("iat").map(|time| time as u64));
    assert_eq!(payload["sub"].as_str(), Some(&*claims.user));
    assert_eq!(payload.get("jti").map(|id| id.as_str().expect("a text")), claims.token_id.as_deref());
    let info = claims.info.as_deref().map(|json| serde_json::from_str::<Value>(json).expect("JSON"));
    assert_eq!(payload.get("info"), info.as_ref());
    let names = payload.get("subs").map_or(&[][..], |subs| subs.as_array().expect("a list").as_slice());
    assert!(claims.subs.len() <= names.len() && names.len() <= 100);
    assert!(names.iter().all(|name| claims.subs.iter().any(|own| name.as_str() == Some(&**own))));
}
