//! Reloads while clients come, publish and read: nobody is disconnected, refused, or misses anything.

use super::{File, ask, port};
use crate::support::http::{HttpClient, get};
use crate::support::process::Process;
use crate::support::ws::WsClient;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CHANNELS: [&str; 2] = ["a", "b"];
const READERS_EACH: usize = 8;
const PUBLISHERS_EACH: usize = 2;

/// What happens while the configuration changes.
struct Load {
    ends: Arc<AtomicBool>,
    publishers: Vec<JoinHandle<u64>>,
    readers: Vec<JoinHandle<u64>>,
    newcomers: JoinHandle<u64>,
}

/// What it came to.
struct Sum {
    published: u64,
    received: u64,
    connected: u64,
}

impl Load {
    fn begin(address: SocketAddr) -> Load {
        let ends = Arc::new(AtomicBool::new(false));
        let readers = CHANNELS.iter().flat_map(|channel| {
            (0..READERS_EACH).map(|_| {
                let mut socket = WsClient::connect(address);
                socket.subscribe(channel);
                std::thread::spawn(move || read_all(&mut socket))
            })
        });
        let readers = readers.collect();
        let publishers = CHANNELS.iter().flat_map(|channel| {
            let ends = Arc::clone(&ends);
            (0..PUBLISHERS_EACH).map(move |_| {
                let ends = Arc::clone(&ends);
                std::thread::spawn(move || publish_until(address, channel, &ends))
            })
        });
        let publishers = publishers.collect();
        let end = Arc::clone(&ends);
        let newcomers = std::thread::spawn(move || {
            let mut count = 0;
            while !end.load(Ordering::Relaxed) {
                assert_eq!(get(address, "/livez").status, 200);
                count += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            count
        });
        Load { ends, publishers, readers, newcomers }
    }

    /// Lets everything that was published arrive.
    fn end(self, address: SocketAddr) -> Sum {
        self.ends.store(true, Ordering::Relaxed);
        let published =
            self.publishers.into_iter().map(|thread| thread.join().expect("no publication is refused")).sum();
        for channel in CHANNELS {
            let last =
                HttpClient::connect(address).request("POST", &format!("/channels/{channel}"), &[JSON], b"\"last\"");
            assert_eq!(last.status, 200);
        }
        let received = self.readers.into_iter().map(|thread| thread.join().expect("no reader is disconnected")).sum();
        let connected = self.newcomers.join().expect("no connection is refused");
        Sum { published, received, connected }
    }
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Publishes on one connection; how much.
fn publish_until(address: SocketAddr, channel: &str, ends: &AtomicBool) -> u64 {
    let mut client = HttpClient::connect(address);
    let mut count = 0;
    while !ends.load(Ordering::Relaxed) {
        let answer = client.request("POST", &format!("/channels/{channel}"), &[JSON], count.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        count += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    count
}

/// Reads to the last publication, each with the next offset; how many came before it.
fn read_all(socket: &mut WsClient) -> u64 {
    let mut offset = None;
    for count in 0.. {
        let push = socket.next_push();
        let own = push["offset"].as_u64().unwrap_or_else(|| panic!("a publication: {push}"));
        assert!(offset.is_none_or(|before| own == before + 1), "{push} after {offset:?}");
        offset = Some(own);
        if push["data"] == "last" {
            return count;
        }
    }
    unreachable!("it ends with the last")
}

/// Configurations that follow each other; every fifth is broken.
fn text(number: usize, beside: SocketAddr) -> String {
    let listener = format!("[[listener]]\naddress = \"{beside}\"\nserves = [\"clients\"]\n");
    let rules = "[[channel]]\nmatch = \"**\"\nread = [\"anyone\"]\nwrite = [\"anyone\"]\n";
    match number % 5 {
        0 => String::new(),
        1 => format!("[http]\nbody_bytes = {}\nheaders = 50\n{listener}", 10_000 + number),
        2 => format!("[history]\ncount = {}\n[websocket]\ndeflate_level = 2\n{rules}", 100 + number),
        3 => format!("[limits]\nuser_connections = {}\n{}{rules}{listener}", number + 1, super::key_block()),
        _ => ["[http]\nheaders = 1\n", "[[", "[[key]]\nname = \"k\"\n"][number / 5 % 3].to_owned(),
    }
}

/// Changes the configuration so often while there is load, by operators and by signals, and says what came of it.
fn reloads_under_load(times: usize) {
    let file = File::with("");
    // Rules bring limits with them, which are not meant here.
    let unlimited = ["--limits.connection_requests", "off", "--limits.connection_publications", "off"];
    let arguments = [&["--reactors", "2", "--workers", "1", "--config", file.path()], &unlimited[..]].concat();
    let process = Process::start(&arguments);
    let beside = port();
    let load = Load::begin(process.address);
    let began = Instant::now();
    let refused = AtomicU64::new(0);
    for number in 0..times {
        file.write(&text(number, beside));
        if number % 7 == 6 {
            process.signal("HUP");
        }
        let answer = ask(process.address);
        let is_broken = number % 5 == 4;
        assert_eq!(answer.status, if is_broken { 422 } else { 200 }, "{number}: {}", answer.text());
        refused.fetch_add(u64::from(is_broken), Ordering::Relaxed);
        if number % 5 == 1 || number % 5 == 3 {
            assert_eq!(get(beside, "/livez").status, 200, "{number}");
        }
    }
    let took = began.elapsed();
    file.write("");
    assert_eq!(ask(process.address).status, 200);
    let Sum { published, received, connected } = load.end(process.address);
    assert_eq!(received, published * READERS_EACH as u64, "nothing is lost");
    for reason in ["slow_consumer", "server_shutdown", "internal_error", "forbidden", "token_needed"] {
        assert_eq!(process.metric(&format!("tidings_connections_closed_total{{reason=\"{reason}\"}}")), 0.0);
    }
    assert_eq!(process.metric("tidings_panics_total"), 0.0);
    println!(
        "{times} reloads in {took:.1?}, {} of them refused: {published} publications, {received} received, 0 lost; {} \
         readers and {connected} connections of newcomers, 0 lost",
        refused.load(Ordering::Relaxed),
        CHANNELS.len() * READERS_EACH
    );
}

#[test]
fn fifty_reloads_under_load_lose_nothing() {
    reloads_under_load(50);
}

#[test]
#[ignore = "run by tests/faults reload"]
fn a_thousand_reloads_under_load_lose_nothing() {
    reloads_under_load(1000);
}
