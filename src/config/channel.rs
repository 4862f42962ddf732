//! `[[channel]]`: who may use the channels of some names, and how these behave.

use super::choice::Durability;
use super::rate::Rate;
use super::text::quoted;
use super::units::{size_text, time_text};
use crate::model::callers::Callers;
use crate::model::glob::Glob;
use crate::model::grants::Action;
use std::fmt::Write as _;
use std::time::Duration;

/// One `[[channel]]`. What it leaves out is as for channels without a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRule {
    /// The channels that it is for (`match`).
    pub channels: Glob,
    /// Who may receive what is published, and read the history.
    pub read: Callers,
    /// Who may publish.
    pub write: Callers,
    /// Who may see who is there.
    pub presence: Callers,
    /// Who may make a stream of it.
    pub create: Callers,
    /// Publications that each of them keeps, instead of `history.count`.
    pub history_count: Option<usize>,
    /// Bytes that each of them keeps, instead of `history.bytes`.
    pub history_bytes: Option<usize>,
    /// How long a publication is kept, instead of `history.age`.
    pub history_age: Option<Duration>,
    /// What each publication has outlived when it is answered, instead of `history.durability`.
    pub durability: Option<Durability>,
    /// Bytes of the data of one publication at most, if fewer than a message or a body may have.
    pub publication_bytes: Option<usize>,
    /// Publications in each of them, of all clients together.
    pub publish_rate: Option<Rate>,
    /// Publications of each client in all of them together.
    pub client_publish_rate: Option<Rate>,
}

impl ChannelRule {
    /// A rule that says nothing of these channels.
    #[must_use]
    pub fn new(channels: Glob) -> ChannelRule {
        ChannelRule {
            channels,
            read: Callers::GRANTED,
            write: Callers::GRANTED,
            presence: Callers::GRANTED,
            create: Callers::GRANTED,
            history_count: None,
            history_bytes: None,
            history_age: None,
            durability: None,
            publication_bytes: None,
            publish_rate: None,
            client_publish_rate: None,
        }
    }

    /// Who may do something. Emptying a history is never open to everyone: a grant is needed.
    #[must_use]
    #[inline]
    pub fn callers(&self, action: Action) -> Callers {
        match action {
            Action::Read => self.read,
            Action::Write => self.write,
            Action::Presence => self.presence,
            Action::Create => self.create,
            Action::Manage => Callers::GRANTED,
        }
    }

    /// As it stands in a file.
    pub(super) fn write(&self) -> String {
        let mut out = format!("[[channel]]\nmatch = {}\n", quoted(self.channels.as_str()));
        for action in [Action::Read, Action::Write, Action::Presence, Action::Create] {
            let words: Vec<String> = self.callers(action).as_words().map(quoted).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{} = [{}]", action.word(), words.join(", "));
        }
        let values = [
            ("history_count", self.history_count.map(|count| count.to_string())),
            ("history_bytes", self.history_bytes.map(|bytes| quoted(&size_text(bytes)))),
            ("history_age", self.history_age.map(|age| quoted(&time_text(age)))),
            ("durability", self.durability.map(|durability| quoted(durability.word()))),
            ("publication_bytes", self.publication_bytes.map(|bytes| quoted(&size_text(bytes)))),
            ("publish_rate", self.publish_rate.map(|rate| quoted(&rate.to_string()))),
            ("client_publish_rate", self.client_publish_rate.map(|rate| quoted(&rate.to_string()))),
        ];
        for (key, value) in values {
            let _ = value.map_or(Ok(()), |value| writeln!(out, "{key} = {value}"));
        }
        out
    }
}
