//! The engine: one thread, its connections, and what they do, on epoll and one timer.
//!
//! A thread owns its connections for life, reads them all into one buffer, and stamps what it sends. It reports its
//! figures once a second and shares nothing with other threads but a count of deliveries.

mod accounting;
mod attack;
mod client;
mod error;
mod events;
mod frames;
mod http;
mod recorder;
mod refusal;
mod request;
mod schedule;
mod spread;
mod tls;
mod tracker;
mod transport;
mod worker;

pub use error::{BeginError, TrustError};
pub use tracker::{Arrival, Tracker};
pub use worker::Worker;

use crate::message::Report;
use crossbeam_channel::Sender;
use mio::Waker;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// What is noted of a bad client for which there was no room.
pub const NOT_BEGUN: &str = "not begun";

/// What the threads of a process share: how many deliveries there were, so that a closed flow of
/// publications goes on when the last receiver has one.
#[derive(Debug, Default)]
pub struct Progress {
    delivered: AtomicU64,
    /// At how many deliveries the publishing thread wants to be woken; zero: it does not.
    wake_at: AtomicU64,
    publisher: OnceLock<Wake>,
}

impl Progress {
    /// Sets which thread publishes.
    pub fn set_publisher(&self, wake: Wake) {
        // There is one publishing thread in a closed flow, and it is named once.
        let _ = self.publisher.set(wake);
    }

    fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::SeqCst)
    }

    fn deliver(&self) {
        // Sequentially consistent, as in `wake_at`: each side writes its own number and then reads the other's. With
        // weaker orders both could read the old one, and the publisher would sleep.
        let delivered = self.delivered.fetch_add(1, Ordering::SeqCst) + 1;
        let wanted = self.wake_at.load(Ordering::SeqCst);
        if wanted != 0 && delivered >= wanted {
            self.wake();
        }
    }

    fn wake_at(&self, delivered: u64) {
        if self.publisher.get().is_some() {
            self.wake_at.store(delivered, Ordering::SeqCst);
            if self.delivered() >= delivered {
                self.wake();
            }
        }
    }

    /// Wakes the publisher, once per wish.
    fn wake(&self) {
        // Swapped, so that of the threads that see the wish one alone makes the system call.
        if self.wake_at.swap(0, Ordering::SeqCst) != 0
            && let Some(publisher) = self.publisher.get()
        {
            // A thread that cannot be woken looks again within a second.
            let _ = publisher.wake();
        }
    }
}

/// Where a thread's reports go, with its number.
#[derive(Debug, Clone)]
pub struct Reports {
    sender: Sender<(u64, Report)>,
    index: u64,
}

impl Reports {
    /// Reports of the thread with this number.
    #[must_use]
    pub fn new(sender: Sender<(u64, Report)>, index: u64) -> Reports {
        Reports { sender, index }
    }

    fn send(&self, report: Report) {
        // The collector may have ended, and then reports are not needed any more.
        let _ = self.sender.send((self.index, report));
    }
}

/// Wakes a thread that waits.
pub type Wake = Arc<Waker>;
