//! One reactor's tick over sockets of memory: the code that serves, without a kernel, for counting instructions, allocations
//! and bytes, and for more connections than descriptors.

#[cfg(test)]
mod bombs;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod errands;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod pieces;
#[cfg(test)]
mod pipelined;
#[cfg(test)]
mod runs;
#[cfg(all(test, feature = "tls"))]
mod sealed;
#[cfg(test)]
mod stalls;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
#[cfg(test)]
mod walks;

use super::parts::{SharedParts, policy};
use super::rules::access_rules;
use crate::access::Operators;
use crate::config::Config;
use crate::connection::env::Limits;
use crate::handoff::errand::Errands;
use crate::handoff::job::JobQueues;
use crate::handoff::mailbox::{MailboxLimits, Mailboxes, Wake};
use crate::hub::{Hub, HubLimits, RandomSource};
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use crate::reactor::engine::{Engine, Readiness};
use crate::reactor::entry::{Socket, parts};
use crate::reactor::{Listener, Setup};
use crate::services::insight::Insight;
use crate::wire::frame::{Opcode, write_masked};
use arc_swap::ArcSwap;
use std::cell::RefCell;
use std::io::{ErrorKind, IoSlice, Read, Result, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// The request that opens a socket at `path`, as small clients send it.
const UPGRADE: &str = "HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A server of one reactor whose clients are in the same thread, and whose clock the caller moves.
///
/// Everything between an event and a write is the server's own: heads, frames, requests, the hub, mailboxes, outboxes and
/// deadlines. There is no worker: what is sent is parsed in place, and in tests alone somebody verifies tokens by hand.
pub struct Rehearsal {
    engine: Engine<Memory>,
    connections: AtomicUsize,
    hub: Arc<Hub>,
    insight: Insight,
    #[cfg(test)]
    worker: crate::workers::Worker,
    buffers: Spares,
    began: Instant,
    now: Instant,
}

/// A client's name in a [`Rehearsal`].
#[derive(Debug, Clone, Copy)]
pub struct Client {
    slot: u32,
    generation: u32,
}

/// A text frame as a client sends it.
#[must_use]
pub fn masked(text: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_masked(&mut frame, Opcode::Text, true, text, [0x12, 0x34, 0x56, 0x78]);
    frame
}

/// Memory for what clients send.
type Spares = Rc<RefCell<Vec<Box<Vec<u8>>>>>;

/// A socket that takes everything at once.
struct Memory {
    /// What the client sent and the server has not read. Boxed, so that it costs one word while there is nothing.
    #[expect(clippy::box_collection, reason = "a million sockets have nothing to be read")]
    input: Option<Box<Vec<u8>>>,
    /// Where memory for input goes after it was read.
    buffers: Spares,
    /// Bytes that the server wrote.
    written: u64,
    /// Each piece of them.
    #[cfg(test)]
    writes: Vec<Vec<u8>>,
    /// Whether it takes nothing for now.
    #[cfg(test)]
    is_full: bool,
    /// Whether its peer ended its side.
    #[cfg(test)]
    is_ended: bool,
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        #[cfg(test)]
        if self.is_ended && self.input.is_none() {
            return Ok(0);
        }
        let Some(input) = &mut self.input else { return Err(ErrorKind::WouldBlock.into()) };
        let count = input.len().min(buffer.len());
        buffer[..count].copy_from_slice(&input[..count]);
        if count == input.len() {
            input.clear();
            self.buffers.borrow_mut().extend(self.input.take());
        } else {
            input.drain(..count);
        }
        Ok(count)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        #[cfg(test)]
        if self.is_full {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.written += bytes.len() as u64;
        #[cfg(test)]
        self.writes.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> Result<usize> {
        #[cfg(test)]
        if self.is_full {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = slices.iter().map(|slice| slice.len()).sum();
        self.written += count as u64;
        #[cfg(test)]
        self.writes.push(slices.iter().flat_map(|slice| slice.iter().copied()).collect());
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Socket for Memory {
    fn end_output(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Wakes nothing: the only reactor runs in the caller's thread.
struct Awake;

impl Wake for Awake {
    fn wake(&self) {}
}

impl Rehearsal {
    /// A server without clients. Its epochs are the same each time: two servers write the same bytes.
    #[must_use]
    pub fn new(config: &Config) -> Rehearsal {
        let began = Instant::now();
        let limits = MailboxLimits { entries: config.delivery.mailbox_entries, bytes: config.delivery.mailbox_bytes };
        let (mailboxes, inboxes) = Mailboxes::new(vec![Box::new(Awake)], limits, config.delivery.outbound_total_bytes);
        let (jobs, room, mut queues) =
            JobQueues::new(1, config.delivery.worker_queue_jobs, config.delivery.worker_queue_bytes);
        let (errands, asked) = Errands::new(config.delivery.service_queue);
        let hub = Arc::new(Hub::new(HubLimits::new(config), RandomSource::seeded(7)));
        hub.set_histories(config);
        let rules =
            access_rules(config, Arc::new(Operators::default()), Arc::default()).expect("a rehearsal names no files");
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let shared = SharedParts {
            hub: Arc::clone(&hub),
            rules: Arc::clone(&rules),
            mailboxes,
            threads: Arc::new(vec![Arc::default()]),
            limits: Arc::new(ArcSwap::from_pointee(Limits::new(config))),
            errands,
            journal: Arc::default(),
            phase: Arc::default(),
            listener_names: Arc::default(),
            key_sets: Arc::default(),
            reloads: Arc::default(),
            expiries: Arc::default(),
            orders: Arc::default(),
            challenges: Arc::default(),
            engine: None,
            started: began,
        };
        let without_socket = |listener| Listener::without_socket(policy(config, &listener, rules.load_full()));
        let listeners = config.all_listeners().into_iter().map(without_socket).collect();
        let queue = queues.remove(0);
        #[cfg(test)]
        let worker = shared.worker(0, queue, room, 0);
        // Without a worker no queue has room.
        #[cfg(not(test))]
        drop((queue, room));
        // No worker parses, and no descriptor limits how many connect.
        let setup = Setup {
            inline_parse_bytes: usize::MAX,
            connections_max: usize::MAX,
            ..shared.setup(config, 0, listeners, channel().1, jobs)
        };
        let inbox = inboxes.into_iter().next().expect("one waker was given, so there is one inbox");
        let (engine, connections) = (Engine::new(inbox, setup), AtomicUsize::new(0));
        Rehearsal {
            engine,
            connections,
            hub,
            insight: shared.insight(asked, Arc::new(|| Err(Code::ConfigRefused.into()))),
            #[cfg(test)]
            worker,
            buffers: Spares::default(),
            began,
            now: began,
        }
    }

    /// Connects a client, which becomes a WebSocket at `path` (as `/echo` or `/channels/x`), and turns.
    pub fn open(&mut self, path: &str) -> Client {
        let client = self.connect();
        self.send(client, format!("GET {path} {UPGRADE}").as_bytes());
        self.turn();
        client
    }

    fn connect(&mut self) -> Client {
        self.connect_from(PeerAddress::UNIX, false)
    }

    /// Connects a client of an address, to a server that may be full.
    fn connect_from(&mut self, peer: PeerAddress, is_full: bool) -> Client {
        let (slot, generation) = parts(self.engine.entries.next_token());
        let stream = Memory {
            input: None,
            buffers: Rc::clone(&self.buffers),
            written: 0,
            #[cfg(test)]
            writes: Vec::new(),
            #[cfg(test)]
            is_full: false,
            #[cfg(test)]
            is_ended: false,
        };
        self.engine.open(stream, peer, 0, &self.connections, is_full);
        Client { slot, generation }
    }

    /// Gives the server bytes to read at its next turn.
    pub fn send(&mut self, client: Client, bytes: &[u8]) {
        let Some(entry) = self.engine.entries.get_exact(client.slot, client.generation) else { return };
        let input = &mut entry.stream.input;
        input.get_or_insert_with(|| self.buffers.borrow_mut().pop().unwrap_or_default()).extend_from_slice(bytes);
        self.engine.take_event(client.slot, client.generation, Readiness { readable: true, ..Readiness::default() });
    }

    /// One tick, and more while there is something to do.
    pub fn turn(&mut self) {
        loop {
            self.engine.set_clock(self.now, UNIX_EPOCH + self.now.duration_since(self.began));
            self.engine.turn();
            self.engine.apply_interest(|_, _, _| Ok(()));
            self.engine.reap_closed(&self.connections, |_| ());
            if !self.engine.is_busy() {
                return;
            }
        }
    }

    /// Makes the next page that is asked for, if there is one. Its answer is there at the next turn.
    pub fn run_errand(&mut self) -> bool {
        self.insight.step(self.now)
    }

    /// Does the next job of the worker, if there is one. What comes of it is there at the next turn.
    #[cfg(test)]
    fn run_job(&mut self) -> bool {
        let Ok(job) = self.worker.jobs.try_recv() else { return false };
        let postman = crate::handoff::postman::Postman::new(Arc::clone(&self.worker.mailboxes), None);
        let wall_ms = self.now.duration_since(self.began).as_millis() as u64;
        self.worker.perform(job, &postman, &mut crate::wire::json::JsonScratch::default(), self.now, wall_ms);
        true
    }

    /// Lets time pass. Nothing happens before the next turn.
    pub fn pass(&mut self, span: Duration) {
        self.now += span;
    }

    /// Bytes that the server wrote to a client; `None` after its connection was freed.
    pub fn written(&mut self, client: Client) -> Option<u64> {
        Some(self.engine.entries.get_exact(client.slot, client.generation)?.stream.written)
    }

    /// What was written to a client since the last call, write by write.
    #[cfg(test)]
    fn take_writes(&mut self, client: Client) -> Vec<Vec<u8>> {
        let entry = self.engine.entries.get_exact(client.slot, client.generation).expect("it is there");
        std::mem::take(&mut entry.stream.writes)
    }

    /// A client ends its side.
    #[cfg(test)]
    fn end(&mut self, client: Client) {
        let Some(entry) = self.engine.entries.get_exact(client.slot, client.generation) else { return };
        entry.stream.is_ended = true;
        let ended = Readiness { readable: true, writable: false, hung_up: true };
        self.engine.take_event(client.slot, client.generation, ended);
    }

    /// Connections that are there.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.engine.entries.len()
    }

    /// Its channels.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }
}
