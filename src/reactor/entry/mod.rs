//! The slab of connections: what a reactor keeps for each, and names that cannot lie (law 8).

mod ahead;
mod interest;
mod reading;
mod rest;
mod sealing;
mod socket;
mod traffic;
mod turn;
mod writing;

pub(crate) use ahead::{Ahead, sealed_ahead_max};
pub(crate) use interest::{Change, Interest};
pub(crate) use reading::Reading;
pub(crate) use rest::{Left, Rest};
pub(crate) use sealing::{PLAIN_BYTES_PER_WRITE, Read as SealedRead, Sealed, Sealing};
pub(crate) use socket::Socket;
pub(crate) use turn::{List, Turn};
pub(crate) use writing::Writing;

use super::subscriptions::{Lists, Memberships};
use super::wheel::NEVER;
use crate::connection::Connection;
use crate::connection::env::Ticks;
use crate::model::code::Code;
use crate::model::ids::{ConnId, MailboxId};
use crate::model::transport::Transport;
use mio::Token;
use slab::Slab;

/// 31 bits of generation keep tokens clear of the reactor's own.
const GENERATION_MASK: u32 = 0x7fff_ffff;

/// One connection with its socket.
pub(crate) struct Entry<S> {
    pub(crate) stream: S,
    pub(crate) connection: Connection,
    /// What it is subscribed to.
    pub(crate) memberships: Memberships,
    /// Bytes that were read and not consumed.
    pub(crate) rest: Rest,
    /// Bytes of its outbox that are counted in the global budget: at most `u32::MAX`, whatever waits.
    pub(crate) charged: u32,
    /// How often its slot was used before.
    pub(crate) generation: u32,
    /// Where the wheel has it; [`NEVER`] when nowhere.
    pub(crate) filed: Ticks,
    /// Which of the server's listeners it came in by.
    pub(crate) listener: u8,
    /// What its socket may have for us.
    pub(crate) reading: Reading,
    /// Whether it waits for its turn to be read.
    pub(crate) turn: Turn,
    /// Where it is on its way to its socket.
    pub(crate) writing: Writing,
    /// Which events of its socket are reported.
    pub(crate) interest: Interest,
    /// It is in the list of those to free, for this reason.
    pub(crate) closed: Option<Code>,
    /// Its transport as counted in the gauges.
    pub(crate) counted_as: Option<Transport>,
}

/// The connections of one reactor.
pub(crate) struct Entries<S> {
    slab: Slab<Entry<S>>,
    /// By slots. Kept when an entry is freed, so that a stale name never means its successor.
    uses: Vec<Use>,
}

/// What is known of the use of a slot, beside its entry: four bytes there would make each entry eight larger.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    /// How often the slot was used before.
    generation: u32,
    /// When this use began, in seconds since 1970.
    opened: u32,
}

impl<S> Entries<S> {
    pub(crate) fn new() -> Entries<S> {
        Entries { slab: Slab::new(), uses: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// The token that the next inserted connection will have.
    pub(crate) fn next_token(&self) -> Token {
        let slot = self.slab.vacant_key();
        token(slot as u32, self.uses.get(slot).map_or(0, |used| used.generation))
    }

    /// Takes a connection in that was accepted at this time, in seconds since 1970.
    pub(crate) fn insert(&mut self, stream: S, connection: Connection, listener: u8, opened: u32) -> u32 {
        let slot = self.slab.vacant_key();
        if slot == self.uses.len() {
            self.uses.push(Use::default());
        }
        self.uses[slot].opened = opened;
        let generation = self.uses[slot].generation;
        self.slab.insert(Entry {
            stream,
            connection,
            memberships: Memberships::new(),
            rest: Rest::default(),
            charged: 0,
            generation,
            filed: NEVER,
            listener,
            reading: Reading::NEW,
            turn: Turn::Light,
            writing: Writing::Idle,
            interest: Interest::None,
            closed: None,
            counted_as: None,
        });
        slot as u32
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Entry<S>> {
        let entry = self.slab.try_remove(slot as usize)?;
        let generation = &mut self.uses[slot as usize].generation;
        *generation = generation.wrapping_add(1) & GENERATION_MASK;
        Some(entry)
    }

    pub(crate) fn get(&mut self, slot: u32) -> Option<&mut Entry<S>> {
        self.slab.get_mut(slot as usize)
    }

    pub(crate) fn peek(&self, slot: u32) -> Option<&Entry<S>> {
        self.slab.get(slot as usize)
    }

    /// The entry that a token or a connection's name means, unless it was freed.
    pub(crate) fn get_exact(&mut self, slot: u32, generation: u32) -> Option<&mut Entry<S>> {
        self.slab.get_mut(slot as usize).filter(|entry| entry.generation == generation)
    }

    /// One more than the largest slot that was ever used.
    pub(crate) fn slots_end(&self) -> u32 {
        self.uses.len() as u32
    }

    /// When the use of a slot began, in seconds since 1970.
    pub(crate) fn opened(&self, slot: u32) -> u32 {
        self.uses.get(slot as usize).map_or(0, |used| used.opened)
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

    /// What a reactor keeps for each connection, idle or not. (In a debug build mio's sockets know their poll, too.)
    #[test]
    fn an_entry_is_small() {
        assert_eq!(
            (size_of::<Entry<std::net::TcpStream>>(), size_of::<Memberships>(), size_of::<Member>()),
            (136, 24, 12)
        );
    }
}
