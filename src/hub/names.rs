//! The public names of connections: computed from a secret and what they stand for, so that none is stored or guessed.
//!
//! A name is the keyed hash (SipHash-2-4) of a connection, 64 bits that cannot be told from random ones without the
//! secret, followed by the connection itself under a mask that is derived from those bits and another key. To read a name,
//! the server takes the mask off and hashes again: an invented name passes in one case of 2^64. A name reveals neither the
//! reactor, nor the place, nor how many connections there are.

use super::random::RandomSource;
use crate::model::ids::{ConnId, MailboxId};
use data_encoding::BASE64URL_NOPAD;
use siphasher::{sip, sip128};
use std::fmt;

/// Bytes of a connection, and of a name before it is written down.
const ID_BYTES: usize = 12;
const NAME_BYTES: usize = 8 + ID_BYTES;
/// Characters of a name as it is written.
const NAME_CHARS: usize = 27;

/// The text does not have the form of a connection's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoName;

/// A name as it is written. It is made for each answer that holds one, so it allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicName([u8; NAME_CHARS]);

impl std::ops::Deref for PublicName {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base64 is ASCII")
    }
}

impl fmt::Display for PublicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// The secret of a server's names, drawn when it starts.
#[derive(Clone, Copy)]
pub struct Names {
    hashing: (u64, u64),
    masking: (u64, u64),
}

impl Names {
    /// A secret of its own.
    #[must_use]
    pub(super) fn new(random: &RandomSource) -> Names {
        let key = || (random.draw(), random.draw());
        Names { hashing: key(), masking: key() }
    }

    /// The name that a client receives (`"connection"` in the answer to a GET) and can give to `?exclude=`.
    #[must_use]
    pub fn name(&self, id: ConnId) -> PublicName {
        let bytes = bytes_of(id);
        let tag = self.tag(&bytes);
        let mut name = [0; NAME_BYTES];
        name[..8].copy_from_slice(&tag);
        name[8..].copy_from_slice(&self.masked(&bytes, &tag));
        let mut written = [0; NAME_CHARS];
        BASE64URL_NOPAD.encode_mut(&name, &mut written);
        PublicName(written)
    }

    /// The connection that a name stands for; `None` for a name that this server never gave, such as one of a server that
    /// ran before it: that connection is gone, so there is none to exclude.
    ///
    /// # Errors
    /// When it does not have the form of a name.
    pub fn find(&self, name: &str) -> Result<Option<ConnId>, NoName> {
        let name = BASE64URL_NOPAD.decode(name.as_bytes()).map_err(|_| NoName)?;
        let name: [u8; NAME_BYTES] = name.try_into().map_err(|_| NoName)?;
        let (tag, masked) = name.split_first_chunk().expect("a name is longer than a hash");
        let bytes = self.masked(masked.try_into().expect("the rest of a name is a connection"), tag);
        Ok((self.tag(&bytes) == *tag).then(|| id_of(&bytes)))
    }

    fn tag(&self, bytes: &[u8; ID_BYTES]) -> [u8; 8] {
        sip::SipHasher24::new_with_keys(self.hashing.0, self.hashing.1).hash(bytes).to_le_bytes()
    }

    /// Puts the mask on, or takes it off.
    fn masked(&self, bytes: &[u8; ID_BYTES], tag: &[u8; 8]) -> [u8; ID_BYTES] {
        let mask = sip128::SipHasher24::new_with_keys(self.masking.0, self.masking.1).hash(tag).as_bytes();
        std::array::from_fn(|at| bytes[at] ^ mask[at])
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names(a secret)")
    }
}

fn bytes_of(id: ConnId) -> [u8; ID_BYTES] {
    let mut bytes = [0; ID_BYTES];
    // Only connections of reactors have names, whose mailboxes come first: the last number that fits belongs to none.
    let mailbox = u16::try_from(id.mailbox.0).unwrap_or(u16::MAX);
    let home = u32::from(id.node) << 16 | u32::from(mailbox);
    for (place, part) in bytes.chunks_exact_mut(4).zip([home, id.slot, id.generation]) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    bytes
}

fn id_of(bytes: &[u8; ID_BYTES]) -> ConnId {
    let part = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| bytes[4 * at + byte]));
    let home = part(0);
    let (node, mailbox) = ((home >> 16) as u16, MailboxId(home & 0xffff));
    ConnId { node, mailbox, slot: part(1), generation: part(2) }
}

#[cfg(test)]
mod tests {
    use super::{ConnId, MailboxId, Names, NoName, RandomSource};
    use std::collections::HashSet;

    fn conn(mailbox: u32, slot: u32, generation: u32) -> ConnId {
        ConnId::here(MailboxId(mailbox), slot, generation)
    }

    #[test]
    fn a_name_stands_for_its_connection_and_says_nothing_about_it() {
        let names = Names::new(&RandomSource::secret());
        let mut seen = HashSet::new();
        let elsewhere = ConnId { node: u16::MAX, ..conn(1_023, u32::MAX, u32::MAX) };
        for id in (0..2_000).map(|n| conn(n % 4, n / 4, n % 7)).chain([elsewhere]) {
            let name = names.name(id);
            assert_eq!(names.find(&name), Ok(Some(id)), "{name}");
            assert_eq!(
                (name.len(), name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')),
                (27, true)
            );
            // Neither what stands first nor what stands last is shared by connections that are next to each other.
            assert!(seen.insert(name[..11].to_owned()) && seen.insert(name[12..].to_owned()), "{name}");
        }
    }

    /// B7: `0-1-0` could be counted through.
    #[test]
    fn names_that_are_made_up_or_of_another_server_exclude_nobody() {
        let random = RandomSource::secret();
        let (names, others) = (Names::new(&random), Names::new(&random));
        let name = names.name(conn(0, 1, 0));
        assert_ne!(name, others.name(conn(0, 1, 0)));
        assert_eq!(others.find(&name), Ok(None));
        let mut random = name.as_bytes().to_vec();
        for at in 0..random.len() - 1 {
            random[at] = if random[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(names.find(std::str::from_utf8(&random).expect("ASCII")), Ok(None), "letter {at} is another");
        }
        for no_name in ["", "0-1-0", "me", &name[1..], &format!("{name}A"), &name.replace(&name[3..4], "=")] {
            assert_eq!(names.find(no_name), Err(NoName), "{no_name}");
        }
    }
}
