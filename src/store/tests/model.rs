//! Random operations, ends and power failures, against a model that is a list of what was done.

use super::disk::Disk;
use super::{Random, open, settle, small, texts};
use crate::store::{ChannelNo, Keep, Options, Record, Store};
use std::collections::BTreeMap;

/// Something that was done.
#[derive(Debug, Clone)]
enum Done {
    Published(String, String, u64, Vec<u8>),
    Skipped(String, u64),
    Cleared(String),
    Reset(String, String),
    Forgotten(String),
    Value(Vec<u8>, Option<Vec<u8>>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    epoch: String,
    last: u64,
    kept: Vec<(u64, Vec<u8>)>,
}

/// What a store should hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    channels: BTreeMap<String, Known>,
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Model {
    fn of(done: &[Done]) -> Model {
        let mut model = Model::default();
        done.iter().for_each(|done| model.apply(done));
        model
    }

    fn apply(&mut self, done: &Done) {
        match done {
            Done::Published(name, epoch, offset, body) => {
                let known = self.channels.entry(name.clone()).or_default();
                known.epoch = epoch.clone();
                if *offset != known.last + 1 {
                    known.kept.clear();
                }
                known.last = *offset;
                known.kept.push((*offset, body.clone()));
            }
            Done::Skipped(name, offset) => {
                let known = self.channels.get_mut(name).expect("a channel");
                (known.last, known.kept) = (*offset, Vec::new());
            }
            Done::Cleared(name) => self.channels.get_mut(name).expect("a channel").kept.clear(),
            Done::Reset(name, epoch) => {
                self.channels.insert(name.clone(), Known { epoch: epoch.clone(), ..Known::default() });
            }
            Done::Forgotten(name) => drop(self.channels.remove(name)),
            Done::Value(key, Some(value)) => drop(self.values.insert(key.clone(), value.clone())),
            Done::Value(key, None) => drop(self.values.remove(key)),
        }
    }

    /// Whether that is what a store should hold, which may have dropped what is old. A batch may end after the name of a
    /// channel.
    fn is(&self, model: &Model, drops: bool) -> bool {
        let is_known = |(name, known): (&String, &Known)| match model.channels.get(name) {
            Some(other) if drops => {
                (&other.epoch, other.last) == (&known.epoch, known.last) && other.kept.ends_with(&known.kept)
            }
            Some(other) => other == known,
            None => known.last == 0,
        };
        let all = model.channels.keys().all(|name| self.channels.contains_key(name));
        all && self.channels.iter().all(is_known) && self.values == model.values
    }

    /// What is not as in another one.
    fn differs(&self, other: &Model) -> String {
        let brief = |model: &Model, name: &String| {
            let known = model.channels.get(name)?;
            let ends = (known.kept.first().map(|kept| kept.0), known.kept.last().map(|kept| kept.0));
            Some(format!("{} {} {ends:?} {}", known.epoch, known.last, known.kept.len()))
        };
        let names = self.channels.keys().chain(other.channels.keys());
        let differ = names.filter(|name| self.channels.get(*name) != other.channels.get(*name));
        let differ: Vec<_> = differ.map(|name| (name, brief(self, name), brief(other, name))).collect();
        format!("{differ:?}, values equal: {}", self.values == other.values)
    }

    /// What a store holds.
    fn found(store: &Store) -> Model {
        let reader = store.reader();
        let mut model = Model { values: store.values(3).into_iter().collect(), ..Model::default() };
        for (_, name, state) in store.channels(1, usize::MAX) {
            let mut kept = Vec::new();
            let mut after = 0;
            loop {
                let page = reader.after(&name, after, 7, 300).expect("readable").expect("a channel");
                kept.extend(page.publications.into_iter().map(|kept| (kept.offset, kept.body)));
                after = kept.last().map_or(after, |(offset, _)| *offset);
                if !page.more {
                    break;
                }
            }
            let whole = reader.before(&name, u64::MAX, usize::MAX, usize::MAX).expect("readable").expect("a channel");
            let offsets = |kept: &[(u64, Vec<u8>)]| kept.iter().map(|(offset, _)| *offset).collect::<Vec<_>>();
            assert_eq!(texts(&whole).iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), offsets(&kept), "{name}");
            assert!(!whole.more, "{name}");
            model.channels.insert(name, Known { epoch: state.epoch.to_string(), last: state.last, kept });
        }
        model
    }
}

struct Run {
    seed: u64,
    random: Random,
    disk: Disk,
    store: Option<Store>,
    done: Vec<Done>,
    model: Model,
    /// What of it is on the device.
    synced: usize,
    boots: u32,
    /// Whether it is so small that old segments go.
    drops: bool,
}

impl Run {
    fn options(&self) -> Options {
        // Half of the runs know their segments by their indexes alone.
        let verify_bytes = if self.boots.is_multiple_of(2) { 0 } else { u64::MAX };
        let bytes_max = if self.drops { 20_000 } else { u64::MAX };
        Options { boot: Some(self.boots.to_string()), bytes_max, verify_bytes, ..small() }
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("open")
    }

