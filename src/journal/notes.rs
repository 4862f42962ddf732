//! Events that connections note without knowing their peer: the thread that owns the socket adds it and logs them.

use super::{Event, Journal, Kind};
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;

/// How many notes may wait: one turn of one connection hardly makes more.
const NOTES_MAX: usize = 16;

/// The notes of one thread. An event over its rate is never formatted.
#[derive(Debug, Default)]
pub struct Notes {
    journal: Arc<Journal>,
    notes: RefCell<Vec<Note>>,
    any: Cell<bool>,
}

/// An event without its peer.
#[derive(Debug)]
pub struct Words {
    /// See [`Event::reason`].
    pub reason: &'static str,
    /// See [`Event::fields`].
    pub fields: Vec<(&'static str, String)>,
    /// See [`Event::message`].
    pub message: String,
}

#[derive(Debug)]
struct Note {
    kind: Kind,
    words: Words,
    left_out: u64,
}

impl Words {
    /// Words without further fields.
    pub fn new(reason: &'static str, message: impl Display) -> Words {
        Words { reason, fields: Vec::new(), message: message.to_string() }
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Words {
        self.fields.push((name, value.to_string()));
        self
    }
}

impl Notes {
    /// An empty list for one thread of a server.
    #[must_use]
    pub fn new(journal: Arc<Journal>) -> Notes {
        Notes { journal, ..Notes::default() }
    }

    /// What all threads share.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Notes an event, whose words are only made if it will be logged.
    pub fn note(&self, kind: Kind, now_ms: u64, words: impl FnOnce() -> Words) {
        if let Some(left_out) = self.journal.admit(kind, now_ms) {
            self.keep(kind, left_out, words);
        }
    }

    /// The same, at most once a minute for each `key`.
    pub fn note_once_a_minute(&self, kind: Kind, key: impl Hash, now_ms: u64, words: impl FnOnce() -> Words) {
        if let Some(left_out) = self.journal.admit_once_a_minute(kind, key, now_ms) {
            self.keep(kind, left_out, words);
        }
    }

    fn keep(&self, kind: Kind, left_out: u64, words: impl FnOnce() -> Words) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < NOTES_MAX {
            notes.push(Note { kind, words: words(), left_out });
            self.any.set(true);
        } else {
            // The event itself, and those that it was to report as left out.
            self.journal.leave_out(kind, left_out + 1);
        }
    }

    /// Whether nothing was noted.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        !self.any.get()
    }

    /// Logs everything that was noted as events of this peer, which came through `proxy` if there is one.
    #[cold]
    pub fn write(&self, peer: Option<&dyn Display>, proxy: Option<&dyn Display>) {
        self.any.set(false);
        for Note { kind, words, left_out } in self.notes.borrow_mut().drain(..) {
            let own = words.fields.iter().map(|(name, value)| (*name, value as &dyn Display));
            let fields: Vec<(&'static str, &dyn Display)> =
                proxy.map(|proxy| ("proxy", proxy)).into_iter().chain(own).collect();
            let event =
                Event { peer, reason: words.reason, fields: &fields, message: format_args!("{}", words.message) };
            super::write(kind, &event, left_out);
        }
    }
}
