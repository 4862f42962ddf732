//! What all clients together know: each publication has one place, and everybody who sees it sees it there.

use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// A channel, its epoch, and a place in it.
pub(super) type Place = (String, String, u64);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    next: u64,
    /// Where each publication was seen or said to be.
    places: HashMap<u64, Place>,
    /// The other way around.
    numbers: HashMap<Place, u64>,
    refused: HashSet<u64>,
    /// Whether conversations are printed.
    pub(super) tells: bool,
    /// What happened, for the report.
    pub(super) happened: Happened,
}

macro_rules! happened {
    ($($(#[doc = $doc:literal])+ $field:ident,)*) => {
        /// How often the interesting things happened.
        #[derive(Debug, Default, Clone, Copy)]
        pub(super) struct Happened {
            $($(#[doc = $doc])+ pub(super) $field: u64,)*
        }

        impl Happened {
            /// Each with its name.
            pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field),)*]
            }

            /// The sum of two.
            pub(super) fn add(&mut self, other: &Happened) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

happened! {
    /// Steps of worlds.
    steps,
    /// Pushes received.
    pushes,
    /// Pushes that their publisher did not want.
    excluded,
    /// Pushes received compressed.
    inflated,
    /// Event-stream blocks received.
    blocks,
    /// Publications accepted.
    published,
    /// Pages about the server.
    pages,
    /// Publications refused because room stayed full.
    refused_busy,
    /// Publications that had to wait.
    parked,
    /// Jobs that went through the pool.
    pooled,
    /// Jobs that found the pool full.
    pool_full,
    /// Resumes without a hole.
    recovered,
    /// Resumes that were told of one.
    not_recovered,
    /// Continuities that were ended on purpose.
    resets,
    /// Subscriptions ended by request.
    unsubscribed,
    /// Subscriptions refused because a connection had its share.
    too_many,
    /// Batches answered.
    batches,
    /// Goodbyes and faults of clients, each after all their answers.
    answered_before_a_close,
    /// Connections closed because they read too slowly.
    slow_consumers,
    /// Connections closed because all of them together did.
    over_budget,
    /// Connections closed because they were silent.
    ping_timeouts,
    /// Connections that the client reset.
    connections_reset,
    /// Letters for connections that were gone.
    stale_letters,
    /// Servers that drained.
    drains,
}

impl Ledger {
    /// Prints a line of a conversation, if that is wanted.
    pub(super) fn tell(&self, who: (usize, u32, u32), what: &str, text: &[u8]) {
        if self.tells {
            let text = String::from_utf8_lossy(text).replace(&"p".repeat(10), "");
            eprintln!("{who:?} {what} {text}");
        }
    }

    /// A publication that never was before: its data, with so many bytes of padding.
    pub(super) fn compose(&mut self, padding: usize) -> (u64, String) {
        self.next += 1;
        (self.next, format!("{{\"n\":{},\"pad\":\"{}\"}}", self.next, "p".repeat(padding)))
    }

    /// Somebody was told where a publication is.
    pub(super) fn saw(&mut self, channel: &str, epoch: &str, offset: u64, data: &Value) {
        let number = data["n"].as_u64().expect("all data has its number");
        self.placed(channel, epoch, offset, number);
    }

    /// The same by its number.
    pub(super) fn placed(&mut self, channel: &str, epoch: &str, offset: u64, number: u64) {
        assert!((1..=self.next).contains(&number), "publication {number} was never composed");
        assert!(!self.refused.contains(&number), "publication {number} was refused and is there all the same");
        let place = (channel.to_owned(), epoch.to_owned(), offset);
        let before = self.places.insert(number, place.clone());
        assert!(before.is_none_or(|before| before == place), "publication {number} has two places");
        let other = self.numbers.insert(place.clone(), number);
        assert!(other.is_none_or(|other| other == number), "two publications at {place:?}: {other:?} and {number}");
    }

    /// A publisher was told that nothing was published.
    pub(super) fn refused(&mut self, number: u64) {
        assert!(!self.places.contains_key(&number), "publication {number} was seen and then refused");
        self.refused.insert(number);
    }
}
