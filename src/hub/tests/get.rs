//! Reading: who receives `recovered`, what is replayed, how pages and budgets end.

use super::{Bench, GetOptions, Read, Since, conn, get, once, post, post_options, read, reply, since, small};
use crate::access::Identities;
use crate::hub::HubLimits;
use crate::hub::publication::{Draft, Publication};
use crate::model::encoding::Encoding;
use crate::model::publication::{Epoch, Position};
use crate::model::ticket::Ticket;
use crate::node::work::Work;

fn weight() -> usize {
    Draft { data: super::json("1"), event: None, time: None }.weight()
}

/// Channel `a` with offsets 1 to 10, of which 4 to 10 are kept and 5 may be replayed.
fn ten() -> (Bench, Position) {
    let bench = Bench::new(HubLimits { history_count: 7, replay_count: 5, snapshot_default: 2, ..small() }, 8);
    let last = (0..10).map(|_| bench.publish("a", "1")).last().expect("ten");
    (bench, last)
}

fn told(position: Position, offset: u64, recovered: Option<bool>, offsets: impl IntoIterator<Item = u64>) -> Read {
    Read { position: Position { offset, ..position }, recovered, offsets: offsets.into_iter().collect() }
}

#[test]
fn who_is_told_recovered() {
    let (bench, at) = ten();
    let from = |offset| since(Position { offset, ..at });
    let elsewhere = since(Position { epoch: Epoch::from_random(3), offset: 9 });
    let unreadable = GetOptions { since: Some(Since::Unreadable), ..GetOptions::default() };
    let (yes, no) = (Some(true), Some(false));
    for (options, expected) in [
        (from(10), told(at, 10, yes, [])),
        (from(7), told(at, 10, yes, 8..=10)),
        (from(5), told(at, 10, yes, 6..=10)),
        (from(4), told(at, 10, no, [])),
        (from(0), told(at, 10, no, [])),
        (from(11), told(at, 10, no, [])),
        (elsewhere, told(at, 10, no, [])),
        (unreadable, told(at, 10, no, [])),
        (GetOptions { limit: Some(2), ..from(7) }, told(at, 10, no, [])),
        (GetOptions { limit: Some(3), ..from(7) }, told(at, 10, yes, 8..=10)),
        (GetOptions { last: Some(2), ..from(7) }, told(at, 10, yes, 8..=10)),
        (GetOptions { last: Some(2), ..from(0) }, told(at, 10, no, 9..=10)),
        (GetOptions { last: Some(2), ..unreadable }, told(at, 10, no, 9..=10)),
        (GetOptions::default(), told(at, 10, None, [])),
        (GetOptions { last: Some(0), ..GetOptions::default() }, told(at, 10, None, [])),
        (GetOptions { last: Some(3), ..GetOptions::default() }, told(at, 10, None, 8..=10)),
        (GetOptions { last: Some(99), ..GetOptions::default() }, told(at, 10, None, 6..=10)),
        (once(), told(at, 10, None, 9..=10)),
        (GetOptions { limit: Some(1), ..once() }, told(at, 10, None, [10])),
    ] {
        assert_eq!(bench.read("a", options), expected, "{options:?}");
    }
}

#[test]
fn history_can_be_paged() {
    let (bench, at) = ten();
    let page = |offset, limit| {
        let options = GetOptions { once: true, limit, ..since(Position { offset, ..at }) };
        bench.read("a", options)
    };
    assert_eq!(page(3, None), told(at, 8, Some(true), 4..=8));
    assert_eq!(page(3, Some(2)), told(at, 5, Some(true), 4..=5));
    assert_eq!(page(5, Some(99)), told(at, 10, Some(true), 6..=10));
    assert_eq!(page(10, Some(2)), told(at, 10, Some(true), []));
    assert_eq!(page(2, Some(2)), told(at, 10, Some(false), []), "offset 3 is gone");
    assert_eq!(page(11, Some(2)), told(at, 10, Some(false), []));
}

#[test]
fn a_page_ends_at_its_bytes_but_always_advances() {
    let bench = Bench::new(HubLimits { replay_bytes: 2 * weight() + 1, ..small() }, 8);
    let start = bench.read("a", once()).position;
    let large = format!("\"{}\"", "x".repeat(4 * weight()));
    for data in ["1", "2", "3", &large, "5"] {
        bench.publish("a", data);
    }
    let mut at = start;
    let mut pages = Vec::new();
    while at.offset < 5 {
        let page = bench.read("a", GetOptions { once: true, ..since(at) });
        assert_eq!(page.recovered, Some(true));
        at = page.position;
        pages.push(page.offsets);
    }
    assert_eq!(pages, [vec![1, 2], vec![3], vec![4], vec![5]]);
    let live = bench.read("a", since(Position { offset: 2, ..start }));
    assert_eq!((live.recovered, live.offsets), (Some(false), vec![]), "too much to replay at once");
    assert_eq!(bench.read("a", once()).offsets, [5]);
}

#[test]
fn a_batch_shares_one_budget_of_bytes() {
    let bench = Bench::new(HubLimits { replay_bytes: 3 * weight(), ..small() }, 8);
    let mut starts = Vec::new();
    for channel in ["a", "b", "c"] {
        starts.push(bench.read(channel, once()).position);
        bench.publish(channel, "1");
        bench.publish(channel, "2");
    }
    let items = vec![
        get("a", since(starts[0])),
        get("b", since(starts[1])),
        get("c", GetOptions { once: true, ..since(starts[2]) }),
        get("a", GetOptions { once: true, ..since(starts[0]) }),
    ];
    bench.run(&mut Work::batch(conn(1), Identities::default().reader, Ticket::default(), items));
    let reads: Vec<Read> = bench.post.drain(1).into_iter().map(|one| read(reply(one).answer)).collect();
    assert_eq!(reads[0], told(starts[0], 2, Some(true), [1, 2]));
    assert_eq!(reads[1], told(starts[1], 2, Some(false), []), "does not fit any more, and says so");
    assert_eq!(reads[2], told(starts[2], 1, Some(true), [1]));
    assert_eq!(reads[3], told(starts[0], 0, Some(true), []), "an empty page goes on where it began");
    assert_eq!(bench.stats().interest, 2);
}

#[test]
fn replay_shares_the_publication_that_was_delivered() {
    let bench = Bench::new(small(), 8);
    bench.deliveries(1, get("a", GetOptions::default()));
    bench.ask(post("a", post_options("1")));
    let super::Posted::Delivery(super::Delivery::Publication { publication, .. }) = bench.post.drain(1).remove(0)
    else {
        panic!("a push")
    };
    let frame = |publication: &Publication| publication.encoded(Encoding::of_row(0), |_| b"made"[..].into());
    let pushed = frame(&publication);
    let super::Answer::Channel { publications, .. } = bench.ask(get("a", once())) else { panic!("a snapshot") };
    assert_eq!(frame(&publications[0]).as_ptr(), pushed.as_ptr());
}
