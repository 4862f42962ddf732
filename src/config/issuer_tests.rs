//! Tests of `[[issuer]]`: what is read, both sides of each rule, the place of each mistake, and that no secret is shown.

use super::{ClaimNames, Config, IssuerConfig, Settings};
use crate::model::algorithm::Algorithm;
use crate::model::signing_secret::SigningSecret;
use std::time::Duration;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const LEAST: &str = "[[issuer]]\nname = \"a\"\nissuer = \"https://a.example\"\naudience = \"me\"\n";

fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    settings.file("t.toml", text);
    settings
}

fn mistakes(text: &str) -> Vec<String> {
    settings(text).check().err().map_or_else(Vec::new, |error| error.problems().to_vec())
}

/// What is wrong with an issuer that has a key and these lines.
fn wrong(lines: &str) -> Vec<String> {
    mistakes(&format!("{LEAST}secret = \"{SECRET}\"\n{lines}"))
}

fn secret(text: &str) -> SigningSecret {
    SigningSecret::parse(text.as_bytes()).expect("a secret")
}

#[test]
fn the_least_block_has_defaults_and_the_fullest_has_none() {
    let least = settings(&format!("{LEAST}secret = \"{SECRET}\"\n"));
    assert_eq!(least.check(), Ok(()));
    let expected = IssuerConfig { secrets: vec![secret(SECRET)], ..IssuerConfig::new("a", "https://a.example", "me") };
    assert_eq!(least.config().issuers, [expected]);
    assert!(expected_defaults(&least.config().issuers[0]));
    let full = settings(&format!(
        "[[issuer]]\nname = \"B.b-1_\"\nissuer = \"b\"\naudience = [\"me\", \"https://x/\"]\nalgorithms = [\"RS256\", \"HS256\"]\n\
         secret = [\"{SECRET}\", \"{SECRET}2\"]\nsecret_file = \"/run/s\"\npublic_key_file = [\"a.pem\", \"b.pem\"]\n\
         jwks_file = \"k.json\"\njwks_url = \"http://127.0.0.1:1/k?a=b\"\nallow_private_addresses = true\njwks_stale = \"1h\"\n\
         token_in_query = true\ncookie = \"__Host-t\"\nrequire_exp = false\nleeway = 0\nclaim_user = \"u\"\nclaim_info = \"i\"\n\
         claim_grants = \"https://x/g\"\nclaim_subs = \"s\"\n"
    ));
    assert_eq!(full.check(), Ok(()));
    let [user, info, grants, subs] = ["u", "i", "https://x/g", "s"].map(str::to_owned);
    let expected = IssuerConfig {
        name: "B.b-1_".to_owned(),
        issuer: "b".to_owned(),
        audience: vec!["me".to_owned(), "https://x/".to_owned()],
        algorithms: vec![Algorithm::Rs256, Algorithm::Hs256],
        secrets: vec![secret(SECRET), secret(&format!("{SECRET}2"))],
        secret_files: vec!["/run/s".into()],
        public_key_files: vec!["a.pem".into(), "b.pem".into()],
        key_set_files: vec!["k.json".into()],
        key_set_url: Some("http://127.0.0.1:1/k?a=b".to_owned()),
        allow_private_addresses: true,
        key_set_stale: Duration::from_secs(3600),
        token_in_query: true,
        cookie: Some("__Host-t".to_owned()),
        require_exp: false,
        leeway: Duration::ZERO,
        claims: ClaimNames { user, info, grants, subs },
    };
    assert_eq!(full.config().issuers, [expected]);
}

fn expected_defaults(issuer: &IssuerConfig) -> bool {
    issuer.require_exp
        && issuer.leeway == Duration::from_secs(10)
        && issuer.key_set_stale == Duration::from_secs(86_400)
        && !issuer.token_in_query
        && issuer.claims.user == "sub"
}

