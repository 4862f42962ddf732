//! With an engine: what goes to it, what comes back, and what is held here meanwhile.

use super::super::post::Delivery;
use super::super::{AppendRefused, Attach, AttachRefused, Blocked, HubLimits, Older, Placement};
use super::{
    Bench, GetOptions, Item, PostOptions, Posted, Read, code, conn, delete, excluding, get, json, name, one, placed,
    post, post_options, published, read, reply, since, small,
};
use crate::access::Identities;
use crate::hub::publication::Draft;
use crate::model::fingerprint::fingerprint;
use crate::model::name::ChannelName;
use crate::model::publication::{Epoch, Position};
use crate::model::ticket::Ticket;
use crate::node::answer::Answer;
use crate::node::destination::Destination;
use crate::node::errand::{Needs, Submission};
use crate::node::execute::{Node, Progress, give_up};
use crate::node::work::Work;
use std::time::Duration;

const WALL_MS: u64 = 1_700_000_000_000;

fn copies() -> HubLimits {
    HubLimits { placement: Placement::Engine, ..small() }
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::of_generation(7, 1), offset }
}

fn older(offset: u64, age_ms: u64) -> Older {
    let draft = Draft { data: json("1"), event: None, time: None };
    Older { offset, at_ms: WALL_MS - age_ms, draft }
}

fn weight() -> usize {
    older(1, 0).draft.weight()
}

impl Bench {
    /// Takes out what a work publishes.
    fn submitted(&self, work: &mut Work) -> Vec<Submission> {
        let mut taken = Vec::new();
        work.submit(&self.hub, WALL_MS, &mut taken);
        taken
    }

    /// Executes a work that goes to the engine.
    fn sent(&self, mut work: Work) -> Work {
        assert_eq!(self.run(&mut work), Progress::Away);
        assert_eq!(work.destination(), Some(Destination::Engine));
        work
    }

    fn append(&self, channel: &str, place: Position) -> Result<bool, AppendRefused> {
        let placed = placed(place, "1", self.now);
        self.hub.append_at(&name(channel), placed, &self.post, self.now).map_err(|refused| refused.why)
    }

    fn attach(&self, at: Position, newest: Vec<Older>) -> Result<(), AttachRefused> {
        let attach = Attach { at, newest, gone: 0 };
        self.hub.attach(&name("a"), attach, self.now, WALL_MS).map(drop)
    }

    /// What a channel's reader gets without asking the engine.
    fn held(&self) -> Read {
        let last = GetOptions { last: Some(99), once: true, ..GetOptions::default() };
        let (mut shard, hash) = self.hub.shard_for("a");
        let channel = shard.find("a", hash).map(|slot| shard.channel(slot)).expect("it is held");
        channel.gone = channel.position.offset;
        drop(shard);
        self.read("a", last)
    }
}

#[test]
fn a_publication_goes_to_the_engine_with_all_that_it_needs() {
    let bench = Bench::new(HubLimits { stamp_time: true, ..copies() }, 8);
    let key = Some("k".into());
    let event = Some("tick".into());
    let mut work = bench.sent(one(1, post("a", PostOptions { key, event, exclude_self: true, ..post_options("1") })));
    assert!(matches!(work.needs(), Some(Needs::Place)) && work.publishes() && work.bytes() == 1);
    let submissions = bench.submitted(&mut work);
    let [submission] = &submissions[..] else { panic!("one: {submissions:?}") };
    assert_eq!((&*submission.channel, submission.exclude), ("a", Some(conn(1))));
    assert_eq!(submission.draft, Draft { data: json("1"), event: Some("tick".into()), time: Some(WALL_MS) });
    assert_eq!(submission.key, Some(("k".into(), fingerprint(&json("1"), Some("tick")))));
    assert_eq!((bench.stats().published, bench.stats().channels), (0, 0), "nothing is given here");
    let answer = Answer::Published { channel: name("a"), position: at(5), kept: true };
    let answered = work.answer(answer).expect("there is an item");
    assert_eq!((answered.to, published(answered.answer), work.remaining()), (conn(1), at(5), 0));
    assert_eq!((work.destination(), bench.run(&mut work)), (None, Progress::Done));
}

