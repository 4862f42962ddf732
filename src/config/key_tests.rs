//! Tests of `[[key]]`: what is read, both sides of each rule, the place of each mistake, and that no secret is repeated.

use super::{Config, KeySecretFrom, KeySettings, Settings};
use crate::model::api_key::KeyHash;
use crate::model::glob::Glob;
use crate::model::grants::{Action, Actions, Grant};
use crate::model::network::Network;

const SECRET: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const HASH: &str = "sha256:5e445d1704abbbc7d1d7e7e75e83e1c66994c87bdbeb5ae1ea535948bd99f36c";

fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    settings.file("t.toml", text);
    settings
}

fn mistakes(text: &str) -> Vec<String> {
    settings(text).check().err().map_or_else(Vec::new, |error| error.problems().to_vec())
}

fn key(name: &str, hash: &str) -> KeySettings {
    let grant = |channels: &[&str], may: &[Action]| Grant {
        channels: channels.iter().map(|text| Glob::parse(text).expect(text)).collect(),
        may: Actions::of(may),
    };
    KeySettings {
        name: name.to_owned(),
        secret: KeySecretFrom::Hash(KeyHash::parse(hash).expect(hash)),
        grants: vec![grant(&["orders:*", "news"], &[Action::Read, Action::Write]), grant(&["**"], &[Action::Manage])],
        networks: vec![Network::parse("10.0.0.0/8").expect("a network"), Network::Unix],
    }
}

/// A hash that differs from all others in its first digits.
fn numbered(number: usize) -> String {
    format!("sha256:{number:04}{}", &HASH[11..])
}

const GRANTS: &str = "grants = [{ channels = [\"**\"], may = [\"read\"] }]";

#[test]
fn a_block_names_a_key_its_hash_what_it_may_and_whence() {
    let text = format!(
        "[[key]]\nname = \"app-2026-11\"\nhash = \"{HASH}\"\nnetworks = [\"10.0.0.0/8\", \"unix\"]\n\n[[key.grants]]\n\
         channels = [\"orders:*\", \"news\"]\nmay = [\"read\", \"write\"]\n[[key.grants]]\nchannels = [\"**\"]\nmay = [\"manage\"]\n"
    );
    let given = settings(&text);
    assert!(given.check().is_ok(), "{:?}", given.check());
    assert_eq!(given.config().keys, [key("app-2026-11", HASH)]);
    let in_file = settings(&format!("[[key]]\nname = \"a\"\nsecret_file = \"/run/secrets/a\"\n{GRANTS}\n"));
    assert_eq!(in_file.config().keys[0].secret, KeySecretFrom::File("/run/secrets/a".into()));
    assert!(in_file.config().keys[0].networks.is_empty());
}

