//! A hub that holds the newest only, and asks an engine for the rest, answers as one that holds everything.

use super::{Answer, Bench, GetOptions, Posted, Since, get, name, one, placed, read};
use crate::access::Identities;
use crate::hub::publication::Draft;
use crate::hub::{Attach, Fetched, HubLimits, Older, OlderWanted, Placement};
use crate::model::publication::{Epoch, Position};
use crate::model::request::Item;
use crate::model::ticket::Ticket;
use crate::node::errand::Needs;
use crate::node::execute::{Node, Progress, execute};
use crate::node::work::Work;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

const SEEDS: u64 = 2_000;
const STEPS: usize = 60;
const AGE_MS: u64 = 10_000;
/// Rounds of one GET in which publications come in between: more could be more than it asks.
const UNSTEADY_ROUNDS: usize = 3;

/// What happened, so that a test of nothing is noticed.
#[derive(Default)]
struct Seen {
    asked: usize,
    attached: usize,
    again: usize,
    recovered: usize,
    not_recovered: usize,
    replayed: usize,
}

/// The same channel in three places: everything in a log, everything in a hub, and the newest in another hub.
struct World {
    random: StdRng,
    whole: Bench,
    copy: Bench,
    copy_limits: HubLimits,
    log: Vec<Older>,
    gone: u64,
    at: Position,
    wall_ms: u64,
    seen: Seen,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = StdRng::seed_from_u64(seed);
        let weight = Draft { data: super::json("1"), event: None, time: None }.weight();
        let mut bytes = |most: usize| random.random_range(0..=most) * weight + random.random_range(0..weight);
        let common = HubLimits {
            replay_bytes: bytes(6),
            history_age: Duration::from_millis(AGE_MS),
            history_bytes: usize::MAX / 4,
            history_total_bytes: usize::MAX / 4,
            history_count: u32::MAX as usize,
            ..super::small()
        };
        let copied = HubLimits { history_bytes: bytes(8), history_total_bytes: bytes(6), ..common };
        let (replay_count, snapshot_default) = (random.random_range(1..9), random.random_range(0..5));
        let history_count = random.random_range(1..7);
        let common = HubLimits { replay_count, snapshot_default, ..common };
        let placement = Placement::Engine;
        let copy_limits = HubLimits { replay_count, snapshot_default, history_count, placement, ..copied };
        let (whole, copy) = (Bench::new(common, 1 << 20), Bench::new(copy_limits.clone(), 1 << 20));
        let at = Position { epoch: Epoch::of_generation(seed, 1), offset: 0 };
        let (log, seen) = (Vec::new(), Seen::default());
        World { random, whole, copy, copy_limits, log, gone: 0, at, wall_ms: 1_700_000_000_000, seen }
    }

    fn chance(&mut self, of: f64) -> bool {
        self.random.random_bool(of)
    }

    fn append(&mut self) {
        self.at.offset += 1;
        let long = *[0, 0, 0, 1, 250, 600].get(self.random.random_range(0..6)).expect("one of six");
        let data = format!("\"{}{}\"", self.at.offset, "x".repeat(long));
        for bench in [&self.whole, &self.copy] {
            let placed = placed(self.at, &data, bench.now);
            bench.hub.append_at(&name("a"), placed, &bench.post, bench.now).expect("the next place");
        }
        let draft = placed(self.at, &data, self.whole.now).draft;
        self.log.push(Older { offset: self.at.offset, at_ms: self.wall_ms, draft });
    }

    /// The engine loses what is old, as far as it is not held in the copy.
    fn lose(&mut self) {
        let (shard, hash) = self.copy.hub.shard_for("a");
        let held = shard.find("a", hash).and_then(|slot| shard.list(slot, 1).1.next()?.history.first());
        drop(shard);
        let below = held.unwrap_or(self.at.offset + 1);
        let until = self.random.random_range(self.gone..below.max(self.gone + 1));
        self.gone = until;
        self.whole.hub.cleared("a", Position { offset: until, ..self.at });
    }

    fn clear(&mut self) {
        self.gone = self.at.offset;
        self.copy.hub.cleared("a", self.at);
        self.whole.hub.delete_history("a", self.whole.now);
    }

    fn wait(&mut self) {
        let ms = self.random.random_range(1..4_000);
        self.wall_ms += ms;
        self.copy.now += Duration::from_millis(ms);
        self.whole.now += Duration::from_millis(ms);
        if self.chance(0.3) {
            self.copy.hub.sweep(self.copy.now);
        }
    }

    /// Everything that was held is forgotten.
    fn restart(&mut self) {
        self.copy = Bench { now: self.copy.now, ..Bench::new(self.copy_limits.clone(), 1 << 20) };
    }

    fn attach(&mut self) {
        self.seen.attached += 1;
        let most = self.random.random_range(0..6);
        let kept = self.log.iter().filter(|older| older.offset > self.gone);
        let mut newest: Vec<Older> = kept.rev().take(most).cloned().collect();
        newest.reverse();
        let gone = if self.chance(0.5) { self.gone } else { 0 };
        let attach = Attach { at: self.at, newest, gone };
        self.copy.hub.attach(&name("a"), attach, self.copy.now, self.wall_ms).expect("there is room");
    }

    fn fetch(&mut self, wanted: OlderWanted) -> Fetched {
        self.seen.asked += 1;
        assert!(wanted.after.epoch == self.at.epoch && wanted.count > 0, "{wanted:?}");
        assert!(wanted.after.offset < wanted.up_to && wanted.up_to <= self.at.offset, "{wanted:?}");
        let range = wanted.after.offset + 1..=wanted.up_to;
        let met = range.start() <= &self.gone;
        let gone = if met || self.chance(0.5) { self.gone } else { 0 };
        let there = self.log.iter().filter(|older| range.contains(&older.offset) && older.offset > self.gone);
        let (mut count, mut bytes) = (0, 0);
        let fits = |older: &&Older| {
            (count, bytes) = (count + 1, bytes + older.draft.weight());
            count == 1 || (count <= wanted.count && bytes <= wanted.bytes)
        };
        let publications = match wanted.newest {
            true => {
                let mut newest: Vec<Older> = there.rev().take_while(fits).cloned().collect();
                newest.reverse();
                newest
            }
            false if met => Vec::new(),
            false => there.take_while(fits).cloned().collect(),
        };
        Fetched { epoch: self.at.epoch, publications, gone }
    }

    fn options(&mut self) -> GetOptions {
        let epoch = if self.chance(0.95) { self.at.epoch } else { self.at.epoch.in_generation(2) };
        let offset = self.random.random_range(self.at.offset.saturating_sub(14)..=self.at.offset + 1);
        let since = match self.random.random_range(0..10) {
            0..7 => Some(Since::Position(Position { epoch, offset })),
            7 => Some(Since::Unreadable),
            _ => None,
        };
        let last = self.chance(0.4).then(|| self.random.random_range(0..12));
        let limit = self.chance(0.3).then(|| self.random.random_range(0..6));
        GetOptions { since, last, once: self.chance(0.6), limit }
    }

    /// Reads from the copy, with an engine that may be in the middle of publishing.
    fn execute(&mut self, work: &mut Work, is_steady: bool) {
        for round in 0.. {
            let progress = execute(work, Node::open(&self.copy.hub), &self.copy.post, self.copy.now, self.wall_ms);
            if progress == Progress::Done {
                return;
            }
            assert!(progress == Progress::Away && round < 40, "{progress:?} {round}");
            let is_steady = is_steady || round >= UNSTEADY_ROUNDS;
            self.seen.again += usize::from(round > 1);
            self.publish_meanwhile(is_steady);
            match work.needs().expect("it goes to the engine") {
                Needs::Whereabouts(_) => self.attach(),
                Needs::Older(_, wanted) => {
                    let fetched = self.fetch(*wanted);
                    self.publish_meanwhile(is_steady);
                    work.give(fetched);
                }
                other => panic!("a GET needs {other:?}"),
            }
        }
    }

    fn publish_meanwhile(&mut self, is_steady: bool) {
        while !is_steady && self.chance(0.3) {
            self.append();
        }
    }

    fn compare(&mut self, items: &[Item], is_steady: bool) {
        let asked = format!("{items:?}");
        let works = || Work::batch(super::conn(1), Identities::default().reader, Ticket::default(), items.to_vec());
        self.execute(&mut works(), is_steady);
        let copied = answers(self.copy.post.drain(1));
        let progress =
            execute(&mut works(), Node::open(&self.whole.hub), &self.whole.post, self.whole.now, self.wall_ms);
        assert_eq!(progress, Progress::Done);
        let whole = answers(self.whole.post.drain(1));
        assert_eq!(copied, whole, "{asked} at {}, gone {}, {:?}", self.at, self.gone, self.copy_limits);
        for answer in whole {
            self.seen.recovered += usize::from(answer.contains("recovered: Some(true)"));
            self.seen.not_recovered += usize::from(answer.contains("recovered: Some(false)"));
            self.seen.replayed += usize::from(!answer.contains("offsets: []"));
        }
    }

    fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..55 => self.append(),
            55..58 => self.clear(),
            58..62 => self.lose(),
            62..67 => self.wait(),
            67..70 => self.restart(),
            70..75 => {
                // They share one budget; meanwhile nothing is published, since each is answered at a moment of its own.
                let items = [(); 3].map(|()| get("a", self.options()));
                self.compare(&items, true);
            }
            _ => {
                let options = self.options();
                // A position that is not reached yet is refused when it is asked for, whatever is published until the answer.
                let is_reached = !matches!(options.since, Some(Since::Position(from)) if from.offset > self.at.offset);
                self.compare(&[get("a", options)], !is_reached);
            }
        }
        for bench in [&self.whole, &self.copy] {
            assert!(bench.post.nothing_is_reserved());
            bench.post.drain(1);
        }
    }
}

