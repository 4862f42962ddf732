//! The parts of a publication that encoders see, and the position that names its place in a channel.

use bytes::Bytes;
use std::fmt;

/// Characters of an epoch that are drawn at random.
const RANDOM_CHARS: usize = 10;
/// So many generations of an engine have names of their own: five digits in base 36, which is all that fits.
pub const GENERATIONS: u32 = 36_u32.pow(5);

/// The random id of a channel's continuity: 8 to 16 characters of `[A-Za-z0-9_-]`. It changes only when continuity is lost.
///
/// Where an engine keeps the channel, its generation comes after the random part and a hyphen.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// A shorter epoch ends with zeros: a separate length would cost each position eight bytes.
    text: [u8; 16],
}

impl Epoch {
    /// Reads an epoch; `None` unless it is 8 to 16 characters of `[A-Za-z0-9_-]`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Epoch> {
        let fits = (8..=16).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !fits || !clean {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Epoch { text: bytes })
    }

    /// Ten characters (60 bits) made of `random`, which the caller draws.
    #[must_use]
    pub fn from_random(random: u64) -> Epoch {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = [0; 16];
        for (place, slot) in text.iter_mut().take(RANDOM_CHARS).enumerate() {
            *slot = ALPHABET[(random >> (6 * place)) as usize & 63];
        }
        Epoch { text }
    }

    /// The same characters, and a generation of an engine in base 36.
    #[must_use]
    pub fn of_generation(random: u64, generation: u32) -> Epoch {
        Epoch::from_random(random).in_generation(generation)
    }

    /// The same random part in another generation: what an engine has lost must not be taken for what it gives anew.
    #[must_use]
    pub fn in_generation(self, generation: u32) -> Epoch {
        let mut text = [0; 16];
        text[..RANDOM_CHARS].copy_from_slice(&self.text[..RANDOM_CHARS]);
        text[RANDOM_CHARS] = b'-';
        // Begins again after sixty million restarts, since there is no room for more.
        let (mut rest, mut digits) = (generation % GENERATIONS, [0; 5]);
        let mut first = digits.len();
        while first == digits.len() || rest > 0 {
            first -= 1;
            digits[first] = char::from_digit(rest % 36, 36).map_or(b'0', |digit| digit as u8);
            rest /= 36;
        }
        let digits = &digits[first..];
        text[RANDOM_CHARS + 1..][..digits.len()].copy_from_slice(digits);
        Epoch { text }
    }

    /// The part of it that is the same in every generation.
    #[must_use]
    pub fn random_part(&self) -> &str {
        let text = self.as_str();
        text.get(..RANDOM_CHARS).unwrap_or(text)
    }

    /// The generation of the engine that gave it, as it is written in it; `None` when no engine did.
    #[must_use]
    pub fn generation_digits(&self) -> Option<&str> {
        self.as_str().get(RANDOM_CHARS..)?.strip_prefix('-')
    }

    /// The generation of the engine that gave it; `None` when no engine did.
    #[must_use]
    pub fn generation(&self) -> Option<u32> {
        u32::from_str_radix(self.generation_digits()?, 36).ok()
    }

    /// The epoch as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Read as a number, the end of the text is on top. A character is no zero byte, and its own leading zero bits
        // are fewer than eight, which the division drops.
        let zeros = u128::from_le_bytes(self.text).leading_zeros() as usize / 8;
        std::str::from_utf8(&self.text[..self.text.len() - zeros]).expect("only ASCII is ever stored")
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No publication has this offset or a later one: JSON readers of most languages count exactly up to here.
pub const OFFSET_END: u64 = 1 << 53;

/// A place in a channel: `epoch:offset` on every transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The epoch that `offset` counts in.
    pub epoch: Epoch,
    /// The last publication seen; 0 before the first.
    pub offset: u64,
}

