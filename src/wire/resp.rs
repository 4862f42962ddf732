//! RESP2, the protocol of Redis and Valkey, as a client speaks it: commands out, replies in.
//!
//! Commands are arrays of bulk strings. Replies are read from whatever has come so far; nothing is allocated for what a peer
//! merely announces. Source: redis.io, "Redis serialization protocol specification".

/// How deep lists may lie in each other: the replies that this server asks for have two levels.
const DEPTH_MAX: usize = 4;
/// Bytes of a line at most: an error with its text, a number, a length.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// What a peer may send.
#[derive(Debug, Clone, Copy)]
pub struct RespLimits {
    /// Bytes of one string.
    pub bytes: usize,
    /// Elements of one list.
    pub elements: usize,
}

/// A reply, or a message of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'b> {
    /// A short text, such as `OK`.
    Status(&'b [u8]),
    /// A refusal: its first word says which.
    Error(&'b [u8]),
    /// A whole number.
    Number(i64),
    /// Bytes.
    Bytes(&'b [u8]),
    /// There is none.
    Nothing,
    /// Several.
    List(Vec<Reply<'b>>),
}

/// How far reading came.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<'b> {
    /// A whole reply, and the bytes that it takes.
    Whole(Reply<'b>, usize),
    /// More has to come: with fewer bytes than this in all, reading again is of no use.
    Short(usize),
}

/// Why bytes are no reply that this server would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RespFault {
    /// They begin with no mark of RESP2.
    Mark,
    /// A line without an end, or with another end than CR LF.
    Line,
    /// A length or a number that is none.
    Number,
    /// A string, a list or a line that is larger than it may be, or a list that lies too deep.
    TooLarge,
}

/// Writes a command after what is in `out`.
pub fn write_command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    write_head(out, parts.len());
    for part in parts {
        write_part(out, part);
    }
}

/// Begins a command of `parts` parts, each of which is to be written by [`write_part`].
pub fn write_head(out: &mut Vec<u8>, parts: usize) {
    write_length(out, b'*', parts);
}

/// Writes one part of a command.
pub fn write_part(out: &mut Vec<u8>, part: &[u8]) {
    write_joined(out, &[part]);
}

/// Writes one part of a command, which is in pieces.
pub fn write_joined(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    write_length(out, b'$', pieces.iter().map(|piece| piece.len()).sum());
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
    out.extend_from_slice(b"\r\n");
}

fn write_length(out: &mut Vec<u8>, mark: u8, length: usize) {
    // 20 digits hold any length.
    let mut digits = [0; 20];
    let (mut first, mut rest) = (digits.len(), length);
    while first == digits.len() || rest > 0 {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.push(mark);
    out.extend_from_slice(&digits[first..]);
    out.extend_from_slice(b"\r\n");
}

/// Reads the reply with which `bytes` begin.
///
/// # Errors
/// They are none, or larger than `limits` allow.
pub fn read(bytes: &[u8], limits: RespLimits) -> Result<Read<'_>, RespFault> {
    let mut reader = Reader { bytes, at: 0, limits };
    match reader.reply(0) {
        Ok(reply) => Ok(Read::Whole(reply, reader.at)),
        Err(Stop::Short(needed)) => Ok(Read::Short(needed)),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

enum Stop {
    Short(usize),
    Fault(RespFault),
}

impl From<RespFault> for Stop {
    fn from(fault: RespFault) -> Stop {
        Stop::Fault(fault)
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    limits: RespLimits,
}

impl<'b> Reader<'b> {
    fn reply(&mut self, depth: usize) -> Result<Reply<'b>, Stop> {
        if depth > DEPTH_MAX {
            return Err(RespFault::TooLarge.into());
        }
        let mark = *self.bytes.get(self.at).ok_or(Stop::Short(self.at + 1))?;
        if !b"+-:$*".contains(&mark) {
            return Err(RespFault::Mark.into());
        }
        let line = self.line()?;
        match mark {
            b'+' => Ok(Reply::Status(line)),
            b'-' => Ok(Reply::Error(line)),
            b':' => Ok(Reply::Number(number(line)?)),
            b'$' => match length(line, self.limits.bytes)? {
                Some(length) => self.string(length).map(Reply::Bytes),
                None => Ok(Reply::Nothing),
            },
            _ => match length(line, self.limits.elements)? {
                Some(count) => {
                    // As many as come, not as many as are announced.
                    let mut list = Vec::with_capacity(count.min(8));
                    for _ in 0..count {
                        list.push(self.reply(depth + 1)?);
                    }
                    Ok(Reply::List(list))
                }
                None => Ok(Reply::Nothing),
            },
        }
    }

    /// The line after a mark, without its end.
    fn line(&mut self) -> Result<&'b [u8], Stop> {
        let start = self.at + 1;
        let rest = &self.bytes[start..];
        match rest.iter().take(LINE_BYTES_MAX + 1).position(|byte| *byte == b'\r') {
            Some(end) => match rest.get(end + 1) {
                Some(b'\n') => {
                    self.at = start + end + 2;
                    Ok(&rest[..end])
                }
                Some(_) => Err(RespFault::Line.into()),
                None => Err(Stop::Short(start + end + 2)),
            },
            None if rest.len() > LINE_BYTES_MAX => Err(RespFault::TooLarge.into()),
            None => Err(Stop::Short(self.bytes.len() + 1)),
        }
    }

    fn string(&mut self, length: usize) -> Result<&'b [u8], Stop> {
        let end = self.at + length;
        let found = self.bytes.get(self.at..end + 2).ok_or(Stop::Short(end + 2))?;
        let (string, tail) = found.split_at(length);
        if tail != b"\r\n" {
            return Err(RespFault::Line.into());
        }
        self.at = end + 2;
        Ok(string)
    }
}

fn number(line: &[u8]) -> Result<i64, RespFault> {
    // Nearly all are lengths of a few digits.
    if (1..=18).contains(&line.len()) && line.iter().all(u8::is_ascii_digit) {
        return Ok(line.iter().fold(0, |number, digit| 10 * number + i64::from(digit - b'0')));
    }
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(RespFault::Number)
}

/// A length; `None` for that of nothing.
fn length(line: &[u8], max: usize) -> Result<Option<usize>, RespFault> {
    match number(line)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= max => Ok(Some(length)),
            Ok(_) => Err(RespFault::TooLarge),
            Err(_) => Err(RespFault::Number),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Read, Reply, RespFault, RespLimits, read, write_command};
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    const LIMITS: RespLimits = RespLimits { bytes: 100, elements: 8 };

    fn whole(bytes: &[u8]) -> Reply<'_> {
        match read(bytes, LIMITS) {
            Ok(Read::Whole(reply, taken)) => {
                assert_eq!(taken, bytes.len());
                reply
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_kind_of_reply_is_read() {
        assert_eq!(whole(b"+OK\r\n"), Reply::Status(b"OK"));
        assert_eq!(whole(b"-NOSCRIPT No matching\r\n"), Reply::Error(b"NOSCRIPT No matching"));
        assert_eq!(whole(b":-7\r\n"), Reply::Number(-7));
        assert_eq!(whole(b"$3\r\na\r\n\r\n"), Reply::Bytes(b"a\r\n"));
        assert_eq!((whole(b"$-1\r\n"), whole(b"*-1\r\n")), (Reply::Nothing, Reply::Nothing));
        let list = Reply::List(vec![Reply::Bytes(b""), Reply::List(vec![Reply::Number(1)])]);
        assert_eq!(whole(b"*2\r\n$0\r\n\r\n*1\r\n:1\r\n"), list);
    }

    #[test]
    fn what_is_too_large_or_none_is_refused_before_it_has_come() {
        let fault = |bytes: &[u8]| read(bytes, LIMITS).expect_err("no reply");
        assert_eq!((fault(b"$101\r\n"), fault(b"*9\r\n")), (RespFault::TooLarge, RespFault::TooLarge));
        assert_eq!(fault(&b"*1\r\n".repeat(6)), RespFault::TooLarge, "lists in lists");
        assert_eq!(fault(&[b'+'; 70_000]), RespFault::TooLarge);
        assert_eq!((fault(b"HTTP/1.1 400\r\n"), fault(b">1\r\n")), (RespFault::Mark, RespFault::Mark));
        assert_eq!((fault(b"+a\rb\r\n"), fault(b"$1\r\nabc")), (RespFault::Line, RespFault::Line));
        assert_eq!((fault(b":1x\r\n"), fault(b"$-2\r\n")), (RespFault::Number, RespFault::Number));
    }

    #[test]
    fn a_command_is_an_array_of_strings() {
        let mut out = Vec::new();
        write_command(&mut out, &[b"GET", b"a\r\nb", b""]);
        assert_eq!(out, b"*3\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n");
    }

    proptest! {
        #[test]
        fn a_command_reads_back_whole_and_short_wherever_it_is_cut(parts in vec(vec(any::<u8>(), 0..100), 0..8)) {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let mut out = Vec::new();
            write_command(&mut out, &parts);
            let expected = Reply::List(parts.iter().map(|part| Reply::Bytes(part)).collect());
            prop_assert_eq!(read(&out, LIMITS), Ok(Read::Whole(expected, out.len())));
            for end in 0..out.len() {
                let Ok(Read::Short(needed)) = read(&out[..end], LIMITS) else { panic!("cut at {end}") };
                prop_assert!(needed > end && needed <= out.len());
            }
        }

        #[test]
        fn any_bytes_are_a_reply_or_not(bytes in vec(any::<u8>(), 0..200)) {
            let marked = [&b"*3\r\n$"[..], &bytes].concat();
            for bytes in [bytes, marked] {
                if let Ok(Read::Whole(_, taken)) = read(&bytes, LIMITS) {
                    prop_assert!(taken <= bytes.len());
                }
            }
        }
    }
}
