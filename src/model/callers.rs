//! Who may do something with the channels of a rule: anyone, users, keys, nobody, or several of them.

use std::fmt;

/// The words, each with its bits.
const WORDS: [(&str, Callers); 4] =
    [("anyone", Callers::ANYONE), ("token", Callers::TOKEN), ("key", Callers::KEY), ("nobody", Callers::NOBODY)];

/// A list of callers: it lets in whoever one of its members lets in. Operators need none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Callers(u8);

impl Callers {
    /// Everybody.
    pub const ANYONE: Callers = Callers(1);
    /// Users whose token grants it on this channel.
    pub const TOKEN: Callers = Callers(2);
    /// Holders of a key that grants it on this channel.
    pub const KEY: Callers = Callers(4);
    /// No one but operators.
    pub const NOBODY: Callers = Callers(0);
    /// Users and keys, as their grants say: what holds where no rule matches.
    pub const GRANTED: Callers = Callers(2 | 4);

    /// The meaning of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Callers> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, callers)| *callers)
    }

    /// All words.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _)| *word)
    }

    /// Both.
    #[must_use]
    pub const fn or(self, other: Callers) -> Callers {
        Callers(self.0 | other.0)
    }

    /// Whether one of them is among these.
    #[must_use]
    #[inline]
    pub const fn has(self, other: Callers) -> bool {
        self.0 & other.0 != 0
    }

    /// The words for it, in the order of [`Callers::words`].
    pub fn as_words(self) -> impl Iterator<Item = &'static str> {
        WORDS.iter().filter(move |(_, one)| self.has(*one) || self == *one).map(|(word, _)| *word)
    }
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.as_words().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callers({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Callers;

    #[test]
    fn each_word_is_one_thing_and_says_itself() {
        for word in Callers::words() {
            assert_eq!(Callers::parse(word).expect(word).to_string(), word);
        }
        assert_eq!(Callers::parse("everyone"), None);
        assert_eq!(Callers::GRANTED.to_string(), "token, key");
        assert!(Callers::GRANTED.has(Callers::KEY) && !Callers::GRANTED.has(Callers::ANYONE));
        assert!(!Callers::NOBODY.has(Callers::GRANTED.or(Callers::ANYONE)), "nobody is let in by it");
    }
}
