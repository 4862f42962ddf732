//! Rows about headers: what they must not say, what they say without any effect, and the ids of keys.

use super::algorithms::claims_for;
use super::keys::{KEYS, PublicKey, Signer, base64url};
use super::row::{Expected, Object, Rows, token};
use super::world::{World, secret};

pub(crate) fn add(rows: &mut Rows, world: &World) {
    members(rows, world);
    own_keys(rows, world);
    key_ids(rows, world);
}

/// What a header must not say, or says without any effect.
fn members(rows: &mut Rows, world: &World) {
    for known in [world.known("secret"), world.known("ec")] {
        let (algorithm, kid, signer) = known.first();
        let claims = claims_for(rows, known);
        for (member, value) in [
            ("alg", "null"),
            ("alg", "1"),
            ("alg", "[\"HS256\"]"),
            ("alg", "{\"alg\":\"HS256\"}"),
            ("alg", "\"hs256\""),
            ("alg", "\"HS256\\u0000\""),
            ("alg", "\"ES256 \""),
            ("alg", "\"ES384\""),
            ("alg", "\"ES512\""),
            ("alg", "\"ES256K\""),
            ("alg", "\"RS384\""),
            ("alg", "\"RS512\""),
            ("alg", "\"PS512\""),
            ("alg", "\"Ed25519\""),
            ("alg", "\"dir\""),
            ("alg", "\"RSA-OAEP\""),
            ("alg", "\"HS1\""),
            ("kid", "1"),
            ("kid", "null"),
            ("kid", "[]"),
            ("kid", "{}"),
            ("kid", "true"),
            ("kid", "\"\""),
            ("typ", "1"),
            ("typ", "null"),
            ("typ", "\"\""),
            ("typ", "\"logout+jwt\""),
            ("typ", "\"dpop+jwt\""),
            ("typ", "\"secevent+jwt\""),
            ("cty", "1"),
            ("crit", "[\"exp\"]"),
            ("crit", "[\"b64\"]"),
            ("crit", "[]"),
            ("crit", "null"),
            ("crit", "\"exp\""),
            ("crit", "[\"http://example.com/unknown\"]"),
        ] {
            let header = Object::header(algorithm, kid).with(member, value);
            let what = format!("header: {member} is {value}: {}", known.config.name);
            rows.add(what, token(&header, &claims, &signer), Expected::Header);
        }
        let no_alg = Object::header(algorithm, kid).without("alg");
        rows.add(format!("header: no alg: {}", known.config.name), token(&no_alg, &claims, &signer), Expected::Header);
        for (member, value) in [
            ("typ", "\"at+jwt\""),
            ("typ", "\"jwt\""),
            ("typ", "\"application/at+jwt\""),
            ("x", "{\"a\":[1,2]}"),
            ("b64", "true"),
            ("zip", "\"DEF\""),
            ("enc", "\"A128GCM\""),
        ] {
            let header = Object::header(algorithm, kid).with(member, value);
            let what = format!("header: {member} is {value}: {}", known.config.name);
            rows.add(what, token(&header, &claims, &signer), Expected::Accepted);
        }
        let no_typ = Object::header(algorithm, kid).without("typ");
        rows.add(
            format!("header: no typ: {}", known.config.name),
            token(&no_typ, &claims, &signer),
            Expected::Accepted,
        );
    }
}

/// Keys that a token brings along, and addresses of some.
fn own_keys(rows: &mut Rows, world: &World) {
    let keys = &*KEYS;
    let attacker = PublicKey::ec(&keys.other_ec).ec_members("P-256");
    let known = world.known("ec");
    let claims = claims_for(rows, known);
    for (member, value) in [
        ("jwk", format!("{{{attacker}}}")),
        ("jku", "\"http://127.0.0.1:9/jwks.json\"".to_owned()),
        ("x5u", "\"http://127.0.0.1:9/cert.pem\"".to_owned()),
        ("x5c", format!("[\"{}\"]", base64url(&PublicKey::ec(&keys.other_ec).spki))),
        ("epk", format!("{{{attacker}}}")),
    ] {
        let header = Object::header("ES256", None).with(member, &value);
        let wrong = token(&header, &claims, &Signer::Ec(&keys.other_ec));
        rows.add(format!("header: brings its own key as {member}"), wrong, Expected::Signature);
        let right = token(&header, &claims, &Signer::Ec(&keys.ec));
        rows.add(format!("header: {member} is not looked at"), right, Expected::Accepted);
    }
}

