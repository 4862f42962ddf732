//! Chunked bodies (RFC 9112 section 7.1): a small decoder that takes its input in any pieces and refuses what the grammar does not allow.

use super::scan::is_value_byte;
use crate::model::code::Code;
use crate::model::token::is_token_byte;

/// Hexadecimal digits of a chunk size: as many as 64 bits need.
const SIZE_DIGITS: u8 = 16;
/// Bytes of the extensions of one chunk.
const EXTENSION_BYTES: u16 = 256;
/// Bytes of all trailer fields, line ends included.
const TRAILER_BYTES: u16 = 4096;

/// Why a body is refused. Where the next request begins is unknown then, so the connection has to be closed after the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BodyError {
    /// [`Code::BodyTooLarge`] or [`Code::BadRequest`].
    pub reason: Code,
    /// What was wrong and what was expected.
    pub message: &'static str,
}

fn bad<T>(message: &'static str) -> Result<T, BodyError> {
    Err(BodyError { reason: Code::BadRequest, message })
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    #[default]
    Size,
    /// White space after the size or after an extension's value, which only an extension may follow.
    Gap,
    /// After a semicolon.
    ExtensionStart,
    ExtensionName,
    /// White space after an extension's name.
    NameGap,
    /// After the equals sign.
    ValueStart,
    Value,
    Quoted,
    /// After a backslash in a quoted value.
    Escaped,
    QuoteEnd,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

/// The state of one chunked body between two reads.
#[derive(Debug, Clone, Default)]
pub struct ChunkDecoder {
    at: At,
    /// Digits of the size so far.
    digits: u8,
    /// Bytes of the current chunk's extensions, or of all trailers.
    spent: u16,
    /// The size while it is read, then what is left of the chunk's data.
    left: u64,
}

impl ChunkDecoder {
    /// At the beginning of a body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes of the body from `input` and appends its data to `out`. Returns how many bytes were taken and whether
    /// the body is finished; bytes after its end are left. Unless the body is finished, all bytes were taken.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`] as soon as a chunk announces more than would keep `out` within `limit` bytes, and
    /// [`Code::BadRequest`] for what RFC 9112 forbids. After an error the decoder must not be used again.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(usize, bool), BodyError> {
        let mut taken = 0;
        while taken < input.len() && self.at != At::Done {
            if self.at == At::Data {
                taken += self.copy(&input[taken..], out);
            } else {
                self.step(input[taken], limit.saturating_sub(out.len()))?;
                taken += 1;
            }
        }
        Ok((taken, self.at == At::Done))
    }

    fn copy(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let count = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
        out.extend_from_slice(&input[..count]);
        self.left -= count as u64;
        if self.left == 0 {
            self.at = At::DataCr;
        }
        count
    }

    fn step(&mut self, byte: u8, room: usize) -> Result<(), BodyError> {
        self.at = match self.at {
            At::Size => self.size(byte)?,
            At::SizeLf => self.size_end(byte, room)?,
            At::DataCr if byte == b'\r' => At::DataLf,
            At::DataLf if byte == b'\n' => self.next_chunk(),
            At::DataCr | At::DataLf => return bad("CR LF is missing after the data of a chunk"),
            At::TrailerStart | At::TrailerName | At::TrailerValue | At::TrailerLf => self.trailer(byte)?,
            At::LastLf if byte == b'\n' => At::Done,
            At::LastLf => return bad("a CR without its LF follows the last chunk"),
            At::Data | At::Done => self.at,
            _ => self.extension(byte)?,
        };
        Ok(())
    }

    fn next_chunk(&mut self) -> At {
        // With it the allowance of extensions: it is for each chunk.
        *self = ChunkDecoder::default();
        At::Size
    }

    fn size(&mut self, byte: u8) -> Result<At, BodyError> {
        if byte.is_ascii_hexdigit() {
            return self.size_digit(byte);
        }
        match byte {
            _ if self.digits == 0 => bad("a chunk begins with its size in hexadecimal digits"),
            b'\r' => Ok(At::SizeLf),
            _ => self.extension(byte),
        }
    }

    /// What may stand between a size and its line end (RFC 9112 section 7.1.1). Extensions are ignored, but one whose end
    /// another parser could see elsewhere is refused: that is how requests are smuggled.
    fn extension(&mut self, byte: u8) -> Result<At, BodyError> {
        let next = match (self.at, byte) {
            // Not after white space, which RFC 9112 section 7.1.1 has before a semicolon and around an equals sign
            // only.
            (At::ExtensionName | At::Value | At::QuoteEnd, b'\r') => return Ok(At::SizeLf),
            (At::Size | At::Gap | At::ExtensionName | At::NameGap | At::Value | At::QuoteEnd, b';') => {
                At::ExtensionStart
            }
            (At::Size | At::Gap | At::Value | At::QuoteEnd, b' ' | b'\t') => At::Gap,
            (At::ExtensionStart | At::ValueStart, b' ' | b'\t') => self.at,
            (At::ExtensionName | At::NameGap, b' ' | b'\t') => At::NameGap,
            (At::ExtensionName | At::NameGap, b'=') => At::ValueStart,
            (At::ValueStart, b'"') => At::Quoted,
            (At::Quoted, b'"') => At::QuoteEnd,
            (At::Quoted, b'\\') => At::Escaped,
            (At::Quoted | At::Escaped, byte) if is_value_byte(byte) => At::Quoted,
            (At::ExtensionStart | At::ExtensionName, byte) if is_token_byte(byte) => At::ExtensionName,
            (At::ValueStart | At::Value, byte) if is_token_byte(byte) => At::Value,
            _ => return bad("a chunk size is followed by CR LF or by an extension like ;name=value"),
        };
        self.spend(EXTENSION_BYTES, next, "chunk extensions are longer than 256 bytes")
    }

    fn size_digit(&mut self, byte: u8) -> Result<At, BodyError> {
        // Digits are counted and not the value: leading zeros would otherwise make a size that never ends.
        if self.digits == SIZE_DIGITS {
            return bad("a chunk size has at most 16 digits");
        }
        let digit = char::from(byte).to_digit(16).expect("a hexadecimal digit was seen");
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(At::Size)
    }

    fn size_end(&mut self, byte: u8, room: usize) -> Result<At, BodyError> {
        if byte != b'\n' {
            return bad("a CR without its LF follows a chunk size");
        }
        if self.left == 0 {
            // The extensions of the last chunk do not count against the trailer fields.
            self.spent = 0;
            return Ok(At::TrailerStart);
        }
        // At the announcement: the chunk's bytes need not be received to be refused.
        if self.left > room as u64 {
            return Err(BodyError { reason: Code::BodyTooLarge, message: "the body is larger than this server takes" });
        }
        Ok(At::Data)
    }

    fn trailer(&mut self, byte: u8) -> Result<At, BodyError> {
        let next = match (self.at, byte) {
            (At::TrailerStart, b'\r') => return Ok(At::LastLf),
            (At::TrailerName, b':') => At::TrailerValue,
            (At::TrailerStart | At::TrailerName, byte) if is_token_byte(byte) => At::TrailerName,
            (At::TrailerValue, b'\r') => At::TrailerLf,
            (At::TrailerValue, byte) if is_value_byte(byte) => At::TrailerValue,
            (At::TrailerLf, b'\n') => At::TrailerStart,
            _ => return bad("the last chunk is followed by well-formed trailer fields, if any, and an empty line"),
        };
        self.spend(TRAILER_BYTES, next, "the trailer fields are longer than 4 KiB")
    }

    fn spend(&mut self, allowance: u16, next: At, message: &'static str) -> Result<At, BodyError> {
        if self.spent == allowance {
            return bad(message);
        }
        self.spent += 1;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyError, ChunkDecoder};
    use crate::model::code::Code;
    use proptest::prelude::*;

    const LIMIT: usize = 64;

    /// The data and how many bytes the body had, `None` when more is needed.
    type Outcome = Result<Option<(Vec<u8>, usize)>, BodyError>;

    fn decode(pieces: &[&[u8]]) -> Outcome {
        let (mut decoder, mut out, mut total) = (ChunkDecoder::new(), Vec::new(), 0);
        for piece in pieces {
            let (taken, finished) = decoder.decode(piece, &mut out, LIMIT)?;
            total += taken;
            if finished {
                return Ok(Some((out, total)));
            }
            assert_eq!(taken, piece.len(), "everything is taken until the end");
        }
        Ok(None)
    }

    fn on_every_split(body: &[u8]) -> Outcome {
        let whole = decode(&[body]);
        for first in 0..=body.len() {
            assert_eq!(decode(&[&body[..first], &body[first..]]), whole, "split at {first} of {}", body.escape_ascii());
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(decode(&bytes), whole, "byte by byte: {}", body.escape_ascii());
        whole
    }

    #[test]
    fn well_formed_bodies_are_decoded_on_every_split() {
        let longest_extension = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(255));
        let longest_trailer = format!("0\r\nT: {}\r\n\r\n", "x".repeat(4096 - 5));
        let full = format!("40\r\n{}\r\n0\r\n\r\n", "a".repeat(64));
        for (body, data) in [
            ("0\r\n\r\n", ""),
            ("000\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!"),
            ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
            ("0000000000000003\r\nabc\r\n0\r\n\r\n", "abc"),
            ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
            ("3;name=value\r\nabc\r\n0;last\r\n\r\n", "abc"),
            ("3 \t; name=\"v\"\r\nabc\r\n0\r\n\r\n", "abc"),
            ("3;a;b=c ; d = \"e;\\\" f\\\\\" ;g\r\nabc\r\n0;h=\"\"\r\n\r\n", "abc"),
            ("0\r\nTrailer: x\r\nOther:\r\n\r\n", ""),
            (&longest_extension, "a"),
            (&longest_trailer, ""),
            (&full, &full[4..68]),
        ] {
            let expected = Ok(Some((data.as_bytes().to_vec(), body.len())));
            assert_eq!(on_every_split(body.as_bytes()), expected, "{body:?}");
            assert_eq!(decode(&[body.as_bytes(), b"GET"]), expected, "{body:?}");
            assert_eq!(decode(&[format!("{body}GET").as_bytes()]), expected, "what follows is left: {body:?}");
            for cut in 0..body.len() {
                assert_eq!(decode(&[&body.as_bytes()[..cut]]), Ok(None), "{body:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn malformed_bodies_are_refused_on_every_split() {
        let long_extension = format!("1;{}\r\n", "x".repeat(256));
        let long_gap = format!("1{};\r\n", " ".repeat(256));
        let long_trailer = format!("0\r\nT: {}\r\n", "x".repeat(4096 - 4));
        let many_trailers = format!("0\r\n{}\r\n", "a:b\r\n".repeat(1000));
        for body in [
            "\r\n",
            ";\r\n",
            " 5\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x5\r\n",
            "g\r\n",
            "5 \r\n",
            "5 5\r\n",
            "5\n",
            "5\rx",
            "5\r\r\n",
            "00000000000000001\r\n",
            "5;\r\n",
            "5;;a\r\n",
            "5; \r\n",
            "5;=b\r\n",
            "5;a=\r\n",
            "5;a= \r\n",
            "5;a=;b\r\n",
            "5;a b\r\n",
            "5;a=b c\r\n",
            "5;a \r\n",
            "5;a=b \r\n",
            "5;a=\"b\" \r\n",
            "5;a=\"b\"c\r\n",
            "5;a=b\"c\"\r\n",
            "5;\"a\"\r\n",
            "5;a=\"b\r\n",
            "5;a=\"b\\\r\n",
            "5;a=\"\n\"\r\n",
            "5;a=\"\\\n\"\r\n",
            "5;a={b}\r\n",
            "5;\u{e9}\r\n",
            "5;a\n",
            "5;a\rb",
            "5;\0\r\n",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rb",
            "1\r\na\r\n\r\n",
            "0\r\n\n",
            "0\r\n\rx",
            "0\r\nT\r\n",
            "0\r\n: x\r\n",
            "0\r\n x: y\r\n",
            "0\r\nT : x\r\n",
            "0\r\nT: x\n",
            "0\r\nT: x\r\r",
            "0\r\nT: \x01\r\n",
            "0\r\nT: x\r\n folded\r\n",
            &long_extension,
            &long_gap,
            &long_trailer,
            &many_trailers,
        ] {
            let error = on_every_split(body.as_bytes()).expect_err(body);
            assert_eq!(error.reason, Code::BadRequest, "{body:?}");
        }
    }

    #[test]
    fn too_much_is_refused_when_it_is_announced() {
        for body in [
            "41\r\n",
            "FFFFFFFFFFFFFFFF\r\n",
            "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n1\r\n",
        ] {
            let error = on_every_split(body.as_bytes()).expect_err(body);
            assert_eq!(error.reason, Code::BodyTooLarge, "{body:?}");
        }
    }

    #[test]
    fn the_decoder_is_small() {
        assert!(size_of::<ChunkDecoder>() <= 16);
    }

    proptest! {
        #[test]
        fn noise_gives_the_same_on_every_split(body in "[0-3a\r\n;: ]{0,24}") {
            let _ = on_every_split(body.as_bytes());
        }

        #[test]
        fn any_cutting_into_chunks_gives_the_data(data in prop::collection::vec(any::<u8>(), 0..LIMIT), size in 1usize..20) {
            let mut body = Vec::new();
            for chunk in data.chunks(size) {
                body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(on_every_split(&body), Ok(Some((data, body.len()))));
        }
    }
}
