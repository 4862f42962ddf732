//! `[[key]]` as it stands in a file.

use super::{Block, Kind};
use crate::config::key::{KeySecretFrom, KeySettings};
use crate::config::knobs::Config;
use crate::config::text::quoted;
use crate::model::api_key::{BadHash, KeyHash, SECRET_PREFIX};
use crate::model::glob::Glob;
use crate::model::grants::{Action, Actions, Grant};
use crate::model::network::Network;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

/// What a written file says of them.
const ABOUT: &str = "Keys of backends, each a block, as made by `tidings key new NAME`: [[key]] with name = \"app-2026-11\", hash = \
    \"sha256:…\" (or secret_file = \"/run/secrets/key\"), grants = [{ channels = [\"orders:*\"], may = [\"read\", \"write\"] }], \
    where may is a list of \"read\", \"write\", \"presence\", \"create\" and \"manage\", and networks = [\"10.0.0.0/8\", \"unix\"], which \
    is left out for a key that may come from anywhere. Several count at once: a secret is exchanged by adding a key and \
    removing the old one later.";

/// What grants are, for messages.
const GRANTS: &str = "a list such as [{ channels = [\"orders:*\"], may = [\"read\", \"write\"] }]";

impl Kind for KeySettings {
    const NAME: &'static str = "key";
    const KEYS: &'static [&'static str] = &["name", "hash", "secret_file", "grants", "networks", "secret"];
    const ABOUT: &'static str = ABOUT;

    fn list(config: &mut Config) -> &mut Vec<KeySettings> {
        &mut config.keys
    }

    fn read(block: &mut Block<'_>) -> Option<KeySettings> {
        if let Some(value) = block.table.get("secret") {
            let (at, problem) = (value.span().start, BadHash::Secret);
            block.complain(at, format!("a [[key]] has no \"secret\" but its \"hash\": {problem}"));
        }
        let name = block.take::<String>("name", "a name such as \"app-2026-11\"");
        let secret = secret(block);
        let networks = networks(block);
        let grants = grants(block);
        for needed in ["name", "grants"] {
            if !block.has(needed) {
                block.complain_of_all(format!("a [[key]] needs {}", described(needed)));
            }
        }
        Some(KeySettings { name: name?.into_inner(), secret: secret?, grants: grants?, networks: networks? })
    }
}

fn described(key: &str) -> String {
    match key {
        "grants" => format!("\"grants\": what its holder may do, {GRANTS}"),
        _ => "a \"name\", for logs and messages".to_owned(),
    }
}

fn secret(block: &mut Block<'_>) -> Option<KeySecretFrom> {
    const HASH: &str = "a hash such as \"sha256:…\", as made by: tidings key hash < FILE";
    let hash = block.take::<String>("hash", HASH).and_then(|text| match KeyHash::parse(text.get_ref()) {
        Ok(hash) => Some(hash),
        Err(problem) => {
            // What was written is not repeated: it may be the secret.
            block.complain(text.span().start, format!("\"key.hash\": {problem}"));
            None
        }
    });
    const FILE: &str = "the path of a file with the secret, such as \"/run/secrets/key\"";
    let file = block.take::<String>("secret_file", FILE).and_then(|text| {
        if text.get_ref().starts_with(SECRET_PREFIX) {
            block.complain(text.span().start, format!("\"key.secret_file\" is a path: {}", BadHash::Secret));
            return None;
        }
        Some(PathBuf::from(text.into_inner()))
    });
    match (block.has("hash"), block.has("secret_file")) {
        (true, true) => block.complain_of_all("a [[key]] has a \"hash\" or a \"secret_file\", not both"),
        (false, false) if !block.has("secret") => {
            block.complain_of_all("a [[key]] needs the \"hash\" of its secret, as made by: tidings key new NAME");
        }
        _ => {}
    }
    hash.map(KeySecretFrom::Hash).or(file.map(KeySecretFrom::File))
}

fn networks(block: &mut Block<'_>) -> Option<Vec<Network>> {
    if !block.has("networks") {
        return Some(Vec::new());
    }
    let words =
        block.take::<Vec<Spanned<String>>>("networks", "a list of networks such as [\"10.0.0.0/8\", \"unix\"]")?;
    let mut networks = Vec::new();
    for word in words.get_ref() {
        match Network::parse(word.get_ref()) {
            Ok(network) => networks.push(network),
            Err(problem) => {
                block.complain(word.span().start, format!("\"key.networks\", {}: {problem}", quoted(word.get_ref())))
            }
        }
    }
    // An empty list could be meant as nowhere, and would mean anywhere.
    if words.get_ref().is_empty() {
        block.complain(
            words.span().start,
            "\"key.networks\" is not empty; leave it out for a key that may come from anywhere".to_owned(),
        );
    }
    Some(networks)
}

fn grants(block: &mut Block<'_>) -> Option<Vec<Grant>> {
    let value = block.table.get("grants")?;
    let DeValue::Array(list) = value.get_ref() else {
        block.complain(value.span().start, format!("\"key.grants\" must be {GRANTS}"));
        return None;
    };
    let mut grants = Vec::new();
    for item in list.iter() {
        let Some(table) = item.get_ref().as_table() else {
            block.complain(item.span().start, format!("\"key.grants\" must be {GRANTS}"));
            continue;
        };
        let mut inner = block.within("key.grants", item.span().start, table);
        grants.extend(grant(&mut inner));
        let mistakes = inner.mistakes;
        block.mistakes.extend(mistakes);
    }
    Some(grants)
}

fn grant(block: &mut Block<'_>) -> Option<Grant> {
    block.expect_keys(&["channels", "may"]);
    let words: Vec<&str> = Action::ALL.into_iter().map(Action::word).collect();
    let may = block.take_words("may", &words, Action::parse);
    let channels = block.take::<Vec<Spanned<String>>>("channels", "a list of patterns such as [\"orders:*\"]");
    for needed in ["channels", "may"] {
        // One that is misspelt has its own complaint.
        if !block.has(needed) && block.mistakes.is_empty() {
            block.complain_of_all(format!("a grant needs \"{needed}\": \"key.grants\" is {GRANTS}"));
        }
    }
    let (may, channels) = (may?, channels?);
    let mut globs = Vec::new();
    for text in channels.get_ref() {
        match Glob::parse(text.get_ref()) {
            Ok(glob) => globs.push(glob),
            Err(problem) => block.complain(text.span().start, format!("\"key.grants.channels\": {problem}")),
        }
    }
    if channels.get_ref().is_empty() {
        block.complain(
            channels.span().start,
            "\"key.grants.channels\" is not empty; [\"**\"] is every channel".to_owned(),
        );
    }
    let may: Vec<Action> = may.into_iter().map(|(_, action)| action).collect();
    Some(Grant { channels: globs.into(), may: Actions::of(&may) })
}
