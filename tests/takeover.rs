//! One server takes the place of another on the same sockets: clients that connect meanwhile are refused by neither.

use crate::reload::{File, port};
use crate::support::http::get;
use crate::support::process::Process;
use crate::support::wait_until;
use crate::support::ws::WsClient;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// Where the servers of a test find each other.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("handover-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Place(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }

    pub(crate) fn start(&self, more: &[&str]) -> Process {
        Process::start(&[&["--server.handover", self.path()], more].concat())
    }

    /// Starts the next one; the one before ends by itself, with nobody cut off.
    pub(crate) fn next(&self, before: Process, more: &[&str]) -> (Process, String) {
        let next = self.start(&[&["--takeover"], more].concat());
        assert_eq!(next.address, before.address);
        let (status, log) = before.wait();
        assert!(status.code() == Some(0) && log.contains("handed_over"), "{status:?} {log}");
        (next, log)
    }
}

/// Clients that connect all the time, and what came of it.
pub(crate) struct Storm {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) answered: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Ended before an answer was whole.
    pub(crate) reset: AtomicU64,
}

impl Storm {
    pub(crate) fn begin(address: SocketAddr, clients: usize) -> Storm {
        let (ends, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()));
        let client = |_| {
            let (ends, counts) = (Arc::clone(&ends), Arc::clone(&counts));
            std::thread::spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    let count = match once(address) {
                        Ok(true) => &counts.answered,
                        Err(error) if error.kind() == ErrorKind::ConnectionRefused => &counts.refused,
                        Ok(false) | Err(_) => &counts.reset,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let threads = (0..clients).map(client).collect();
        Storm { ends, threads, counts }
    }

    pub(crate) fn answered(&self) -> u64 {
        self.counts.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn end(self) -> Arc<Counts> {
        self.ends.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        self.counts
    }
}

/// Whether a connection of its own is answered, and the answer is whole.
fn once(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(crate::support::PATIENCE))?;
    stream.write_all(b"GET /limits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200 ") && answer.trim_end().ends_with('}'))
}

fn takeovers_in_a_storm(times: usize) {
    let place = Place::new();
    let mut server = place.start(&["--reactors", "2"]);
    let storm = Storm::begin(server.address, 8);
    let began = Instant::now();
    for number in 0..times {
        let before = storm.answered();
        wait_until("the storm goes on", || storm.answered() > before + 50);
        // Fewer and more threads than there were: all sockets are accepted from.
        let reactors = ["1", "3", "2"][number % 3];
        server = place.next(server, &["--reactors", reactors]).0;
    }
    let before = storm.answered();
    wait_until("the storm goes on", || storm.answered() > before + 50);
    let (counts, took) = (storm.end(), began.elapsed());
    println!("{times} takeovers in {took:.1?}: {counts:?}");
    assert_eq!((counts.refused.load(Ordering::Relaxed), counts.reset.load(Ordering::Relaxed)), (0, 0), "{counts:?}");
}

#[test]
fn no_connect_is_refused_or_reset_over_three_takeovers() {
    takeovers_in_a_storm(3);
}

#[test]
#[ignore = "run by tests/faults takeover"]
fn no_connect_is_refused_or_reset_over_fifty_takeovers() {
    takeovers_in_a_storm(50);
}

#[test]
fn clients_of_the_server_before_are_closed_as_in_a_drain_and_find_the_next_one() {
    let place = Place::new();
    let server = place.start(&[]);
    let mut socket = WsClient::connect(server.address);
    socket.subscribe("a");
    let closed = std::thread::spawn(move || socket.read_close());
    let (next, _) = place.next(server, &[]);
    let close = closed.join().expect("no panic").expect("a Close");
    assert_eq!(u16::from(close.code), 1012);
    WsClient::connect(next.address).subscribe("a");
}

#[test]
fn one_that_cannot_start_changes_nothing_for_the_server_before() {
    let (place, taken) = (Place::new(), std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    let server = place.start(&[]);
    let mut socket = WsClient::connect(server.address);
    let text = format!("[[listener]]\naddress = \"{}\"\n", taken.local_addr().expect("an address"));
    let file = File::with(&text);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(["serve", "--listen", "127.0.0.1:0", "--takeover", "--server.handover", place.path()])
        .args(["--config", file.path()])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    for _ in 0..8 {
        assert_eq!(get(server.address, "/readyz").status, 200);
    }
    socket.subscribe("a");
    drop(socket);
    let (_, log) = place.next(server, &[]);
    assert!(log.contains("handover_given_up"), "{log}");
}

#[test]
fn without_a_server_before_it_starts_as_usual_and_without_a_path_it_says_what_is_needed() {
    let place = Place::new();
    let server = place.start(&["--takeover"]);
    assert_eq!(get(server.address, "/livez").status, 200);
    server.signal("TERM");
    let (status, log) = server.wait();
    assert!(status.code() == Some(0) && log.contains("nobody_before"), "{log}");
    assert!(!place.0.exists(), "its file is removed");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(["serve", "--listen", "127.0.0.1:0", "--takeover"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(78) && said.contains("server.handover"), "{said}");
}

#[test]
fn unix_sockets_and_listeners_of_a_reload_go_along_and_those_that_are_gone_are_closed() {
    let (place, path) = (Place::new(), Place::new());
    let (stays, goes) = (port(), port());
    let block = |address: SocketAddr| format!("[[listener]]\naddress = \"{address}\"\n");
    let unix = format!("[[listener]]\npath = \"{}\"\n", path.path());
    let file = File::with(&unix);
    let server = place.start(&["--reactors", "2", "--config", file.path()]);
    file.write(&(unix.clone() + &block(stays) + &block(goes)));
    assert_eq!(crate::reload::ask(server.address).status, 200);
    file.write(&(unix + &block(stays)));
    let (next, _) = place.next(server, &["--reactors", "1", "--config", file.path()]);
    for _ in 0..8 {
        assert_eq!((get(next.address, "/livez").status, get(stays, "/livez").status), (200, 200));
        let mut stream = UnixStream::connect(&path.0).expect("it listens");
        stream.write_all(b"GET /livez HTTP/1.0\r\n\r\n").expect("open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(TcpStream::connect(goes).is_err(), "nobody listens there any more");
    next.signal("TERM");
    let (status, log) = next.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!path.0.exists() && !place.0.exists(), "its files are removed");
}

#[test]
fn a_server_that_is_asked_by_something_else_goes_on() {
    let place = Place::new();
    let server = place.start(&[]);
    // It is made after the line that says where the server listens.
    wait_until("the path of the handover", || place.0.exists());
    // Another kind of socket is refused by the kernel, and the path is for this user alone.
    assert!(UnixStream::connect(&place.0).is_err());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&place.0).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(get(server.address, "/livez").status, 200);
    drop(place.next(server, &[]));
}
