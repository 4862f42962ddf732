//! What an idle subscribed connection costs: the real binary with 10,000 of them, measured by the kernel.

use crate::support::process::{Process, descriptors_allowed};
use crate::support::raw::RawClient;
use crate::support::wait_until;

/// Connections, if this process may have as many descriptors.
const CONNECTIONS: usize = 10_000;
/// Descriptors that the test binary needs besides.
const OTHER_DESCRIPTORS: usize = 2_000;
/// No connection may cost more than this, in bytes of the server's own memory.
const BYTES_MAX: usize = 4 * 1024;

#[test]
fn an_idle_subscribed_socket_costs_less_than_a_page() {
    let process = Process::start(&["--reactors", "1", "--workers", "1"]);
    let address = process.address;
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
