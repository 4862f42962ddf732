//! Many connections without a kernel: `cargo bench --bench crowd [-- COUNT ...]`, by default 10,000, 100,000 and 1,000,000.
//!
//! Each is a WebSocket subscribed to one of COUNT / 100 channels. What a reactor does for them is real: entries, subscriptions,
//! deadlines, frames; only their sockets are memory. Printed per count: bytes per connection (the process's PSS, with 24 bytes that a
//! socket of memory is larger than a descriptor and the channels' part), and the time for opening one, for a publication to a hundred,
//! for pinging each of them, for subscribing and unsubscribing, and the longest tick of the ping sweep.

mod memory;

use memory::pss;
use std::time::{Duration, Instant};
use tidings::Config;
use tidings::server::rehearsal::{Client, Rehearsal, masked};

/// Subscribers of each channel.
const EACH: usize = 100;
/// How far the clock moves between two ticks of a sweep.
const STEP: Duration = Duration::from_millis(64);

fn main() {
    let counts: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![10_000, 100_000, 1_000_000] } else { counts };
    let is_a_try = std::env::args().any(|argument| argument == "--test");
    println!("connections  bytes each  open ns  deliver ns  ping ns  longest tick ms  (un)subscribe ns");
    for count in if is_a_try { vec![1_000] } else { counts } {
        crowd(count);
    }
}

fn crowd(count: usize) {
    let mut config = Config::default();
    // Nobody answers pings here.
    config.websocket.pong_wait = Duration::from_secs(3600);
    let mut server = Rehearsal::new(&config);
    let publisher = server.open("/ws");
    let before = pss();
    let began = Instant::now();
    let mut clients = Vec::with_capacity(count);
    for index in 0..count {
        clients.push(server.open(&format!("/channels/crowd-{}", index / EACH)));
        // Spread over the time between two pings, as connections are that come when they come.
        if index % (count / 300).max(1) == 0 {
            server.pass(STEP);
        }
    }
    let open = began.elapsed();
    let names = clients.capacity() * size_of::<Client>();
    let bytes = pss().saturating_sub(before + names) / count;
    let deliver = deliver(&mut server, publisher, count);
    let subscribe = subscribe(&mut server, &clients);
    let (ping, longest) = sweep(&mut server, &clients, &config);
    let each = |time: Duration, times: usize| time.as_nanos() as f64 / times as f64;
    println!(
        "{count:11}  {bytes:10}  {:7.0}  {:10.0}  {:7.0}  {:15.2}  {:16.0}",
        each(open, count),
        each(deliver, 1_000 * EACH),
        each(ping, count),
        longest.as_secs_f64() * 1e3,
        each(subscribe, 2 * clients.len().min(10_000)),
    );
}

/// A thousand publications, each to another channel.
fn deliver(server: &mut Rehearsal, publisher: Client, count: usize) -> Duration {
    let channels = count / EACH;
    let began = Instant::now();
    for number in 0..1_000 {
        let channel = number * 7_919 % channels;
        server.send(publisher, &masked(format!("POST /channels/crowd-{channel} {{\"price\":118.25}}").as_bytes()));
        server.turn();
    }
    began.elapsed()
}

/// Each of up to ten thousand leaves its channel and comes back.
fn subscribe(server: &mut Rehearsal, clients: &[Client]) -> Duration {
    let some: Vec<(usize, Client)> =
        clients.iter().copied().enumerate().step_by((clients.len() / 10_000).max(1)).take(10_000).collect();
    let began = Instant::now();
    for (index, client) in &some {
        let channel = index / EACH;
        server.send(*client, &masked(format!("DELETE /subscriptions/crowd-{channel}").as_bytes()));
        server.send(*client, &masked(format!("GET /channels/crowd-{channel}").as_bytes()));
        server.turn();
    }
    began.elapsed()
}

/// Time until everybody was pinged; the ticks' time together and the longest of them.
fn sweep(server: &mut Rehearsal, clients: &[Client], config: &Config) -> (Duration, Duration) {
    let (mut sum, mut longest, mut passed) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let before: Vec<u64> = clients.iter().filter_map(|client| server.written(*client)).collect();
    while passed < config.websocket.ping_idle + 2 * STEP {
        server.pass(STEP);
        passed += STEP;
        let began = Instant::now();
        server.turn();
        sum += began.elapsed();
        longest = longest.max(began.elapsed());
    }
    let pinged = clients.iter().zip(before).filter(|(client, before)| server.written(**client) > Some(*before)).count();
    assert_eq!(pinged, clients.len(), "everybody was pinged");
    (sum, longest)
}
