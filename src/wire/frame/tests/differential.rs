//! The decoder against tungstenite on random streams: the same messages, and no difference that is not listed here.

use super::super::{Decoder, Role, close, header};
use super::generator::Case;
use super::oracle::{self, Verdict};
use super::{End, Seen, feed, serve, serve_bytes};
use crate::model::code::Code;
use std::collections::BTreeMap;

const CASES: u64 = 100_000;

/// One case in this many is also read byte by byte.
const BYTE_BY_BYTE: u64 = 8;

type Ours = (Vec<Seen>, End);
type Theirs = (Vec<Seen>, Verdict);

/// How the two agree, or in which of the known ways they differ; `None` is a bug.
fn compare((seen, end): &Ours, (their_seen, verdict): &Theirs) -> Option<&'static str> {
    let same = seen == their_seen;
    let error = match end {
        End::Open => return (same && *verdict == Verdict::Open).then_some("same, open"),
        End::Closed if same => return (*verdict == Verdict::Closed).then_some("same, closed"),
        End::Closed => return differs_in_bad_gateway(seen, their_seen).then_some("differs: 1014 may be sent"),
        End::Refused(error) => *error,
    };
    if error == close::FORBIDDEN_CODE {
        let turned = their_seen.split_last().is_some_and(|(last, rest)| *last == rewritten() && rest == seen);
        return (turned || same).then_some("differs: a forbidden close code is an error, not a Close of 1002");
    }
    if error == header::LONG_WINDED {
        return their_seen.starts_with(seen).then_some("differs: a length must be minimal");
    }
    if error == header::TOO_MANY_FRAGMENTS {
        return their_seen.starts_with(seen).then_some("differs: fragments have a number");
    }
    match verdict {
        _ if !same => None,
        Verdict::Closed => None,
        Verdict::Open => Some("same messages, refused before the whole frame is there"),
        _ => same_reason(error.reason, *verdict).then_some("same, refused"),
    }
}

/// What tungstenite makes of a close code that must not be sent.
fn rewritten() -> Seen {
    Seen::Close(Some((1002, "Protocol violation".to_owned())))
}

fn differs_in_bad_gateway(seen: &[Seen], their_seen: &[Seen]) -> bool {
    let (Some((ours, before)), Some((theirs, their_before))) = (seen.split_last(), their_seen.split_last()) else {
        return false;
    };
    before == their_before && *theirs == rewritten() && matches!(ours, Seen::Close(Some((1014, _))))
}

/// Text and size are judged last here, so they must be what tungstenite saw too; a frame may break several other rules.
fn same_reason(reason: Code, verdict: Verdict) -> bool {
    match reason {
        Code::InvalidUtf8 => verdict == Verdict::BadText,
        Code::MessageTooBig => verdict == Verdict::TooBig,
        _ => true,
    }
}

/// Names the seed when its case fails, wherever in it that happens.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing case: TIDINGS_FRAME_SEED={}", self.0);
        }
    }
}

fn check(seed: u64) -> &'static str {
    let _named = Named(seed);
    let case = Case::new(seed);
    let ours = feed(&mut Decoder::new(Role::Server), &case.limits, case.reads());
    assert_eq!(ours, serve(&case.bytes, &case.limits), "split and whole differ");
    if seed.is_multiple_of(BYTE_BY_BYTE) {
        assert_eq!(ours, serve_bytes(&case.bytes, &case.limits), "split and byte by byte differ");
    }
    let theirs = oracle::ask(&case.limits, case.reads());
    let verdict = compare(&ours, &theirs);
    verdict.unwrap_or_else(|| panic!("ours {ours:?}\ntheirs {theirs:?}\nstream {:02x?}", case.bytes))
}

#[test]
fn agrees_with_tungstenite() {
    let first = std::env::var("TIDINGS_FRAME_SEED").map_or(0, |seed| seed.parse().expect("a seed is a number"));
    let mut counts = BTreeMap::new();
    for seed in first..first + CASES {
        *counts.entry(check(seed)).or_insert(0_u64) += 1;
    }
    println!("{CASES} random streams against tungstenite:");
    for (how, count) in &counts {
        println!("{count:8}  {how}");
    }
    assert_eq!(counts.values().sum::<u64>(), CASES);
    assert_eq!(counts.len(), 8, "each outcome, the listed differences included, is met");
}
