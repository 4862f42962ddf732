//! Whether a certificate can be ordered for what a configuration says.

use super::choice::AcmeChallenge;
use super::knobs::{AcmeConfig, Config};
use std::net::IpAddr;

/// Names in one certificate: authorities take no more.
const NAMES_MAX: usize = 100;

impl AcmeConfig {
    /// Whether a certificate is to be ordered.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.domains.is_empty()
    }
}

impl Config {
    /// What is wrong with the order of a certificate.
    pub(super) fn acme_problems(&self) -> Vec<String> {
        let acme = &self.acme;
        if !acme.is_wanted() {
            return self.acme_without_domains().into_iter().collect();
        }
        let mut problems: Vec<String> = acme.domains.iter().filter_map(|name| unproven(name)).collect();
        if acme.domains.len() > NAMES_MAX {
            problems.push(format!(
                "\"acme.domains\" has {} names, and a certificate {NAMES_MAX} at most",
                acme.domains.len()
            ));
        }
        if !acme.accept_terms {
            problems.push(format!(
                "\"acme.accept_terms\" must be true: {} makes an account only for those who agree to its terms of service",
                acme.directory
            ));
        }
        if acme.external_account.is_empty() != acme.external_key_file.is_empty() {
            problems.push(
                "\"acme.external_account\" and \"acme.external_key_file\" go together: the id of a key, and the key"
                    .to_owned(),
            );
        }
        problems.extend(self.unanswered());
        problems
    }

    /// It would be believed to be in use.
    fn acme_without_domains(&self) -> Option<String> {
        let acme = &self.acme;
        (acme.accept_terms || !acme.email.is_empty() || !acme.external_account.is_empty())
            .then(|| "\"acme.domains\" is empty, so nothing is ordered: name what the certificate is for".to_owned())
    }

    /// Whether there is no listener at which the authority could ask. One that speaks TLS is needed for the certificate anyway.
    fn unanswered(&self) -> Option<String> {
        let has_plain = self.all_listeners().iter().any(|listener| !listener.tls);
        (self.acme.challenge == AcmeChallenge::Http01 && !has_plain).then(|| {
            "\"acme.challenge\" is \"http-01\", and no listener could answer it, since the authority asks by plain HTTP at port 80: \
             add a [[listener]] with address = \"0.0.0.0:80\" and redirect = \"https\""
                .to_owned()
        })
    }
}

/// Why no authority could be shown that this is ours, if that is so.
fn unproven(name: &str) -> Option<String> {
    if name.starts_with("*.") {
        return Some(format!(
            "\"acme.domains\" has \"{name}\": certificates with a star need a proof in DNS (dns-01), which this server does not \
             give; name each host, or fetch the certificate by another program and add it as a [[certificate]]"
        ));
    }
    name.parse::<IpAddr>()
        .is_ok()
        .then(|| format!("\"acme.domains\" has \"{name}\": an address is no name; name what leads to it in DNS"))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const GOOD: &str =
        "[server]\nlisten = [\"127.0.0.1:1\"]\ntls = true\n[acme]\ndomains = [\"a.example\"]\naccept_terms = true\n";

    fn problems(text: &str) -> Vec<String> {
        let config = Config::from_toml("t", text).expect("readable");
        config.check().err().map_or_else(Vec::new, |error| error.problems().to_vec())
    }

    #[test]
    fn what_cannot_be_ordered_is_refused_with_the_reason() {
        assert_eq!(problems(GOOD), Vec::<String>::new());
        let many: Vec<String> = (0..101).map(|number| format!("\"a{number}.example\"")).collect();
        for (from, to, words) in [
            ("\"a.example\"", "\"*.example\"", "need a proof in DNS (dns-01)"),
            ("\"a.example\"", "\"192.0.2.1\"", "an address is no name"),
            ("\"a.example\"", &many.join(","), "has 101 names"),
            ("accept_terms = true", "", "\"acme.accept_terms\" must be true"),
            ("\"a.example\"", "", "\"acme.domains\" is empty"),
            ("accept_terms = true", "accept_terms = true\nexternal_account = \"k\"", "go together"),
            ("accept_terms = true", "accept_terms = true\nexternal_key_file = \"k\"", "go together"),
            ("accept_terms = true", "accept_terms = true\nchallenge = \"http-01\"", "no listener could answer it"),
            ("tls = true", "", "no listener speaks TLS"),
        ] {
            let found = problems(&GOOD.replace(from, to));
            assert!(found.iter().any(|problem| problem.contains(words)), "{from} {to}: {found:?}");
        }
        let most = problems(&GOOD.replace("\"a.example\"", &many[1..].join(",")));
        assert_eq!(most, Vec::<String>::new(), "a hundred are taken");
    }

    #[test]
    fn a_plain_listener_answers_by_http() {
        let text =
            format!("{GOOD}challenge = \"http-01\"\n[[listener]]\naddress = \"127.0.0.1:2\"\nredirect = \"https\"\n");
        assert_eq!(problems(&text), Vec::<String>::new());
    }
}
