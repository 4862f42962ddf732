//! Publications on their way to Redis: the call of the script that takes several at once, as they wait anyway when there are many.

use super::keys::ChannelKeys;
use super::scripts::Sha;
use crate::engine::rules::Kept;
use crate::wire::resp::{write_head, write_joined, write_part};

/// Publications of one call at most: more would save Redis little, and keep its other clients waiting.
pub(super) const BATCH_MAX: usize = 16;
/// A call that has this many bytes takes no further one.
pub(super) const BATCH_BYTES: usize = 64 * 1024;

/// As MessagePack has them ("bool format family").
const PACKED_FALSE: u8 = 0xc2;
const PACKED_TRUE: u8 = 0xc3;

/// A call as it is put together. It is used again and again, so that nothing is allocated for one.
#[derive(Debug, Default)]
pub(super) struct Call {
    keys: Vec<u8>,
    key_count: usize,
    arguments: Vec<u8>,
    argument_count: usize,
    body: Vec<u8>,
    packed: Vec<u8>,
}

/// One publication, as far as the script has to know it.
pub(super) struct Item<'i> {
    pub(super) keys: &'i ChannelKeys,
    pub(super) kept: Kept,
    /// How many seconds its history and its position are kept.
    pub(super) lasting: (u64, u64),
    /// After which time it is too late, in milliseconds since 1970.
    pub(super) until_ms: u64,
    /// The random part of a new channel's epoch.
    pub(super) epoch: &'i str,
    /// Its idempotency key, what it is compared by, and how many milliseconds it is kept.
    pub(super) key: Option<(&'i str, u128, u64)>,
    /// By which it is found again, if it may have been published before.
    pub(super) again: Option<&'i str>,
    /// Whether the data is of another generation than when it was sent: what shows that it was not published may be lost too.
    pub(super) is_lost: bool,
    /// The position that it is to follow, or nothing.
    pub(super) if_match: &'i str,
}

impl Call {
    /// Where the message of the publication is written that is added next.
    pub(super) fn body(&mut self) -> &mut Vec<u8> {
        self.body.clear();
        self.body.shrink_to(2 * BATCH_BYTES);
        &mut self.body
    }

    /// Adds a publication.
    pub(super) fn add(&mut self, item: &Item<'_>) {
        self.key(item.keys.meta());
        self.key(item.keys.history());
        if let Some((key, ..)) = item.key {
            self.key(item.keys.idempotency(key));
        }
        write_part(&mut self.arguments, &self.body);
        write_part(&mut self.arguments, item.keys.feed());
        self.argument_count += 2;
        self.pack(item);
    }

    /// Everything else is one argument, since each costs Redis more than what is in it.
    fn pack(&mut self, item: &Item<'_>) {
        let (Kept { count, bytes, .. }, (history_s, position_s)) = (item.kept, item.lasting);
        // They end a little later, so that they need not be moved on by each publication.
        let slack = history_s / 16;
        let packed = &mut self.packed;
        packed.clear();
        for number in [count as u64, bytes as u64, slack, history_s + slack + 1, position_s + slack + 1, item.until_ms]
        {
            pack_number(packed, number);
        }
        pack_text(packed, item.epoch);
        let (kept_ms, fingerprint) =
            item.key.map_or((0, String::new()), |(_, fingerprint, kept_ms)| (kept_ms, format!("{fingerprint:032x}")));
        pack_number(packed, kept_ms);
        pack_text(packed, &fingerprint);
        pack_text(packed, item.again.unwrap_or_default());
        pack_text(packed, item.if_match);
        packed.push(if item.is_lost { PACKED_TRUE } else { PACKED_FALSE });
        write_part(&mut self.arguments, &self.packed);
        self.argument_count += 1;
    }

    /// Whether no more should be added.
    pub(super) fn is_large(&self) -> bool {
        self.arguments.len() >= BATCH_BYTES
    }

    /// Writes the call, and begins another.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, sha: &Sha, generation: &str) {
        write_head(out, 4 + self.key_count + self.argument_count);
        write_part(out, b"EVALSHA");
        write_part(out, sha);
        write_part(out, self.key_count.to_string().as_bytes());
        out.extend_from_slice(&self.keys);
        write_part(out, generation.as_bytes());
        out.extend_from_slice(&self.arguments);
        self.keys.clear();
        self.arguments.clear();
        self.arguments.shrink_to(2 * BATCH_BYTES);
        (self.key_count, self.argument_count) = (0, 0);
    }

    fn key(&mut self, key: [&[u8]; 3]) {
        write_joined(&mut self.keys, &key);
        self.key_count += 1;
    }
}

/// A number as MessagePack has it (its specification, "int format family"): the mark of 64 bits, and these.
fn pack_number(out: &mut Vec<u8>, number: u64) {
    out.push(0xcf);
    out.extend_from_slice(&number.to_be_bytes());
}

/// A text of up to 255 bytes ("str format family").
fn pack_text(out: &mut Vec<u8>, text: &str) {
    out.push(0xd9);
    out.push(u8::try_from(text.len()).expect("tickets, fingerprints and positions are short"));
    out.extend_from_slice(text.as_bytes());
}