#[test]
fn publications_of_a_batch_go_together_up_to_the_first_that_is_something_else() {
    let bench = Bench::new(copies(), 8);
    let bad = post("b", excluding("me", "4"));
    let items = vec![
        post("a", post_options("1")),
        post("b", post_options("2")),
        bad,
        post("a", post_options("3")),
        delete("a"),
        post("a", post_options("5")),
    ];
    let mut work = bench.sent(Work::batch(conn(1), Identities::default().operator, Ticket::default(), items));
    let go = |work: &mut Work| -> Vec<String> {
        let taken = bench.submitted(work);
        let done = Answer::Published { channel: name("a"), position: at(1), kept: true };
        let answer = |submission: Submission| {
            let position = at(1);
            let Answer::Published { channel, kept, .. } = &done else { unreachable!() };
            let answer = Answer::Published { channel: ChannelName::clone(channel), position, kept: *kept };
            assert!(work.answer(answer).is_some());
            format!("{:?}", submission.draft.data)
        };
        taken.into_iter().map(answer).collect()
    };
    assert_eq!(go(&mut work).len(), 2);
    let mut work = bench.sent(work);
    assert_eq!(code(&reply(bench.post.drain(1).remove(0)).answer), (400, "bad_exclude"));
    assert_eq!(go(&mut work).len(), 1);
    let mut work = bench.sent(work);
    assert!(matches!(work.needs(), Some(Needs::Clear(channel)) if &**channel == "a"));
    assert!(work.answer(Answer::HistoryDeleted { channel: name("a"), position: at(1) }).is_some());
    let mut work = bench.sent(work);
    assert_eq!(go(&mut work), [format!("{:?}", json("5"))]);
    assert_eq!((bench.run(&mut work), work.remaining()), (Progress::Done, 0));
}

#[test]
fn what_a_connection_asks_next_goes_with_its_publication_or_after_it() {
    let bench = Bench::new(copies(), 8);
    let (operator, text) = (Identities::default().operator, Ticket::default());
    let ask = |ticket: Ticket, item| Work::one(conn(1), operator.clone(), ticket, item);
    let mut work = bench.sent(ask(text, post("a", post_options("1"))));
    assert!(work.gathers() && work.gather(ask(text, post("b", post_options("2")))));
    assert!(work.gather(ask(text, delete("a"))) && work.gather(ask(text, post("c", post_options("3")))));
    // It is answered in another form: nothing more comes before that.
    assert!(!work.gather(ask(Ticket::new(9, 9, 9), post("d", post_options("4")))));
    work.depart(crate::node::execute::Node::open(&bench.hub));
    assert_eq!((work.remaining(), work.bytes()), (5, 2), "two go together");
    let place = |work: &mut Work| -> usize {
        let taken = bench.submitted(work);
        for submission in &taken {
            let channel = ChannelName::clone(&submission.channel);
            assert!(work.answer(Answer::Published { channel, position: at(1), kept: true }).is_some());
        }
        taken.len()
    };
    assert_eq!(place(&mut work), 2);
    let mut work = bench.sent(work);
    assert!(work.answer(Answer::HistoryDeleted { channel: name("a"), position: at(1) }).is_some());
    let mut work = bench.sent(work);
    assert_eq!((place(&mut work), work.remaining()), (1, 1));
    let mut work = bench.sent(work);
    assert_eq!((work.ticket, place(&mut work), work.remaining()), (Ticket::new(9, 9, 9), 1, 0));
    assert_eq!(bench.run(&mut work), Progress::Done);
    // A batch is one answer of its own, and what waits for an answer is nothing that others follow.
    let batch = Work::batch(conn(1), operator.clone(), text, vec![post("a", post_options("1"))]);
    let mut work = bench.sent(batch);
    assert!(!work.gathers());
    place(&mut work);
    let mut work = bench.sent(ask(text, post("a", post_options("1"))));
    assert!(!work.gather(Work::batch(conn(1), operator.clone(), text, vec![post("a", post_options("1"))])));
    let mut work = bench.sent(ask(text, post("a", post_options("1"))));
    assert!(
        !work.gather(Work::one(conn(1), Identities::default().operator, text, post("a", post_options("1")))),
        "somebody else"
    );
    let mut work = bench.sent(ask(text, post("a", post_options("1"))));
    assert_eq!(
        (1..200).take_while(|_| work.gather(ask(text, post("a", post_options("1"))))).count(),
        126,
        "and no more"
    );
}

#[test]
fn what_is_not_allowed_does_not_leave() {
    let bench = Bench::new(copies(), 8);
    let reader = Identities::default().reader;
    for item in [post("a", post_options("1")), delete("a")] {
        let mut work = Work::one(conn(1), reader.clone(), Ticket::default(), item);
        assert_eq!(bench.run(&mut work), Progress::Done);
        assert!(matches!(reply(bench.post.drain(1).remove(0)).answer, Answer::Refused(_)));
    }
}

