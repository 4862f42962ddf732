//! Key sets: what is taken of one is what another library can use as well, and a set with a private key is never taken.
//!
//! Input: a key set.

use super::Target;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::Value;
use tidings::access::tokens::{KEY_SET_KEYS_MAX, KeySet, KeySetFault};

const ALL: &str = "every key is used";
const SOME: &str = "some keys are used";
const NONE: &str = "no key is used";
const EMPTY: &str = "there is no key";
const FORM: &str = "no key set";
const PRIVATE: &str = "a private key";

pub(crate) const TARGET: Target = Target {
    name: "jwks",
    check,
    outcomes: &[ALL, SOME, NONE, EMPTY, FORM, PRIVATE],
    words: &[
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        "null",
        "{}",
        "\"keys\":[]",
        "\"d\":\"AA\"",
        "\"k\":\"AA\"",
        "\"kid\":\"a\"",
        "\"use\":\"enc\"",
        "\"use\":\"sig\"",
        "\"alg\":\"RS256\"",
        "\"alg\":\"none\"",
        "\"key_ops\":[\"verify\"]",
        "\"kty\":\"oct\"",
        "\"kty\":\"RSA\"",
        "\"crv\":\"P-384\"",
        "AQAB",
        "=",
    ],
};

const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

fn check(data: &[u8]) -> &'static str {
    let read = KeySet::from_jwks(data);
    let value: Option<Value> = serde_json::from_slice(data).ok();
    let keys = value.as_ref().and_then(|value| value.get("keys")).and_then(Value::as_array);
    let set = match read {
        Ok(set) => set,
        Err(KeySetFault::Private(at)) => {
            let key = &keys.expect("a list of keys")[at - 1];
            assert!(PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some()), "{key}");
            return PRIVATE;
        }
        Err(fault) => {
            assert!(matches!(fault, KeySetFault::Form | KeySetFault::TooMany(_)), "{fault:?}");
            return FORM;
        }
    };
    let keys = keys.expect("what is taken for a key set has a list of keys");
    assert!(keys.len() <= KEY_SET_KEYS_MAX);
    assert_eq!(set.usable() + set.skipped(), keys.len());
    assert!(keys.iter().all(|key| PRIVATE_MEMBERS.iter().all(|member| key.get(member).is_none())));
    // Another library takes at least these: it neither asks for sizes nor looks at points.
    let theirs = keys.iter().filter(|key| {
        let jwk = serde_json::from_value::<Jwk>((*key).clone());
        jwk.is_ok_and(|jwk| DecodingKey::from_jwk(&jwk).is_ok())
    });
    assert!(set.usable() <= theirs.count(), "{set:?}");
    match (set.usable(), set.skipped()) {
        (0, 0) => EMPTY,
        (0, _) => NONE,
        (_, 0) => ALL,
        _ => SOME,
    }
}
