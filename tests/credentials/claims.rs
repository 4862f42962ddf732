//! Rows about claims: types, audiences, issuers, sizes, and what a token grants.

use super::algorithms::claims_for;
use super::row::{Expected, Object, Rows, USER, token};
use super::world::{AUDIENCE, Known, SECOND_AUDIENCE, World};

pub(crate) fn add(rows: &mut Rows, world: &World) {
    for name in ["secret", "ec", "other-names"] {
        types(rows, world.known(name));
        audiences(rows, world.known(name));
        users(rows, world.known(name));
        grants(rows, world.known(name));
    }
    issuers(rows, world);
    missing(rows, world);
    names(rows, world);
    // The largest tokens have no room for them under every header, so one issuer is enough.
    bounds(rows, world.known("secret"));
}

/// A token of an issuer with one claim changed.
fn with(rows: &Rows, known: &Known, claim: &str, value: &str) -> String {
    signed(known, &claims_for(rows, known).with(claim, value))
}

fn signed(known: &Known, claims: &Object) -> String {
    let (algorithm, kid, signer) = known.first();
    token(&Object::header(algorithm, kid), claims, &signer)
}

fn types(rows: &mut Rows, known: &Known) {
    let issuer = &known.config.name;
    let later = rows.now + 3600;
    let (quoted, listed) = (format!("\"{later}\""), format!("[{later}]"));
    for claim in ["exp", "nbf", "iat"] {
        for value in [
            &*quoted,
            &listed,
            "null",
            "true",
            "false",
            "\"\"",
            "\"never\"",
            "\"2099-01-01T00:00:00Z\"",
            "[]",
            "{}",
            "{\"seconds\":1}",
            "-1",
            "-0.5",
            "1e400",
            "1e15",
            "253402300800",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999999",
            &format!("{later}000"),
        ] {
            let wrong = with(rows, known, claim, value);
            rows.add(format!("type of {claim}: {value}: {issuer}"), wrong, Expected::Claim(claim.to_owned()));
        }
    }
    let right = [("exp", format!("{later}.75")), ("exp", format!("{}e0", later)), ("exp", "253402300799".to_owned())];
    let right = right.into_iter().chain([("nbf", "0".to_owned()), ("nbf", "1.5".to_owned()), ("iat", "0".to_owned())]);
    for (claim, value) in right {
        let token = with(rows, known, claim, &value);
        rows.add(format!("type of {claim}: {value}: {issuer}"), token, Expected::Accepted);
    }
}

