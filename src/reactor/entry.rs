//! The slab of connections: what a reactor keeps for each, and names that cannot lie (law 8).

use super::subscriptions::{Lists, Memberships};
use super::wheel::NEVER;
use crate::close::Reason;
use crate::connection::Connection;
use crate::connection::env::Ticks;
use crate::model::ids::{ConnId, MailboxId};
use mio::Token;
use slab::Slab;
use std::io::{Read, Result, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// 31 bits of generation keep tokens clear of the reactor's own.
const GENERATION_MASK: u32 = 0x7fff_ffff;

/// What a reactor needs of a socket that does not block.
pub(crate) trait Socket: Read + Write {
    /// Ends our stream: the peer reads its end behind the last byte.
    fn end_output(&mut self) -> Result<()>;

    /// Where its peer is, if that is known: asked only for a line of the log, so that nothing is kept for it.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// What the kernel knows it by; `None` for one that no kernel knows.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Socket for mio::net::TcpStream {
    fn end_output(&mut self) -> Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn peer(&self) -> Option<SocketAddr> {
        let peer = self.peer_addr().ok()?;
        Some(SocketAddr::new(peer.ip().to_canonical(), peer.port()))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

/// Which events of a socket the kernel was asked to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Interest {
    /// None yet: it is in its first tick.
    None,
    /// That there is something to read.
    Read,
    /// That, and that there is room to write.
    ReadWrite,
}

/// One connection with its socket.
pub(crate) struct Entry<S> {
    pub(crate) stream: S,
    pub(crate) connection: Connection,
    pub(crate) memberships: Memberships,
    /// Bytes that were read and not yet consumed.
    pub(crate) rest: Option<Box<[u8]>>,
    /// The rest was left because the connection had to wait or its turn was over, not because it is incomplete.
    pub(crate) rest_pending: bool,
    /// Bytes of its outbox that are counted in the global budget.
    pub(crate) charged: usize,
    pub(crate) generation: u32,
    /// Where the wheel has it; [`NEVER`] when nowhere.
    pub(crate) filed: Ticks,
    /// Which of the server's addresses it came in on.
    pub(crate) address: u8,
    /// The socket may have something to read.
    pub(crate) readable: bool,
    /// The peer's end was announced, so a short read does not mean that the socket is empty.
    pub(crate) hung_up: bool,
    /// The peer's stream ended.
    pub(crate) ended: bool,
    /// The last write left bytes behind: wait for the socket to be writable.
    pub(crate) write_blocked: bool,
    /// What the kernel was asked to report.
    pub(crate) interest: Interest,
    /// Our stream was ended.
    pub(crate) shut_down: bool,
    /// It is in the list of those to read.
    pub(crate) in_ready: bool,
    /// Its last turn was much work for the codec.
    pub(crate) is_heavy: bool,
    /// It is in the list of those to flush.
    pub(crate) in_dirty: bool,
    /// It is in the list of those to free, for this reason.
    pub(crate) closed: Option<Reason>,
    /// Its transport as counted in the gauges.
    pub(crate) counted_as: Option<crate::connection::Transport>,
}

/// The connections of one reactor.
pub(crate) struct Entries<S> {
    slab: Slab<Entry<S>>,
    /// How often each slot had been used before: survives the entries.
    generations: Vec<u32>,
}

impl<S> Entries<S> {
    pub(crate) fn new() -> Entries<S> {
        Entries { slab: Slab::new(), generations: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// The token that the next inserted connection will have.
    pub(crate) fn next_token(&self) -> Token {
        let slot = self.slab.vacant_key();
        token(slot as u32, self.generations.get(slot).copied().unwrap_or(0))
    }

    pub(crate) fn insert(&mut self, stream: S, connection: Connection, address: u8) -> u32 {
        let slot = self.slab.vacant_key();
        if slot == self.generations.len() {
            self.generations.push(0);
        }
        let generation = self.generations[slot];
        self.slab.insert(Entry {
            stream,
            connection,
            memberships: Memberships::new(),
            rest: None,
            rest_pending: false,
            charged: 0,
            generation,
            filed: NEVER,
            address,
            readable: true,
            hung_up: false,
            ended: false,
            write_blocked: false,
            interest: Interest::None,
            shut_down: false,
            in_ready: false,
            is_heavy: false,
            in_dirty: false,
            closed: None,
            counted_as: None,
        });
        slot as u32
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Entry<S>> {
        let entry = self.slab.try_remove(slot as usize)?;
        let generation = &mut self.generations[slot as usize];
        *generation = generation.wrapping_add(1) & GENERATION_MASK;
        Some(entry)
    }

    pub(crate) fn get(&mut self, slot: u32) -> Option<&mut Entry<S>> {
        self.slab.get_mut(slot as usize)
    }

    pub(crate) fn peek(&self, slot: u32) -> Option<&Entry<S>> {
        self.slab.get(slot as usize)
    }

    /// The entry that a token or a connection's name means, unless it is gone.
    pub(crate) fn get_exact(&mut self, slot: u32, generation: u32) -> Option<&mut Entry<S>> {
        self.slab.get_mut(slot as usize).filter(|entry| entry.generation == generation)
    }

    pub(crate) fn slots(&self) -> Vec<u32> {
        self.slab.iter().map(|(slot, _)| slot as u32).collect()
    }
}

impl<S> Lists for Entries<S> {
    fn list(&mut self, slot: u32) -> Option<&mut Memberships> {
        self.get(slot).map(|entry| &mut entry.memberships)
    }
}

/// The name of a connection of the reactor that drains `own`.
pub(crate) fn name_of(own: Option<MailboxId>, slot: u32, generation: u32) -> ConnId {
    ConnId::here(own.expect("a reactor's postman knows its own mailbox"), slot, generation)
}

/// A token names a slot and its use.
pub(crate) fn token(slot: u32, generation: u32) -> Token {
    Token((generation as usize) << 32 | slot as usize)
}

/// The slot and generation of a token.
pub(crate) fn parts(token: Token) -> (u32, u32) {
    (token.0 as u32, (token.0 >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::Entry;
    use crate::reactor::subscriptions::{Member, Memberships};

    /// What a reactor keeps for each connection, idle or not.
    #[test]
    fn an_entry_is_small() {
        assert_eq!(
            (size_of::<Entry<mio::net::TcpStream>>(), size_of::<Memberships>(), size_of::<Member>()),
            (152, 24, 12)
        );
    }
}
