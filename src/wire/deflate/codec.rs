//! Messages compressed and inflated, with state that is shared by all connections of a thread or owned by one.

use super::{WINDOW_BITS_MAX, WINDOW_BITS_MIN};
use std::fmt;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

/// The end of every flushed stream, which is left out of messages (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// An empty last block: a stream that stopped where a message may end accepts it and is complete.
const LAST_BLOCK: [u8; 2] = [3, 0];
/// Output of one call into zlib, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;
/// Memory that a codec keeps for the next message, in bytes.
const PACKED_BYTES_KEPT: usize = 256 * 1024;
/// zlib's default size for its hash tables.
const MEMORY_LEVEL: i32 = 8;
/// Windows of 9 to 15 bits.
const WINDOWS: usize = (WINDOW_BITS_MAX - WINDOW_BITS_MIN + 1) as usize;
/// What an inflater takes whatever the window, in bytes (measured).
const INFLATER_BYTES: usize = 48 * 1024;
/// What a deflater takes besides its window, in bytes (measured).
const DEFLATER_BYTES: usize = 196 * 1024;

/// What one connection's own contexts take, in bytes: a deflater of `deflate` bits and an inflater.
#[must_use]
pub const fn context_bytes(deflate: Option<u8>, inflate: bool) -> usize {
    let deflater = match deflate {
        // The window twice, the chains of equal hashes, and the tables.
        Some(bits) => DEFLATER_BYTES + (6 << bits),
        None => 0,
    };
    deflater + if inflate { INFLATER_BYTES } else { 0 }
}

/// How messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// zlib's level, 1 (fast) to 9 (small).
    pub level: u8,
    /// Messages of fewer bytes are sent uncompressed.
    pub least_bytes: usize,
    /// Messages of more bytes are sent uncompressed.
    pub most_bytes: usize,
}

/// Why a message cannot be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateFault {
    /// It is not DEFLATE data, or it ends in the middle of a block.
    #[error("a compressed message that is not DEFLATE data (RFC 1951)")]
    Broken,
    /// It is larger than the limit; no more than the limit was inflated.
    #[error("a message larger than the limit")]
    TooBig,
}

/// The compression of one thread: at most one deflater for each size of window and one inflater, made when first needed.
pub struct Codec {
    tuning: Tuning,
    deflaters: [Option<Box<Deflate>>; WINDOWS],
    inflater: Option<Box<Inflate>>,
    chunk: Vec<u8>,
    packed: Vec<u8>,
    compressions: u64,
    worked_bytes: u64,
}

/// The windows that one connection keeps from message to message.
pub struct Contexts {
    deflate: Option<Box<Deflate>>,
    inflate: Option<Box<Inflate>>,
}

impl Contexts {
    /// Contexts as agreed: a deflater with a window of `deflate` bits, an inflater. Takes [`context_bytes`].
    #[must_use]
    pub fn new(deflate: Option<u8>, inflate: bool, tuning: &Tuning) -> Contexts {
        Contexts { deflate: deflate.map(|bits| new_deflate(tuning.level, bits)), inflate: inflate.then(new_inflate) }
    }

    /// Whether a window is kept for what is sent.
    #[must_use]
    pub fn keep_deflate(&self) -> bool {
        self.deflate.is_some()
    }
}

impl fmt::Debug for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contexts {{ deflate: {}, inflate: {} }}", self.deflate.is_some(), self.inflate.is_some())
    }
}

impl Codec {
    /// A codec without any state yet.
    #[must_use]
    pub fn new(tuning: Tuning) -> Codec {
        Codec {
            tuning,
            deflaters: Default::default(),
            inflater: None,
            chunk: Vec::new(),
            packed: Vec::new(),
            compressions: 0,
            worked_bytes: 0,
        }
    }

    /// How many messages were compressed so far.
    #[must_use]
    pub fn compressions(&self) -> u64 {
        self.compressions
    }

    /// Something else took about as long as compressing this many bytes does: whoever shares the time of compression shares it
    /// with that as well.
    pub fn note_work(&mut self, bytes: u64) {
        self.worked_bytes += bytes;
    }

    /// How many bytes went into compression and came out of inflation so far: what it cost.
    #[must_use]
    pub fn worked_bytes(&self) -> u64 {
        self.worked_bytes
    }

    /// How it compresses.
    #[must_use]
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Whether a message of `bytes` bytes is neither too small nor too large to be compressed.
    #[must_use]
    pub fn takes(&self, bytes: usize) -> bool {
        bytes > 0 && (self.tuning.least_bytes..=self.tuning.most_bytes).contains(&bytes)
    }