fn audiences(rows: &mut Rows, known: &Known) {
    let issuer = &known.config.name;
    let list = |items: &[&str]| {
        let quoted: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
        format!("[{}]", quoted.join(","))
    };
    for (value, expected) in [
        (format!("\"{AUDIENCE}\""), Expected::Accepted),
        (format!("\"{SECOND_AUDIENCE}\""), Expected::Accepted),
        (list(&[AUDIENCE]), Expected::Accepted),
        (list(&["other", AUDIENCE]), Expected::Accepted),
        (list(&[AUDIENCE, SECOND_AUDIENCE, "other"]), Expected::Accepted),
        ("\"tidings\\u002eexample\"".to_owned(), Expected::Accepted),
        ("\"other\"".to_owned(), Expected::Audience),
        ("\"\"".to_owned(), Expected::Audience),
        ("\"*\"".to_owned(), Expected::Audience),
        (format!("\"{}\"", AUDIENCE.to_uppercase()), Expected::Audience),
        (format!("\"{AUDIENCE} \""), Expected::Audience),
        (format!("\" {AUDIENCE}\""), Expected::Audience),
        (format!("\"{AUDIENCE}\\u0000\""), Expected::Audience),
        (format!("\"{AUDIENCE}.\""), Expected::Audience),
        (format!("\"{AUDIENCE},other\""), Expected::Audience),
        (format!("\"{AUDIENCE} other\""), Expected::Audience),
        (format!("\"x{AUDIENCE}\""), Expected::Audience),
        (format!("\"{}\"", &AUDIENCE[1..]), Expected::Audience),
        (format!("\"{}\"", SECOND_AUDIENCE.trim_end_matches('/')), Expected::Audience),
        (format!("\"{}\"", known.iss()), Expected::Audience),
        ("[]".to_owned(), Expected::Audience),
        (list(&["other"]), Expected::Audience),
        (list(&["a", "b", "c"]), Expected::Audience),
        (format!("[[\"{AUDIENCE}\"]]"), Expected::Claim("aud".to_owned())),
        (format!("[\"{AUDIENCE}\",1]"), Expected::Claim("aud".to_owned())),
        (format!("[\"{AUDIENCE}\",null]"), Expected::Claim("aud".to_owned())),
        (format!("{{\"0\":\"{AUDIENCE}\"}}"), Expected::Claim("aud".to_owned())),
        (format!("{{\"{AUDIENCE}\":true}}"), Expected::Claim("aud".to_owned())),
        ("1".to_owned(), Expected::Claim("aud".to_owned())),
        ("null".to_owned(), Expected::Claim("aud".to_owned())),
        ("true".to_owned(), Expected::Claim("aud".to_owned())),
        ("{}".to_owned(), Expected::Claim("aud".to_owned())),
    ] {
        let token = with(rows, known, "aud", &value);
        rows.add(format!("audience {value}: {issuer}"), token, expected);
    }
    // What else is wrong is not said of a token for another service.
    let expired = claims_for(rows, known).with("aud", "\"other\"").with("exp", "1");
    rows.add(format!("audience: another, and expired: {issuer}"), signed(known, &expired), Expected::Audience);
}

fn issuers(rows: &mut Rows, world: &World) {
    for name in ["secret", "ec", "twin"] {
        let known = world.known(name);
        let iss = known.iss();
        let list = format!("[\"{iss}\"]");
        for value in [
            "null",
            "1",
            "true",
            "{}",
            "[]",
            &list,
            "\"\"",
            "\"*\"",
            "\"https://nobody.example\"",
            &format!("\"{iss}/\""),
            &format!("\"{iss} \""),
            &format!("\"{iss}\\u0000\""),
            &format!("\"{}\"", iss.to_uppercase()),
            &format!("\"{}\"", iss.replace("https", "http")),
            &format!("\"{}\"", &iss[..iss.len() - 1]),
        ] {
            let wrong = with(rows, known, "iss", value);
            rows.add(format!("issuer {value}: {name}"), wrong, Expected::UnknownIssuer);
        }
        let escaped = with(rows, known, "iss", &format!("\"{}\"", iss.replace(':', "\\u003a").replace('/', "\\/")));
        rows.add(format!("issuer by escapes: {name}"), escaped, Expected::Accepted);
        // In the header it means nothing (RFC 7519 section 5.3).
        let (algorithm, kid, signer) = known.first();
        let header = Object::header(algorithm, kid).with("iss", &format!("\"{iss}\""));
        let without = token(&header, &claims_for(rows, known).without("iss"), &signer);
        rows.add(format!("issuer in the header alone: {name}"), without, Expected::UnknownIssuer);
    }
}

fn missing(rows: &mut Rows, world: &World) {
    for known in world.issuers.iter().filter(|known| !known.signers.is_empty()) {
        let (issuer, names) = (&known.config.name, &known.config.claims);
        for claim in ["iss", "aud", "exp", &names.user, "iat"] {
            let expected = match claim {
                "iss" => Expected::UnknownIssuer,
                "exp" if !known.config.require_exp => Expected::Accepted,
                "iat" => Expected::Accepted,
                claim => Expected::Claim(claim.to_owned()),
            };
            let token = signed(known, &claims_for(rows, known).without(claim));
            rows.add(format!("without {claim}: {issuer}"), token, expected);
        }
    }
}

