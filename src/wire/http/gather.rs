//! A head that arrives in pieces: each of its bytes is read a bounded number of times, however small the pieces.

use super::head::{Head, HeadLimits, parse_head};
use super::scan::{Stop, Walk};
use crate::model::refusal::Refusal;

/// The head in progress.
///
/// Lines are walked as they become complete. An incomplete line is walked again only when it has doubled, so that an error
/// in it is found early, and a line that comes byte by byte does not cost quadratic time.
#[derive(Debug, Default)]
pub struct HeadGathering {
    bytes: Vec<u8>,
    /// Where the first line begins that is not complete.
    line: usize,
    /// How long that line has to be for the next look at it.
    look_at: usize,
    /// Complete field lines; `None` before the end of the request line.
    fields: Option<usize>,
    #[cfg(test)]
    walked: usize,
}

/// Where a head in progress stood.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    bytes: usize,
    line: usize,
    look_at: usize,
    fields: Option<usize>,
}

/// What came of some more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathered {
    /// All of them belong to the head, and it is not complete.
    More,
    /// The head is complete, and has this many bytes.
    Complete(usize),
}

impl HeadGathering {
    /// Takes what belongs to the head from the beginning of `input`.
    ///
    /// # Errors
    /// As those of [`parse_head`], which knows of some only when the head is complete.
    pub fn take(&mut self, input: &[u8], limits: &HeadLimits) -> Result<Gathered, Refusal> {
        let before = self.bytes.len();
        // A head beyond the limit is refused at the limit: more of it need not be kept.
        let room = limits.head_bytes.saturating_add(1).saturating_sub(before);
        let piece = &input[..input.len().min(room)];
        self.bytes.extend_from_slice(piece);
        let is_due = piece.contains(&b'\n')
            || self.bytes.len() - self.line >= self.look_at
            || self.bytes.len() > limits.head_bytes;
        if !is_due || !self.walk(limits)? {
            return Ok(Gathered::More);
        }
        // What the piece had after the head belongs to the body.
        self.bytes.truncate(self.line);
        // Not below zero: only a line end in this piece can have completed the head.
        Ok(Gathered::Complete(self.line - before))
    }

