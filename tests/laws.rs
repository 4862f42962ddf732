//! The laws of the river, each with a test that fails when the law is broken.
//!
//! | law | proved by |
//! |---|---|
//! | 1, 2, 3, 5 to 8 | `simulation` (10,000 seeded servers on a virtual clock, audited after every turn) |
//! | 1, 5, 8 between threads | `models` (shuttle: no lost wake, room, interest, encodings) |
//! | 1 order | `flood`; `hub::tests::order`; `laws::order::a_publisher_that_meets_a_full_mailbox_…`; `library::a_slow_callback_…` |
//! | 2 per connection | `flood` (own push before the reply, no push after an unsubscribe); `laws::order::requests_of_mixed_sizes_…`, `…after_an_unsubscribe…`, `…a_batch_that_unsubscribes…`; `http::ten_pipelined_requests_…`; `last_words` (answers before a Close); `rehearsal::errands` (an answer that is made elsewhere keeps its place) |
//! | 3 honest gaps | `flood`; `laws::order::a_gap_longer_than_the_replay_limit_…` |
//! | 4 encode once | `deflate::a_publication_is_compressed_once_…`; `hub::publication` (unit tests: one allocation is shared by everybody, races included) |
//! | 5 bounded | `laws::bounds`; `memory`; `wire::frame::tests::limits`; `refusals`; `hostile::floods`, `hostile::deaf` |
//! | 6 one way out | `laws::bounds::a_pong_never_lands_inside_a_push` |
//! | 7 slow consumers | `laws::bounds::a_reader_that_never_reads_…`, `…the_global_budget…`; `connection::outbox` (the cut); `hostile::silent` |
//! | 8 ids cannot lie | `laws::hostile::an_answer_for_a_connection_that_is_gone_…` |
//! | 9 input never panics | `laws::hostile::noise_…`; `hostile::entries`; `wire` (differential, every split); `library::a_callback_that_panics_…` |
//! | 10 closed by default | `access` (suite, and the unit tests of the room: tables), `node::gate` |
//! | 11 time is an argument | `tidy` (no clock in pure code), `reactor::wheel`, `deadlines` |

mod bounds;
mod hostile;
mod order;

use std::sync::mpsc::{Receiver, Sender, channel};
use tidings::Server;
use tidings::Subscription;

/// A library subscriber whose callback waits at a gate, so that its mailbox fills.
struct Gate {
    open: Sender<()>,
    seen: Receiver<u64>,
    _subscription: Subscription,
}

impl Gate {
    fn on(server: &Server, name: &str) -> Gate {
        let (open, gate) = channel::<()>();
        let (sender, seen) = channel();
        let subscription = server.subscribe(name, move |publication| {
            // The test may have seen enough, or dropped the gate.
            let _ = sender.send(publication.offset());
            let _ = gate.recv();
        });
        Gate { open, seen, _subscription: subscription.expect("a subscription") }
    }

    /// Lets everything through from here on; what the callback sees.
    fn open(self) -> (Receiver<u64>, Subscription) {
        drop(self.open);
        (self.seen, self._subscription)
    }
}
