//! All issuers of a configuration, and whether each can verify what it is there for.

use super::issuer::IssuerConfig;
use super::issuer_forms::{Address, CLAIM, COOKIE, IDENTIFIER, KEY_SET_URL, LEEWAY, NAME, STALE};
use super::kind::Kind;
use super::knobs::Config;
use super::text::quoted;
use crate::model::algorithm::Algorithm;
use crate::model::signing_secret::SigningSecret;

/// How many issuers there may be: each token is looked up among them, and key sets are fetched for each.
const ISSUERS_MAX: usize = 64;
/// Secrets and files of one issuer: a token that names no key is tried with each, and at most that many times.
const KEYS_MAX: usize = 8;
/// How many audiences may be meant by one issuer.
const AUDIENCES_MAX: usize = 32;

impl Config {
    /// What is wrong with the issuers. What is wrong with a block names it by its number, from 1.
    pub(super) fn issuer_problems(&self) -> Vec<String> {
        let issuers = &self.issuers;
        let mut problems = Vec::new();
        if issuers.len() > ISSUERS_MAX {
            let count = issuers.len();
            problems.push(format!("there are {count} [[issuer]] blocks, and at most {ISSUERS_MAX} are possible"));
        }
        for (index, issuer) in issuers.iter().enumerate() {
            let before = &issuers[..index];
            let mut own = issuer.problems();
            if before.iter().any(|other| other.name == issuer.name) {
                own.push(format!("the name {} is that of an issuer before it", quoted(&issuer.name)));
            }
            // A token says by this alone which issuer made it.
            if before.iter().any(|other| other.issuer == issuer.issuer) {
                own.push(format!("\"issuer\" {} is that of an issuer before it", quoted(&issuer.issuer)));
            }
            problems.extend(own.into_iter().map(|problem| format!("[[issuer]] {}: {problem}", index + 1)));
        }
        problems
    }
}

impl IssuerConfig {
    /// What is wrong with it by itself. The first half repeats what its parser asks, for programs that make one.
    fn problems(&self) -> Vec<String> {
        let named =
            |key: &str, checked: Result<(), String>| checked.err().map(|problem| format!("\"{key}\" {problem}"));
        let cookie = self.cookie.as_ref().map_or(Ok(()), |name| COOKIE.check(name));
        let url_fits = self.key_set_url.as_ref().is_none_or(|url| Address::parse(url).is_some());
        let forms = [
            named("name", NAME.check(&self.name)),
            named("issuer", IDENTIFIER.check(&self.issuer)),
            named("audience", IDENTIFIER.check(&self.audience)),
            named("jwks_url", url_fits.then_some(()).ok_or_else(|| format!("must be {KEY_SET_URL}"))),
            named("cookie", cookie),
            named("leeway", LEEWAY.check(&self.leeway)),
            named("jwks_stale", STALE.check(&self.key_set_stale)),
        ];
        let claims = self.claims.with_keys().into_iter().filter_map(|(key, name)| named(key, CLAIM.check(name)));
        let mut problems: Vec<String> = forms.into_iter().flatten().chain(claims).collect();
        problems.extend(self.audience_problem());
        problems.extend(self.claim_problem());
        problems.extend(self.address_problem());
        problems.extend(self.fetching_problem(cfg!(feature = "outbound")));
        problems.extend(self.key_problems());
        problems
    }

    fn audience_problem(&self) -> Option<String> {
        let fits = (1..=AUDIENCES_MAX).contains(&self.audience.len());
        (!fits).then(|| {
            format!(
                "\"audience\" must be 1 to {AUDIENCES_MAX} texts, one of which every token names in \"aud\": without one, \
                 tokens that the issuer made for other services would count here"
            )
        })
    }

    fn claim_problem(&self) -> Option<String> {
        let named = self.claims.with_keys();
        let twice = |(index, (_, name)): (usize, &(&str, &String))| {
            named[..index].iter().find(|(_, other)| other == name).map(|(other, _)| (*other, index))
        };
        let (first, second) = named.iter().enumerate().find_map(twice)?;
        let (key, name) = named[second];
        Some(format!("\"{key}\" must be another claim than \"{first}\", and both are {}", quoted(name)))
    }

    fn address_problem(&self) -> Option<String> {
        let address = Address::parse(self.key_set_url.as_ref()?)?;
        if address.is_secure {
            return None;
        }
        // Whoever stands between could put their own keys in.
        match (address.authority.is_loopback(), self.allow_private_addresses) {
            (true, true) => None,
            (true, false) => Some(
                "\"jwks_url\" must begin with https://, or the issuer have allow_private_addresses = true for plain HTTP to \
                 this machine"
                    .to_owned(),
            ),
            (false, _) => Some(
                "\"jwks_url\" must begin with https://: plain HTTP is only for this machine, with \
                 allow_private_addresses = true"
                    .to_owned(),
            ),
        }
    }

    /// Whether this program can fetch keys at all.
    pub(super) fn fetching_problem(&self, can_fetch: bool) -> Option<String> {
        (self.key_set_url.is_some() && !can_fetch).then(|| {
            "\"jwks_url\" needs the feature \"outbound\" of the crate tidings, and this program was built without it; add it, or \
             give the keys by \"jwks_file\" or \"public_key_file\""
                .to_owned()
        })
    }

    /// How many secrets it has, as values and in files.
    fn secret_count(&self) -> usize {
        self.secrets.len() + self.secret_files.len()
    }

    fn key_problems(&self) -> Vec<String> {
        let (secrets, files) = (self.secret_count(), self.public_key_files.len() + self.key_set_files.len());
        let public = files > 0 || self.key_set_url.is_some();
        if secrets == 0 && !public {
            return vec![
                "an issuer needs a key: \"secret\", \"secret_file\", \"public_key_file\", \"jwks_file\" or \"jwks_url\""
                    .to_owned(),
            ];
        }
        let mut problems = Vec::new();
        if secrets + files > KEYS_MAX {
            let count = secrets + files;
            problems.push(format!("an issuer has at most {KEYS_MAX} secrets and files, and this one has {count}"));
        }
        for algorithm in &self.algorithms {
            problems.extend(self.algorithm_problem(*algorithm, public));
        }
        let unused = !self.algorithms.is_empty()
            && secrets > 0
            && self.algorithms.iter().all(|algorithm| algorithm.secret_bytes_min().is_none());
        if unused {
            problems.push(
                "\"algorithms\" has none that a secret signs (HS256, HS384, HS512): leave out the secret, or add one"
                    .to_owned(),
            );
        }
        problems
    }

    /// Why none of the keys can do what an algorithm needs, as far as that is known before files are read.
    fn algorithm_problem(&self, algorithm: Algorithm, has_public_keys: bool) -> Option<String> {
        let name = algorithm.name();
        match algorithm.secret_bytes_min() {
            None => (!has_public_keys).then(|| {
                format!("\"algorithms\" has {name}, which needs a \"public_key_file\", \"jwks_file\" or \"jwks_url\"")
            }),
            Some(_) if self.secret_count() == 0 => {
                Some(format!("\"algorithms\" has {name}, which needs a \"secret\" or \"secret_file\""))
            }
            Some(min) => {
                let short = |secret: &&SigningSecret| secret.reveal().len() < min;
                self.secrets.iter().find(short).map(|secret| {
                    let bytes = secret.reveal().len();
                    format!(
                        "\"algorithms\" has {name}, which needs a secret of {min} bytes, and \"secret\" has {bytes}"
                    )
                })
            }
        }
    }
}
