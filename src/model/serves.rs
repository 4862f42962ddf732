//! What a listener serves: clients, operators, metrics, health checks, or several of them.

use std::fmt;

/// The words for what a listener serves, each with its bits.
const WORDS: [(&str, Serves); 4] = [
    ("clients", Serves::CLIENTS),
    ("operators", Serves::OPERATORS),
    ("metrics", Serves::METRICS),
    ("health", Serves::HEALTH),
];

/// What a listener serves. Health checks are answered on every listener; one that serves [`Serves::HEALTH`] answers nothing
/// else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Serves(u8);

impl Serves {
    /// Everything, the pages of operators for clients that have their key.
    pub const CLIENTS: Serves = Serves(1);
    /// The pages of operators; everyone who reaches the listener is one.
    pub const OPERATORS: Serves = Serves(2);
    /// The metrics, without a key.
    pub const METRICS: Serves = Serves(4);
    /// Health checks.
    pub const HEALTH: Serves = Serves(8);

    /// The meaning of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Serves> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, serves)| *serves)
    }

    /// All words.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _)| *word)
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Serves) -> Serves {
        Serves(self.0 | other.0)
    }

    /// Whether clients are served.
    #[must_use]
    pub fn clients(self) -> bool {
        self.has(Serves::CLIENTS)
    }

    /// Whether those that connect are operators.
    #[must_use]
    pub fn operators(self) -> bool {
        self.has(Serves::OPERATORS)
    }

    /// Whether metrics are open.
    #[must_use]
    pub fn metrics(self) -> bool {
        self.has(Serves::METRICS)
    }

    /// The words for it, in the order of [`Serves::words`].
    pub fn as_words(self) -> impl Iterator<Item = &'static str> {
        WORDS.iter().filter(move |(_, serves)| self.has(*serves)).map(|(word, _)| *word)
    }

    const fn has(self, other: Serves) -> bool {
        // Any bit is all of them here: what is asked for is a single word, which has one.
        self.0 & other.0 != 0
    }
}

impl Default for Serves {
    fn default() -> Serves {
        Serves::CLIENTS
    }
}

impl fmt::Display for Serves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.as_words().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Serves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serves({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Serves;

    #[test]
    fn each_word_is_one_thing_and_says_itself() {
        for word in Serves::words() {
            assert_eq!(Serves::parse(word).expect(word).to_string(), word);
        }
        assert_eq!(Serves::parse("client"), None);
        let two = Serves::OPERATORS.and(Serves::CLIENTS);
        assert_eq!(two.to_string(), "clients, operators");
        assert!(two.clients() && two.operators() && !two.metrics());
        assert_eq!(Serves::default(), Serves::CLIENTS);
    }
}