    /// Compresses a message by itself. `None` when it is too small or too large for that, or would not become smaller:
    /// then it is sent uncompressed.
    pub fn deflate(&mut self, window_bits: u8, payload: &[u8]) -> Option<&[u8]> {
        if !self.takes(payload.len()) {
            return None;
        }
        let index = usize::from(window_bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX) - WINDOW_BITS_MIN);
        let level = self.tuning.level;
        let mut deflater = self.deflaters[index].take().unwrap_or_else(|| new_deflate(level, window_bits));
        let is_smaller = self.run(&mut deflater, payload, payload.len() - 1)?;
        deflater.reset();
        self.deflaters[index] = Some(deflater);
        is_smaller.then_some(&self.packed[..])
    }

    /// Compresses a message with what the connection's earlier messages left in its window. The result has to be sent even if
    /// it is larger: the window contains it now, so the peer's must, too. `None` when it is too small or too large to begin with, or
    /// the connection keeps no window in this direction.
    pub fn deflate_on(&mut self, contexts: &mut Contexts, payload: &[u8]) -> Option<&[u8]> {
        if !self.takes(payload.len()) {
            return None;
        }
        let mut deflater = contexts.deflate.take()?;
        self.run(&mut deflater, payload, usize::MAX)?;
        contexts.deflate = Some(deflater);
        Some(&self.packed)
    }

    /// Inflates a message that stands by itself, to at most `limit` bytes.
    ///
    /// # Errors
    /// See [`InflateFault`].
    pub fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<Vec<u8>, InflateFault> {
        let mut inflater = self.inflater.take().unwrap_or_else(new_inflate);
        let outcome = self.fill(&mut inflater, payload, limit).and_then(|(message, ended)| {
            // Some peers send an empty message as no bytes at all; by the RFC it has one (section 7.2.3.6).
            let complete = ended
                || payload.is_empty()
                || inflater.decompress(&LAST_BLOCK, &mut [0], InflateFlush::NoFlush) == Ok(Status::StreamEnd);
            if complete { Ok(message) } else { Err(InflateFault::Broken) }
        });
        // A failed inflater stopped inside a block: its state must not reach the next message, which may be another client's.
        if outcome.is_ok() {
            inflater.reset(false);
            self.inflater = Some(inflater);
        }
        outcome
    }

    /// Inflates a message with the window of the connection's earlier messages, if it keeps one.
    ///
    /// # Errors
    /// See [`InflateFault`].
    pub fn inflate_on(
        &mut self,
        contexts: &mut Contexts,
        payload: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, InflateFault> {
        match &mut contexts.inflate {
            Some(inflater) => self.fill(inflater, payload, limit).map(|(message, _)| message),
            None => self.inflate(payload, limit),
        }
    }

    /// Compresses into `packed`, without the tail. False when that takes more than `max` bytes; `None` when the deflater
    /// cannot be used any more, which would be a bug of zlib's.
    fn run(&mut self, deflater: &mut Deflate, payload: &[u8], max: usize) -> Option<bool> {
        self.compressions += 1;
        self.worked_bytes += payload.len() as u64;
        self.chunk.resize(CHUNK_BYTES, 0);
        self.packed.clear();
        self.packed.shrink_to(PACKED_BYTES_KEPT);
        let (mut rest, mut total) = (payload, 0);
        loop {
            let (before_in, before_out) = (deflater.total_in(), deflater.total_out());
            deflater.compress(rest, &mut self.chunk, DeflateFlush::SyncFlush).ok()?;
            rest = &rest[(deflater.total_in() - before_in) as usize..];
            let made = (deflater.total_out() - before_out) as usize;
            total += made;
            // Output beyond the limit is dropped, but compression goes on to its end: a deflater that stops halfway is unusable.
            if total.saturating_sub(TAIL.len()) <= max {
                self.packed.extend_from_slice(&self.chunk[..made]);
            }
            // The flush is complete when the output buffer has room left (zlib's manual, deflate).
            if made < CHUNK_BYTES {
                break;
            }
        }
        if total > self.packed.len() {
            return Some(false);
        }
        let is_flushed = rest.is_empty() && self.packed.ends_with(&TAIL);
        self.packed.truncate(self.packed.len().saturating_sub(TAIL.len()));
        is_flushed.then_some(true)
    }

    /// Inflates a payload and the tail it was sent without. The message, and whether its last block said that it was
    /// the last.
    fn fill(&mut self, inflater: &mut Inflate, payload: &[u8], limit: usize) -> Result<(Vec<u8>, bool), InflateFault> {
        self.chunk.resize(CHUNK_BYTES, 0);
        let (mut message, mut ended) = (Vec::new(), false);
        for piece in [payload, &TAIL] {
            // A stream whose last block ended with the payload needs no tail.
            if payload.is_empty() || (ended && piece == TAIL) {
                break;
            }
            let mut rest = piece;
            loop {
                // A last block inside the payload ends one stream, and another follows (RFC 7692 section 7.2.3.4).
                if std::mem::take(&mut ended) {
                    inflater.reset(false);
                }
                let room = CHUNK_BYTES.min(limit - message.len() + 1);
                let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
                let status = inflater.decompress(rest, &mut self.chunk[..room], InflateFlush::SyncFlush);
                ended = status.map_err(|_| InflateFault::Broken)? == Status::StreamEnd;
                let taken = (inflater.total_in() - before_in) as usize;
                let made = (inflater.total_out() - before_out) as usize;
                rest = &rest[taken..];
                message.extend_from_slice(&self.chunk[..made]);
                self.worked_bytes += made as u64;
                if message.len() > limit {
                    return Err(InflateFault::TooBig);
                }
                if rest.is_empty() && (ended || made < room) {
                    break;
                }
                if taken == 0 && made == 0 && !ended {
                    return Err(InflateFault::Broken);
                }
            }
        }
        Ok((message, ended))
    }
}

