//! Fan-out with one system call for many readers: the same bytes in the same order as one by one, for readers who read, who
//! read late and who leave, whichever way `io.flush` names.

use crate::support::TestServer;
use crate::support::frames::{RawSocket, TEXT};
use crate::support::http;
use std::time::Duration;
use tidings::config::FlushPath;

/// Enough that they are written together.
const READERS: usize = 100;
const PUBLICATIONS: usize = 200;
/// Bytes of a publication: together more than the kernel holds for a reader who does not read yet.
const BYTES: usize = 40 * 1024;

#[test]
fn readers_who_read_late_and_who_leave_make_no_difference_to_the_others() {
    for path in [FlushPath::Writev, FlushPath::Uring, FlushPath::Auto] {
        let server = TestServer::start(|config| {
            config.io.flush = path;
            // Those that read late answer no pings, and a busy machine takes its time.
            config.websocket.ping_idle = Duration::from_secs(3600);
            config.delivery.outbox_bytes = 2 * PUBLICATIONS * BYTES;
            config.delivery.mailbox_bytes = 2 * PUBLICATIONS * BYTES;
        });
        let address = server.address();
        let open = || {
            let (mut socket, _) = RawSocket::open_with(address, "/channels/crowd", &[]);
            assert!(socket.next_text().contains("\"connection\":"));
            socket
        };
        let mut readers: Vec<RawSocket> = (0..READERS).map(|_| open()).collect();
        let filler = "x".repeat(BYTES);
        for number in 0..PUBLICATIONS {
            let answer = http::post(address, "/channels/crowd", &format!("\"{number} {filler}\""));
            assert_eq!(answer.status, 200);
            // Every other publication a tenth of them reads; the rest does not read before the end.
            for (index, reader) in readers.iter_mut().enumerate() {
                if index % 10 == 0 {
                    assert!(reader.next_text().contains(&format!("\"data\":\"{number} x")), "{path:?}");
                }
            }
            if number == PUBLICATIONS / 2 {
                drop(readers.split_off(READERS * 9 / 10));
            }
        }
        for (index, reader) in readers.iter_mut().enumerate().filter(|(index, _)| index % 10 != 0) {
            for number in 0..PUBLICATIONS {
                let text = reader.next_text();
                assert!(text.contains(&format!("\"data\":\"{number} x")), "{path:?}: reader {index}, {number}");
                assert!(text.len() > BYTES && text.ends_with("x\"}"), "{path:?}: whole");
            }
        }
        // They are sockets like any other afterwards.
        readers[1].send(TEXT, br#"{"id":7,"method":"GET","path":"/livez"}"#);
        assert!(readers[1].next_text().contains("\"id\":7"));
        let together = server.metric("tidings_sent_together_total");
        println!("io.flush = {path:?}: {together} frames were sent together");
        assert!(path != FlushPath::Writev || together == 0.0, "one by one was asked for");
        assert!(
            path == FlushPath::Writev || together > 1000.0 || !tidings::reactor::has_ring(),
            "{path:?}: {together}"
        );
    }
}
