//! Subscriptions with a callback, which runs on a thread of its own.

use super::error::Error;
use super::inside::{Inside, Seat};
use super::publication::{Publication, Replay};
use crate::handoff::mailbox::Letter;
use crate::hub::post::Delivery;
use crate::model::code::Code;
use crate::model::publication::Position;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A subscription with a callback. Dropping it ends it: a callback in progress is waited for, and none follows.
pub struct Subscription {
    /// Where the channel was when the subscription began: what is delivered after the replay begins after it.
    pub position: Position,
    /// With [`Replay::since`]: whether the replay joins that position without a hole.
    pub recovered: Option<bool>,
    /// Left when it ends.
    seat: Arc<Seat>,
    /// Set when it ends: what is still in the mailbox is no longer delivered.
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Subscription {
    pub(super) fn begin(
        inside: &Inside,
        channel: &str,
        replay: Replay,
        mut callback: impl FnMut(&Publication) + Send + 'static,
    ) -> Result<Subscription, Error> {
        let (seat, history) = Seat::take(inside, channel, replay, None)?;
        let seat = Arc::new(seat);
        let over = Arc::new(AtomicBool::new(false));
        let (own, stop) = (Arc::clone(&seat), Arc::clone(&over));
        let deliver = move || {
            // Also when a callback panics: publishers would wait for a mailbox that no thread empties.
            let _leaving = Leaving(&own);
            let is_over = || stop.load(Ordering::Acquire);
            history.publications.iter().take_while(|_| !is_over()).for_each(&mut callback);
            for letter in own.inbox.receiver.iter().take_while(|_| !is_over()) {
                let Letter::Delivery(delivery) = letter else { continue };
                // Read before the callback and given back after it: a slow callback makes its publishers wait.
                let weight = delivery.weight();
                if let Delivery::Publication { publication, .. } = delivery {
                    callback(&Publication::new(publication));
                }
                own.free(weight);
            }
        };
        let thread = std::thread::Builder::new().name("subscriber".to_owned()).spawn(deliver);
        let thread = thread.map_err(|error| {
            // Without a thread there is no guard that would leave.
            seat.leave();
            Error::new(Code::NoThread, error.to_string())
        })?;
        let (position, recovered) = (history.position, history.recovered);
        Ok(Subscription { position, recovered, seat, over, thread: Some(thread) })
    }
}

/// Leaves a seat when it is dropped.
struct Leaving<'s>(&'s Seat);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // First, since a mailbox that is closed still gives out what is in it.
        self.over.store(true, Ordering::Release);
        self.seat.leave();
        // A callback may drop its own subscription, and a thread cannot wait for itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            log::error!(event = "callback_panicked"; "a subscriber's callback panicked");
        }
    }
}
