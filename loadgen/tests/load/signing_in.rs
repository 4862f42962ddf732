//! Signing in against Tidings: storms and repetitions of AUTH, tokens that are refused, and what the verb asks for.

use crate::support::{Run, file, load};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::time::{Duration, SystemTime};
use tidings::{Config, IssuerConfig, OperatorKey, Server, SigningSecret};

const KEY: &str = "0123456789abcdef";
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const SHORT: [&str; 5] = ["-d", "1s", "--warmup", "200ms", "--force"];

/// Tidings with the operators' key and an issuer, on a free port.
fn tidings() -> (Server, String) {
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.server.operator_key = OperatorKey::parse(KEY).ok();
    let secrets = vec![SigningSecret::parse(SECRET).expect("a secret")];
    config.issuers = vec![IssuerConfig { secrets, leeway: Duration::ZERO, ..IssuerConfig::new("app", "app", "push") }];
    let server = Server::start(config).expect("the server starts");
    let url = format!("ws://{}", server.addresses()[0]);
    (server, url)
}

/// A user's token for so many seconds.
fn token(user: &str, seconds: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let grants = r#"[{"channels":["**"],"may":["read"]}]"#;
    let claims = format!(r#"{{"iss":"app","aud":"push","sub":"{user}","exp":{},"grants":{grants}}}"#, now + seconds);
    let signed = [r#"{"alg":"HS256"}"#, &claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).join(".");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any length will do");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()))
}

/// Runs `auth` with these lines as the file of tokens.
fn auth(url: &str, tokens: &str, options: &[&str]) -> Run {
    with_tokens("auth", url, tokens, options)
}

fn with_tokens(verb: &str, url: &str, tokens: &str, options: &[&str]) -> Run {
    let path = file("tokens");
    std::fs::write(&path, tokens).expect("a file");
    let name = path.to_string_lossy().into_owned();
    let run = load(&[&[verb, url, "--token-file", &name][..], options].concat());
    std::fs::remove_file(&path).expect("it was there");
    run
}

#[test]
fn every_connection_signs_in_first_and_then_at_the_rate() {
    let (_server, url) = tidings();
    for flow in [&["-R", "500"][..], &["--closed", "--depth", "4"]] {
        let run = auth(&url, &format!("{KEY}\n"), &[&["-c", "20"][..], flow, &SHORT].concat());
        let totals = &run.outcome().totals;
        assert_eq!((totals.lost, totals.duplicated, totals.errors, totals.opened), (0, 0, 0, 20), "{}", run.out);
        assert!(totals.sent >= 400 && totals.received == totals.expected, "{}", run.out);
        assert_eq!(run.outcome().primary, "response");
        assert!(run.outcome().latencies["open"].count == 20 && run.outcome().latencies["response"].count > 300);
        assert!(!run.out.contains(KEY), "a token is not shown");
    }
}

#[test]
fn a_token_that_is_refused_opens_nothing_and_says_why() {
    let (_server, url) = tidings();
    let run = auth(&url, &format!("{KEY}\nanother-0123456789\n"), &[&["-c", "4", "-R", "40"][..], &SHORT].concat());
    let totals = &run.outcome().totals;
    assert_eq!((totals.opened, totals.refused), (2, 2), "every second line is a wrong one: {}", run.out);
    assert!(run.outcome().errors.keys().any(|text| text.contains("token_invalid")), "{:?}", run.outcome().errors);
    assert!(!run.out.contains("another-"), "{}", run.out);
}

#[test]
fn a_connection_goes_on_with_its_next_token_before_the_first_expires() {
    let (_server, url) = tidings();
    // It is announced at half of its time: what is left is for a machine that is busy.
    let line = format!("{} {}\n", token("ada", 8), token("ada", 600));
    let options = ["-c", "4", "-R", "40", "-d", "9s", "--warmup", "200ms", "--force"];
    let run = auth(&url, &line, &options);
    let totals = &run.outcome().totals;
    assert_eq!((totals.opened, totals.refused, totals.dropped, totals.expired), (4, 0, 0, 0));
    assert_eq!((totals.errors, totals.lost), (0, 0));
}

#[test]
fn a_connection_whose_token_expired_comes_back_and_how_long_it_took_is_measured() {
    let (_server, url) = tidings();
    // The second one is another user's, which is refused on a connection of the first, so that this one expires.
    let line = format!("{} {} {}\n", token("ada", 6), token("bob", 600), token("ada", 600));
    let options = ["-c", "4", "-d", "9s", "--warmup", "200ms", "--force"];
    let run = with_tokens("idle", &url, &line, &options);
    let outcome = run.outcome();
    let totals = &outcome.totals;
    assert_eq!((totals.expired, totals.dropped, totals.refused), (4, 0, 0), "{} {:?}", run.out, outcome.errors);
    assert_eq!(outcome.latencies["recovery"].count, 4, "{}", run.out);
    assert!(run.out.contains("expired"), "{}", run.out);
}

#[test]
fn what_the_verb_lacks_is_said_before_anything_is_opened() {
    for (options, said) in [
        (&["auth", "ws://127.0.0.1:9"][..], "--token-file FILE"),
        (&["auth", "ws://127.0.0.1:9", "--token-file", "/dev/null"], "has no line"),
        (&["auth", "ws://127.0.0.1:9", "--token-file", "Cargo.toml", "-s", "30"], "what auth sends is a token"),
        (&["auth", "ws://127.0.0.1:9", "--token-file", "Cargo.toml", "--adapter", "sse"], "nobody signs in"),
    ] {
        let run = load(options);
        assert!(run.code == 2 && run.error.contains(said), "{options:?}: {}", run.error);
    }
}