fn users(rows: &mut Rows, known: &Known) {
    let (issuer, user) = (&known.config.name, known.config.claims.user.clone());
    for claim in [&*user, "jti"] {
        let wrong = || Expected::Claim(claim.to_owned());
        for (value, expected) in [
            ("1".to_owned(), wrong()),
            ("null".to_owned(), wrong()),
            ("true".to_owned(), wrong()),
            ("[]".to_owned(), wrong()),
            (format!("[\"{USER}\"]"), wrong()),
            (format!("{{\"id\":\"{USER}\"}}"), wrong()),
            ("\"\"".to_owned(), wrong()),
            ("\"a\\nb\"".to_owned(), wrong()),
            ("\"\\u0000\"".to_owned(), wrong()),
            ("\"a\\u007f\"".to_owned(), wrong()),
            ("\"a\\u0085\"".to_owned(), wrong()),
            (format!("\"{}\"", "u".repeat(256)), wrong()),
            (format!("\"{}\"", "ü".repeat(128)), wrong()),
            (format!("\"{}\"", "u".repeat(255)), Expected::Accepted),
            (format!("\"{}x\"", "ü".repeat(127)), Expected::Accepted),
            ("\"u\"".to_owned(), Expected::Accepted),
            ("\" \"".to_owned(), Expected::Accepted),
            ("\"\\u00fc \\\" \\\\\"".to_owned(), Expected::Accepted),
        ] {
            let what = format!("{claim} is {} bytes of JSON, {:.20}: {issuer}", value.len(), value);
            let token = with(rows, known, claim, &value);
            rows.add(what, token, expected);
        }
    }
}

fn grants(rows: &mut Rows, known: &Known) {
    let (issuer, names) = (&known.config.name, known.config.claims.clone());
    let right = r#"{"channels":["chat:*"],"may":["read","write"]}"#;
    for value in [
        "[]".to_owned(),
        format!("[{right}]"),
        format!("[{right},{right}]"),
        r#"[{"channels":"**","may":"manage"}]"#.to_owned(),
        r#"[{"may":["presence","create"],"channels":["a","b/c","d.*"]}]"#.to_owned(),
    ] {
        let token = with(rows, known, &names.grants, &value);
        rows.add(format!("grants {value}: {issuer}"), token, Expected::Accepted);
    }
    for value in [
        "null",
        "true",
        "1",
        "{}",
        "\"**\"",
        right,
        "[null]",
        "[[]]",
        "[\"read\"]",
        r#"[{}]"#,
        r#"[{"channels":"a"}]"#,
        r#"[{"may":"read"}]"#,
        r#"[{"channel":"a","may":"read"}]"#,
        r#"[{"channels":"a","may":"read","not":["a"]}]"#,
        r#"[{"channels":[],"may":"read"}]"#,
        r#"[{"channels":[""],"may":"read"}]"#,
        r#"[{"channels":["a",1],"may":"read"}]"#,
        r#"[{"channels":null,"may":"read"}]"#,
        r#"[{"channels":{"a":1},"may":"read"}]"#,
        r#"[{"channels":"a?","may":"read"}]"#,
        r#"[{"channels":"a***","may":"read"}]"#,
        r#"[{"channels":"a\u0000","may":"read"}]"#,
        r#"[{"channels":"a","may":[]}]"#,
        r#"[{"channels":"a","may":""}]"#,
        r#"[{"channels":"a","may":"READ"}]"#,
        r#"[{"channels":"a","may":"read,write"}]"#,
        r#"[{"channels":"a","may":"admin"}]"#,
        r#"[{"channels":"a","may":"*"}]"#,
        r#"[{"channels":"a","may":["read",null]}]"#,
        r#"[{"channels":"a","may":{"read":true}}]"#,
        r#"[{"channels":"a","may":true}]"#,
    ] {
        let token = with(rows, known, &names.grants, value);
        rows.add(format!("grants {value}: {issuer}"), token, Expected::Claim(names.grants.clone()));
    }
    for (value, fits) in [
        ("[]", true),
        ("[\"a\",\"b:c\",\"ü/x\"]", true),
        ("[\"a\",\"a\"]", true),
        ("null", false),
        ("\"a\"", false),
        ("{}", false),
        ("[1]", false),
        ("[\"\"]", false),
        ("[\"a*\"]", false),
        ("[\"a\",\"..\"]", false),
        ("[\"a\\n\"]", false),
        ("[[\"a\"]]", false),
    ] {
        let expected = if fits { Expected::Accepted } else { Expected::Claim(names.subs.clone()) };
        let token = with(rows, known, &names.subs, value);
        rows.add(format!("subs {value}: {issuer}"), token, expected);
    }
    let twice = r#"[{"channels":"a","may":"read","may":"write"}]"#;
    let token = with(rows, known, &names.grants, twice);
    rows.add(format!("grants {twice}: {issuer}"), token, Expected::Payload);
    for value in ["null", "1", "\"text\"", "[1,{\"a\":[]}]", "{\"name\":\"U\",\"x\":1e3}"] {
        let token = with(rows, known, &names.info, value);
        rows.add(format!("info {value}: {issuer}"), token, Expected::Accepted);
    }
}