/// Ids of keys: of this issuer, of others, and of none.
fn key_ids(rows: &mut Rows, world: &World) {
    let keys = &*KEYS;
    let (set, twin) = (world.known("set"), world.known("twin"));
    let ec = |key| Signer::Ec(key);
    for (what, known, kid, signer, expected) in [
        ("its own", set, Some("k1"), ec(&keys.ec), Expected::Accepted),
        ("its own", twin, Some("k1"), ec(&keys.other_ec), Expected::Accepted),
        ("the same id elsewhere", set, Some("k1"), ec(&keys.other_ec), Expected::Signature),
        ("the same id elsewhere", twin, Some("k1"), ec(&keys.ec), Expected::Signature),
        ("none named", set, None, ec(&keys.ec), Expected::Accepted),
        ("none named", twin, None, ec(&keys.other_ec), Expected::Accepted),
        ("none named, another's key", set, None, ec(&keys.other_ec), Expected::Signature),
        ("none named, another's key", twin, None, ec(&keys.ec), Expected::Signature),
        ("another key of the same set", set, Some("r"), ec(&keys.ec), Expected::Algorithm),
        ("another key of the same set", set, Some("d"), ec(&keys.ec), Expected::Algorithm),
        ("the id of a key that is of no use", set, Some("x"), ec(&keys.ec), Expected::UnknownKey),
        ("the id of a key that is of no use, by it", set, Some("x"), ec(&keys.p384), Expected::UnknownKey),
        ("in capitals", set, Some("K1"), ec(&keys.ec), Expected::UnknownKey),
        ("in capitals", twin, Some("K1"), ec(&keys.other_ec), Expected::UnknownKey),
        ("with a space", set, Some("k1 "), ec(&keys.ec), Expected::UnknownKey),
        ("with a zero", set, Some("k1\\u0000"), ec(&keys.ec), Expected::UnknownKey),
        ("by escapes", set, Some("\\u006b1"), ec(&keys.ec), Expected::Accepted),
        ("a path", set, Some("../../../../dev/null"), ec(&keys.ec), Expected::UnknownKey),
        ("a path", twin, Some("/dev/null"), ec(&keys.other_ec), Expected::UnknownKey),
        ("a query", twin, Some("' OR 1=1 --"), ec(&keys.other_ec), Expected::UnknownKey),
        ("an address", twin, Some("https://evil.example/jwks"), ec(&keys.other_ec), Expected::UnknownKey),
    ] {
        let wrong = token(&Object::header("ES256", kid), &claims_for(rows, known), &signer);
        rows.add(format!("kid: {what}: {}", known.config.name), wrong, expected);
    }
    // Keys without an id may be meant by any.
    for (name, kid, signer, expected) in [
        ("ec", "anything", ec(&keys.ec), Expected::Accepted),
        ("ec", "anything", ec(&keys.other_ec), Expected::Signature),
        ("nameless", "anything", ec(&keys.other_ec), Expected::Accepted),
        ("nameless", "anything", ec(&keys.k256), Expected::UnknownKey),
        ("unloaded", "anything", ec(&keys.ec), Expected::Unavailable),
        ("secret", "/dev/null", Signer::Hs256(Vec::new()), Expected::Signature),
        ("secret", "anything", Signer::Hs256(secret('l', 64)), Expected::Accepted),
    ] {
        let known = world.known(name);
        let algorithm = if name == "secret" { "HS256" } else { "ES256" };
        let row = token(&Object::header(algorithm, Some(kid)), &claims_for(rows, known), &signer);
        rows.add(format!("kid: {kid}: {name}"), row, expected);
    }
    for bytes in [255, 256] {
        let header = Object::header("ES256", Some(&"k".repeat(bytes)));
        let expected = if bytes > 255 { Expected::Header } else { Expected::UnknownKey };
        rows.add(
            format!("kid: {bytes} bytes"),
            token(&header, &claims_for(rows, twin), &Signer::Ec(&keys.other_ec)),
            expected,
        );
    }
    let many: Vec<String> = (0..1000).map(|number| format!("\"{number}\"")).collect();
    let header = Object::header("ES256", None).with("kid", &format!("[{}]", many.join(",")));
    rows.add(
        "kid: a thousand in a list",
        token(&header, &claims_for(rows, set), &Signer::Ec(&keys.ec)),
        Expected::Header,
    );
}
