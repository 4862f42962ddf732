//! Rows about the form of a token: parts, base64url, sizes, and JSON that two readers may read in two ways.

use super::keys::base64url;
use super::row::{Expected, Object, Rows, token, token_of};
use super::world::{Known, World};
use tidings::access::tokens::TOKEN_BYTES_MAX;

pub(crate) fn add(rows: &mut Rows, world: &World) {
    let known = world.known("secret");
    parts(rows, known);
    encodings(rows, known);
    sizes(rows, known);
    json(rows, known);
    nesting(rows, known);
}

fn right(rows: &Rows, known: &Known) -> String {
    let (algorithm, kid, signer) = known.first();
    token(&Object::header(algorithm, kid), &rows.claims(known.iss()), &signer)
}

fn parts(rows: &mut Rows, known: &Known) {
    let right = right(rows, known);
    let [header, payload, signature] = split(&right);
    for (what, wrong) in [
        ("nothing", String::new()),
        ("one dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("a word", "token".to_owned()),
        ("one part", header.clone()),
        ("two parts", format!("{header}.{payload}")),
        ("no header", format!(".{payload}.{signature}")),
        ("no payload", format!("{header}..{signature}")),
        ("no signature", format!("{header}.{payload}.")),
        ("a dot at the end", format!("{right}.")),
        ("a dot at the beginning", format!(".{right}")),
        ("four parts", format!("{right}.{signature}")),
        ("five parts, as an encrypted token has", format!("{right}.{payload}.{signature}")),
        ("a token twice", format!("{right}{right}")),
        ("a token twice, with a dot", format!("{right}.{right}")),
        ("other separators", right.replace('.', ",")),
        ("encoded dots", right.replace('.', "%2E")),
        ("a whole field", format!("Bearer {right}")),
        ("quotes", format!("\"{right}\"")),
        ("a JSON form", format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#)),
    ] {
        rows.add(format!("form: {what}"), wrong, Expected::Form);
    }
}

fn split(token: &str) -> [String; 3] {
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.try_into().expect("three parts")
}

/// The same bytes, written in other ways. Each part of the token in turn.
fn encodings(rows: &mut Rows, known: &Known) {
    // A payload and a header whose last characters have bits to spare, and a `-` or `_` somewhere.
    let (algorithm, kid, signer) = known.first();
    let header = Object::header(algorithm, kid).with("x", "\"???>>>\"");
    let claims = rows.claims(known.iss()).with("x", "\"???>>>~~~\"");
    let padded = |json: String| json.clone() + if json.len().is_multiple_of(3) { " " } else { "" };
    let right = token_of(padded(header.json()), padded(claims.json()), &signer);
    rows.add("encoding: as it should be", right.clone(), Expected::Accepted);
    let parts = split(&right);
    for (index, name) in ["header", "payload", "signature"].into_iter().enumerate() {
        let own = &parts[index];
        let middle = own.len() / 2;
        let inserted = |text: &str| format!("{}{text}{}", &own[..middle], &own[middle..]);
        let last = own.chars().last().expect("a character");
        let mut ways = vec![
            ("padding", own.clone() + &"=".repeat((4 - own.len() % 4) % 4)),
            ("one sign of padding", own.clone() + "="),
            ("padding alone", own.clone() + "===="),
            ("a space in it", inserted(" ")),
            ("a line end in it", inserted("\n")),
            ("a line end of two in it", inserted("\r\n")),
            ("a line end after it", own.clone() + "\n"),
            ("a space before it", format!(" {own}")),
            ("a tab after it", own.clone() + "\t"),
            ("a zero in it", inserted("\0")),
            ("a percent sign in it", inserted("%20")),
            ("a letter that is not ASCII", inserted("é")),
            ("a length that none has", own.clone() + &"A".repeat((5 - own.len() % 4) % 4)),
            ("bits that count for nothing", own[..own.len() - 1].to_owned() + &next_of(last).to_string()),
        ];
        if own.contains(['-', '_']) {
            ways.push(("the other alphabet", own.replace('-', "+").replace('_', "/")));
        }
        for (what, written) in ways {
            let mut changed = parts.clone();
            changed[index] = written;
            rows.add(format!("encoding of the {name}: {what}"), changed.join("."), Expected::Form);
        }
    }
}

/// The character after this one in the alphabet: it differs in the last bit.
fn next_of(last: char) -> char {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = ALPHABET.find(last).expect("a character of base64url");
    ALPHABET.as_bytes()[place ^ 1].into()
}

fn sizes(rows: &mut Rows, known: &Known) {
    let (algorithm, kid, signer) = known.first();
    let header = Object::header(algorithm, kid);
    let sized = |bytes: usize| {
        // Three bytes are four characters, so every size but those of one in four can be met.
        (bytes / 2..)
            .map(|more| {
                token(&header, &rows.claims(known.iss()).with("x", &format!("\"{}\"", "x".repeat(more))), &signer)
            })
            .find(|token| token.len() >= bytes)
            .expect("a token")
    };
    let largest = (TOKEN_BYTES_MAX - 3..=TOKEN_BYTES_MAX).rev().map(sized).find(|token| token.len() <= TOKEN_BYTES_MAX);
    let largest = largest.expect("a token");
    assert!(largest.len() > TOKEN_BYTES_MAX - 3, "{}", largest.len());
    let larger = sized(TOKEN_BYTES_MAX + 1);
    assert!(larger.len() <= TOKEN_BYTES_MAX + 2);
    rows.add("size: the largest token", largest, Expected::Accepted);
    rows.add("size: a larger token", larger, Expected::Form);
    for bytes in [16 * 1024, 1024 * 1024] {
        rows.add(format!("size: {bytes} letters"), "A".repeat(bytes), Expected::Form);
        rows.add(format!("size: {bytes} dots"), ".".repeat(bytes), Expected::Form);
    }
}

/// What is not one strict JSON object, in the header and in the payload, signed as it should be.
fn json(rows: &mut Rows, known: &Known) {
    let (algorithm, kid, signer) = known.first();
    let (header, payload) = (Object::header(algorithm, kid), rows.claims(known.iss()));
    let ways = |object: &Object, member: &str| -> Vec<(String, Vec<u8>)> {
        let json = object.json();
        let inner = &json[1..json.len() - 1];
        let mut ways: Vec<(&str, Vec<u8>)> = vec![
            ("bytes after it", format!("{json}x").into_bytes()),
            ("a second object after it", format!("{json}{json}").into_bytes()),
            ("a zero after it", format!("{json}\0").into_bytes()),
            ("a byte order mark before it", format!("\u{feff}{json}").into_bytes()),
            ("a comma at its end", format!("{{{inner},}}").into_bytes()),
            ("a comment", format!("{{/**/{inner}}}").into_bytes()),
            ("single quotes", json.replace('"', "'").into_bytes()),
            ("a list around it", format!("[{json}]").into_bytes()),
            ("the members as a list", format!("[{}]", inner.replace(':', ",")).into_bytes()),
            ("a text around it", format!("{:?}", json).into_bytes()),
            ("an object that does not end", json[..json.len() - 1].to_owned().into_bytes()),
            ("null", b"null".to_vec()),
            ("a number", b"1".to_vec()),
            ("UTF-16", json.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("a byte that is not UTF-8", [&json.as_bytes()[..json.len() - 1], b",\"x\":\"\xff\"}"].concat()),
            ("an encoded surrogate", [&json.as_bytes()[..json.len() - 1], b",\"x\":\"\xed\xa0\x80\"}"].concat()),
            ("an overlong slash", [&json.as_bytes()[..json.len() - 1], b",\"x\":\"\xc0\xaf\"}"].concat()),
            ("half a surrogate", object.clone().and("x", "\"\\ud800\"").json().into_bytes()),
            ("half a surrogate in a name", object.clone().and("\\udfff", "1").json().into_bytes()),
            ("a control character", object.clone().and("x", "\"\n\"").json().into_bytes()),
            ("no number", object.clone().and("x", "NaN").json().into_bytes()),
            ("a number with a zero before it", object.clone().and("x", "01").json().into_bytes()),
            ("a hexadecimal number", object.clone().and("x", "0x1").json().into_bytes()),
            ("an escape that does not exist", object.clone().and("x", "\"\\x41\"").json().into_bytes()),
            ("a member twice", object.clone().and(member, "1").json().into_bytes()),
            ("another member twice", object.clone().and("x", "1").and("x", "1").json().into_bytes()),
            ("a member twice, once by escapes", object.clone().and("x", "1").and("\\u0078", "1").json().into_bytes()),
            ("a member twice, within", object.clone().and("x", r#"{"a":1,"a":1}"#).json().into_bytes()),
            (
                "a member twice, in a list within",
                object.clone().and("x", r#"[[{"a":{"b":1,"b":2}}]]"#).json().into_bytes(),
            ),
        ];
        // Every member once more, as it is and at the other end.
        for (name, value) in [
            ("iss", "\"https://ec.example\""),
            ("sub", "\"eve\""),
            ("aud", "1"),
            ("exp", "9"),
            ("alg", "\"none\""),
            ("kid", "\"a\""),
        ] {
            if object.json().contains(&format!("\"{name}\":")) {
                ways.push(("one of its own twice", object.clone().and(name, value).json().into_bytes()));
                ways.push(("one of its own twice, before", format!("{{\"{name}\":{value},{inner}}}").into_bytes()));
            }
        }
        ways.into_iter().map(|(what, bytes)| (what.to_owned(), bytes)).collect()
    };
    for (what, bytes) in ways(&header, "alg") {
        rows.add(format!("JSON of the header: {what}"), token_of(bytes, payload.json(), &signer), Expected::Header);
    }
    for (what, bytes) in ways(&payload, "exp") {
        rows.add(format!("JSON of the payload: {what}"), token_of(header.json(), bytes, &signer), Expected::Payload);
    }
    for (what, json) in [
        ("white space", format!(" \n{}\t", payload.json().replace(':', " : "))),
        ("escapes in names", payload.json().replace("\"sub\"", "\"\\u0073ub\"")),
        ("names that differ in case", payload.clone().and("Exp", "1").and("ISS", "2").json()),
        ("the same names in two objects", payload.and("x", r#"[{"a":1},{"a":1}]"#).json()),
    ] {
        // Not within the issuer, which has a colon of its own.
        let json = json.replace("https : //", "https://");
        rows.add(format!("JSON of the payload: {what}"), token_of(header.json(), json, &signer), Expected::Accepted);
    }
}

fn nesting(rows: &mut Rows, known: &Known) {
    let (algorithm, kid, signer) = known.first();
    let (header, payload) = (Object::header(algorithm, kid), rows.claims(known.iss()));
    let inner = right(rows, known);
    rows.add("nested: a token as payload", token_of(header.json(), &inner, &signer), Expected::Payload);
    for cty in ["JWT", "jwt", "application/jwt", "APPLICATION/JWT"] {
        let says = header.clone().with("cty", &format!("\"{cty}\""));
        rows.add(format!("nested: {cty} within"), token_of(says.json(), &inner, &signer), Expected::Header);
        rows.add(format!("nested: {cty}, and it is not"), token(&says, &payload, &signer), Expected::Header);
    }
    for levels in [63, 64, 127, 128, 2000] {
        let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        let expected = || if levels <= 63 { Expected::Accepted } else { Expected::Payload };
        let lists = payload.clone().with("x", &deep("[", "]"));
        rows.add(format!("nested: {levels} lists"), token(&header, &lists, &signer), expected());
        if levels < 1000 {
            let objects = payload.clone().with("x", &deep("{\"a\":", "}"));
            rows.add(format!("nested: {levels} objects"), token(&header, &objects, &signer), expected());
        }
    }
    let many: Vec<String> = (0..600_u16).map(|number| format!("\"{}\":0", base64url(&number.to_be_bytes()))).collect();
    let wide = payload.clone().with("x", &format!("{{{}}}", many.join(",")));
    rows.add("six hundred members", token(&header, &wide, &signer), Expected::Accepted);
    let twice = payload.with("x", &format!("{{{},{}}}", many.join(","), many[300]));
    rows.add("six hundred members, and one of them again", token(&header, &twice, &signer), Expected::Payload);
}
