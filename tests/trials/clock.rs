//! A wall clock that jumps by an hour, forward and back, while the monotonic one goes on: deadlines keep to the monotonic one, tokens
//! to the wall, and the order of a history is that of its offsets.

use crate::reload::File;
use crate::support::frames::{CLOSE, PING, RawSocket};
use crate::support::http::HttpClient;
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{PATIENCE, wait_until};
use crate::tokens::{SECRET, now, token};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const HOUR: i64 = 3600;
/// Deadlines of the server here.
const PING_IDLE: Duration = Duration::from_secs(4);
const PONG_WAIT: Duration = Duration::from_secs(3);
const HEAD_TIMEOUT: Duration = Duration::from_secs(3);
const COMMENT: Duration = Duration::from_secs(3);
/// By how much a deadline may be early, or late beyond what it was while nothing happened to the clock.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Where the library is that fakes the wall clock, if it is installed.
fn library() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path()).collect();
    folders.push(PathBuf::from("/usr/lib"));
    folders.into_iter().map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())
}

/// The real server with a wall clock that this test moves.
struct Moved {
    server: Process,
    clock: File,
}

impl Moved {
    fn start() -> Option<Moved> {
        let Some(library) = library() else {
            println!("skipped: no libfaketime here (Debian has it in the package faketime)");
            return None;
        };
        let clock = File::with("+0\n");
        let wrapper = [
            "env".to_owned(),
            format!("LD_PRELOAD={}", library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", clock.path()),
            // Each look at the clock is a look at the file.
            "FAKETIME_NO_CACHE=1".to_owned(),
            // By its names of all versions: the monotonic clock, and what waits by it, are the machine's.
            "DONT_FAKE_MONOTONIC=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "NO_FAKE_STAT=1".to_owned(),
            "FAKETIME_DISABLE_SHM=1".to_owned(),
        ];
        let toml = format!(
            "[websocket]\nping_idle = \"{PING_IDLE:?}\"\npong_wait = \"{PONG_WAIT:?}\"\n\
             [http]\nhead_timeout = \"{HEAD_TIMEOUT:?}\"\n[sse]\ncomment = \"{COMMENT:?}\"\n[history]\nstamp_time = true\n\
             [[issuer]]\nname = \"app\"\nissuer = \"app\"\naudience = [\"tidings\"]\nsecret = \"{SECRET}\"\nleeway = 0\n\
             [[channel]]\nmatch = \"chat:*\"\n[[channel]]\nmatch = \"**\"\nread = [\"anyone\"]\nwrite = [\"anyone\"]\n"
        );
        let server = Process::start_by(&wrapper, 4096, &toml, &["--reactors", "2", "--workers", "1"]);
        let moved = Moved { server, clock };
        assert!(moved.wall().abs_diff(now()) <= 2, "its clock is right");
        Some(moved)
    }

    /// Moves the wall clock to so many seconds from the right time.
    fn jump(&self, seconds: i64) {
        self.clock.write(&format!("{seconds:+}\n"));
    }

    /// What the server takes for the time, in seconds since 1970: it stamps publications with it.
    fn wall(&self) -> u64 {
        let mut client = HttpClient::connect(self.server.address);
        assert_eq!(client.request("POST", "/channels/wall", &[], b"1").status, 200);
        let snapshot = client.request("GET", "/channels/wall?last=1", &[], b"").json();
        snapshot["publications"][0]["time"].as_u64().expect("a stamp") / 1000
    }
}

/// A deadline: its name, the earliest and the latest moment for it, and when it came.
type Met = (&'static str, Duration, Duration, Duration);

/// Has all deadlines come once, side by side.
fn deadlines(address: SocketAddr) -> Vec<JoinHandle<Vec<Met>>> {
    let sockets = move || {
        let mut socket = RawSocket::open(address, "/ws");
        let opened = Instant::now();
        let (first, _) = socket.next().expect("a ping");
        assert_eq!(first, PING);
        let pinged = opened.elapsed();
        // It is not answered.
        let ended = socket.next();
        let gone = opened.elapsed() - pinged;
        assert!(ended.is_none_or(|(first, _)| first == CLOSE));
        // Each connection is pinged up to a quarter earlier.
        vec![("ping", PING_IDLE * 3 / 4, PING_IDLE, pinged), ("end without a pong", PONG_WAIT, PONG_WAIT, gone)]
    };
    let heads = move || {
        let mut client = HttpClient::connect(address);
        client.raw.send("GET /livez HTTP/1.1\r\nHost:");
        let sent = Instant::now();
        let answer = client.read_answer(false);
        assert_eq!(answer.status, 408);
        vec![("end of a slow head", HEAD_TIMEOUT, HEAD_TIMEOUT, sent.elapsed())]
    };
    let streams = move || {
        let mut stream = RawClient::connect(address);
        stream.send("GET /channels/quiet HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        stream.read_until(b"event: position\n");
        stream.read_until(b"\n\n");
        let (opened, before) = (Instant::now(), stream.received.len());
        while stream.received.len() == before {
            assert_ne!(stream.read_more(), 0, "a comment comes");
        }
        vec![("comment", COMMENT * 3 / 4, COMMENT, opened.elapsed())]
    };
    vec![std::thread::spawn(sockets), std::thread::spawn(heads), std::thread::spawn(streams)]
}

/// The deadlines while `disturb` happens: what came too early or too late, with the lateness that is nobody's fault.
fn round(moved: &Moved, what: &str, late: Duration, disturb: impl Fn(&Moved)) -> Duration {
    let running = deadlines(moved.server.address);
    disturb(moved);
    let met: Vec<Met> = running.into_iter().flat_map(|thread| thread.join().expect("each deadline comes")).collect();
    moved.jump(0);
    let mut latest = Duration::ZERO;
    let words: Vec<String> = met.iter().map(|(name, _, _, came)| format!("{name} after {came:.2?}")).collect();
    println!("clock: {what}: {}", words.join(", "));
    for (name, earliest, due, came) in met {
        assert!(came + TOLERANCE >= earliest, "{what}: {name} came {:?} early", earliest - came);
        assert!(came <= due + TOLERANCE + late, "{what}: {name} came {:?} late", came - due);
        latest = latest.max(came.saturating_sub(due));
    }
    latest
}

#[test]
#[ignore = "run by tests/faults clock"]
fn deadlines_keep_to_the_monotonic_clock_while_the_wall_clock_jumps() {
    let Some(moved) = Moved::start() else { return };
    let second = || std::thread::sleep(Duration::from_secs(1));
    let late = round(&moved, "nothing happens", PATIENCE, |_| {});
    let jumps_to = |seconds: i64| {
        move |moved: &Moved| {
            second();
            moved.jump(seconds);
            assert!(moved.wall().abs_diff(now().checked_add_signed(seconds).expect("a time")) <= 3, "it has jumped");
        }
    };
    round(&moved, "an hour forward", late, jumps_to(HOUR));
    round(&moved, "an hour back", late, jumps_to(-HOUR));
    round(&moved, "an hour forward and back, twenty times", late, |moved| {
        for number in 0..20 {
            moved.jump(if number % 2 == 0 { HOUR } else { -HOUR });
            std::thread::sleep(Duration::from_millis(250));
        }
    });
    moved.server.signal("TERM");
    let (status, log) = moved.server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
}

/// The status and the code of a read with a token.
fn read_with(address: SocketAddr, bearer: &str) -> (u16, String) {
    let fields = [("Authorization", bearer)];
    let answer = HttpClient::connect(address).request("GET", "/channels/chat:a", &fields, b"");
    (answer.status, if answer.status == 200 { String::new() } else { answer.code() })
}

/// How long after `since` a socket is closed, and with which code.
fn closed(mut socket: WsClient, since: Instant) -> (Duration, u16) {
    let close = socket.read_close().expect("a Close with a code");
    (since.elapsed(), u16::from(close.code))
}

#[test]
#[ignore = "run by tests/faults clock"]
fn tokens_keep_to_the_wall_clock_and_histories_to_their_offsets() {
    let Some(moved) = Moved::start() else { return };
    let address = moved.server.address;
    let open = |bearer: &str| WsClient::connect_to(address, "/channels/chat:a", &[("Authorization", bearer)]);
    let bearer = |seconds: u64| format!("Bearer {}", token(&json!({"exp": now() + seconds})));
    let (short, long) = (bearer(6), bearer(600));

    // Forward: what was valid for ten minutes is over, at once for requests, and for sockets when they are looked at.
    assert_eq!(read_with(address, &long).0, 200);
    let socket = open(&long);
    moved.jump(HOUR);
    let jumped = Instant::now();
    wait_until("its token is over", || read_with(address, &long) == (401, "token_expired".to_owned()));
    let (after, code) = closed(socket, jumped);
    println!(
        "clock: a token of ten minutes is refused after an hour forward; its socket was closed with {code} after {after:.1?}"
    );
    assert_eq!(code, 4401);
    assert!(after < PING_IDLE + 2 * TOLERANCE + PONG_WAIT, "{after:?}");

    // Back: the same token counts again, and one that was over by now lives on until the clock says so.
    moved.jump(-HOUR);
    wait_until("it counts again", || read_with(address, &long).0 == 200);
    let mut socket = open(&short);
    let opened = Instant::now();
    assert_eq!(socket.next_json()["status"], 200);
    while opened.elapsed() < Duration::from_secs(8) {
        assert_eq!(socket.request(json!({"method": "GET", "path": "/livez"}))["status"], 200, "it has an hour left");
        std::thread::sleep(Duration::from_millis(200));
    }
    moved.jump(0);
    let jumped = Instant::now();
    let (after, code) = closed(socket, jumped);
    println!(
        "clock: a token that was over lived for an hour back; its socket was closed with {code} {after:.1?} after the clock was right"
    );
    assert_eq!(code, 4401);
    assert!(after < PING_IDLE + 2 * TOLERANCE + PONG_WAIT, "{after:?}");
    in_order(&moved);
}

/// Publications under a clock that jumps: their stamps go back and forth, and their order is that of their offsets.
fn in_order(moved: &Moved) {
    let address = moved.server.address;
    let mut publisher = HttpClient::connect(address);
    let mut reader = WsClient::connect(address);
    let epoch = reader.subscribe("ordered")["epoch"].as_str().expect("an epoch").to_owned();
    for number in 1..=30_u64 {
        moved.jump([0, HOUR, -HOUR][number as usize % 3]);
        let answer = publisher.request("POST", "/channels/ordered", &[], number.to_string().as_bytes());
        assert_eq!(answer.json()["offset"], number);
        assert_eq!(reader.next_push()["offset"], number, "in the order of offsets");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Histories are kept for an hour, which has not passed.
    moved.jump(2 * HOUR);
    std::thread::sleep(Duration::from_secs(1));
    let snapshot = publisher.request("GET", "/channels/ordered", &[], b"").json();
    let list: &Vec<Value> = snapshot["publications"].as_array().expect("publications");
    let figures = |name: &str| list.iter().map(|one| one[name].as_u64().expect("a number")).collect::<Vec<u64>>();
    let (offsets, stamps) = (figures("offset"), figures("time"));
    let backwards = stamps.windows(2).filter(|pair| pair[1] < pair[0]).count();
    println!(
        "clock: {} publications in the order of their offsets, though {backwards} have an earlier stamp than the one before",
        list.len()
    );
    assert_eq!(offsets, (1..=30).collect::<Vec<u64>>(), "nothing is forgotten early");
    assert!(backwards >= 5, "the clock jumped: {stamps:?}");
    let since = format!("{epoch}:10");
    let resumed = reader.request(json!({"method": "GET", "path": "/channels/ordered", "since": since}));
    assert_eq!((&resumed["recovered"], &resumed["publications"][0]["offset"]), (&json!(true), &json!(11)), "{resumed}");
    moved.jump(0);
}
