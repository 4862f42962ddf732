//! What this server answers a certificate authority that asks by plain HTTP whether a name leads here (RFC 8555 section 8.3).

use arc_swap::ArcSwapOption;
use std::collections::HashMap;

/// Where an authority asks, followed by its token.
pub const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/";

/// The answers to the questions that are expected now, by their tokens. No look at it waits for a change.
#[derive(Debug, Default)]
pub struct Challenges(ArcSwapOption<HashMap<String, String>>);

impl Challenges {
    /// Expects these questions from now on, each with its answer, and no others.
    pub fn expect(&self, answers: impl IntoIterator<Item = (String, String)>) {
        let answers: HashMap<String, String> = answers.into_iter().collect();
        self.0.store((!answers.is_empty()).then(|| answers.into()));
    }

    /// The answer to a question, if it is expected.
    #[must_use]
    pub fn answer(&self, token: &str) -> Option<String> {
        self.0.load().as_ref()?.get(token).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::Challenges;

    #[test]
    fn what_is_expected_is_answered_until_it_is_not() {
        let challenges = Challenges::default();
        assert_eq!(challenges.answer("a"), None);
        challenges.expect([("a".to_owned(), "a.thumb".to_owned())]);
        assert_eq!(challenges.answer("a").as_deref(), Some("a.thumb"));
        assert_eq!([challenges.answer(""), challenges.answer("b")], [None, None]);
        challenges.expect([]);
        assert_eq!(challenges.answer("a"), None);
    }
}
