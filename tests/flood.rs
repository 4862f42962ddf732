//! The flood: publishers on every transport, subscribers that join, vanish and resume at random, and nothing may go missing.
//!
//! Each subscriber's stream of a channel is exactly consecutive from its activation on, or it was told
//! `recovered: false` with the position from which it then is; payloads are the same bytes for everybody; what was
//! acknowledged exists once, what was refused does not; and when everybody has left, every counter is back at zero.

mod ledger;
mod payload;
mod publishers;
mod subscribers;
mod watch;

use crate::support::{TestServer, wait_until};
use ledger::Ledger;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};
use watch::Board;

/// Channels in a flood.
const CHANNELS: usize = 3;
/// How long the publishers of one flood publish at most.
const SPAN: Duration = Duration::from_millis(700);
/// Publications that one publisher makes at most.
const PUBLICATIONS: usize = 400;

/// What the threads of one flood share.
struct Flood<'f> {
    server: &'f TestServer,
    ledger: &'f Ledger,
    board: &'f Board,
    seed: u64,
    until: Instant,
}

impl Flood<'_> {
    /// The random numbers of one thread.
    fn random(&self, thread: usize) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(1000).wrapping_add(thread as u64))
    }

    /// Whether a publisher that made `published` goes on.
    fn goes_on(&self, published: usize) -> bool {
        published < PUBLICATIONS && Instant::now() < self.until
    }
}

/// One way to set a server up.
#[derive(Debug, Clone, Copy)]
struct Setup {
    mailbox_entries: Option<usize>,
    reactors: usize,
    inline_parse_bytes: Option<usize>,
}

#[test]
fn a_flood_with_one_reactor_loses_nothing() {
    flood_every_setup(1);
}

#[test]
fn a_flood_with_two_reactors_loses_nothing() {
    flood_every_setup(2);
}

#[test]
fn a_flood_with_four_reactors_loses_nothing() {
    flood_every_setup(4);
}

/// Mailboxes of two entries and of the default size, times everything, the default and nothing parsed by workers.
fn flood_every_setup(reactors: usize) {
    let seed: u64 = match std::env::var("TIDINGS_FLOOD_SEED") {
        Ok(text) => text.parse().expect("TIDINGS_FLOOD_SEED is a number"),
        Err(_) => rand::random_range(0..1_000_000_000),
    };
    for (index, mailbox_entries) in [Some(2), None].into_iter().enumerate() {
        for (place, inline_parse_bytes) in [Some(0), None, Some(usize::MAX)].into_iter().enumerate() {
            let setup = Setup { mailbox_entries, reactors, inline_parse_bytes };
            println!("TIDINGS_FLOOD_SEED={seed} {setup:?}");
            flood(setup, seed.wrapping_add((100 * reactors + 10 * index + place) as u64));
        }
    }
}

fn flood(setup: Setup, seed: u64) {
    let server = TestServer::start(|config| {
        config.server.reactors = setup.reactors;
        config.server.workers = 2;
        config.server.publish_wait = Duration::from_millis(20);
        config.history.count = 500;
        config.history.replay_count = 40;
        if let Some(entries) = setup.mailbox_entries {
            config.delivery.mailbox_entries = entries;
        }
        if let Some(bytes) = setup.inline_parse_bytes {
            config.server.inline_parse_bytes = bytes;
        }
    });
    let (ledger, board) = (Ledger::new(CHANNELS), Board::new());
    let flood = Flood { server: &server, ledger: &ledger, board: &board, seed, until: Instant::now() + SPAN };
    let witnesses: Vec<_> = (0..CHANNELS).map(|channel| subscribers::witness(&flood, channel)).collect();
    watch::within(Duration::from_secs(45), &flood, || {
        std::thread::scope(|scope| {
            let subscribers = subscribers::start(scope, &flood);
            for publisher in publishers::start(scope, &flood) {
                publisher.join().expect("a publisher's checks hold");
            }
            publishers::end(&flood);
            for subscriber in subscribers {
                subscriber.join().expect("a subscriber's checks hold");
            }
        });
    });
    for (channel, witness) in witnesses.into_iter().enumerate() {
        witness.finish(&flood, channel);
    }
    ledger.check();
    println!("  {}", ledger.summary());
    everything_is_back_at_zero(&server);
    assert_eq!(server.stop(Duration::from_secs(5)), 0, "nobody is left to be cut off");
}

/// When all clients have left, nothing is counted any more but the connection that asks.
fn everything_is_back_at_zero(server: &TestServer) {
    for name in [
        "tidings_connections{transport=\"websocket\"}",
        "tidings_connections{transport=\"sse\"}",
        "tidings_interest",
        "tidings_subscriptions",
        "tidings_outbox_bytes",
        "tidings_mailbox_bytes",
        "tidings_outbound_bytes",
        "tidings_panics_total",
    ] {
        wait_until(name, || server.metric(name) == 0.0);
    }
    let http = "tidings_connections{transport=\"http\"}";
    wait_until(http, || server.metric(http) == 1.0);
}

/// One of the channels, at random.
fn any_channel(random: &mut StdRng) -> usize {
    random.random_range(0..CHANNELS)
}
