//! The healthy client: publishes, is pushed to and connects anew all the time, and says how long each took.

use crate::support::http::{HttpClient, get};
use crate::support::process::Process;
use crate::support::ws::WsClient;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No healthy answer may take longer, on a machine that does much else.
const LATEST: Duration = Duration::from_secs(2);
/// Between two publications.
const PAUSE: Duration = Duration::from_millis(5);
/// Every so many publications a new connection is made.
const FRESH_EVERY: usize = 10;
/// How long it is watched before an attack.
const CALM: Duration = Duration::from_secs(1);
/// The phase in which it stops.
const STOP: usize = usize::MAX;

/// What was measured: an answer to a POST, the push of it, an answer on a new connection.
const KINDS: [&str; 3] = ["answer", "push", "new connection"];

/// Times by phase (before, during) and kind.
type Samples = [[Vec<Duration>; 3]; 2];

/// A healthy client in a thread of its own.
pub(crate) struct Witness {
    phase: Arc<AtomicUsize>,
    thread: JoinHandle<Samples>,
}

impl Witness {
    /// Watches the server in calm for a second; from the return on it is under attack.
    pub(crate) fn before_attack_on(server: &Process) -> Witness {
        Witness::watch(server.address, true)
    }

    /// The same without new connections, for a server that cannot have any.
    pub(crate) fn that_stays_on(server: &Process) -> Witness {
        Witness::watch(server.address, false)
    }

    fn watch(address: SocketAddr, fresh: bool) -> Witness {
        let phase = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&phase);
        let thread = std::thread::spawn(move || witness(address, fresh, &seen));
        std::thread::sleep(CALM);
        phase.store(1, Ordering::Relaxed);
        Witness { phase, thread }
    }

    /// Ends it; fails when an answer was wrong, missing or absurdly late, prints the times otherwise.
    pub(crate) fn finish(self, attack: &str) {
        self.phase.store(STOP, Ordering::Relaxed);
        let samples = self.thread.join().expect("a healthy client is served throughout");
        for (phase, by_kind) in ["before", "during"].into_iter().zip(samples) {
            for (kind, mut times) in KINDS.into_iter().zip(by_kind).filter(|(_, times)| !times.is_empty()) {
                times.sort_unstable();
                let at = |share: usize| times[(times.len() - 1) * share / 100];
                println!(
                    "{attack}: healthy {kind} {phase}: p50 {:?}, p99 {:?}, max {:?} of {}",
                    at(50),
                    at(99),
                    at(100),
                    times.len()
                );
                assert!(at(100) < LATEST, "{attack}: a healthy {kind} took {:?}", at(100));
            }
        }
    }
}

fn witness(address: SocketAddr, fresh: bool, phase: &AtomicUsize) -> Samples {
    let mut samples = Samples::default();
    let mut publisher = HttpClient::connect(address);
    let mut reader = WsClient::connect(address);
    reader.subscribe("witness");
    for offset in 1_usize.. {
        let now = phase.load(Ordering::Relaxed);
        if now == STOP {
            break;
        }
        let [answers, pushes, connects] = &mut samples[now];
        let began = Instant::now();
        let answer = publisher.request("POST", "/channels/witness", &[], b"1");
        answers.push(began.elapsed());
        assert_eq!((answer.status, &answer.json()["offset"]), (200, &json!(offset)));
        assert_eq!(reader.next_json(), json!({"channel": "witness", "offset": offset, "data": 1}));
        pushes.push(began.elapsed());
        if fresh && offset.is_multiple_of(FRESH_EVERY) {
            let began = Instant::now();
            assert_eq!(get(address, "/livez").status, 200);
            connects.push(began.elapsed());
        }
        std::thread::sleep(PAUSE);
    }
    samples
}
