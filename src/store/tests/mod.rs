//! Tests of the store, on a device that fails and forgets as it is told, and on the real one.

mod basics;
mod costs;
mod damage;
mod disk;
mod faults;
mod model;
mod pages;
mod retention;

use super::{ChannelNo, Keep, Options, Page, Record, Recovered, Step, Store};
use disk::Disk;

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}

/// Small segments, so that there are many.
fn small() -> Options {
    Options { segment_bytes: 4096, channels_max: 1000, boot: Some("one".to_owned()), random: 77, ..Options::default() }
}

fn open(disk: &Disk, options: Options) -> (Store, Recovered) {
    Store::open(disk.files(), options, 1000, &mut |_, _| {}).expect("a store")
}

fn publish(store: &mut Store, channel: ChannelNo, offset: u64, body: &[u8]) {
    store.append(&[Record::Publication { channel, offset, at: offset, body, key: None }], 1000).expect("appended");
}

/// Offsets and bodies of a page.
fn texts(page: &Page) -> Vec<(u64, String)> {
    let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
    page.publications.iter().map(|kept| (kept.offset, text(&kept.body))).collect()
}

fn all(store: &Store, name: &str) -> Vec<(u64, String)> {
    let page = store.reader().after(name, 0, usize::MAX, usize::MAX).expect("readable");
    page.map_or_else(Vec::new, |page| texts(&page))
}

/// Does all that is to be done.
fn settle(store: &mut Store, now: u64, keep: Keep) {
    let mut steps = 0;
    loop {
        while store.upkeep(now, &|_| keep).expect("a step") == Step::More {
            steps += 1;
            assert!(steps < 1_000_000, "upkeep never ends");
        }
        // Some of it waits for a sync.
        store.sync().expect("synced");
        if store.upkeep(now, &|_| keep).expect("a step") == Step::Idle {
            return;
        }
    }
}
