//! Readers: thousands of subscribed sockets in one thread, which answer pings, count what they receive, and note how they end.

use crate::support::frames::{CLOSE, PING, PONG, RawSocket, TEXT, frame, server_header};
use crate::support::process::descriptors_allowed;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;
/// Sockets that are opened between two looks at those that are there.
const OPENED_AT_ONCE: usize = 200;
/// Descriptors that this process needs besides its readers, and that a server with as many keeps for health checks.
pub(super) const OTHER_DESCRIPTORS: usize = 500;

/// How the connection of a reader ended, as it saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By a Close of the server with this code.
    Closed(u16),
    /// It left at the moment that the server had advised.
    Left,
    /// Without a word.
    Cut,
}

/// One subscribed socket.
pub(super) struct Reader {
    stream: TcpStream,
    received: Vec<u8>,
    /// The offset of the last publication that it received, or of its subscription.
    pub(super) last: u64,
    /// How often another publication came than the one after the last.
    pub(super) faults: usize,
    /// When the server advised it to leave.
    pub(super) advised: Option<Instant>,
    /// When it left or was told to, and how it ended.
    pub(super) end: Option<(Instant, End)>,
    leaving: Option<Instant>,
    is_gone: bool,
}

/// See the module.
pub(super) struct Readers {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    pub(super) all: Vec<Reader>,
    /// Those that leave when they are advised to, by their moment.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Whether the reader with this number does as it is advised.
    heeds: fn(usize) -> bool,
    open: usize,
}

impl Readers {
    /// Opens sockets that are subscribed to a channel.
    pub(super) fn open(address: SocketAddr, channel: &str, count: usize, heeds: fn(usize) -> bool) -> Readers {
        assert!(count + OTHER_DESCRIPTORS <= descriptors_allowed(), "raise the limit of open files");
        let poll = Poll::new().expect("a descriptor");
        let mut readers = Readers {
            poll,
            events: Events::with_capacity(4096),
            buffer: vec![0; READ_BYTES],
            all: Vec::with_capacity(count),
            due: BinaryHeap::new(),
            heeds,
            open: 0,
        };
        let path = format!("/channels/{channel}");
        while readers.all.len() < count {
            readers.admit(address, &path);
            // Those that are there are pinged meanwhile.
            if readers.all.len().is_multiple_of(OPENED_AT_ONCE) {
                readers.turn(Duration::ZERO);
            }
        }
        readers
    }

    fn admit(&mut self, address: SocketAddr, path: &str) {
        let mut socket = RawSocket::open(address, path);
        let answer = socket.next_json();
        assert_eq!(answer["status"], 200, "{answer}");
        let RawSocket { raw } = socket;
        raw.stream.set_nonblocking(true).expect("a live socket");
        let mut stream = TcpStream::from_std(raw.stream);
        let token = Token(self.all.len());
        self.poll.registry().register(&mut stream, token, Interest::READABLE).expect("a live socket");
        let mut reader = Reader {
            stream,
            received: raw.received,
            last: answer["offset"].as_u64().expect("an offset"),
            faults: 0,
            advised: None,
            end: None,
            leaving: None,
            is_gone: false,
        };
        reader.take_frames();
        self.all.push(reader);
        self.open += 1;
    }

    /// Reads until `is_over` says so, which is asked some hundred times a second, or nobody is left.
    pub(super) fn run(mut self, mut is_over: impl FnMut(&[Reader]) -> bool) -> Vec<Reader> {
        let mut asked = Instant::now();
        while self.open > 0 {
            self.turn(Duration::from_millis(5));
            if asked.elapsed() > Duration::from_millis(10) {
                asked = Instant::now();
                if is_over(&self.all) {
                    break;
                }
            }
        }
        self.all
    }

    /// Reads what has come, and has those leave whose moment it is.
    fn turn(&mut self, wait: Duration) {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => panic!("{error}"),
            _ => {}
        }
        let tokens: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        tokens.into_iter().for_each(|index| self.listen(index));
        self.leave_when_due();
    }

    fn listen(&mut self, index: usize) {
        let reader = &mut self.all[index];
        if reader.is_gone {
            return;
        }
        let was_advised = reader.advised.is_some();
        reader.listen(&mut self.buffer);
        if reader.is_gone {
            self.open -= 1;
        } else if let Some(at) = reader.advised
            && !was_advised
            && (self.heeds)(index)
        {
            self.due.push(Reverse((at, index)));
        }
    }

    fn leave_when_due(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, index))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            self.all[index].leave();
        }
    }
}

impl Reader {
    fn listen(&mut self, buffer: &mut [u8]) {
        loop {
            match self.stream.read(buffer) {
                Ok(read) if read > 0 => {
                    self.received.extend_from_slice(&buffer[..read]);
                    self.take_frames();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    let end = if self.leaving.is_some() { End::Left } else { End::Cut };
                    self.end.get_or_insert((self.leaving.unwrap_or_else(Instant::now), end));
                    self.is_gone = true;
                    // Nothing is waited for: the descriptor may go.
                    let _ = self.stream.shutdown(std::net::Shutdown::Both);
                    return;
                }
            }
        }
    }

    /// Says goodbye, and waits for that of the server.
    fn leave(&mut self) {
        if self.end.is_none() && self.leaving.is_none() {
            self.leaving = Some(Instant::now());
            // It may have been closed in the same moment.
            let _ = self.stream.write_all(&frame(CLOSE, &1001_u16.to_be_bytes()));
        }
    }

    fn take_frames(&mut self) {
        let mut taken = 0;
        while let Some((size, length)) = server_header(&self.received[taken..])
            && self.received.len() >= taken + size + length
        {
            let first = self.received[taken];
            let payload = self.received[taken + size..taken + size + length].to_vec();
            taken += size + length;
            self.take(first, &payload);
        }
        self.received.drain(..taken);
    }

    fn take(&mut self, first: u8, payload: &[u8]) {
        match first {
            PING => {
                let _ = self.stream.write_all(&frame(PONG, payload));
            }
            CLOSE => {
                let code = payload.first_chunk().map_or(1005, |bytes| u16::from_be_bytes(*bytes));
                let end = if self.leaving.is_some() { End::Left } else { End::Closed(code) };
                self.end.get_or_insert((self.leaving.unwrap_or_else(Instant::now), end));
                // Its answer; where it left, that is the answer to its own.
                let _ = self.stream.write_all(&frame(CLOSE, payload.get(..2).unwrap_or_default()));
            }
            TEXT => self.take_text(std::str::from_utf8(payload).expect("UTF-8")),
            _ => panic!("a frame of the kind {first:#x}"),
        }
    }

    fn take_text(&mut self, text: &str) {
        if let Some(after_ms) = number_after(text, "\"after_ms\":") {
            self.advised = Some(Instant::now() + Duration::from_millis(after_ms));
            return;
        }
        let offset = number_after(text, "\"offset\":").unwrap_or_else(|| panic!("a publication: {text}"));
        self.faults += usize::from(offset != self.last + 1);
        self.last = offset;
    }
}

/// The number after these words. Thousands of such texts come in a second, too many for a parser that is not optimized.
fn number_after(text: &str, words: &str) -> Option<u64> {
    let rest = &text[text.find(words)? + words.len()..];
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}
