//! `[[issuer]]`: who may sign tokens, with which keys and algorithms, for which audience, and what their claims are called.

use super::kind::DAY;
use super::text::quoted;
use super::units::time_text;
use crate::model::algorithm::{Algorithm, Algorithms};
use crate::model::signing_secret::SigningSecret;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// What the claims of an issuer's tokens are called. Names are names and no paths: a dot in one is part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// Who the user is.
    pub user: String,
    /// What other clients may know of the user.
    pub info: String,
    /// What the user may do.
    pub grants: String,
    /// What the user is subscribed to when it connects.
    pub subs: String,
}

impl Default for ClaimNames {
    fn default() -> ClaimNames {
        let [user, info, grants, subs] = ["sub", "info", "grants", "subs"].map(str::to_owned);
        ClaimNames { user, info, grants, subs }
    }
}

impl ClaimNames {
    /// Each with the setting that changes it.
    pub(super) fn with_keys(&self) -> [(&'static str, &String); 4] {
        [
            ("claim_user", &self.user),
            ("claim_info", &self.info),
            ("claim_grants", &self.grants),
            ("claim_subs", &self.subs),
        ]
    }
}

/// One `[[issuer]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// What it is called here, in logs and messages.
    pub name: String,
    /// The `iss` of its tokens, which names it.
    pub issuer: String,
    /// The `aud` of its tokens: one of these.
    pub audience: Vec<String>,
    /// What its tokens may be signed with; empty for all that its keys can do.
    pub algorithms: Vec<Algorithm>,
    /// Secrets that it shares with this server: several while one replaces another.
    pub secrets: Vec<SigningSecret>,
    /// Files with one secret each.
    pub secret_files: Vec<PathBuf>,
    /// Files with one public key each (PEM).
    pub public_key_files: Vec<PathBuf>,
    /// Files with one key set each (RFC 7517).
    pub key_set_files: Vec<PathBuf>,
    /// Where its key set is fetched.
    pub key_set_url: Option<String>,
    /// Whether that may be an address of this machine or of a private network, and plain HTTP to this machine.
    pub allow_private_addresses: bool,
    /// How long keys that were fetched are used when they cannot be fetched again.
    pub key_set_stale: Duration,
    /// Whether its tokens may stand in a query, where proxies and logs of others may see them.
    pub token_in_query: bool,
    /// The cookie that holds its tokens.
    pub cookie: Option<String>,
    /// Whether a token without `exp` is refused.
    pub require_exp: bool,
    /// By how much its clock and this one may differ.
    pub leeway: Duration,
    /// What its claims are called.
    pub claims: ClaimNames,
}

impl IssuerConfig {
    /// An issuer with the defaults, and without a key yet.
    #[must_use]
    pub fn new(name: &str, issuer: &str, audience: &str) -> IssuerConfig {
        IssuerConfig {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            audience: vec![audience.to_owned()],
            algorithms: Vec::new(),
            secrets: Vec::new(),
            secret_files: Vec::new(),
            public_key_files: Vec::new(),
            key_set_files: Vec::new(),
            key_set_url: None,
            allow_private_addresses: false,
            key_set_stale: DAY,
            token_in_query: false,
            cookie: None,
            require_exp: true,
            leeway: Duration::from_secs(10),
            claims: ClaimNames::default(),
        }
    }

    /// What its tokens may be signed with, as far as the configuration alone says.
    #[must_use]
    pub fn allowed_algorithms(&self) -> Algorithms {
        if self.algorithms.is_empty() {
            Algorithm::ALL.into_iter().collect()
        } else {
            self.algorithms.iter().copied().collect()
        }
    }

    /// As it stands in a file. Secrets are not shown: an empty text stands for them, as for the operators' key.
    pub(super) fn write(&self) -> String {
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        let texts = |items: &[String]| list(items.iter().map(|item| quoted(item)).collect());
        let paths = |paths: &[PathBuf]| list(paths.iter().map(|path| quoted(&path.to_string_lossy())).collect());
        let mut lines =
            vec![("name", quoted(&self.name)), ("issuer", quoted(&self.issuer)), ("audience", texts(&self.audience))];
        if !self.algorithms.is_empty() {
            lines.push(("algorithms", list(self.algorithms.iter().map(|one| quoted(one.name())).collect())));
        }
        if !self.secrets.is_empty() {
            lines.push(("secret", "\"\" # not shown".to_owned()));
        }
        for (key, files) in [
            ("secret_file", &self.secret_files),
            ("public_key_file", &self.public_key_files),
            ("jwks_file", &self.key_set_files),
        ] {
            lines.extend((!files.is_empty()).then(|| (key, paths(files))));
        }
        lines.extend(self.key_set_url.as_ref().map(|url| ("jwks_url", quoted(url))));
        lines.push(("allow_private_addresses", self.allow_private_addresses.to_string()));
        if self.key_set_url.is_some() {
            lines.push(("jwks_stale", quoted(&time_text(self.key_set_stale))));
        }
        lines.push(("token_in_query", self.token_in_query.to_string()));
        lines.extend(self.cookie.as_ref().map(|name| ("cookie", quoted(name))));
        lines.push(("require_exp", self.require_exp.to_string()));
        lines.push(("leeway", quoted(&time_text(self.leeway))));
        lines.extend(self.claims.with_keys().map(|(key, name)| (key, quoted(name))));
        let mut out = String::from("[[issuer]]\n");
        for (key, value) in lines {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{key} = {value}");
        }
        out
    }
}