#[test]
fn a_channel_that_is_not_held_is_attached_and_then_read() {
    let bench = Bench::new(copies(), 8);
    let mut work = bench.sent(one(1, get("a", since(at(3)))));
    assert!(matches!(work.needs(), Some(Needs::Whereabouts(channel)) if &**channel == "a") && !work.publishes());
    assert_eq!(bench.attach(at(5), vec![older(4, 0), older(5, 0)]), Ok(()));
    assert_eq!(bench.run(&mut work), Progress::Done);
    let told = read(reply(bench.post.drain(1).remove(0)).answer);
    assert_eq!(told, Read { position: at(5), recovered: Some(true), offsets: vec![4, 5] });
    assert_eq!((bench.attach(at(5), vec![]), bench.attach(at(4), vec![])), (Ok(()), Ok(())), "it is there already");
    let other = Position { epoch: Epoch::of_generation(7, 2), offset: 5 };
    assert_eq!(bench.attach(at(6), vec![]), Err(AttachRefused::Differs(at(5))));
    assert_eq!(bench.attach(other, vec![]), Err(AttachRefused::Differs(at(5))));
    assert_eq!((bench.hub.position_of("a"), bench.hub.position_of("b")), (Some(at(5)), None));
    assert_eq!(bench.append("a", at(6)), Ok(true));
    assert_eq!(super::offset_of(&bench.post.drain(1)[0]), 6, "it is subscribed");
}

#[test]
fn an_attached_channel_keeps_what_it_may() {
    let minute = Duration::from_secs(60);
    for (limits, newest, held) in [
        (copies(), vec![older(3, 0), older(4, 0), older(5, 0)], 3),
        (HubLimits { history_count: 2, ..copies() }, vec![older(3, 0), older(4, 0), older(5, 0)], 2),
        (HubLimits { history_bytes: weight(), ..copies() }, vec![older(4, 0), older(5, 0)], 1),
        (HubLimits { history_age: minute, ..copies() }, vec![older(4, 60_000), older(5, 59_999)], 1),
        (HubLimits { history_total_bytes: weight(), ..copies() }, vec![older(4, 0), older(5, 0)], 0),
        (copies(), vec![older(2, 0), older(4, 0), older(5, 0)], 2),
        (copies(), vec![older(3, 0), older(4, 0)], 0),
    ] {
        let mut bench = Bench::new(limits, 8);
        assert_eq!(bench.attach(at(5), newest), Ok(()));
        let read = bench.held();
        assert_eq!((read.position, read.offsets), (at(5), (6 - held..6).collect()));
        assert_eq!(bench.stats().history_bytes, held as usize * weight());
        bench.now += Duration::from_millis(1);
        let is_over = bench.hub.limits().history_age == minute;
        assert_eq!(bench.held().offsets.is_empty(), is_over || bench.stats().history_bytes == 0, "its age is its own");
    }
    let full = Bench::new(HubLimits { channels_total: 0, ..copies() }, 8);
    assert_eq!(full.attach(at(5), vec![]), Err(AttachRefused::Full));
}

#[test]
fn what_has_its_place_is_taken_whatever_is_full() {
    let bench = Bench::new(HubLimits { channels_total: 1, history_total_bytes: weight() - 1, ..copies() }, 8);
    assert_eq!(bench.attach(at(0), vec![]), Ok(()));
    bench.deliveries(1, get("a", GetOptions::default()));
    assert_eq!(bench.append("a", at(1)), Ok(false), "it is in the engine's history");
    assert_eq!(super::offset_of(&bench.post.drain(1)[0]), 1);
    assert_eq!(bench.append("b", at(1)), Ok(false), "nobody listens");
    assert_eq!((bench.stats().published, bench.stats().not_kept, bench.stats().channels), (1, 0, 1));
    let here = Bench::new(HubLimits { channels_total: 0, ..small() }, 8);
    assert_eq!(here.append("a", at(1)), Err(AppendRefused::ChannelsFull));
}

#[test]
fn a_delivery_names_who_is_excluded_and_when_it_was_accepted() {
    let bench = Bench::new(copies(), 8);
    assert_eq!(bench.attach(at(4), vec![]), Ok(()));
    bench.deliveries(1, get("a", GetOptions::default()));
    let accepted = bench.now.checked_sub(Duration::from_millis(3)).expect("the machine ran before");
    let placed = super::Placed { exclude: Some(conn(2)), accepted, ..placed(at(5), "1", bench.now) };
    bench.hub.append_at(&name("a"), placed, &bench.post, bench.now).expect("the next place");
    let Posted::Delivery(Delivery::Publication { exclude, accepted: told, .. }) = bench.post.drain(1).remove(0) else {
        panic!("a publication")
    };
    assert_eq!((exclude, told), (Some(conn(2)), accepted));
}