fn new_deflate(level: u8, window_bits: u8) -> Box<Deflate> {
    let config = DeflateConfig {
        level: i32::from(level),
        // Negative: a raw stream, without zlib's header.
        window_bits: -i32::from(window_bits),
        mem_level: MEMORY_LEVEL,
        ..DeflateConfig::default()
    };
    Box::new(Deflate::new_with_config(config))
}

fn new_inflate() -> Box<Inflate> {
    Box::new(Inflate::new(false, WINDOW_BITS_MAX))
}

#[cfg(test)]
mod tests {
    use super::{Codec, Contexts, InflateFault, Tuning};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    const TUNING: Tuning = Tuning { level: 1, least_bytes: 1, most_bytes: usize::MAX };

    fn codec() -> Codec {
        Codec::new(TUNING)
    }

    /// Text that compresses as prices and chat do.
    fn text(random: &mut StdRng, bytes: usize) -> Vec<u8> {
        let words = ["\"price\":", "1.10,", "{\"symbol\":\"ACME\"", "}", "时间", " hello", "0000", "\n"];
        let mut text = Vec::new();
        while text.len() < bytes {
            text.extend_from_slice(words[random.random_range(0..words.len())].as_bytes());
        }
        text.truncate(bytes);
        text
    }

    /// RFC 7692 section 7.2.3: its own examples.
    #[test]
    fn the_examples_of_the_standard_inflate() {
        let mut codec = codec();
        for (payload, expected) in [
            (&[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00][..], "Hello"),
            (&[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00], "Hello"),
            (&[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00], "Hello"),
            (&[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00], "Hello"),
            // The last block said that it is the last, and nothing was added.
            (&[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], "Hello"),
            (&[0x00], ""),
            (&[], ""),
        ] {
            assert_eq!(codec.inflate(payload, 5).as_deref(), Ok(expected.as_bytes()), "{payload:x?}");
        }
        // The second of two messages that share a window.
        let mut contexts = Contexts::new(None, true, &TUNING);
        for payload in [&[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00][..], &[0xF2, 0x00, 0x11, 0x00, 0x00]] {
            assert_eq!(codec.inflate_on(&mut contexts, payload, 5).as_deref(), Ok(&b"Hello"[..]));
        }
        assert_eq!(codec.inflate(&[0xF2, 0x00, 0x11, 0x00, 0x00], 5), Err(InflateFault::Broken), "without the first");
    }

    #[test]
    fn messages_of_every_size_come_back_from_every_window() {
        let (mut random, mut codec) = (StdRng::seed_from_u64(1), codec());
        for round in 0..300 {
            let bytes = if round < 200 { round } else { random.random_range(0..200_000) };
            let message = text(&mut random, bytes);
            let bits = random.random_range(9..=15);
            let Some(packed) = codec.deflate(bits, &message).map(<[u8]>::to_vec) else {
                assert!(bytes < 100, "{bytes} bytes of text did not get smaller");
                continue;
            };
            assert!(packed.len() < message.len());
            assert_eq!(codec.inflate(&packed, bytes).as_ref(), Ok(&message));
            assert_eq!(codec.inflate(&packed, bytes - 1), Err(InflateFault::TooBig));
        }
    }

