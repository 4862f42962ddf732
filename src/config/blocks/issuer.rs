//! `[[issuer]]` as it stands in a file.

use super::{Block, Kind};
use crate::config::issuer::{ClaimNames, IssuerConfig};
use crate::config::issuer_forms::{Address, CLAIM, COOKIE, IDENTIFIER, KEY_SET_URL, LEEWAY, NAME, PATH, STALE};
use crate::config::kind::Flag;
use crate::config::knobs::Config;
use crate::config::text::Text;
use crate::model::algorithm::Algorithm;
use crate::model::signing_secret::SigningSecret;
use std::path::PathBuf;
use toml::de::DeValue;

impl Kind for IssuerConfig {
    const NAME: &'static str = "issuer";
    const KEYS: &'static [&'static str] = &[
        "name",
        "issuer",
        "audience",
        "algorithms",
        "secret",
        "secret_file",
        "public_key_file",
        "jwks_file",
        "jwks_url",
        "allow_private_addresses",
        "jwks_stale",
        "token_in_query",
        "cookie",
        "require_exp",
        "leeway",
        "claim_user",
        "claim_info",
        "claim_grants",
        "claim_subs",
    ];
    const ABOUT: &'static str = "Who may sign tokens (JWT), each a block: [[issuer]] with a name, issuer = \"…\" (the \"iss\" of its \
        tokens) and audience = [\"…\"] (one of which their \"aud\" has); its keys: secret (at least 32 bytes) or secret_file, \
        public_key_file (PEM: RSA, EC P-256, Ed25519), jwks_file, jwks_url = \"https://…\" (allow_private_addresses = true for \
        one in a private network; jwks_stale = \"24h\" for how long its keys count while they cannot be fetched again), one or \
        several of them; algorithms, of \"HS256\", \"HS384\", \"HS512\", \"RS256\", \"PS256\", \"ES256\", \"EdDSA\", if not all that its \
        keys can do; token_in_query = true to take tokens from ?token= as well, \
        cookie = \"…\" to take them from a cookie; require_exp = true; leeway = \"10s\" for differences between clocks; and \
        claim_user = \"sub\", claim_info = \"info\", claim_grants = \"grants\", claim_subs = \"subs\" for the names of claims.";

    fn list(config: &mut Config) -> &mut Vec<IssuerConfig> {
        &mut config.issuers
    }

    fn read(block: &mut Block<'_>) -> Option<IssuerConfig> {
        for key in ["name", "issuer", "audience"] {
            if !block.has(key) {
                block.complain_of_all(format!("an [[issuer]] needs \"{key}\""));
            }
        }
        // All are read before anything is missing, so that all mistakes are found together.
        let (name, issuer) =
            (block.take_value::<String>("name", &NAME), block.take_value::<String>("issuer", &IDENTIFIER));
        let audience = take_several(block, "audience", &IDENTIFIER);
        let names: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
        let algorithms = block.take_words("algorithms", &names, Algorithm::parse).unwrap_or_default();
        let secrets = take_secrets(block);
        let [secret_files, public_key_files, key_set_files] =
            ["secret_file", "public_key_file", "jwks_file"].map(|key| take_several(block, key, &PATH));
        let key_set_url = block.take_as(
            "jwks_url",
            KEY_SET_URL,
            |text: &String| Address::parse(text).map(|_| text.clone()),
            |_| "what was written".to_owned(),
        );
        let [allow_private_addresses, token_in_query, require_exp] =
            ["allow_private_addresses", "token_in_query", "require_exp"].map(|key| block.take_value(key, &Flag));
        let (cookie, leeway) = (block.take_value("cookie", &COOKIE), block.take_value("leeway", &LEEWAY));
        let stale = block.take_value("jwks_stale", &STALE);
        let claims = take_claims(block);
        let default = IssuerConfig::new(&name?, &issuer?, "");
        Some(IssuerConfig {
            audience,
            algorithms: algorithms.into_iter().map(|(_, algorithm)| algorithm).collect(),
            secrets,
            secret_files: paths(secret_files),
            public_key_files: paths(public_key_files),
            key_set_files: paths(key_set_files),
            key_set_url,
            allow_private_addresses: allow_private_addresses.unwrap_or(default.allow_private_addresses),
            key_set_stale: stale.unwrap_or(default.key_set_stale),
            token_in_query: token_in_query.unwrap_or(default.token_in_query),
            cookie,
            require_exp: require_exp.unwrap_or(default.require_exp),
            leeway: leeway.unwrap_or(default.leeway),
            claims,
            ..default
        })
    }
}

fn paths(texts: Vec<String>) -> Vec<PathBuf> {
    texts.into_iter().map(PathBuf::from).collect()
}

/// Takes one text, or a list of texts.
fn take_several(block: &mut Block<'_>, key: &str, form: &Text) -> Vec<String> {
    let is_one = block.table.get(key).is_some_and(|value| value.get_ref().is_str());
    if is_one {
        return block.take_value(key, form).into_iter().collect();
    }
    block.take_value::<Vec<String>>(key, form).unwrap_or_default()
}

fn take_claims(block: &mut Block<'_>) -> ClaimNames {
    let default = ClaimNames::default();
    let mut take = |key: &str, default: String| block.take_value(key, &CLAIM).unwrap_or(default);
    ClaimNames {
        user: take("claim_user", default.user),
        info: take("claim_info", default.info),
        grants: take("claim_grants", default.grants),
        subs: take("claim_subs", default.subs),
    }
}

/// Takes one secret, or a list. What is wrong with one is said without it. An empty text stands for none, as where a
/// configuration was written down.
fn take_secrets(block: &mut Block<'_>) -> Vec<SigningSecret> {
    const EXPECTED: &str = "\"issuer.secret\" must be a text of at least 32 bytes, or a list of such texts";
    let Some(given) = block.table.get("secret") else { return Vec::new() };
    let items: Vec<(usize, Option<&str>)> = match given.get_ref() {
        DeValue::Array(items) => items.iter().map(|item| (item.span().start, item.get_ref().as_str())).collect(),
        value => vec![(given.span().start, value.as_str())],
    };
    let mut secrets = Vec::new();
    for (at, text) in items {
        match text.map(|text| (text, SigningSecret::parse(text.as_bytes()))) {
            Some(("", _)) => {}
            Some((_, Ok(secret))) => secrets.push(secret),
            Some((_, Err(error))) => block.complain(at, format!("\"issuer.secret\" cannot be used: {error}")),
            None => block.complain(at, EXPECTED.to_owned()),
        }
    }
    secrets
}
