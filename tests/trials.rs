//! Trials: what an operator does and what a machine suffers in the midst of traffic, against the real binary.
//!
//! Each prints its figures in sentences and fails when something does not hold that must. They run one at a time by
//! `tests/faults NAME`, which builds the release and has it tried; some of the names stand for tests that are elsewhere.
//!
//! | what | test |
//! |---|---|
//! | everybody connects at once, over TLS | `storm` |
//! | a drain of as many sockets as a process may have | `drain` |
//! | restarts under load, with every kind of reader | `rolling` |
//! | a tenth of a core | `stall` |
//! | a wall clock that jumps | `clock` |
//! | memory that ends, starts that fail | `failures` |
//! | panics in every thread | `panics` |
//! | attacks of `hostile` for minutes | `longer` |

mod clock;
mod drain;
mod failures;
mod longer;
mod panics;
mod readers;
mod resuming;
mod rolling;
mod stall;
#[cfg(feature = "tls")]
mod storm;

use crate::support::http::{HttpClient, request_bytes};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Somebody who publishes to a channel on one kept connection, at a pace, until it is over or the server says that it is the
/// last answer.
struct Publisher {
    over: Arc<AtomicBool>,
    accepted: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Publisher {
    fn begin(address: SocketAddr, channel: &str, pause: Duration) -> Publisher {
        let (over, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ends, last) = (Arc::clone(&over), Arc::clone(&accepted));
        let request = request_bytes("POST", &format!("/channels/{channel}"), &[], b"\"published\"");
        let thread = std::thread::spawn(move || {
            let mut client = HttpClient::connect(address);
            while !ends.load(Ordering::Relaxed) {
                let answer = client.exchange(&request);
                assert_eq!(answer.status, 200, "{answer:?}");
                last.store(answer.json()["offset"].as_u64().expect("an offset"), Ordering::Relaxed);
                if answer.field("Connection") == Some("close") {
                    return;
                }
                std::thread::sleep(pause);
            }
        });
        Publisher { over, accepted, thread }
    }

    /// The offset of the last publication that was accepted; 0 before the first.
    fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Ends it; the last offset.
    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("each publication is answered");
        self.accepted.load(Ordering::Relaxed)
    }
}

/// The most of these moments that lie within a span.
fn most_within(span: Duration, moments: &[Instant]) -> usize {
    let mut sorted = moments.to_vec();
    sorted.sort_unstable();
    let mut most = 0;
    for (first, began) in sorted.iter().enumerate() {
        let end = sorted.partition_point(|moment| *moment < *began + span);
        most = most.max(end - first);
    }
    most
}

#[test]
fn the_fullest_span_is_found() {
    let start = Instant::now();
    let at = |tenths: u64| start + Duration::from_millis(100 * tenths);
    assert_eq!(most_within(Duration::from_secs(1), &[at(0), at(9), at(10), at(25), at(11)]), 3);
    assert_eq!(most_within(Duration::from_secs(1), &[]), 0);
}