#[test]
fn where_a_reader_has_no_room_a_publication_waits_before_it_leaves() {
    let bench = Bench::new(copies(), 1);
    assert_eq!(bench.attach(at(0), vec![]), Ok(()));
    bench.deliveries(1, get("a", GetOptions::default()));
    assert_eq!(bench.append("a", at(1)), Ok(true));
    let mut work = one(2, post("a", post_options("1")));
    assert_eq!((bench.run(&mut work), work.destination()), (Progress::Blocked, None));
    bench.post.drain(1);
    let mut work = bench.sent(work);
    // The engine's queue is full.
    work.blocked_since = Some(bench.now);
    assert_eq!(give_up(&mut work, Node::open(&bench.hub), &bench.post, bench.now, WALL_MS), Progress::Done);
    let answer = reply(bench.post.drain(2).remove(0)).answer;
    assert_eq!(code(&answer), (503, "busy"));
    assert!(matches!(answer, Answer::Refused(refusal) if refusal.message.contains("store.queue_bytes")));
    assert!(bench.post.nothing_is_reserved());
}

#[test]
fn an_emptied_history_is_empty_here_and_nobody_asks_for_it() {
    let bench = Bench::new(copies(), 8);
    assert_eq!(bench.attach(at(5), vec![older(4, 0), older(5, 0)]), Ok(()));
    bench.hub.cleared("a", Position { epoch: Epoch::from_random(1), offset: 5 });
    bench.hub.cleared("unknown", at(5));
    assert_eq!(bench.read("a", since(at(3))).offsets, [4, 5]);
    bench.hub.cleared("a", at(4));
    assert_eq!(bench.read("a", since(at(4))).offsets, [5]);
    bench.hub.cleared("a", at(5));
    assert_eq!((bench.read("a", since(at(2))).recovered, bench.stats().history_bytes), (Some(false), 0));
    assert_eq!(bench.read("a", GetOptions { last: Some(9), ..GetOptions::default() }).offsets, [0; 0]);
    assert_eq!(bench.append("a", at(6)), Ok(true));
    assert_eq!(bench.read("a", since(at(5))).offsets, [6]);
}

#[test]
fn a_channel_whose_rule_keeps_nothing_has_nothing_to_ask_for() {
    let bench = Bench::new(HubLimits { history_count: 0, ..copies() }, 8);
    assert_eq!(bench.attach(at(5), vec![older(5, 0)]), Ok(()));
    assert_eq!(bench.read("a", since(at(4))).recovered, Some(false));
    assert_eq!(bench.read("a", GetOptions { last: Some(9), once: true, ..GetOptions::default() }).offsets, [0; 0]);
}

#[test]
fn a_reset_goes_anywhere() {
    let bench = Bench::new(copies(), 1);
    assert_eq!(bench.attach(at(5), vec![older(5, 0)]), Ok(()));
    bench.deliveries(1, get("a", GetOptions::default()));
    assert_eq!(bench.append("a", at(6)), Ok(true));
    let to = Position { epoch: Epoch::of_generation(7, 2), offset: 3 };
    assert_eq!(bench.hub.reset_to("a", to, &bench.post, bench.now), Err(Blocked));
    assert_eq!(bench.hub.position_of("a"), Some(at(6)), "nothing happened");
    bench.post.drain(1);
    assert_eq!(bench.hub.reset_to("a", to, &bench.post, bench.now), Ok(()));
    let told = bench.post.drain(1);
    assert!(matches!(&told[..], [Posted::Delivery(Delivery::Reset { position, .. })] if *position == to), "{told:?}");
    assert_eq!((bench.read("a", since(at(6))).recovered, bench.stats().history_bytes), (Some(false), 0));
    assert_eq!(bench.append("a", Position { offset: 4, ..to }), Ok(true));
    assert_eq!(bench.hub.reset_to("unknown", to, &bench.post, bench.now), Ok(()));
    assert_eq!(bench.hub.position_of("unknown"), None);
}

#[test]
fn the_position_of_a_forgotten_channel_is_the_engines() {
    let mut bench = Bench::new(copies(), 8);
    assert_eq!(bench.attach(at(5), vec![]), Ok(()));
    bench.now += bench.hub.limits().idle_after;
    assert_eq!(bench.hub.sweep(bench.now).forgotten, 1);
    assert_eq!((bench.stats().channels, bench.stats().positions), (0, 0));
    let work: Item = get("a", since(at(5)));
    assert!(matches!(bench.sent(one(1, work)).needs(), Some(Needs::Whereabouts(_))));
}