#[test]
fn every_mistake_of_a_block_is_found_at_its_place() {
    let text = "[[issuer]]\nname = \"a b\"\nissuer = 1\nalgorithms = [\"HS256\", \"none\"]\nsecret = \"short\"\nleeway = \"6m\"\n\
                cookie = \"a b\"\nclaim_user = \"iss\"\njwks_url = \"ftp://x\"\ntoken_in_query = \"yes\"\nkid = \"1\"\n";
    let found = mistakes(text);
    for (place, said) in [
        ("t.toml:1:1: ", "needs \"audience\""),
        ("t.toml:2:8: ", "\"issuer.name\" must be a name of letters"),
        ("t.toml:3:10: ", "\"issuer.issuer\" must be"),
        ("t.toml:4:24: ", "not \"none\""),
        ("t.toml:5:10: ", "32 to 1024 bytes, and this one has 5"),
        ("t.toml:6:10: ", "\"issuer.leeway\" must be"),
        ("t.toml:7:10: ", "\"issuer.cookie\" must be"),
        ("t.toml:8:14: ", "none of iss, aud"),
        ("t.toml:9:12: ", "\"issuer.jwks_url\" must be an address"),
        ("t.toml:10:18: ", "\"issuer.token_in_query\" must be true or false"),
        ("t.toml:11:1: ", "unknown key \"issuer.kid\""),
    ] {
        let of_place: Vec<&String> = found.iter().filter(|problem| problem.starts_with(place)).collect();
        assert!(of_place.len() == 1 && of_place[0].contains(said), "{place}: {said}\n{found:#?}");
    }
    assert_eq!(found.len(), 11, "{found:#?}");
}

#[test]
fn each_value_has_its_form() {
    for (lines, fits) in [
        ("claim_info = \"a.b\"\n", true),
        ("claim_info = \"\"\n", false),
        ("claim_info = \"exp\"\n", false),
        ("claim_info = \"a\\nb\"\n", false),
        ("claim_info = \"grants\"\n", false),
        ("claim_info = \"grants\"\nclaim_grants = \"info\"\n", true),
        ("leeway = \"5m\"\n", true),
        ("leeway = 301\n", false),
        ("cookie = \"\"\n", false),
        ("jwks_stale = \"599s\"\n", false),
        ("jwks_stale = \"10m\"\n", true),
        ("jwks_stale = \"30d\"\n", true),
        ("jwks_stale = \"31d\"\n", false),
        ("jwks_url = \"https://a.example\"\n", true),
        ("jwks_url = \"https://a.example:8443/k?a#b\"\n", false),
        ("jwks_url = \"https://u:p@a.example/\"\n", false),
        ("jwks_url = \"https://\"\n", false),
        ("jwks_url = \"https://a b/\"\n", false),
        ("jwks_url = \"http://a.example/\"\n", false),
        ("jwks_url = \"http://a.example/\"\nallow_private_addresses = true\n", false),
        ("jwks_url = \"http://10.0.0.1/\"\nallow_private_addresses = true\n", false),
        ("jwks_url = \"http://localhost/\"\n", false),
        ("jwks_url = \"http://localhost/\"\nallow_private_addresses = true\n", true),
        ("jwks_url = \"http://[::1]:80/\"\nallow_private_addresses = true\n", true),
        ("jwks_url = \"https://10.0.0.1/\"\nallow_private_addresses = true\n", true),
        ("public_key_file = \"\"\n", false),
        ("public_key_file = [\"a\", \"\"]\n", false),
        ("algorithms = []\n", false),
        ("algorithms = [\"HS256\"]\n", true),
        ("algorithms = [\"HS384\"]\n", false),
        ("algorithms = [\"RS256\"]\n", false),
        ("algorithms = [\"HS256\", \"RS256\"]\n", false),
        ("algorithms = [\"HS256\", \"RS256\"]\njwks_file = \"a\"\n", true),
        ("algorithms = [\"RS256\"]\njwks_file = \"a\"\n", false),
        ("public_key_file = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\"]\n", true),
        ("public_key_file = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\"]\n", false),
    ] {
        assert_eq!(wrong(lines).is_empty(), fits, "{lines}{:#?}", wrong(lines));
    }
    for (key, value) in [("name", "x".repeat(128)), ("issuer", "x".repeat(512)), ("audience", "x".repeat(512))] {
        let with = |value: &str| {
            let least = LEAST.replacen(&format!("\n{key} = "), &format!("\n{key} = \"{value}\"\n#"), 1);
            mistakes(&format!("{least}secret = \"{SECRET}\"\n"))
        };
        assert_eq!(with(&value), [""; 0], "{key}");
        assert_eq!((with(&format!("{value}x")).len(), with("").len()), (1, 1), "{key}");
    }
}