    /// Where it stands.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), line: self.line, look_at: self.look_at, fields: self.fields }
    }

    /// Forgets what was taken since then: it will be given once more.
    pub fn return_to(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        (self.line, self.look_at, self.fields) = (mark.line, mark.look_at, mark.fields);
    }

    /// The head, once it is complete.
    ///
    /// # Errors
    /// As those of [`parse_head`].
    pub fn parse(&self, limits: &HeadLimits) -> Result<Option<(Head<'_>, usize)>, Refusal> {
        parse_head(&self.bytes, limits)
    }

    /// Whether nothing has come but the empty line that some clients send after a body (RFC 9112 section 2.2): no request
    /// has begun.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(&self.bytes[..], b"" | b"\r" | b"\r\n")
    }

    /// The bytes of memory held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Walks the lines that have become complete; whether the head has.
    fn walk(&mut self, limits: &HeadLimits) -> Result<bool, Refusal> {
        loop {
            let mut walk = Walk::from(&self.bytes, self.line, limits);
            let step = match self.fields {
                None => walk.request_line().map(|_| Some(0)),
                Some(count) => walk.next_field(count).map(|is_field| is_field.then_some(count + 1)),
            };
            #[cfg(test)]
            {
                self.walked += walk.walked() - self.line;
            }
            match step {
                Ok(fields) => {
                    if self.fields.is_none() {
                        // Its target may be one that no head is accepted with.
                        parse_head(&self.bytes[..walk.walked()], limits)?;
                    }
                    self.line = walk.walked();
                    // The next line is looked at at once, whatever its length.
                    self.look_at = 0;
                    self.fields = fields;
                    if fields.is_none() {
                        return Ok(true);
                    }
                }
                Err(Stop::More) => {
                    self.look_at = 2 * (self.bytes.len() - self.line);
                    return Ok(false);
                }
                Err(Stop::Fail(error)) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Gathered, HeadGathering};
    use crate::model::refusal::Refusal;
    use crate::wire::http::head::{HeadLimits, parse_head};

    const LIMITS: HeadLimits = HeadLimits { head_bytes: 1 << 20, headers: 1000, target_bytes: 1 << 19 };

    /// Gives `input` in pieces of `size` bytes: where the head ended, and what it cost.
    fn gather(input: &[u8], size: usize, limits: &HeadLimits) -> Result<Option<(usize, usize)>, Refusal> {
        let mut head = HeadGathering::default();
        let mut taken = 0;
        for piece in input.chunks(size) {
            match head.take(piece, limits)? {
                Gathered::More => taken += piece.len(),
                Gathered::Complete(count) => {
                    let parsed = head.parse(limits)?.expect("it said that it is complete");
                    assert_eq!((parsed.1, taken + count), (head.bytes.len(), head.bytes.len()));
                    assert_eq!(Ok(Some(parsed)), parse_head(input, limits));
                    return Ok(Some((taken + count, head.walked)));
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn what_was_forgotten_is_taken_once_more() {
        let input = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nbody";
        for first in 0..input.len() - 4 {
            let mut head = HeadGathering::default();
            assert_eq!(head.take(&input[..first], &LIMITS), Ok(Gathered::More));
            let mark = head.mark();
            for _ in 0..3 {
                let end = input.len() - 4 - first;
                assert_eq!(head.take(&input[first..], &LIMITS), Ok(Gathered::Complete(end)), "after {first} bytes");
                assert!(head.parse(&LIMITS).expect("acceptable").is_some());
                head.return_to(mark);
            }
        }
    }

    #[test]
    fn a_head_ends_where_it_ends_whatever_the_pieces_and_what_follows() {
        for head in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /channels/a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Y: \té \r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
        ] {
            for rest in ["", "hello", "\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
                let input = format!("{head}{rest}");
                for size in 1..=input.len() {
                    let end = gather(input.as_bytes(), size, &LIMITS).expect("acceptable").map(|(end, _)| end);
                    assert_eq!(end, Some(head.len()), "{input:?} in pieces of {size}");
                }
            }
        }
    }

    /// What is wrong is found no later than with the line's end, or when the line is twice as long.
    #[test]
    fn what_is_refused_whole_is_refused_in_pieces() {
        for input in [
            "GET /\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET http:// HTTP/1.1\r\nHost",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\r",
            "GET / HTTP/1.1\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\n",
            "\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03",
        ] {
            let whole = parse_head(input.as_bytes(), &LIMITS).expect_err(input);
            for size in 1..=input.len() {
                // Enough after it for the line to double.
                let padded = format!("{input}{}", "a".repeat(2 * input.len()));
                assert_eq!(gather(padded.as_bytes(), size, &LIMITS), Err(whole.clone()), "{input:?} in {size}");
            }
        }
    }

    #[test]
    fn limits_hold_for_pieces_on_both_of_their_sides() {
        let limits = HeadLimits { head_bytes: 100, headers: 3, target_bytes: 20 };
        let head = |target: usize, fields: usize, filler: usize| {
            let fields = (0..fields).map(|n| format!("a{n}: b\r\n")).collect::<String>();
            format!("GET /{} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", "t".repeat(target - 1), "h".repeat(filler))
        };
        let filler = 100 - head(1, 0, 0).len();
        for (input, is_good) in [
            (head(20, 0, 1), true),
            (head(21, 0, 1), false),
            (head(1, 2, 1), true),
            (head(1, 3, 1), false),
            (head(1, 0, filler), true),
            (head(1, 0, filler + 1), false),
        ] {
            for size in [1, 2, 7, input.len()] {
                let outcome = gather(input.as_bytes(), size, &limits);
                let whole = parse_head(input.as_bytes(), &limits).map(|_| ());
                assert_eq!(outcome.is_ok(), is_good, "{input}");
                assert_eq!(outcome.map(|_| ()), whole, "{input}");
            }
        }
    }

    /// The whole of a long line that never ends is not kept beyond the limit.
    #[test]
    fn no_more_than_the_limit_is_kept() {
        let limits = HeadLimits { head_bytes: 1000, headers: 10, target_bytes: 900 };
        let mut head = HeadGathering::default();
        let begun = head.take(b"GET / HTTP/1.1\r\nHost: ", &limits);
        assert_eq!(begun, Ok(Gathered::More));
        assert!(head.take(&vec![b'a'; 1 << 20], &limits).is_err());
        assert!(head.held_bytes() < 4096, "{}", head.held_bytes());
    }

    /// Twice the head, twice the work: with one long line, with many short ones, and with a long target.
    #[test]
    fn a_byte_costs_the_same_in_a_small_head_and_a_large_one() {
        let long_line = |size| format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", "v".repeat(size));
        let long_target = |size| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "t".repeat(size));
        let many_lines = |size: usize| {
            let lines = (0..size / 500).map(|n| format!("x{n}: {}\r\n", "v".repeat(490))).collect::<String>();
            format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
        };
        for make in [&long_line as &dyn Fn(usize) -> String, &long_target, &many_lines] {
            for size in [16 << 10, 64 << 10, 128 << 10, 256 << 10] {
                for piece in [1, 3, 1000] {
                    let input = make(size);
                    let (end, walked) =
                        gather(input.as_bytes(), piece, &LIMITS).expect("acceptable").expect("complete");
                    assert!(walked <= 4 * end, "{walked} bytes walked for {end} in pieces of {piece}");
                }
            }
        }
    }
}
