//! Replies of Redis: what is read of them is what was written, on the whole and on every beginning, and no more than the limits
//! allow.
//!
//! Input: what a server sends, with anything after it.

use super::Target;
use tidings::wire::resp::{Read, Reply, RespFault, RespLimits, read};

const WHOLE: &str = "a reply";
const LIST: &str = "a list";
const SHORT: &str = "more is wanted";
const MARK: &str = "no reply";
const LINE: &str = "a line without its end";
const NUMBER: &str = "no number";
const TOO_LARGE: &str = "too large";

const LIMITS: RespLimits = RespLimits { bytes: 64, elements: 8 };

pub(crate) const TARGET: Target = Target {
    name: "replies",
    check,
    outcomes: &[WHOLE, LIST, SHORT, MARK, LINE, NUMBER, TOO_LARGE],
    words: &["*", "$", ":", "+OK", "-ERR ", "\r\n", "\r", "1", "2", "-1", "64", "65", "9", "*1\r\n", "$0\r\n\r\n"],
};

fn check(data: &[u8]) -> &'static str {
    let whole = read(data, LIMITS);
    for cut in 0..data.len().min(200) {
        check_beginning(data, cut, &whole);
    }
    match whole {
        Ok(Read::Whole(reply, taken)) => {
            check_reply(&reply, 0);
            let mut again = Vec::new();
            write(&reply, &mut again);
            assert_eq!(read(&again, LIMITS), Ok(Read::Whole(reply.clone(), again.len())));
            assert!(taken <= data.len());
            if matches!(reply, Reply::List(_)) { LIST } else { WHOLE }
        }
        Ok(Read::Short(needed)) => {
            assert!(needed > data.len() && needed <= data.len() + 64 * 1024 + 2, "{needed}");
            SHORT
        }
        Err(RespFault::Mark) => MARK,
        Err(RespFault::Line) => LINE,
        Err(RespFault::Number) => NUMBER,
        Err(RespFault::TooLarge) => TOO_LARGE,
    }
}

/// A beginning is read as the whole is, wants more, or has what is wrong with the whole.
fn check_beginning(data: &[u8], cut: usize, whole: &Result<Read<'_>, RespFault>) {
    let early = read(&data[..cut], LIMITS);
    match (&early, whole) {
        (Ok(Read::Short(needed)), Ok(Read::Whole(_, taken))) => assert!(needed <= taken && cut < *taken),
        (Ok(Read::Short(needed)), _) => assert!(*needed > cut),
        (early, whole) => assert_eq!(early, whole, "{cut}"),
    }
}

fn check_reply(reply: &Reply<'_>, depth: usize) {
    match reply {
        Reply::Bytes(bytes) => assert!(bytes.len() <= LIMITS.bytes),
        Reply::List(list) => {
            assert!(list.len() <= LIMITS.elements && depth <= 4);
            list.iter().for_each(|reply| check_reply(reply, depth + 1));
        }
        Reply::Status(_) | Reply::Error(_) | Reply::Number(_) | Reply::Nothing => {}
    }
}

fn write(reply: &Reply<'_>, out: &mut Vec<u8>) {
    let line = |out: &mut Vec<u8>, mark: &str, text: &[u8]| {
        out.extend_from_slice(mark.as_bytes());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    };
    match reply {
        Reply::Status(text) => line(out, "+", text),
        Reply::Error(text) => line(out, "-", text),
        Reply::Number(number) => line(out, ":", number.to_string().as_bytes()),
        Reply::Nothing => line(out, "$-1", b""),
        Reply::Bytes(bytes) => {
            line(out, "$", bytes.len().to_string().as_bytes());
            line(out, "", bytes);
        }
        Reply::List(list) => {
            line(out, "*", list.len().to_string().as_bytes());
            list.iter().for_each(|reply| write(reply, out));
        }
    }
}