/// What was answered, with the data of everything that was replayed.
fn answers(posted: Vec<Posted>) -> Vec<String> {
    let replies = posted.into_iter().filter_map(|posted| match posted {
        Posted::Reply(reply) => Some(reply.answer),
        Posted::Delivery(_) => None,
    });
    let told = |answer: Answer| {
        let Answer::Channel { publications, .. } = &answer else { panic!("not a channel: {answer:?}") };
        let data: Vec<_> = publications.iter().map(|one| format!("{:?}", one.data())).collect();
        format!("{:?} {data:?}", read(answer))
    };
    replies.map(told).collect()
}

#[test]
fn what_is_fetched_is_read_as_if_it_were_held_here() {
    let mut sum = Seen::default();
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        world.append();
        (0..STEPS).for_each(|_| world.step());
        let Seen { asked, attached, again, recovered, not_recovered, replayed } = world.seen;
        sum.asked += asked;
        sum.attached += attached;
        sum.again += again;
        sum.recovered += recovered;
        sum.not_recovered += not_recovered;
        sum.replayed += replayed;
    }
    let Seen { asked, attached, again, recovered, not_recovered, replayed } = sum;
    let all = [asked, attached, again, recovered, not_recovered, replayed];
    assert!(all.iter().all(|count| *count as u64 > SEEDS / 4), "each happened often: {all:?}");
}

/// Publications that come faster than they are read end the questions, not the server.
#[test]
fn a_reader_that_never_gets_there_is_answered_all_the_same() {
    let mut world = World::new(1);
    world.copy_limits = HubLimits { history_total_bytes: 0, replay_count: 100, ..world.copy_limits.clone() };
    world.copy_limits.replay_bytes = 1 << 20;
    world.restart();
    world.append();
    let options = super::since(Position { offset: 0, ..world.at });
    let mut work = one(1, get("a", options));
    let mut rounds = 0;
    while execute(&mut work, Node::open(&world.copy.hub), &world.copy.post, world.copy.now, world.wall_ms)
        == Progress::Away
    {
        rounds += 1;
        assert!(rounds < 20, "it ends");
        let Some(Needs::Older(_, wanted)) = work.needs() else { panic!("it lacks what is older") };
        let fetched = world.fetch(*wanted);
        world.append();
        work.give(fetched);
    }
    let told = read(super::reply(world.copy.post.drain(1).remove(0)).answer);
    assert_eq!((told.position, told.recovered, told.offsets), (world.at, Some(false), vec![]), "after {rounds} rounds");
}
