//! Signed names against signatures that are made here: exactly the right signature of exactly this name and moment counts,
//! until that moment.
//!
//! Input, a line each: a name, a signature, `exp`, and the time that it is, in seconds. In the signature `=` stands for the
//! right one, and `~` for that of the name with a letter more.

use super::Target;
use super::input::Input;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use tidings::access::{SignedNames, SignedRefused};
use tidings::model::name::ChannelName;
use tidings::model::sign_secrets::SignSecrets;

const GRANTED: &str = "granted";
const EXPIRED: &str = "expired";
const INVALID: &str = "no signature of it";
const NO_NAME: &str = "no name";
const NO_TEXT: &str = "not UTF-8";

const SECRETS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "tidings-example-secret-of-32-bytes-or-more"];

pub(crate) const TARGET: Target = Target {
    name: "signed",
    check,
    outcomes: &[GRANTED, EXPIRED, INVALID, NO_NAME, NO_TEXT],
    words: &[
        "=",
        "~",
        "\n",
        "0",
        "1893456000",
        "18446744073709551615",
        "+",
        "-1",
        "a",
        "A",
        "orders:42",
        "é",
        "tidings-read-v1",
    ],
};

fn signature(secret: &str, name: &str, exp: &str) -> String {
    let tag = sign(&Key::new(HMAC_SHA256, secret.as_bytes()), format!("tidings-read-v1\n{name}\n{exp}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(data: &[u8]) -> &'static str {
    let mut input = Input::new(data);
    let lines = [input.line(), input.line(), input.line(), input.rest()].map(std::str::from_utf8);
    let [Ok(text), Ok(written), Ok(exp), Ok(now)] = lines else { return NO_TEXT };
    let Ok(name) = ChannelName::new(text) else { return NO_NAME };
    let right = SECRETS.map(|secret| signature(secret, text, exp));
    let other = signature(SECRETS[0], &format!("{text}x"), exp);
    // Names of an odd length are signed with the second secret.
    let sig = written.replace('=', &right[text.len() % 2]).replace('~', &other);
    let now: u64 = now.trim().parse().unwrap_or(0);
    let secrets = SignSecrets::parse(&SECRETS.join("\n")).expect("secrets");
    let found = SignedNames::with(&secrets).verify(&name, &sig, exp, now);
    let until = exp.parse::<u64>().ok().filter(|until| until.to_string() == exp);
    let Some(until) = until.filter(|_| right.contains(&sig)) else {
        assert_eq!(found, Err(SignedRefused::Invalid));
        return INVALID;
    };
    if now < until {
        assert_eq!(found.map(|granted| (granted.channel, granted.until)), Ok((name, until)));
        return GRANTED;
    }
    assert_eq!(found, Err(SignedRefused::Expired { until, now }));
    EXPIRED
}
