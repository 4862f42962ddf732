//! One simulated client: its end of a pipe, the temper of its network, and the role that it plays.

use super::http_client::{AskingClient, StreamClient};
use super::ledger::Ledger;
use super::pipe::Pipe;
use super::settings::Plan;
use super::socket_client::SocketClient;
use crate::reactor::engine::Readiness;
use rand::RngExt;
use rand::rngs::StdRng;
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes that the kernel takes from a client while the server does not read.
const UNREAD_MAX: usize = 6000;

/// What a client does.
pub(super) enum Role {
    Socket(Box<SocketClient>),
    Asking(AskingClient),
    Stream(StreamClient),
    /// Sends what nobody should.
    Junk,
}

impl Role {
    /// A role by chance, and what it sends first.
    pub(super) fn draw(random: &mut StdRng, channels: usize) -> (Role, Vec<u8>) {
        match random.random_range(0..20) {
            0..11 => {
                let (client, handshake) = SocketClient::new(random, channels);
                (Role::Socket(Box::new(client)), handshake)
            }
            11..15 => (Role::Asking(AskingClient::default()), Vec::new()),
            15..19 => {
                let (client, request) = StreamClient::new(random, channels);
                (Role::Stream(client), request)
            }
            _ => {
                let begin: &[u8] = [&b""[..], b"GET /", b"GET / HTTP/1.1\r\nHost: a\r\n"][random.random_range(0..3)];
                let noise = (0..random.random_range(1..100)).map(|_| random.random::<u8>());
                (Role::Junk, begin.iter().copied().chain(noise).collect())
            }
        }
    }
}

/// See the module.
pub(super) struct Client {
    pub(super) pipe: Rc<RefCell<Pipe>>,
    /// Its reactor, slot and generation.
    pub(super) name: (usize, u32, u32),
    pub(super) role: Role,
    unsent: Vec<u8>,
    received: Vec<u8>,
    /// Steps for which it does not read.
    stalled: u32,
    /// Bytes that it reads at once at most.
    sip: usize,
}

impl Client {
    pub(super) fn new(
        random: &mut StdRng,
        plan: &Plan,
        name: (usize, u32, u32),
        (mut role, unsent): (Role, Vec<u8>),
    ) -> Client {
        if let Role::Socket(socket) = &mut role {
            socket.name = name;
        }
        let pipe = Pipe {
            window: [300, 2000, 20_000, 1 << 20][random.random_range(0..4)],
            most_per_write: [7, 200, usize::MAX][random.random_range(0..3)],
            interrupt_in: random.random_range(1..100),
            ..Pipe::default()
        };
        let stalled =
            if random.random_bool(plan.stalls) { [20, 100, 300, u32::MAX][random.random_range(0..4)] } else { 0 };
        let sip = [50, 1000, usize::MAX][random.random_range(0..3)];
        Client { pipe: Rc::new(RefCell::new(pipe)), name, role, unsent, received: Vec::new(), stalled, sip }
    }

    /// One step by chance; what the server's kernel has to say about it.
    pub(super) fn step(&mut self, random: &mut StdRng, plan: &Plan, ledger: &mut Ledger) -> Option<Readiness> {
        if random.random_bool(plan.vanishing) && !self.pipe.borrow().reset {
            if random.random_bool(0.5) {
                ledger.happened.connections_reset += 1;
            }
            return Some(self.leave(random));
        }
        if self.stalled == 0 && random.random_bool(plan.stalls / 20.0) {
            self.stalled = random.random_range(5..100);
        }
        if random.random_bool(0.5) {
            self.speak(random, plan, ledger);
            let most = [1, 30, 1000][random.random_range(0..3)];
            return self.send(most);
        }
        self.stalled = self.stalled.saturating_sub(1);
        if self.stalled > 0 {
            return None;
        }
        let most = self.sip;
        self.receive(most, ledger)
    }

