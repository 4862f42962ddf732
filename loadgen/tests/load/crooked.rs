//! A WebSocket server that loses, repeats, swaps, spoils and delays messages, and counts what it did.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tidings::wire::frame::{Opcode, write_frame};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Message, accept_hdr};

/// What it does to messages on their way out: each `n`-th, or none for zero.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Habits {
    pub(crate) loses: u64,
    pub(crate) repeats: u64,
    /// Puts one behind its successor.
    pub(crate) swaps: u64,
    pub(crate) spoils: u64,
    pub(crate) delay: Duration,
    /// The least time between two messages to one connection: it answers late, and later and later.
    pub(crate) pace: Duration,
    /// The path whose handshakes it refuses with 403 and a reason.
    pub(crate) refuses: &'static str,
}

/// What it did.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    pub(crate) connected: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) swapped: AtomicU64,
    pub(crate) spoiled: AtomicU64,
}

/// The server, until the process ends.
pub(crate) struct Crooked {
    pub(crate) address: SocketAddr,
    pub(crate) deeds: Arc<Deeds>,
}

/// The way out to one connection.
struct Outlet {
    lines: Sender<(Instant, Vec<u8>)>,
    sent: u64,
    held: Option<String>,
    /// When the last message leaves.
    last: Instant,
}

/// What all connections share.
struct Hall {
    habits: Habits,
    deeds: Arc<Deeds>,
    readers: Mutex<Vec<Outlet>>,
}

impl Crooked {
    pub(crate) fn start(habits: Habits) -> Crooked {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let deeds = Arc::new(Deeds::default());
        let hall = Arc::new(Hall { habits, deeds: Arc::clone(&deeds), readers: Mutex::default() });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hall = Arc::clone(&hall);
                hall.deeds.connected.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || hall.serve(stream));
            }
        });
        Crooked { address, deeds }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Hall {
    #[expect(clippy::result_large_err, reason = "tungstenite asks for it")]
    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).expect("a live socket");
        let mut path = String::new();
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            request.uri().path().clone_into(&mut path);
            if path == self.habits.refuses {
                let reason = "publishing is not allowed here".to_owned();
                return Err(Response::builder().status(403).body(Some(reason)).expect("a response"));
            }
            Ok(response)
        };
        let Ok(writer) = stream.try_clone() else { return };
        let Ok(mut socket) = accept_hdr(stream, look) else { return };
        let mut own = Outlet::new(writer);
        if path == "/fan" {
            let outlet =
                std::mem::replace(&mut own, Outlet { lines: channel().0, sent: 0, held: None, last: Instant::now() });
            self.readers.lock().expect("no panic").push(outlet);
        }
        while let Ok(message) = socket.read() {
            let Message::Text(text) = message else { continue };
            self.deeds.received.fetch_add(1, Ordering::Relaxed);
            match path.as_str() {
                "/pub" => self
                    .readers
                    .lock()
                    .expect("no panic")
                    .iter_mut()
                    .for_each(|reader| reader.give(text.to_string(), self)),
                _ => own.give(text.to_string(), self),
            }
        }
    }
}

impl Outlet {
    fn new(mut stream: TcpStream) -> Outlet {
        let (lines, due) = channel::<(Instant, Vec<u8>)>();
        std::thread::spawn(move || {
            for (at, frame) in due {
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                if stream.write_all(&frame).is_err() {
                    return;
                }
            }
        });
        Outlet { lines, sent: 0, held: None, last: Instant::now() }
    }

    /// Sends a message, or does something else with it.
    fn give(&mut self, mut text: String, hall: &Hall) {
        let Habits { loses, repeats, swaps, spoils, .. } = hall.habits;
        self.sent += 1;
        let is_turn = |every: u64| every > 0 && self.sent.is_multiple_of(every);
        let (lose, repeat, swap, spoil) = (is_turn(loses), is_turn(repeats), is_turn(swaps), is_turn(spoils));
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        if lose {
            count(&hall.deeds.lost);
            return;
        }
        if spoil {
            count(&hall.deeds.spoiled);
            text.pop();
            text.push('!');
        }
        if swap && self.held.is_none() {
            count(&hall.deeds.swapped);
            self.held = Some(text);
            return;
        }
        self.send(&text, hall);
        if repeat {
            count(&hall.deeds.repeated);
            self.send(&text, hall);
        }
        if let Some(held) = self.held.take() {
            self.send(&held, hall);
        }
    }

    fn send(&mut self, text: &str, hall: &Hall) {
        let mut frame = Vec::new();
        write_frame(&mut frame, Opcode::Text, text.as_bytes());
        self.last = (Instant::now() + hall.habits.delay).max(self.last + hall.habits.pace);
        // A connection that is gone needs nothing.
        let _ = self.lines.send((self.last, frame));
    }
}