fn bounds(rows: &mut Rows, known: &Known) {
    let names = known.config.claims.clone();
    let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
    let grant = r#"{"channels":"a","may":"read"}"#;
    let patterns = |count| format!(r#"[{{"channels":{},"may":"read"}}]"#, list("\"a\"", count));
    for (claim, value, fits) in [
        (&names.info, format!("\"{}\"", "i".repeat(4096 - 2)), true),
        (&names.info, format!("\"{}\"", "i".repeat(4096 - 1)), false),
        (&names.grants, list(grant, 64), true),
        (&names.grants, list(grant, 65), false),
        (&names.grants, patterns(64), true),
        (&names.grants, patterns(65), false),
        (&names.grants, format!(r#"[{{"channels":"{}","may":"read"}}]"#, "g".repeat(255)), true),
        (&names.grants, format!(r#"[{{"channels":"{}","may":"read"}}]"#, "g".repeat(256)), false),
        (&names.subs, list("\"a\"", 100), true),
        (&names.subs, list("\"a\"", 101), false),
        (&names.subs, format!("[\"{}\"]", "s".repeat(255)), true),
        (&names.subs, format!("[\"{}\"]", "s".repeat(256)), false),
    ] {
        let expected = if fits { Expected::Accepted } else { Expected::Claim(claim.clone()) };
        let token = with(rows, known, claim, &value);
        rows.add(format!("bounds of {claim}: {} bytes", value.len()), token, expected);
    }
}

/// Where claims have other names, those of the defaults say nothing.
fn names(rows: &mut Rows, world: &World) {
    let known = world.known("other-names");
    let names = &known.config.claims;
    let claims = claims_for(rows, known);
    for (what, claims, expected) in [
        ("sub alone", claims.clone().without(&names.user).with("sub", "\"eve\""), Expected::Claim(names.user.clone())),
        ("sub beside it, of any type", claims.clone().with("sub", "1"), Expected::Accepted),
        ("grants of any type", claims.clone().with("grants", "1").with("subs", "1"), Expected::Accepted),
        (
            "a name as a path",
            claims.without(&names.user).with("https://tidings", "{\"example/user\":\"eve\"}"),
            Expected::Claim(names.user.clone()),
        ),
    ] {
        rows.add(format!("names: {what}"), signed(known, &claims), expected);
    }
    let secret = world.known("secret");
    let elsewhere = claims_for(rows, secret).with(&known.config.claims.grants, "1");
    rows.add("names: a claim of another issuer", signed(secret, &elsewhere), Expected::Accepted);
}