    /// A step towards the end: everything is sent and read, and nothing new said.
    pub(super) fn finish_step(&mut self, ledger: &mut Ledger) -> Option<Readiness> {
        self.stalled = 0;
        match (self.send(usize::MAX), self.receive(usize::MAX, ledger)) {
            (Some(sent), Some(received)) => Some(Readiness {
                readable: sent.readable | received.readable,
                writable: sent.writable | received.writable,
                hung_up: sent.hung_up | received.hung_up,
            }),
            (sent, received) => sent.or(received),
        }
    }

    fn speak(&mut self, random: &mut StdRng, plan: &Plan, ledger: &mut Ledger) {
        if !self.unsent.is_empty() || self.pipe.borrow().client_ended {
            return;
        }
        self.unsent = match &mut self.role {
            Role::Socket(socket) if !socket.leaving && socket.closed.is_none() => {
                socket.speak(random, plan.channels, ledger)
            }
            Role::Asking(asking) => asking.speak(random, plan.channels, ledger),
            _ => return,
        };
    }

    fn send(&mut self, most: usize) -> Option<Readiness> {
        let mut pipe = self.pipe.borrow_mut();
        if pipe.client_ended || pipe.reset || pipe.dropped {
            self.unsent.clear();
            return None;
        }
        let room = UNREAD_MAX.saturating_sub(pipe.to_server.len());
        let count = most.min(self.unsent.len()).min(room);
        if count == 0 {
            return None;
        }
        pipe.to_server.extend(self.unsent.drain(..count));
        Some(Readiness { readable: true, ..Readiness::default() })
    }

    fn receive(&mut self, most: usize, ledger: &mut Ledger) -> Option<Readiness> {
        let (made_room, got, at_end) = {
            let mut pipe = self.pipe.borrow_mut();
            if pipe.reset {
                return None;
            }
            let before = self.received.len();
            let made_room = pipe.read(most, &mut self.received);
            (made_room, self.received.len() - before, pipe.server_ended && pipe.to_client.is_empty())
        };
        if got > 0 {
            match &mut self.role {
                Role::Socket(socket) => socket.hear(&mut self.received, &mut self.unsent, ledger),
                Role::Asking(asking) => asking.hear(&mut self.received, ledger),
                Role::Stream(stream) => stream.hear(&mut self.received, ledger),
                Role::Junk => self.received.clear(),
            }
        }
        let mut pipe = self.pipe.borrow_mut();
        let ends = at_end && !pipe.client_ended;
        pipe.client_ended |= ends;
        (made_room || ends || got > 0).then_some(Readiness { readable: ends, writable: made_room, hung_up: ends })
    }

    /// Ends its stream, or resets the connection.
    pub(super) fn leave(&mut self, random: &mut StdRng) -> Readiness {
        let mut pipe = self.pipe.borrow_mut();
        if random.random_bool(0.5) {
            pipe.reset = true;
        }
        pipe.client_ended = true;
        Readiness { readable: true, writable: pipe.reset, hung_up: true }
    }

    /// Whether neither side has anything left to do with the other.
    pub(super) fn is_gone(&self) -> bool {
        let pipe = self.pipe.borrow();
        pipe.dropped && (pipe.reset || pipe.to_client.is_empty())
    }

    /// Whether it is still served: nobody said goodbye.
    pub(super) fn is_served(&self) -> bool {
        let pipe = self.pipe.borrow();
        let role_is_over = match &self.role {
            Role::Socket(socket) => socket.closed.is_some() || socket.leaving,
            Role::Asking(asking) => asking.is_over,
            Role::Stream(stream) => stream.is_over,
            Role::Junk => true,
        };
        !(pipe.client_ended || pipe.reset || pipe.server_ended || pipe.dropped || role_is_over)
    }

    /// The role with which a reader whose stream is gone comes back.
    pub(super) fn comes_back(&mut self) -> Option<(Role, Vec<u8>)> {
        if !self.is_gone() || !matches!(self.role, Role::Stream(_)) {
            return None;
        }
        let Role::Stream(stream) = std::mem::replace(&mut self.role, Role::Junk) else { return None };
        let (stream, request) = stream.again();
        Some((Role::Stream(stream), request))
    }
}
