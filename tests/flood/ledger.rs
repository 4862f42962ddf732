//! What really happened: which payload has which offset, told by everybody who sees it, and how many were published.

use super::payload::Payload;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The books of one flood.
pub(super) struct Ledger {
    channels: Vec<Channel>,
    busy: AtomicUsize,
    resumed: AtomicUsize,
    lost: AtomicUsize,
    sessions: AtomicUsize,
}

#[derive(Default)]
struct Channel {
    payloads: Mutex<BTreeMap<u64, Payload>>,
    published: AtomicU64,
    /// The last offset that counts, once it is known.
    last: AtomicU64,
}

impl Ledger {
    pub(super) fn new(channels: usize) -> Ledger {
        let channels = (0..channels).map(|_| Channel::default()).collect();
        let (busy, resumed, lost, sessions) = Default::default();
        Ledger { channels, busy, resumed, lost, sessions }
    }

    /// Somebody saw this payload at this offset: everybody else must see the same.
    pub(super) fn saw(&self, channel: usize, offset: u64, payload: &Payload) {
        let mut payloads = self.channels[channel].payloads.lock().expect("no check failed");
        let known = payloads.entry(offset).or_insert_with(|| payload.clone());
        let same = known == payload;
        let both = (!same).then(|| (known.clone(), payload.clone()));
        drop(payloads);
        assert!(same, "offset {offset} of channel {channel} has two payloads: {both:?}");
    }

    /// A publication was acknowledged with an offset.
    pub(super) fn acknowledged(&self, channel: usize, offset: u64, payload: &Payload) {
        self.saw(channel, offset, payload);
        self.published(channel, 1);
    }

    /// So many publications went through.
    pub(super) fn published(&self, channel: usize, count: u64) {
        self.channels[channel].published.fetch_add(count, Ordering::Relaxed);
    }

    /// A publication was refused with 503 `busy`.
    pub(super) fn busy(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    /// A subscriber resumed, with a hole or without.
    pub(super) fn resumed(&self, recovered: bool) {
        let counter = if recovered { &self.resumed } else { &self.lost };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A subscriber came.
    pub(super) fn session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// Says which offset a subscriber must reach.
    pub(super) fn set_last(&self, channel: usize, offset: u64) {
        self.channels[channel].last.store(offset, Ordering::SeqCst);
    }

    /// Whether a subscriber that is at `offset` has seen everything that counts.
    pub(super) fn is_over(&self, channel: usize, offset: u64) -> bool {
        let last = self.channels[channel].last.load(Ordering::SeqCst);
        last > 0 && offset >= last
    }

    /// Offsets are 1, 2, 3 … to the number of publications that went through, and each payload was published once.
    pub(super) fn check(&self) {
        for (index, channel) in self.channels.iter().enumerate() {
            let payloads = channel.payloads.lock().expect("no check failed");
            let published = channel.published.load(Ordering::Relaxed);
            assert!(payloads.keys().copied().eq(1..=published), "channel {index}: {published} were published");
            let distinct: HashSet<&Payload> = payloads.values().collect();
            assert_eq!(distinct.len(), payloads.len(), "channel {index} has a payload twice");
        }
    }

    pub(super) fn summary(&self) -> String {
        let published: Vec<u64> = self.channels.iter().map(|own| own.published.load(Ordering::Relaxed)).collect();
        format!(
            "published {published:?}, busy {:?}, sessions {:?}, resumed {:?}, lost {:?}",
            self.busy, self.sessions, self.resumed, self.lost
        )
    }
}