#[test]
fn each_mistake_in_a_key_has_its_place() {
    let hash = format!("hash = \"{HASH}\"");
    for (text, said) in [
        (format!("name = 1\n{hash}\n{GRANTS}"), "t.toml:2:8: \"key.name\" must be a name such as"),
        (format!("name = \"a b\"\n{hash}\n{GRANTS}"), "t.toml:1:1: [[key]] 1: a key's name has 1 to 64 letters"),
        (format!("{hash}\n{GRANTS}"), "t.toml:1:1: a [[key]] needs a \"name\""),
        (
            format!("name = \"a\"\n{GRANTS}"),
            "t.toml:1:1: a [[key]] needs the \"hash\" of its secret, as made by: tidings key new NAME",
        ),
        (
            format!("name = \"a\"\n{hash}\nsecret_file = \"/a\"\n{GRANTS}"),
            "t.toml:1:1: a [[key]] has a \"hash\" or a \"secret_file\", not both",
        ),
        (format!("name = \"a\"\nhash = 5\n{GRANTS}"), "t.toml:3:8: \"key.hash\" must be a hash such as"),
        (
            format!("name = \"a\"\nhash = \"{}\"\n{GRANTS}", &HASH[7..]),
            "t.toml:3:8: \"key.hash\": a hash is \"sha256:\" and",
        ),
        (
            format!("name = \"a\"\n{hash}"),
            "t.toml:1:1: a [[key]] needs \"grants\": what its holder may do, a list such as",
        ),
        (
            format!("name = \"a\"\n{hash}\ngrants = []"),
            "t.toml:1:1: [[key]] 1: the key \"a\" may do nothing; give it grants =",
        ),
        (format!("name = \"a\"\n{hash}\ngrants = \"all\""), "t.toml:4:10: \"key.grants\" must be a list such as"),
        (format!("name = \"a\"\n{hash}\ngrants = [1]"), "t.toml:4:11: \"key.grants\" must be a list such as"),
        (format!("name = \"a\"\n{hash}\ngrants = [{{ channels = [\"a\"] }}]"), "t.toml:4:11: a grant needs \"may\""),
        (
            format!("name = \"a\"\n{hash}\ngrants = [{{ chanels = [\"a\"], may = [\"read\"] }}]"),
            "t.toml:4:13: unknown key \"key.grants.chanels\": did you mean \"channels\"?",
        ),
        (
            format!("name = \"a\"\n{hash}\ngrants = [{{ channels = [], may = [\"read\"] }}]"),
            "t.toml:4:24: \"key.grants.channels\" is not empty",
        ),
        (
            format!("name = \"a\"\n{hash}\ngrants = [{{ channels = [\"a\", \"a***\"], may = [\"read\"] }}]"),
            "t.toml:4:30: \"key.grants.channels\": a pattern has",
        ),
        (
            format!("name = \"a\"\n{hash}\ngrants = [{{ channels = [\"a\"], may = [\"reed\"] }}]"),
            "t.toml:4:38: \"key.grants.may\" is a list of \"read\", \"write\", \"presence\", \"create\", \"manage\", not \"reed\": did you mean \"read\"?",
        ),
        (
            format!("name = \"a\"\n{hash}\n{GRANTS}\nnetworks = [\"10.1.0.0/8\"]"),
            "t.toml:5:13: \"key.networks\", \"10.1.0.0/8\": its address has bits beyond its length; did you mean \"10.0.0.0/8\"?",
        ),
        (
            format!("name = \"a\"\n{hash}\n{GRANTS}\nnetworks = [\"local\"]"),
            "t.toml:5:13: \"key.networks\", \"local\": a network is a range",
        ),
        (
            format!("name = \"a\"\n{hash}\n{GRANTS}\nnetworks = []"),
            "t.toml:5:12: \"key.networks\" is not empty; leave it out",
        ),
    ] {
        let found = mistakes(&format!("[[key]]\n{text}\n"));
        assert!(found.len() == 1 && found[0].starts_with(said), "{text}\n{found:#?}");
    }
}

#[test]
fn a_secret_in_the_file_is_refused_with_the_way_to_its_hash_and_never_repeated() {
    for text in [
        format!("name = \"a\"\nsecret = \"{SECRET}\"\n{GRANTS}"),
        format!("name = \"a\"\nhash = \"{SECRET}\"\n{GRANTS}"),
        format!("name = \"a\"\nsecret_file = \"{SECRET}\"\n{GRANTS}"),
        format!("name = \"a\"\nhash = \"{HASH}\"\nsecret = \"{SECRET}\"\n{GRANTS}"),
    ] {
        let found = mistakes(&format!("[[key]]\n{text}\n"));
        assert!(found.len() == 1 && found[0].contains("tidings key hash < FILE"), "{found:?}");
        assert!(!found[0].contains(SECRET), "{found:?}");
    }
}

#[test]
fn names_and_secrets_are_unlike_and_their_number_is_bounded() {
    let config = |keys: Vec<KeySettings>| Config { keys, ..Config::default() };
    let problems = |keys| config(keys).check().err().map_or_else(Vec::new, |error| error.problems().to_vec());
    assert!(problems(vec![key("a", HASH), key("b", &numbered(1))]).is_empty());
    for (keys, what) in
        [(vec![key("a", HASH), key("a", &numbered(1))], "name"), (vec![key("a", HASH), key("b", HASH)], "secret")]
    {
        assert_eq!(problems(keys), [format!("[[key]] 2: it has the {what} of [[key]] 1; each key has its own")]);
    }
    for (bytes, fits) in [(0, false), (1, true), (64, true), (65, false)] {
        assert_eq!(problems(vec![key(&"n".repeat(bytes), HASH)]).is_empty(), fits, "{bytes}");
    }
    for (count, fits) in [(1000, true), (1001, false)] {
        let keys = (0..count).map(|number| key(&number.to_string(), &numbered(number))).collect();
        assert_eq!(problems(keys).is_empty(), fits, "{count}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let in_file = KeySettings { secret: KeySecretFrom::File("/run/a \"b\"".into()), ..key("b", HASH) };
    let config = Config { keys: vec![key("a", HASH), in_file], ..Config::default() };
    assert_eq!(Config::from_toml("t", &config.describe()).as_ref(), Ok(&config));
    assert!(config.differences().contains(&("key".to_owned(), "\"a\"".to_owned())), "{:?}", config.differences());
    let shown = settings(&config.keys[0].write()).show();
    assert!(shown.contains("# t.toml:1:1\n[[key]]\nname = \"a\"\nhash = \"sha256:"), "{shown}");
}