impl Position {
    /// Reads `epoch:offset`; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Position> {
        // By bytes, which is four times as quick: each publication that comes from an engine has one.
        let colon = text.bytes().position(|byte| byte == b':')?;
        let (epoch, offset) = (&text[..colon], &text[colon + 1..]);
        // `parse` alone would take a plus sign.
        let digits = !offset.is_empty() && offset.bytes().all(|b| b.is_ascii_digit());
        if !digits {
            return None;
        }
        Some(Position { epoch: Epoch::parse(epoch)?, offset: offset.parse().ok()? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch.as_str(), self.offset)
    }
}

/// What is published: JSON kept byte for byte, or bytes with a media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// One valid JSON value exactly as it was sent (surrounding white space removed).
    Json(Bytes),
    /// Anything else, with its media type.
    Binary {
        /// The bytes.
        bytes: Bytes,
        /// Their media type, `application/octet-stream` when none was given.
        content_type: Box<str>,
    },
}

impl Default for Data {
    /// A placeholder where data was moved out: no bytes, which are not valid JSON. Costs no memory.
    fn default() -> Self {
        Data::Json(Bytes::new())
    }
}

impl Data {
    /// Bytes of the data itself.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Data::Json(bytes) | Data::Binary { bytes, .. } => bytes.len(),
        }
    }

    /// Whether there are no bytes (only binary data can be empty).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A publication as encoders see it.
#[derive(Debug, Clone, Copy)]
pub struct PublicationView<'a> {
    /// The channel's name, decoded.
    pub channel: &'a str,
    /// 1, 2, 3 … within the epoch.
    pub offset: u64,
    /// A name for the kind of publication, at most 200 bytes.
    pub event: Option<&'a str>,
    /// Milliseconds since 1970.
    pub time: Option<u64>,
    /// What was published.
    pub data: &'a Data,
}

#[cfg(test)]
mod tests {
    use super::{Epoch, Position};

    #[test]
    fn an_epoch_has_8_to_16_characters_of_its_alphabet() {
        for good in ["abcdefgh", "ABCDEFGHIJKLMNOP", "a-b_c-d9"] {
            assert_eq!(Epoch::parse(good).expect(good).as_str(), good);
        }
        for bad in ["", "abcdefg", "ABCDEFGHIJKLMNOPQ", "abc defgh", "äbcdefgh", "abcd:efgh"] {
            assert!(Epoch::parse(bad).is_none(), "{bad}");
        }
        assert!(Epoch::parse(Epoch::from_random(u64::MAX).as_str()).is_some());
    }

    #[test]
    fn an_engines_epoch_ends_with_its_generation() {
        for (generation, digits) in [(0, "0"), (1, "1"), (35, "z"), (36, "10"), (36_u32.pow(5) - 1, "zzzzz")] {
            let epoch = Epoch::of_generation(u64::MAX, generation);
            let text = format!("{}-{digits}", Epoch::from_random(u64::MAX).as_str());
            assert_eq!((epoch.as_str(), epoch.generation()), (&*text, Some(generation)));
            assert_eq!((epoch.random_part(), epoch.generation_digits()), (&text[..10], Some(digits)));
            assert_eq!(Epoch::parse(&text), Some(epoch));
            assert_eq!(epoch.in_generation(generation + 1), Epoch::of_generation(u64::MAX, generation + 1));
            assert_ne!(epoch.in_generation(generation + 1), epoch);
        }
        assert_eq!(Epoch::of_generation(1, u32::MAX).as_str().len(), 16, "as long as an epoch may be");
        assert_eq!(Epoch::from_random(7).generation(), None);
    }

    #[test]
    fn a_position_survives_its_text_and_refuses_others() {
        let position = Position { epoch: Epoch::from_random(7), offset: 41 };
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        for bad in [
            "",
            "abcdefgh",
            "abcdefgh:",
            "abcdefgh:+1",
            "abcdefgh:-1",
            "abcdefgh:1:2",
            "short:1",
            "abcdefgh:99999999999999999999",
        ] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }
}
