//! The bodies of records that have more than one part.

use super::record::{u32_at, u64_at};

/// Most bytes of a channel's name.
pub(super) const NAME_BYTES: usize = 255;
/// Most bytes of an epoch.
pub(super) const EPOCH_BYTES: usize = 16;
/// Bytes before the key of a publication: its length, its fingerprint, when it expires.
const KEY_HEAD: usize = 4 + 16 + 8;
/// Bytes before the key of a value: its namespace, its length.
const VALUE_HEAD: usize = 8;

/// What `Name` and `Reset` say of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// Bytes of bodies that the channel ever had in this epoch.
    pub(super) total: u64,
    pub(super) epoch: &'a [u8],
    pub(super) name: &'a [u8],
}

impl<'a> Named<'a> {
    /// What precedes epoch and name.
    pub(super) fn head(&self) -> [u8; 16] {
        let mut head = [0; 16];
        head[..8].copy_from_slice(&self.total.to_le_bytes());
        head[8] = self.epoch.len() as u8;
        head
    }

    pub(super) fn parse(body: &'a [u8]) -> Option<Named<'a>> {
        let (head, rest) = body.split_at_checked(16)?;
        let (epoch, name) = rest.split_at_checked(usize::from(head[8]))?;
        let fits = epoch.len() <= EPOCH_BYTES && (1..=NAME_BYTES).contains(&name.len());
        fits.then(|| Named { total: u64_at(head, 0), epoch, name })
    }
}

/// An idempotency key, and what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What shows whether the same was published under it.
    pub fingerprint: u128,
    /// Until when it counts, in milliseconds since 1970.
    pub expires: u64,
}

impl<'a> Key<'a> {
    pub(super) fn head(&self) -> [u8; KEY_HEAD] {
        let mut head = [0; KEY_HEAD];
        head[..4].copy_from_slice(&(self.key.len() as u32).to_le_bytes());
        head[4..20].copy_from_slice(&self.fingerprint.to_le_bytes());
        head[20..].copy_from_slice(&self.expires.to_le_bytes());
        head
    }

    /// The key, and the body of the publication after it.
    pub(super) fn split(body: &'a [u8]) -> Option<(Key<'a>, &'a [u8])> {
        let (head, rest) = body.split_at_checked(KEY_HEAD)?;
        let (key, body) = rest.split_at_checked(u32_at(head, 0) as usize)?;
        let fingerprint = u128::from_le_bytes(head[4..20].try_into().ok()?);
        Some((Key { key, fingerprint, expires: u64_at(head, 20) }, body))
    }
}

/// What precedes the key and the content of a small value.
pub(super) fn value_head(space: u8, key: &[u8]) -> [u8; VALUE_HEAD] {
    let mut head = [0; VALUE_HEAD];
    head[0] = space;
    head[4..].copy_from_slice(&(key.len() as u32).to_le_bytes());
    head
}

/// Namespace, key and content of a small value.
pub(super) fn value_parts(body: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = body.split_at_checked(VALUE_HEAD)?;
    let (key, content) = rest.split_at_checked(u32_at(head, 4) as usize)?;
    Some((head[0], key, content))
}
