//! What a payload says of itself: which message of which sequence it is, and when it was meant to leave and left.
//!
//! A stamp is printable and needs no escaping in JSON, however deep it is wrapped, so it is found in whatever a server
//! makes of a message. Its numbers are in base 64, of a fixed width.
//!
//! ```text
//! @ intended(9) delay(5) seq(5)                       20 bytes: an echo; the connection is the sequence
//! @T run(3) stream(4) intended(9) delay(5) seq(6)     29 bytes: a publication
//! ```

use crate::clock::Nanos;

/// The bytes of an echo's stamp, and so the smallest message that can be echoed.
pub const ECHO_BYTES: usize = 20;
/// The bytes of a publication's stamp.
pub const PUBLICATION_BYTES: usize = 29;
/// Stamps of other runs are other people's messages: run ids have 18 bits.
pub const RUN_BITS: u32 = 18;
/// The unit of a delay: 30 bits of it are 17 seconds, and longer delays are given as that.
const DELAY_UNIT: Nanos = 16;

const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const MARK: &[u8; 2] = b"@T";

/// When a message was meant to leave, and when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// By the schedule.
    pub intended: Nanos,
    /// When it was handed to the kernel, or queued after what the peer has not taken yet.
    pub sent: Nanos,
}

/// The stamp of one message of an echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoStamp {
    /// When it left.
    pub times: Times,
    /// Its number on its connection, modulo 2^30.
    pub seq: u32,
}

/// The stamp of one publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicationStamp {
    /// The run that published it, 18 bits.
    pub run: u32,
    /// The sequence it belongs to, 24 bits.
    pub stream: u32,
    /// When it left.
    pub times: Times,
    /// Its number in its sequence from 1, 36 bits.
    pub seq: u64,
}

impl EchoStamp {
    /// Writes the stamp at the start of `out`, which has room for it.
    pub fn write(&self, out: &mut [u8]) {
        out[0] = b'@';
        write_times(&mut out[1..15], self.times);
        put(&mut out[15..20], u64::from(self.seq));
    }

    /// The stamp at the start of a message.
    #[must_use]
    pub fn read(message: &[u8]) -> Option<EchoStamp> {
        let bytes = message.strip_prefix(b"@")?;
        let seq = u32::try_from(get(bytes.get(14..19)?)?).ok()?;
        Some(EchoStamp { times: read_times(bytes)?, seq })
    }
}

impl PublicationStamp {
    /// The stamp as text.
    #[must_use]
    pub fn text(&self) -> [u8; PUBLICATION_BYTES] {
        let mut out = [0; PUBLICATION_BYTES];
        out[..2].copy_from_slice(MARK);
        put(&mut out[2..5], u64::from(self.run));
        put(&mut out[5..9], u64::from(self.stream));
        write_times(&mut out[9..23], self.times);
        put(&mut out[23..29], self.seq);
        out
    }

    /// The first stamp in a message, at any place.
    #[must_use]
    pub fn find(message: &[u8]) -> Option<PublicationStamp> {
        let mut from = 0;
        while let Some(at) = message[from..].iter().position(|byte| *byte == MARK[0]) {
            from += at;
            if let Some(stamp) = message.get(from..from + PUBLICATION_BYTES).and_then(read_publication) {
                return Some(stamp);
            }
            from += 1;
        }
        None
    }
}

fn read_publication(bytes: &[u8]) -> Option<PublicationStamp> {
    let rest = bytes.strip_prefix(MARK)?;
    Some(PublicationStamp {
        run: u32::try_from(get(&rest[..3])?).ok()?,
        stream: u32::try_from(get(&rest[3..7])?).ok()?,
        times: read_times(&rest[7..21])?,
        seq: get(&rest[21..27])?,
    })
}

fn write_times(out: &mut [u8], times: Times) {
    put(&mut out[..9], times.intended);
    let delay = times.sent.saturating_sub(times.intended) / DELAY_UNIT;
    put(&mut out[9..14], delay.min((1 << 30) - 1));
}

fn read_times(bytes: &[u8]) -> Option<Times> {
    let intended = get(bytes.get(..9)?)?;
    Some(Times { intended, sent: intended + get(bytes.get(9..14)?)? * DELAY_UNIT })
}

/// The lowest six bits per place, the most significant first.
fn put(out: &mut [u8], mut number: u64) {
    for place in out.iter_mut().rev() {
        *place = DIGITS[(number & 63) as usize];
        number >>= 6;
    }
}

fn get(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| Some(number << 6 | u64::from(value(*digit)?)))
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'Z' => Some(digit - b'A' + 10),
        b'a'..=b'z' => Some(digit - b'a' + 36),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ECHO_BYTES, EchoStamp, PublicationStamp, Times};

    #[test]
    fn what_is_written_is_read() {
        for n in [0_u64, 1, 63, 64, 0x3FFF_FFFF, 123_456_789] {
            let times = Times { intended: n * 1_000_003, sent: n * 1_000_003 + 16 * (n % 1000) };
            let stamp = EchoStamp { times, seq: n as u32 };
            let mut bytes = [b'x'; ECHO_BYTES + 3];
            stamp.write(&mut bytes);
            assert_eq!(EchoStamp::read(&bytes), Some(stamp));
            let stamp = PublicationStamp { run: n as u32 & 0x3_FFFF, stream: n as u32 & 0xFF_FFFF, times, seq: n * 60 };
            let text = [b"{\"data\":\"{\\\"t\\\":\\\"@".as_slice(), &stamp.text(), b"\\\"}\"}"].concat();
            assert_eq!(PublicationStamp::find(&text), Some(stamp));
        }
    }

    #[test]
    fn a_delay_of_more_than_17_seconds_is_told_as_17_seconds() {
        let stamp = EchoStamp { times: Times { intended: 5, sent: 5 + 60_000_000_000 }, seq: 1 };
        let mut bytes = [0; ECHO_BYTES];
        stamp.write(&mut bytes);
        let read = EchoStamp::read(&bytes).expect("a stamp");
        assert_eq!(read.times.sent - read.times.intended, ((1 << 30) - 1) * 16);
    }

    #[test]
    fn what_is_no_stamp_is_none() {
        for text in ["", "@", "@T", "@Tshort", "hello @Tnot a stamp at all, whatever it says", "no mark"] {
            assert_eq!(PublicationStamp::find(text.as_bytes()), None, "{text}");
            assert_eq!(EchoStamp::read(text.as_bytes()), None, "{text}");
        }
    }
}