#[test]
fn a_program_that_cannot_fetch_keys_says_what_would_allow_it() {
    let url = Some("https://a.example/keys".to_owned());
    let issuer = IssuerConfig { key_set_url: url, ..IssuerConfig::new("a", "https://a.example", "me") };
    assert_eq!(issuer.fetching_problem(true), None);
    let problem = issuer.fetching_problem(false).expect("a problem");
    assert!(problem.contains("the feature \"outbound\"") && problem.contains("\"jwks_file\""), "{problem}");
    assert_eq!(IssuerConfig { key_set_url: None, ..issuer }.fetching_problem(false), None);
}

#[test]
fn an_issuer_needs_a_key_and_an_audience() {
    let keyless = mistakes(LEAST);
    assert!(
        keyless.len() == 1 && keyless[0].starts_with("t.toml:1:1: ") && keyless[0].contains("\"jwks_url\""),
        "{keyless:?}"
    );
    for (count, fits) in [(0, false), (1, true), (32, true), (33, false)] {
        let list = vec!["\"x\""; count].join(", ");
        let text = LEAST.replace("\"me\"", &format!("[{list}]"));
        assert_eq!(mistakes(&format!("{text}secret_file = \"s\"\n")).is_empty(), fits, "{count}");
    }
}

#[test]
fn no_two_issuers_have_the_same_name_or_the_same_iss() {
    let block = |name: &str, issuer: &str| {
        format!("[[issuer]]\nname = \"{name}\"\nissuer = \"{issuer}\"\naudience = \"me\"\nsecret = \"{SECRET}\"\n")
    };
    assert_eq!(mistakes(&(block("a", "1") + &block("b", "2"))), [""; 0]);
    for (text, said) in [
        (block("a", "1") + &block("a", "2"), "the name \"a\" is that of"),
        (block("a", "1") + &block("b", "1"), "\"issuer\" \"1\" is that of"),
    ] {
        let found = mistakes(&text);
        assert!(
            found.len() == 1 && found[0].starts_with("t.toml:6:1: [[issuer]] 2: ") && found[0].contains(said),
            "{found:?}"
        );
    }
    let many =
        |count: usize| (0..count).map(|number| block(&number.to_string(), &number.to_string())).collect::<String>();
    assert_eq!(mistakes(&many(64)), [""; 0]);
    assert!(mistakes(&many(65))[0].contains("at most 64"));
}

#[test]
fn a_written_configuration_is_read_back_and_has_no_secret() {
    let text = format!(
        "{LEAST}secret = \"{SECRET}\"\npublic_key_file = \"a.pem\"\njwks_url = \"https://a.example/k\"\nalgorithms = [\"HS256\", \"EdDSA\"]\n\
         cookie = \"t\"\nleeway = \"1m\"\nclaim_user = \"email\"\ntoken_in_query = true\nrequire_exp = false\n"
    );
    let given = settings(&text);
    let written = given.config().describe();
    let read = Config::from_toml("w.toml", &written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let expected = IssuerConfig { secrets: Vec::new(), ..given.config().issuers[0].clone() };
    assert_eq!(read.issuers, [expected]);
    let shown = [written, given.show(), format!("{:?}", given.config()), format!("{:?}", given.config().differences())];
    for text in shown {
        assert!(!text.contains(SECRET), "{text}");
    }
    for wrong in ["short-but-secret", &"secret".repeat(200)] {
        let found = mistakes(&format!("{LEAST}secret = [\"{wrong}\"]\n"));
        assert!(
            !found.is_empty()
                && found.iter().all(|problem| !problem.contains("secret-but") && !problem.contains(wrong)),
            "{found:?}"
        );
    }
    let url = mistakes(&format!("{LEAST}jwks_url = \"https://user:pass@a.example/\"\n"));
    assert!(url.iter().all(|problem| !problem.contains("pass@")), "{url:?}");
}
