//! A server that is killed again and again at random moments while it is published to: nothing that was answered is missing
//! afterwards, in its order, and no position ever has two bodies.

use super::{NO_LIMITS, Store, kill, pages_after, size};
use crate::support::http::get;
use crate::support::process::Process;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tungstenite::Message;

/// Kills, unless `TIDINGS_KILLS` says how many.
const KILLS: u64 = 20;
/// Publishers, and publications that each sends in one message.
const PUBLISHERS: usize = 8;
const BATCH: u64 = 32;
/// Channels of each kind, which all of them publish to.
const CHANNELS: u64 = 10;

/// A publication that was answered: its channel, its place, and what was published.
type Answered = (String, String, u64, u64);

/// Publishes numbers that nobody else does until the server ends; what was answered.
fn publish(address: SocketAddr, numbers: &AtomicU64) -> Vec<Answered> {
    let mut answered = Vec::new();
    let Ok((mut socket, _)) = tungstenite::connect(format!("ws://{address}/ws")) else { return answered };
    let channel_of = |number: u64| {
        let kind = if (number / BATCH).is_multiple_of(2) { "written" } else { "synced" };
        format!("{kind}:{}", number % CHANNELS)
    };
    let batch = || {
        let first = numbers.fetch_add(BATCH, Ordering::Relaxed);
        let request = |number| json!({"method": "POST", "path": format!("/channels/{}", channel_of(number)), "data": number, "id": number});
        Message::text(Value::from((first..first + BATCH).map(request).collect::<Vec<_>>()).to_string())
    };
    // Two are always on their way, so that the server has the next when it has answered one.
    if socket.send(batch()).is_err() {
        return answered;
    }
    while socket.send(batch()).is_ok() {
        let Ok(Ok(text)) = socket.read().map(Message::into_text) else { break };
        for answer in serde_json::from_str::<Vec<Value>>(&text).unwrap_or_default() {
            if let (Some(epoch), Some(offset)) = (answer["epoch"].as_str(), answer["offset"].as_u64()) {
                let number = answer["id"].as_u64().expect("it was sent with one");
                answered.push((channel_of(number), epoch.to_owned(), offset, number));
            }
        }
    }
    answered
}

/// What every position is known to hold.
#[derive(Default)]
struct Audit {
    bodies: HashMap<(String, String, u64), u64>,
    /// How far each channel was read before.
    read: HashMap<String, (String, u64)>,
    answered: u64,
}

impl Audit {
    fn is(&mut self, channel: &str, epoch: &str, offset: u64, number: u64) {
        let before = self.bodies.insert((channel.to_owned(), epoch.to_owned(), offset), number);
        assert!(
            before.is_none_or(|before| before == number),
            "{channel} {epoch}:{offset} was {before:?}, now {number}"
        );
    }

    /// Reads what is new in all channels, or all of it, and looks for what was answered.
    fn look(&mut self, server: &Process, answered: &[Answered], all_of_it: bool) {
        for (channel, epoch, offset, number) in answered {
            self.is(channel, epoch, *offset, *number);
        }
        self.answered += answered.len() as u64;
        for kind in ["written", "synced"] {
            for channel in (0..CHANNELS).map(|number| format!("{kind}:{number}")) {
                let epoch = get(server.address, &format!("/channels/{channel}")).json()["epoch"].clone();
                let epoch = epoch.as_str().expect("an epoch");
                let before = self.read.get(&channel).filter(|(of, _)| of == epoch && !all_of_it);
                let mut last = before.map_or(0, |(_, offset)| *offset);
                for one in pages_after(server.address, &channel, (epoch, last), 300) {
                    let (offset, number) = (one["offset"].as_u64(), one["data"].as_u64().expect("a number"));
                    last += 1;
                    assert_eq!(offset, Some(last), "{channel}");
                    self.is(&channel, epoch, last, number);
                }
                self.read.insert(channel.clone(), (epoch.to_owned(), last));
                // The process ends, not the machine: nothing changes the epoch, and nothing is missing.
                let missing = |(own, of, offset, _): &&Answered| own == &channel && (of != epoch || *offset > last);
                let missing: Vec<_> = answered.iter().filter(missing).collect();
                assert!(missing.is_empty(), "{channel} ends at {epoch}:{last}, {missing:?}");
            }
        }
    }
}

#[test]
#[ignore = "run by tests/faults kills"]
fn nothing_that_was_answered_is_missing_after_kills_at_random_moments() {
    let kills = size("TIDINGS_KILLS", KILLS);
    let (store, mut audit, numbers) = (Store::new(), Audit::default(), AtomicU64::new(0));
    let config = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kills-{}.toml", std::process::id()));
    let toml = "[history]\ncount = 10000000\nage = \"1h\"\nbytes = \"1GiB\"\n[[channel]]\nmatch = \"synced:*\"\ndurability = \"synced\"\n\
        read = [\"anyone\"]\nwrite = [\"anyone\"]\n[[channel]]\nmatch = \"**\"\nread = [\"anyone\"]\nwrite = [\"anyone\"]\n";
    std::fs::write(&config, toml).expect("a file");
    let more = [&["--config", config.to_str().expect("UTF-8")], &NO_LIMITS[..]].concat();
    let mut random = StdRng::seed_from_u64(17);
    let (mut busy, began) = (Duration::ZERO, Instant::now());
    for kill_number in 1..=kills {
        let server = store.start(&more);
        let (address, started) = (server.address, Instant::now());
        let pause = Duration::from_millis(random.random_range(50..400));
        let answered: Vec<Answered> = std::thread::scope(|scope| {
            let publishers: Vec<_> = (0..PUBLISHERS).map(|_| scope.spawn(|| publish(address, &numbers))).collect();
            std::thread::sleep(pause);
            kill(server);
            publishers.into_iter().flat_map(|publisher| publisher.join().expect("no panic")).collect()
        });
        busy += started.elapsed();
        let server = store.start(&more);
        audit.look(&server, &answered, kill_number == kills);
        kill(server);
    }
    std::fs::remove_file(&config).expect("it was written");
    assert!(audit.answered > 100 * kills, "only {} were answered", audit.answered);
    println!(
        "{kills} kills in {:.0} s, {} publications answered, {:.0} a second: none missing, none reordered, no position with two bodies",
        began.elapsed().as_secs_f64(),
        audit.answered,
        audit.answered as f64 / busy.as_secs_f64()
    );
}
