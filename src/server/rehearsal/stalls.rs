//! A server that was stopped for a while: nobody is punished for what only the server missed.

use super::{Client, Rehearsal};
use crate::config::Config;
use std::time::Duration;

const SOCKETS: usize = 400;
const PING: u64 = 2;

/// A pong as a client sends it.
const PONG: [u8; 6] = [0x8A, 0x80, 1, 2, 3, 4];

/// A tick after a sleep that should have lasted `planned` at most and lasted `really`.
fn tick_after(server: &mut Rehearsal, planned: Duration, really: Duration) {
    server.engine.expect_back_after(Some(planned));
    server.pass(really);
    server.turn();
}

/// Sockets that were all pinged; none has answered.
fn pinged(server: &mut Rehearsal) -> Vec<(Client, u64)> {
    let clients: Vec<Client> = (0..SOCKETS).map(|_| server.open("/ws")).collect();
    let before: Vec<Option<u64>> = clients.iter().map(|client| server.written(*client)).collect();
    for _ in 0..26 {
        tick_after(server, Duration::from_secs(1), Duration::from_secs(1));
    }
    let after = clients.iter().map(|client| server.written(*client).expect("it is there"));
    let pairs: Vec<(Client, u64)> = clients.iter().copied().zip(after.collect::<Vec<u64>>()).collect();
    assert!(pairs.iter().zip(before).all(|((_, after), before)| before.map(|bytes| bytes + PING) == Some(*after)));
    pairs
}

/// Of 10,000 sockets up to 9 % were closed with `ping_timeout`, though their pongs lay in the kernel.
#[test]
fn after_a_stall_everything_is_read_before_anybody_is_late() {
    let mut server = Rehearsal::new(&Config::default());
    let clients = pinged(&mut server);
    // All answer while the server is stopped; the kernel tells of them in several looks.
    let (first, rest) = clients.split_at(SOCKETS / 4);
    first.iter().for_each(|(client, _)| server.send(*client, &PONG));
    server.engine.has_more_events = true;
    tick_after(&mut server, Duration::from_secs(1), Duration::from_secs(15));
    rest.iter().for_each(|(client, _)| server.send(*client, &PONG));
    server.engine.has_more_events = false;
    tick_after(&mut server, Duration::ZERO, Duration::from_millis(1));
    for (client, written) in &clients {
        assert_eq!(server.written(*client), Some(*written), "no client receives anything");
    }
}

/// The answers of peers that were stopped too, or that had to send them again, come a little later.
#[test]
fn time_that_the_server_lost_is_given_back_and_silence_ends_all_the_same() {
    let mut server = Rehearsal::new(&Config::default());
    let clients = pinged(&mut server);
    tick_after(&mut server, Duration::from_secs(1), Duration::from_secs(15));
    let live = clients.iter().filter(|(client, written)| server.written(*client) == Some(*written)).count();
    assert_eq!(live, SOCKETS, "the 15 s were no silence of theirs");
    for _ in 0..11 {
        tick_after(&mut server, Duration::from_secs(1), Duration::from_secs(1));
    }
    let told = clients.iter().filter(|(client, written)| server.written(*client) != Some(*written)).count();
    assert_eq!(told, SOCKETS, "who says nothing is gone after the wait for a pong");
}

/// A server that always has more to hear must not wait for ever.
#[test]
fn deadlines_wait_for_events_for_a_second_at_most() {
    let mut server = Rehearsal::new(&Config::default());
    let clients = pinged(&mut server);
    for _ in 0..14 {
        server.engine.has_more_events = true;
        tick_after(&mut server, Duration::from_secs(1), Duration::from_secs(1));
    }
    assert!(clients.iter().all(|(client, written)| server.written(*client) != Some(*written)));
}

/// What came together, as after a restart, was pinged together for ever.
#[test]
fn sockets_that_came_together_are_not_pinged_together() {
    let mut server = Rehearsal::new(&Config::default());
    let clients: Vec<Client> = (0..SOCKETS).map(|_| server.open("/ws")).collect();
    let sum = |server: &mut Rehearsal| -> u64 { clients.iter().filter_map(|client| server.written(*client)).sum() };
    let (mut before, mut most, mut total) = (sum(&mut server), 0, 0);
    for _ in 0..26 * 4 {
        tick_after(&mut server, Duration::from_millis(250), Duration::from_millis(250));
        let now = sum(&mut server);
        most = most.max((now - before) / PING);
        total += (now - before) / PING;
        before = now;
    }
    assert_eq!(total, SOCKETS as u64, "each is asked once in 25 s, and none after them");
    assert!(most <= SOCKETS as u64 / 10, "{most} of {SOCKETS} in a quarter of a second");
}
