//! Descriptors that are kept free, so that a server without room for clients still answers health checks.

use mio::net::TcpStream;
use nix::sys::resource::{Resource, getrlimit};
use std::fs::File;
use std::io::{Read, Result, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;

/// Connections told at once that there is no room, when not even a reserved descriptor is left.
const TURNED_AWAY_AT_ONCE: usize = 64;
/// What is read of each of them, in bytes: a head as health checks send it fits many times.
const HEAD_BYTES: usize = 4096;

/// See the module. The kernel gives the lowest free number, so a connection with a high one shows that those below are used.
pub(super) struct Reserve {
    /// Connections with this number and above are for health checks.
    from: usize,
    /// The last of all: given up for as long as it takes to accept a connection, answer it and close it.
    last: Option<File>,
}

impl Reserve {
    pub(super) fn new() -> Reserve {
        Reserve { from: first_reserved(), last: File::open("/dev/null").ok() }
    }

    /// Whether a connection has one of the reserved descriptors.
    pub(super) fn is_for(&mut self, stream: &TcpStream) -> bool {
        let number = stream.as_raw_fd() as usize;
        if number < self.from {
            return false;
        }
        // The limit may have been raised since.
        self.from = first_reserved();
        number >= self.from
    }

    /// Accepts waiting connections with `accept` on the last descriptor, one after the other, for an answer that needs no
    /// state: health checks get theirs, others read that there is no room, and those that have sent nothing are reset instead
    /// of waiting for ever.
    pub(super) fn turn_some_away(&mut self, accept: impl Fn() -> Result<TcpStream>, leaving: bool) {
        // Dropping the file frees its descriptor, and each connection is closed before the next is accepted on it.
        if self.last.take().is_some() {
            for _ in 0..TURNED_AWAY_AT_ONCE {
                match accept() {
                    Ok(stream) => answer_at_once(stream, leaving),
                    Err(_) => break,
                }
            }
        }
        self.refill();
    }

    /// Takes the last descriptor aside again, if one is free.
    pub(super) fn refill(&mut self) {
        if self.last.is_none() {
            self.last = File::open("/dev/null").ok();
        }
    }
}

/// The number of the first reserved descriptor: a sixteenth of those allowed is reserved, 4 to 64.
fn first_reserved() -> usize {
    // Without a limit there is nothing to keep free.
    let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    usize::try_from(allowed - (allowed / 16).clamp(4, 64).min(allowed)).unwrap_or(usize::MAX)
}

fn answer_at_once(mut stream: TcpStream, leaving: bool) {
    let mut head = [0; HEAD_BYTES];
    let read = stream.read(&mut head).unwrap_or(0);
    if read > 0 {
        // Nothing waits for a peer here: what the kernel does not take at once is lost, and the connection is closed.
        let _ = stream.write(answer_to(&head[..read], leaving));
        let _ = stream.shutdown(Shutdown::Write);
    }
}

/// The whole answer to a request of which the first bytes have come.
fn answer_to(head: &[u8], leaving: bool) -> &'static [u8] {
    let asks = |path: &[u8]| {
        let rest = head.strip_prefix(b"GET ").or_else(|| head.strip_prefix(b"HEAD "));
        rest.and_then(|rest| rest.strip_prefix(path)).is_some_and(|rest| rest.starts_with(b" HTTP/1."))
    };
    match (asks(b"/livez"), asks(b"/readyz") && !leaving, head.starts_with(b"HEAD ")) {
        (true, _, false) => ALIVE,
        (_, true, false) => READY,
        (true, _, true) | (_, true, true) => WELL,
        _ => NO_ROOM,
    }
}

const ALIVE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\
    Content-Length: 6\r\nConnection: close\r\n\r\nalive\n";
const READY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\
    Content-Length: 6\r\nConnection: close\r\n\r\nready\n";
const WELL: &[u8] = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 6\r\nConnection: close\r\n\r\n";
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nRetry-After: 1\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::{ALIVE, NO_ROOM, READY, WELL, answer_to};

    #[test]
    fn health_checks_are_answered_and_others_read_that_there_is_no_room() {
        for (head, leaving, expected) in [
            ("GET /livez HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", false, ALIVE),
            ("GET /livez HTTP/1.0\r\n\r\n", true, ALIVE),
            ("GET /readyz HTTP/1.1\r\n", false, READY),
            ("GET /readyz HTTP/1.1\r\n", true, NO_ROOM),
            ("HEAD /readyz HTTP/1.1\r\n", false, WELL),
            ("HEAD /readyz HTTP/1.1\r\n", true, NO_ROOM),
            ("POST /livez HTTP/1.1\r\n", false, NO_ROOM),
            ("GET /livezz HTTP/1.1\r\n", false, NO_ROOM),
            ("GET /ws HTTP/1.1\r\n", false, NO_ROOM),
            ("G", false, NO_ROOM),
        ] {
            assert_eq!(answer_to(head.as_bytes(), leaving), expected, "{head:?}");
        }
    }

    #[test]
    fn what_is_announced_is_what_is_sent() {
        for answer in [ALIVE, READY] {
            let text = String::from_utf8(answer.to_vec()).expect("ASCII");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        }
    }
}
