//! How sockets compress: the offer that is agreed to, and the memory that connections with windows of their own share.

use crate::wire::deflate::{Agreement, Codec, Contexts, Extension, Policy, Tuning, context_bytes, negotiate};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The settings of permessage-deflate.
#[derive(Debug, Clone)]
pub struct Deflating {
    /// What is agreed to.
    pub policy: Policy,
    /// How messages are compressed.
    pub tuning: Tuning,
    /// Memory for windows that connections keep.
    pub budget: Arc<Budget>,
}

/// The memory that all connections' own windows may take together.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    max: AtomicUsize,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct MemoryPermit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Budget {
        Budget { used: AtomicUsize::new(0), max: AtomicUsize::new(max) }
    }

    /// From now on `max` bytes. What connections have taken, they keep.
    pub fn change(&self, max: usize) {
        self.max.store(max, Relaxed);
    }

    /// Bytes taken.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    fn take(budget: &Arc<Budget>, bytes: usize) -> Option<MemoryPermit> {
        let max = budget.max.load(Relaxed);
        let take = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= max);
        // Compared and taken in one step: two handshakes at once must not both take the last of it. Relaxed, since the
        // number guards no other memory.
        budget.used.fetch_update(Relaxed, Relaxed, take).ok()?;
        Some(MemoryPermit { budget: Arc::clone(budget), bytes })
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

impl Deflating {
    /// The first offer that can be honoured, and the memory that it takes. A connection for whose windows there is no
    /// memory left gets an agreement that needs none.
    pub(super) fn agree(&self, offers: &[Extension<'_>]) -> Option<(Agreement, Option<MemoryPermit>)> {
        let agreement = negotiate(offers, &self.policy)?;
        let deflate = agreement.server_takeover.then(|| agreement.window_bits());
        match context_bytes(deflate, agreement.client_takeover) {
            0 => Some((agreement, None)),
            bytes => match Budget::take(&self.budget, bytes) {
                Some(share) => Some((agreement, Some(share))),
                None => Some((negotiate(offers, &Policy { takeover: false, ..self.policy })?, None)),
            },
        }
    }
}

/// The windows that one socket keeps, with the memory they were given.
#[derive(Debug)]
pub(super) struct DeflateContexts {
    pub(super) contexts: Contexts,
    /// Given back with them.
    _share: MemoryPermit,
}

impl DeflateContexts {
    pub(super) fn new(agreement: &Agreement, share: MemoryPermit, codec: &Codec) -> DeflateContexts {
        let deflate = agreement.server_takeover.then(|| agreement.window_bits());
        DeflateContexts { contexts: Contexts::new(deflate, agreement.client_takeover, codec.tuning()), _share: share }
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Deflating};
    use crate::wire::deflate::{Policy, Tuning, context_bytes, parse_extensions};
    use std::sync::Arc;

    fn deflating(max: usize) -> Deflating {
        Deflating {
            policy: Policy { takeover: true, least_window_bits: 9 },
            tuning: Tuning { level: 1, least_bytes: 256, most_bytes: 1 << 20 },
            budget: Arc::new(Budget::new(max)),
        }
    }

    #[test]
    fn windows_are_kept_while_there_is_memory_and_given_back_at_the_end() {
        let offers = parse_extensions(&["permessage-deflate; client_max_window_bits"]).expect("valid");
        let each = context_bytes(Some(15), true);
        let deflating = deflating(2 * each + each / 2);
        let mut shares = Vec::new();
        for (number, kept) in [(1, true), (2, true), (3, false), (4, false)] {
            let (agreement, share) = deflating.agree(&offers).expect("agreed");
            assert_eq!((agreement.server_takeover, agreement.client_takeover), (kept, kept), "connection {number}");
            assert_eq!(share.is_some(), kept);
            shares.extend(share);
        }
        assert_eq!(deflating.budget.used(), 2 * each);
        shares.pop();
        assert_eq!(deflating.budget.used(), each);
        assert!(deflating.agree(&offers).expect("agreed").0.server_takeover, "there is room again");
        drop(shares);
        assert_eq!(deflating.budget.used(), 0);
    }

    #[test]
    fn a_connection_takes_memory_for_the_directions_that_keep_a_window() {
        let deflating = deflating(usize::MAX);
        for (offer, bytes) in [
            ("permessage-deflate", context_bytes(Some(15), true)),
            ("permessage-deflate; server_max_window_bits=9", context_bytes(Some(9), true)),
            ("permessage-deflate; server_no_context_takeover", context_bytes(None, true)),
            ("permessage-deflate; client_no_context_takeover", context_bytes(Some(15), false)),
            ("permessage-deflate; client_no_context_takeover; server_no_context_takeover", 0),
        ] {
            let offers = parse_extensions(&[offer]).expect("valid");
            let (_, share) = deflating.agree(&offers).expect("agreed");
            assert_eq!(deflating.budget.used(), bytes, "{offer}");
            assert_eq!(share.is_some(), bytes > 0);
        }
    }
}
