//! What an idle subscribed connection costs: the real binary with 10,000 of them, measured by the kernel.

use crate::support::raw::RawClient;
use crate::support::wait_until;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Connections, if this process may have as many descriptors.
const CONNECTIONS: usize = 10_000;
/// Descriptors that the test binary needs besides.
const OTHER_DESCRIPTORS: usize = 2_000;
/// No connection may cost more than this, in bytes of the server's own memory.
const BYTES_MAX: usize = 4 * 1024;

/// A server in a process of its own; killed when it goes.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    fn start() -> (Process, SocketAddr) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["serve", "--listen", "127.0.0.1:0", "--reactors", "1", "--workers", "1"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let process = Process(child);
        for line in lines {
            let line = line.expect("UTF-8");
            if let Some(address) = line.strip_prefix("listening on http://") {
                return (process, address.trim_end_matches('/').parse().expect("an address"));
            }
        }
        panic!("the server ended before it listened");
    }

    /// Memory that is this process's alone or its share of what is shared, in bytes.
    fn pss(&self) -> usize {
        let path = format!("/proc/{}/smaps_rollup", self.0.id());
        let text = std::fs::read_to_string(path).expect("a live process");
        let line = text.lines().find(|line| line.starts_with("Pss:")).expect("the kernel tells");
        1024 * line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number")
    }
}

#[test]
fn an_idle_subscribed_socket_costs_less_than_a_page() {
    let (process, address) = Process::start();
    let room = descriptors_allowed().saturating_sub(OTHER_DESCRIPTORS);
    let count = CONNECTIONS.min(room);
    assert!(count >= 500, "raise the limit of open files");
    let before = process.pss();
    let mut clients = Vec::with_capacity(count);
    for index in 0..count {
        let mut client = RawClient::connect(address);
        client.send(format!(
            "GET /channels/crowd-{} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            index % 100
        ));
        client.read_until(b"\"connection\":\"");
        clients.push(client.stream);
    }
    let subscribed = || {
        let page = crate::support::http::get(address, "/metrics").text();
        page.lines().any(|line| line == format!("tidings_subscriptions {count}"))
    };
    wait_until("everybody is subscribed", subscribed);
    let each = process.pss().saturating_sub(before) / count;
    println!("{count} idle subscribed sockets: {each} bytes of PSS each");
    assert!(each < BYTES_MAX, "{each} bytes for each of {count} idle subscribed sockets");
}

/// The soft limit of open files.
fn descriptors_allowed() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("the kernel tells");
    line.split_whitespace().nth(3).and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}
