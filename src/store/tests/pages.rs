//! Pages of channels, while the store goes on.

use super::disk::Disk;
use super::{open, publish, settle, small, texts};
use crate::store::{Keep, Options, Page, Store};
use std::sync::atomic::{AtomicBool, Ordering};

/// Two channels in many segments, of which the older ones have indexes in files.
fn filled() -> (Disk, Store) {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, Options { bytes_max: u64::MAX, ..small() });
    for offset in 1..=500 {
        for name in ["a", "b"] {
            let channel = store.add_channel(name, "one", 1000).expect("a channel");
            publish(&mut store, channel, offset, format!("{name} {offset}").as_bytes());
        }
        if offset == 300 {
            store.sync().expect("synced");
            settle(&mut store, 1000, Keep::ALL);
        }
    }
    (disk, store)
}

fn offsets(page: &Page) -> (u64, u64, usize, bool) {
    let all = texts(page);
    for (at, (offset, text)) in all.iter().enumerate() {
        assert_eq!((*offset, text), (all[0].0 + at as u64, &format!("a {offset}")));
    }
    (all.first().map_or(0, |kept| kept.0), all.last().map_or(0, |kept| kept.0), all.len(), page.more)
}

#[test]
fn pages_begin_and_end_where_they_should() {
    let (_disk, store) = filled();
    let reader = store.reader();
    let after = |after, count, bytes| offsets(&reader.after("a", after, count, bytes).expect("read").expect("a page"));
    let before = |from, count, bytes| offsets(&reader.before("a", from, count, bytes).expect("read").expect("a page"));
    assert_eq!(after(0, 10, 1000), (1, 10, 10, true));
    assert_eq!(after(100, 300, 100_000), (101, 400, 300, true));
    assert_eq!(after(290, 300, 100_000), (291, 500, 210, false));
    assert_eq!(after(490, 10, 100_000), (491, 500, 10, false));
    assert_eq!(after(490, 10, 17), (491, 493, 3, true));
    assert_eq!(after(490, 10, 1), (491, 491, 1, true));
    assert_eq!(after(500, 10, 100), (0, 0, 0, false));
    assert_eq!(after(u64::MAX, 10, 100), (0, 0, 0, false));
    assert_eq!(before(u64::MAX, 10, 1000), (491, 500, 10, true));
    assert_eq!(before(400, 300, 100_000), (100, 399, 300, true));
    assert_eq!(before(300, 299, 100_000), (1, 299, 299, false));
    assert_eq!(before(300, 298, 100_000), (2, 299, 298, true));
    assert_eq!(before(300, 100, 16), (297, 299, 3, true));
    assert_eq!(before(1, 100, 16), (0, 0, 0, false));
    assert!(reader.after("c", 0, 10, 10).expect("read").is_none());
}

#[test]
fn what_is_gone_shows_as_a_later_beginning() {
    let (_disk, mut store) = filled();
    store.options.bytes_max = 20_000;
    settle(&mut store, 1000, Keep::ALL);
    let reader = store.reader();
    let page = reader.after("a", 0, 10, 10_000).expect("read").expect("a page");
    let (first, last, count, more) = offsets(&page);
    assert!(first > 100 && last == first + 9 && count == 10 && more);
    let page = reader.before("a", first + 5, 100, 10_000).expect("read").expect("a page");
    assert_eq!(offsets(&page), (first, first + 4, 5, false));
    let page = reader.before("a", first, 100, 10_000).expect("read").expect("a page");
    assert_eq!(page.publications, []);
}

#[test]
fn readers_on_other_threads_never_see_a_hole() {
    let disk = Disk::default();
    let options = Options { bytes_max: 60_000, ..small() };
    let (mut store, _) = open(&disk, options);
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for start in [0, u64::MAX] {
            let (reader, ended) = (store.reader(), &ended);
            scope.spawn(move || {
                let mut at = start;
                let mut last = 0;
                while !ended.load(Ordering::Relaxed) {
                    let page = match start {
                        0 => reader.after("a", at, 50, 5000),
                        _ => reader.before("a", at, 50, 5000),
                    };
                    let page = page.expect("read").expect("a page");
                    let (first, end, count, _) = offsets(&page);
                    assert!(page.last >= last && (count == 0 || end - first + 1 == count as u64));
                    last = page.last;
                    at = if start == 0 {
                        end.max(at)
                    } else if count == 0 {
                        start
                    } else {
                        first
                    };
                }
            });
        }
        for offset in 1..=5000 {
            publish(&mut store, channel, offset, format!("a {offset}").as_bytes());
            if offset % 20 == 0 {
                store.sync().expect("synced");
            }
            let _ = store.upkeep(1000, &|_| Keep::ALL).expect("a step");
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(store.stats().segments < 40);
}

#[test]
fn a_store_may_move_to_another_thread_and_readers_may_be_shared() {
    fn moves<T: Send>(_: &T) {}
    fn is_shared<T: Send + Sync>(_: &T) {}
    let (store, _) = open(&Disk::default(), small());
    moves(&store);
    is_shared(&store.reader());
}

#[test]
fn a_sync_may_run_elsewhere_while_the_store_goes_on() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    publish(&mut store, channel, 1, b"a 1");
    let syncing = store.begin_sync().expect("something to sync");
    publish(&mut store, channel, 2, b"a 2");
    let synced = std::thread::spawn(|| syncing.run()).join().expect("synced");
    store.end_sync(synced).expect("synced");
    assert!(store.stats().unsynced > 0);
    store.sync().expect("synced");
    assert_eq!((store.stats().unsynced, store.begin_sync().is_none()), (0, true));
}
