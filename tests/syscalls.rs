//! What the hot path asks of the kernel, counted exactly: the real binary under strace.
//!
//! A server is as fast as its system calls are few. In the steady state a request costs one read, and one write for all answers
//! to that read; a publication costs one write for each reader, or one call for all of them; and nothing is registered, woken
//! or read a second time. These are the only calls that may appear.

use crate::support::frames::{RawSocket, TEXT, frame, header};
use crate::support::process::{Process, can_trace};
use crate::support::wait_until;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Turns of each phase.
const TURNS: usize = 50;
/// Frames in one write of a client: less than one segment on loopback, so they come with one read.
const DEPTH: usize = 16;
const POST: &[u8] = br#"{"id":1,"method":"POST","path":"/channels/x","data":{"price":118.25}}"#;
const POST_ELSEWHERE: &[u8] = br#"{"id":1,"method":"POST","path":"/channels/nobody","data":1}"#;

/// A server whose calls are written down, and a socket that leaves marks among them.
struct Traced {
    server: Process,
    log: PathBuf,
    marker: RawSocket,
    marks: usize,
}

impl Traced {
    fn start(arguments: &[&str]) -> Traced {
        let log =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}.calls", std::process::id(), arguments.join("")));
        let options = ["-e", "trace=%desc,%network,io_uring_enter", "-s", "64"];
        let server = Process::start_traced(&options, &log, 1_000, arguments);
        let marker = RawSocket::open(server.address, "/ws");
        Traced { server, log, marker, marks: 0 }
    }

    fn mark(&mut self) {
        self.marks += 1;
        // One that is served: a refusal is logged, with a call for the peer's address.
        let text = format!(r#"{{"method":"GET","path":"/channels/mark-{}-","once":true}}"#, self.marks);
        // Masked with zeros, so that it can be read in the log.
        self.marker.raw.send([header(TEXT, text.len()), vec![0; 4], text.into_bytes()].concat());
        assert_eq!(self.marker.next_json()["status"], 200);
    }

    /// What the marker's thread called while `phase` ran, except for waiting.
    fn calls(&mut self, phase: impl FnOnce(&mut RawSocket)) -> BTreeMap<String, usize> {
        self.mark();
        phase(&mut self.marker);
        self.mark();
        let marks = [self.marks - 1, self.marks].map(|number| format!("/mark-{number}-"));
        let read = || std::fs::read_to_string(&self.log).expect("strace's log");
        wait_until("strace wrote down the mark", || read().contains(&marks[1]));
        let calls = joined(&read());
        let place = |mark: &str| calls.iter().position(|call| call.text.contains(mark)).expect("a mark is in the log");
        let [first, last] = [place(&marks[0]), place(&marks[1])];
        let mut counts = BTreeMap::new();
        for call in &calls[first + 1..last] {
            if call.thread == calls[first].thread && call.name() != "epoll_wait" {
                *counts.entry(call.name().to_owned()).or_default() += 1;
            }
        }
        // The first mark's own answer.
        *counts.get_mut("sendto").expect("an answer") -= 1;
        counts
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Nothing is lost when it stays: it lies in the folder for such things.
        let _ = std::fs::remove_file(&self.log);
    }
}

/// A call of one thread, from its beginning to its end.
struct Call {
    thread: String,
    text: String,
}

impl Call {
    fn name(&self) -> &str {
        self.text.split('(').next().unwrap_or_default()
    }
}

/// The calls in the order of their ends; those that another thread's interrupted are put together again.
fn joined(log: &str) -> Vec<Call> {
    let mut begun = BTreeMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let (thread, text) = (thread.to_owned(), text.trim_start());
        if let Some(start) = text.strip_suffix("<unfinished ...>") {
            begun.insert(thread, start.to_owned());
        } else if text.starts_with("<... ") {
            let start = begun.remove(&thread).unwrap_or_default();
            calls.push(Call { text: format!("{start}{text}"), thread });
        } else {
            calls.push(Call { text: text.to_owned(), thread });
        }
    }
    calls
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

/// Sends one write of so many frames, and reads as many answers, in each turn.
fn exchange(socket: &mut RawSocket, payload: &[u8], depth: usize) {
    let bytes = frame(TEXT, payload).repeat(depth);
    for _ in 0..TURNS {
        socket.raw.send(&bytes);
        (0..depth).for_each(|_| drop(socket.next_text()));
    }
}

#[test]
#[ignore = "run by tests/run counts"]
fn the_steady_state_makes_no_call_too_many() {
    if !can_trace("system calls") {
        return;
    }
    let mut traced = Traced::start(&["--reactors", "1", "--workers", "1"]);
    let address = traced.server.address;
    let each_turn = counts([("recvfrom", TURNS), ("sendto", TURNS)]);
    let mut echo = RawSocket::open(address, "/echo");
    for depth in [1, DEPTH] {
        exchange(&mut echo, b"x", depth);
        let found = traced.calls(|_| exchange(&mut echo, &[b'x'; 20], depth));
        assert_eq!(found, each_turn, "echoes, {depth} in one read");
    }
    for depth in [1, DEPTH] {
        let found = traced.calls(|publisher| exchange(publisher, POST_ELSEWHERE, depth));
        assert_eq!(found, each_turn, "publications that nobody reads, {depth} in one read");
    }
    let mut readers = Vec::new();
    for count in [10, 40] {
        readers.extend((readers.len()..count).map(|_| reader(address)));
        for depth in [1, 8] {
            let found = traced.calls(|publisher| fan_out(publisher, &mut readers, depth));
            println!("{depth} publications in one read to {count} readers, {TURNS} times: {found:?}");
            let one_by_one = counts([("recvfrom", TURNS), ("sendto", TURNS * (count + 1))]);
            let together = counts([("recvfrom", TURNS), ("sendto", TURNS), ("io_uring_enter", TURNS)]);
            assert!(found == one_by_one || (count == 40 && found == together), "{found:?}");
        }
    }
}

/// However many publications one read holds, another thread is woken once for them.
#[test]
#[ignore = "run by tests/run counts"]
fn another_reactor_is_woken_once_for_all_publications_of_one_read() {
    if !can_trace("wakes") {
        return;
    }
    let mut traced = Traced::start(&["--reactors", "2", "--workers", "1"]);
    // All on one reactor: once in two to the power of 23.
    let mut readers: Vec<_> = (0..24).map(|_| reader(traced.server.address)).collect();
    for depth in [1, 8] {
        let found = traced.calls(|publisher| fan_out(publisher, &mut readers, depth));
        println!("{depth} publications in one read to two reactors, {TURNS} times: {found:?}");
        assert_eq!(found.get("write"), Some(&TURNS), "{found:?}");
    }
}

fn reader(address: SocketAddr) -> RawSocket {
    let mut reader = RawSocket::open(address, "/channels/x");
    reader.next_text();
    reader
}

/// Publishes so many at once and waits until everybody has them, again and again.
fn fan_out(publisher: &mut RawSocket, readers: &mut [RawSocket], depth: usize) {
    let posts = frame(TEXT, POST).repeat(depth);
    for _ in 0..TURNS {
        publisher.raw.send(&posts);
        (0..depth).for_each(|_| drop(publisher.next_text()));
        readers.iter_mut().for_each(|reader| (0..depth).for_each(|_| drop(reader.next_text())));
    }
}