    fn channel(&mut self, is_known: bool) -> Option<(String, ChannelNo, Known)> {
        let name = format!("channel-{}", self.random.below(12));
        if is_known && !self.model.channels.contains_key(&name) {
            return None;
        }
        let epoch = format!("e{}", self.random.below(1000));
        let number = self.store().add_channel(&name, &epoch, 1000).expect("a channel");
        let epoch = self.store().state(number).expect("a channel").epoch.to_string();
        let known = self.model.channels.get(&name).cloned();
        Some((name, number, known.unwrap_or_else(|| Known { epoch, ..Known::default() })))
    }

    fn publish(&mut self) {
        let (name, channel, known) = self.channel(false).expect("a channel");
        let jump = if self.random.below(40) == 0 { 5 } else { 0 };
        let first = known.last + 1 + jump;
        let bodies: Vec<Vec<u8>> = (0..1 + self.random.below(5))
            .map(|at| {
                format!("{name} {} {} ", first + at, self.done.len()).repeat(1 + self.random.below(6) as usize).into()
            })
            .collect();
        let record = |(at, body): (usize, &'_ Vec<u8>)| (first + at as u64, body.clone());
        let numbered: Vec<(u64, Vec<u8>)> = bodies.iter().enumerate().map(record).collect();
        let records: Vec<Record<'_>> = numbered
            .iter()
            .map(|(offset, body)| Record::Publication { channel, offset: *offset, at: 5, body, key: None })
            .collect();
        self.store().append(&records, 1000).expect("appended");
        for (offset, body) in numbered {
            self.note(Done::Published(name.clone(), known.epoch.clone(), offset, body));
        }
    }

    fn note(&mut self, done: Done) {
        self.model.apply(&done);
        self.done.push(done);
    }

    fn change(&mut self) {
        let Some((name, channel, known)) = self.channel(true) else { return };
        let epoch = format!("r{}", self.random.below(1000));
        let (record, done) = match self.random.below(4) {
            0 => (Record::Cleared { channel }, Done::Cleared(name)),
            1 => (Record::Forgotten { channel }, Done::Forgotten(name)),
            2 => (Record::Skipped { channel, offset: known.last + 2 }, Done::Skipped(name, known.last + 2)),
            _ => (Record::Reset { channel, epoch: &epoch, offset: 0 }, Done::Reset(name, epoch.clone())),
        };
        self.store().append(&[record], 1000).expect("appended");
        self.note(done);
    }

    fn value(&mut self) {
        let key = vec![self.random.below(20) as u8];
        let value = (self.random.below(3) > 0).then(|| vec![1; self.random.below(90) as usize]);
        let record = Record::Value { space: 3, key: &key, value: value.as_deref() };
        self.store().append(&[record], 1000).expect("appended");
        self.note(Done::Value(key.clone(), value));
    }

    fn compare(&mut self, seed: u64, step: u32) {
        let found = Model::found(self.store());
        assert!(found.is(&self.model, self.drops), "seed {seed}, step {step}: {}", found.differs(&self.model));
    }

    fn sync(&mut self) {
        self.store().sync().expect("synced");
        self.synced = self.done.len();
    }

    /// The process ends: all that was appended is there.
    fn killed(&mut self) {
        let copy = self.disk.copy();
        self.reopen(copy, false);
    }

    /// The power fails: what was synced is there, and after it the first of what was done later.
    fn power_failed(&mut self) {
        let disk = self.disk.after_power_failure(&mut self.random);
        self.boots += 1;
        self.reopen(disk, true);
    }

    fn reopen(&mut self, disk: Disk, may_lose: bool) {
        self.store = None;
        self.disk = disk;
        let (store, recovered) = open(&self.disk, self.options());
        let found = Model::found(&store);
        let least = if may_lose { self.synced } else { self.done.len() };
        let kept = (least..=self.done.len()).rev().find(|kept| found.is(&Model::of(&self.done[..*kept]), self.drops));
        let kept = kept.unwrap_or_else(|| {
            panic!("seed {}: not what was done: {recovered:?}: {}", self.seed, found.differs(&self.model))
        });
        self.done.truncate(kept);
        (self.model, self.synced) = (Model::of(&self.done), kept);
        self.store = Some(store);
    }
}

fn run(seed: u64, steps: u32, drops: bool) {
    let disk = Disk::default();
    let (random, model) = (Random::new(seed), Model::default());
    let mut run = Run { seed, random, disk, store: None, done: Vec::new(), model, synced: 0, boots: 0, drops };
    run.store = Some(open(&run.disk, run.options()).0);
    for step in 0..steps {
        match run.random.below(100) {
            0..60 => run.publish(),
            60..70 => run.change(),
            70..78 => run.value(),
            78..88 => run.sync(),
            88..94 => {
                settle(run.store(), 1000, Keep::ALL);
                run.synced = run.done.len();
            }
            94..96 => run.compare(seed, step),
            96..97 => {
                run.store.take().expect("open").close(1000).expect("closed");
                run.synced = run.done.len();
                run.killed();
            }
            97..98 => run.killed(),
            _ => run.power_failed(),
        }
    }
    run.compare(seed, steps);
}

fn runs() -> u64 {
    std::env::var("STORE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(30)
}

#[test]
fn a_store_holds_what_was_done_through_every_end() {
    (1..=runs()).for_each(|seed| run(seed, 400, false));
}

#[test]
fn positions_and_values_outlive_the_segments_that_are_dropped() {
    (1..=runs()).for_each(|seed| run(seed + 1_000_000, 400, true));
}
