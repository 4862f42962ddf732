//! The decoder of chunked bodies against one made of httparse's `parse_chunk_size` and `parse_headers`.
//!
//! Input: a body as it stands, with anything behind it.

use super::Target;
use httparse::Status;
use tidings::model::code::Code;
use tidings::wire::http::body::{BodyError, ChunkDecoder};

const SAME: &str = "same body";
const BOTH_REFUSE: &str = "both refuse";
const BOTH_WAIT: &str = "both want more";
const SOONER: &str = "refused before the body is complete";
const STRICT_SIZE: &str = "differs: a size line is digits, well-formed extensions, CR LF";
const LONG_EXTENSION: &str = "differs: an extension has at most 256 bytes";
const STRICT_TRAILER: &str = "differs: trailer lines end with CR LF";
const LONG_TRAILER: &str = "differs: trailers have at most 4096 bytes";
const TOO_LARGE: &str = "differs: a body has a limit";

pub(crate) const TARGET: Target = Target {
    name: "chunks",
    check,
    outcomes: &[
        SAME,
        BOTH_REFUSE,
        BOTH_WAIT,
        SOONER,
        STRICT_SIZE,
        LONG_EXTENSION,
        STRICT_TRAILER,
        LONG_TRAILER,
        TOO_LARGE,
    ],
    words: &[
        "\r\n",
        "0\r\n\r\n",
        "1\r\na\r\n",
        "a\r\n0123456789\r\n",
        ";x=y",
        " ",
        "\t",
        "T: v\r\n",
        "\n",
        "ffffffff",
        "0",
    ],
};

/// Bytes of a body.
const LIMIT: usize = 64;

/// The data and how many bytes its body took; `None` when there is more to come.
type Ours = Result<Option<(Vec<u8>, usize)>, BodyError>;

/// A body as the oracle reads it.
struct Theirs<'a> {
    data: Vec<u8>,
    used: usize,
    sizes: Vec<&'a [u8]>,
    trailer: &'a [u8],
}

fn check(data: &[u8]) -> &'static str {
    let ours = decode(data, data.len().max(1));
    for piece in [1, 3] {
        assert_eq!(ours, decode(data, piece), "whole and in pieces of {piece}");
    }
    match (ours, read(data)) {
        (Ok(Some((data, used))), Ok(Some(theirs))) => {
            assert_eq!((data, used), (theirs.data, theirs.used));
            SAME
        }
        (Ok(None), Ok(None)) => BOTH_WAIT,
        (Err(_), Err(())) => BOTH_REFUSE,
        (Err(_), Ok(None)) => SOONER,
        (Err(error), Ok(Some(theirs))) => listed(&error, &theirs),
        (ours, theirs) => {
            panic!("ours {ours:?}, theirs {:?}", theirs.map(|body| body.map(|body| (body.data, body.used))))
        }
    }
}

fn decode(data: &[u8], piece: usize) -> Ours {
    let (mut decoder, mut out, mut used) = (ChunkDecoder::new(), Vec::new(), 0);
    for piece in data.chunks(piece) {
        let (taken, finished) = decoder.decode(piece, &mut out, LIMIT)?;
        assert!(out.len() <= LIMIT);
        used += taken;
        if finished {
            return Ok(Some((out, used)));
        }
        assert_eq!(taken, piece.len(), "everything is taken until the end");
    }
    Ok(None)
}

/// `Ok(None)` when there is more to come.
fn read(body: &[u8]) -> Result<Option<Theirs<'_>>, ()> {
    let (mut data, mut at, mut sizes) = (Vec::new(), 0, Vec::new());
    loop {
        let (line, size) = match httparse::parse_chunk_size(&body[at..]) {
            Ok(Status::Complete(found)) => found,
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return Err(()),
        };
        sizes.push(&body[at..at + line]);
        at += line;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(end) = at.checked_add(size).filter(|end| *end <= body.len()) else { return Ok(None) };
        data.extend_from_slice(&body[at..end]);
        match &body[end..] {
            [b'\r', b'\n', ..] => at = end + 2,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(()),
        }
    }
    let mut lines = [httparse::EMPTY_HEADER; 2100];
    match httparse::parse_headers(&body[at..], &mut lines) {
        Ok(Status::Complete((length, _))) => {
            Ok(Some(Theirs { data, used: at + length, sizes, trailer: &body[at..at + length] }))
        }
        Ok(Status::Partial) => Ok(None),
        Err(_) => Err(()),
    }
}

/// The reason for which we refuse what the oracle takes.
fn listed(error: &BodyError, theirs: &Theirs<'_>) -> &'static str {
    let says = |text: &str| error.message.contains(text);
    if error.reason == Code::BodyTooLarge {
        assert!(theirs.data.len() > LIMIT, "{} bytes are within the limit", theirs.data.len());
        return TOO_LARGE;
    }
    if says("extensions are longer") {
        assert!(theirs.sizes.iter().any(|line| line.len() > 256));
        return LONG_EXTENSION;
    }
    if says("trailer fields are longer") {
        assert!(theirs.trailer.len() > 4096);
        return LONG_TRAILER;
    }
    if says("trailer fields, if any") || says("behind the last chunk") {
        let loose = |line: &[u8]| line.ends_with(b"\n") && !line.ends_with(b"\r\n");
        let refused = theirs.trailer.split_inclusive(|byte| *byte == b'\n').any(loose);
        assert!(refused, "{error:?}: {}", theirs.trailer.escape_ascii());
        return STRICT_TRAILER;
    }
    let loose = theirs.sizes.iter().find(|line| !is_strict(line));
    assert!(loose.is_some(), "{error:?}: every size is well-formed");
    STRICT_SIZE
}

/// RFC 9112 section 7.1: 1 to 16 digits, extensions, CR LF.
fn is_strict(line: &[u8]) -> bool {
    let Some(line) = line.strip_suffix(b"\r\n") else { return false };
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let mut rest = &line[digits..];
    while !rest.is_empty() {
        let Some(behind) = after_extension(rest) else { return false };
        rest = behind;
    }
    (1..=16).contains(&digits)
}

/// What follows the extension in front (section 7.1.1); `None` when there is none.
fn after_extension(rest: &[u8]) -> Option<&[u8]> {
    let rest = after_token(unspaced(unspaced(rest).strip_prefix(b";")?))?;
    let Some(value) = unspaced(rest).strip_prefix(b"=").map(unspaced) else { return Some(rest) };
    let Some(mut quoted) = value.strip_prefix(b"\"") else { return after_token(value) };
    let text = |byte: u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
    loop {
        match quoted {
            [b'"', behind @ ..] => return Some(behind),
            [b'\\', escaped, behind @ ..] if text(*escaped) => quoted = behind,
            [byte, behind @ ..] if *byte != b'\\' && text(*byte) => quoted = behind,
            _ => return None,
        }
    }
}

fn after_token(rest: &[u8]) -> Option<&[u8]> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = rest.iter().position(|byte| !fits(byte)).unwrap_or(rest.len());
    (end > 0).then_some(&rest[end..])
}

fn unspaced(rest: &[u8]) -> &[u8] {
    &rest[rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..]
}