    #[test]
    fn a_kept_window_makes_the_next_message_smaller_and_stays_in_step() {
        let (mut random, mut codec) = (StdRng::seed_from_u64(2), codec());
        for bits in [9, 12, 15] {
            let mut sender = Contexts::new(Some(bits), false, &TUNING);
            let mut receiver = Contexts::new(None, true, &TUNING);
            let message = text(&mut random, 400);
            let sizes: Vec<usize> = (0..20)
                .map(|_| {
                    let packed = codec.deflate_on(&mut sender, &message).expect("worth it").to_vec();
                    assert_eq!(codec.inflate_on(&mut receiver, &packed, 400).as_ref(), Ok(&message));
                    packed.len()
                })
                .collect();
            assert!(sizes[1] < sizes[0], "{sizes:?}");
            // What does not get smaller is sent compressed all the same: the window has it.
            let noise: Vec<u8> = (0..1000).map(|_| random.random()).collect();
            let packed = codec.deflate_on(&mut sender, &noise).expect("in bounds").to_vec();
            assert_eq!(codec.inflate_on(&mut receiver, &packed, 1000), Ok(noise));
        }
    }

    #[test]
    fn what_is_not_worth_it_goes_out_as_it_is() {
        let mut codec = Codec::new(Tuning { level: 6, least_bytes: 100, most_bytes: 1000 });
        let mut contexts = Contexts::new(Some(15), true, codec.tuning());
        for (bytes, worth_it) in [(0, false), (99, false), (100, true), (1000, true), (1001, false)] {
            let message = vec![b'a'; bytes];
            assert_eq!(codec.deflate(15, &message).is_some(), worth_it, "{bytes}");
            assert_eq!(codec.deflate_on(&mut contexts, &message).is_some(), worth_it, "{bytes}");
        }
        let mut random = StdRng::seed_from_u64(3);
        let noise: Vec<u8> = (0..500).map(|_| random.random()).collect();
        assert_eq!(codec.deflate(15, &noise), None);
    }

    /// zlib-rs keeps bits of a stream that was given up when it is reset, and garbled the next message or panicked.
    #[test]
    fn what_was_given_up_leaves_no_trace_in_the_next_message() {
        let (mut random, mut codec) = (StdRng::seed_from_u64(5), codec());
        for round in 0..200 {
            let length = random.random_range(5_000..50_000_u32);
            let signs: String = (0..length).filter_map(|n| char::from_u32(0x4E00 + n * 7919 % 20_000)).collect();
            let _ = codec.deflate(15, signs.as_bytes());
            let bytes = random.random_range(300..70_000);
            let message = text(&mut random, bytes);
            let packed = codec.deflate(15, &message).expect("text gets smaller").to_vec();
            assert!(codec.inflate(&packed, bytes).as_ref() == Ok(&message), "round {round}");
        }
    }

    /// A thousand to one: the limit is what it costs, not what it would become.
    #[test]
    fn a_bomb_stops_at_the_limit() {
        let mut codec = codec();
        let bomb = codec.deflate(15, &vec![0; 50_000_000]).expect("smaller").to_vec();
        assert!(bomb.len() < 500_000, "{} bytes", bomb.len());
        let before = codec.inflate(&bomb, 65_536);
        assert_eq!(before, Err(InflateFault::TooBig));
        let mut contexts = Contexts::new(None, true, &TUNING);
        assert_eq!(codec.inflate_on(&mut contexts, &bomb, 65_536), Err(InflateFault::TooBig));
        assert_eq!(codec.inflate(&[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], 5).as_deref(), Ok(&b"Hello"[..]));
    }

    #[test]
    fn what_is_cut_short_or_no_deflate_data_is_broken() {
        let (mut random, mut codec) = (StdRng::seed_from_u64(4), codec());
        let message = text(&mut random, 3000);
        let packed = codec.deflate(15, &message).expect("smaller").to_vec();
        for end in 1..packed.len() {
            let cut = codec.inflate(&packed[..end], 1 << 20);
            assert_eq!(cut, Err(InflateFault::Broken), "cut at {end} of {}", packed.len());
        }
        for _ in 0..20_000 {
            let noise: Vec<u8> = (0..random.random_range(1..60)).map(|_| random.random()).collect();
            if let Ok(message) = codec.inflate(&noise, 1000) {
                assert!(message.len() <= 1000);
            }
        }
        assert_eq!(codec.inflate(&packed, 3000), Ok(message), "none of that left a trace");
    }

    #[test]
    fn nothing_is_allocated_before_it_is_needed() {
        let codec = codec();
        assert!(codec.inflater.is_none() && codec.deflaters.iter().all(Option::is_none));
        assert_eq!((codec.chunk.capacity(), codec.packed.capacity()), (0, 0));
    }
}
