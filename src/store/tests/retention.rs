//! Old segments go as a whole, and what has to outlive them does.

use super::disk::Disk;
use super::{all, open, publish, settle, small};
use crate::store::{ChannelNo, Keep, Options, Record, Store, StoreError};

/// Channels `a`, which is published to, and `quiet`, which was once.
fn filled(options: Options) -> (Disk, Store, ChannelNo) {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, options);
    let quiet = store.add_channel("quiet", "one", 1000).expect("a channel");
    (1..=3).for_each(|offset| publish(&mut store, quiet, offset, b"once"));
    store.append(&[Record::Value { space: 1, key: b"k", value: Some(b"v") }], 1000).expect("appended");
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    (1..=400).for_each(|offset| publish(&mut store, channel, offset, b"0123456789"));
    (disk, store, channel)
}

#[test]
fn above_its_limit_the_oldest_go_and_positions_and_values_stay() {
    let options = Options { bytes_max: 15_000, ..small() };
    let (disk, mut store, _) = filled(options.clone());
    assert!(store.stats().bytes > 15_000);
    settle(&mut store, 1000, Keep::ALL);
    assert!(store.stats().bytes <= 15_000, "{:?}", store.stats());
    let look = |store: &Store| {
        let kept = all(store, "a");
        let quiet = store.channel("quiet").and_then(|quiet| store.state(quiet)).expect("a channel");
        assert_eq!((quiet.last, &*quiet.epoch, all(store, "quiet")), (3, "one", vec![]));
        assert_eq!(store.value(1, b"k").as_deref(), Some(&b"v"[..]));
        assert_eq!(kept.last().map(|kept| kept.0), Some(400));
        (kept[0].0, kept.len() as u64)
    };
    let (first, count) = look(&store);
    assert!(first > 100 && count == 401 - first, "{first} {count}");
    let numbers: Vec<_> = disk.names().iter().filter_map(|name| super::super::segment::number_of(name)).collect();
    assert!(numbers[0] > 1 && numbers.len() as u32 == store.stats().segments);
    drop(store);
    let (store, recovered) = open(&disk, options);
    assert_eq!((look(&store), recovered.torn_bytes), ((first, count), 0));
}

#[test]
fn what_no_channel_keeps_goes_and_what_one_keeps_stays() {
    let went = |now, keep| {
        let (_disk, mut store, _) = filled(small());
        let before = store.stats().segments;
        settle(&mut store, now, keep);
        before - store.stats().segments
    };
    assert_eq!(went(1000, Keep::ALL), 0);
    assert_eq!(went(1000, Keep { count: 401, ..Keep::ALL }), 0);
    let by_count = went(1000, Keep { count: 60, ..Keep::ALL });
    // The oldest segment is kept for the channel that has no newer publications than those in it.
    assert_eq!(by_count, 0);
    let drops = |keep: Keep, now| {
        let (_disk, mut store, _) = filled(small());
        let quiet = store.channel("quiet").expect("a channel");
        store.append(&[Record::Cleared { channel: quiet }], 1000).expect("appended");
        let before = store.stats().segments;
        settle(&mut store, now, keep);
        (before - store.stats().segments, all(&store, "a").len())
    };
    let (segments, kept) = drops(Keep { count: 60, ..Keep::ALL }, 1000);
    assert!(segments >= 2 && (60..200).contains(&kept), "{segments} {kept}");
    let (segments, kept) = drops(Keep { bytes: 600, ..Keep::ALL }, 1000);
    assert!(segments >= 2 && (60..200).contains(&kept), "{segments} {kept}");
    // They were published at their offsets.
    let (segments, kept) = drops(Keep { age: 100, ..Keep::ALL }, 400);
    assert!(segments >= 2 && (100..250).contains(&kept), "{segments} {kept}");
}

#[test]
fn a_segment_goes_only_when_what_it_alone_said_is_durable() {
    let (_disk, mut store, _) = filled(Options { bytes_max: 10_000, ..small() });
    // Nothing is synced here.
    while store.upkeep(1000, &|_| Keep::ALL).expect("a step") == super::Step::More {}
    assert_eq!(all(&store, "quiet").len(), 3);
    assert_eq!(all(&store, "a").len(), 400);
}

#[test]
fn a_channel_without_anything_is_forgotten_after_long() {
    let options = Options { forget_after: 5_000_000, channels_max: 4, bytes_max: 10_000, ..small() };
    let (disk, mut store, busy) = filled(options.clone());
    settle(&mut store, 1000, Keep::ALL);
    assert!(store.channel("quiet").is_some());
    settle(&mut store, 4_000_000, Keep::ALL);
    assert!(store.channel("quiet").is_some());
    settle(&mut store, 6_000_000, Keep::ALL);
    assert_eq!((store.channel("quiet"), store.channel("a")), (None, Some(busy)));
    let (store, _) = open(&disk.copy(), options);
    assert_eq!((store.channel("quiet"), store.stats().channels), (None, 1));
}

#[test]
fn the_number_of_channels_is_limited_and_those_without_anything_make_room() {
    let options = Options { channels_max: 3, ..small() };
    let disk = Disk::default();
    let (mut store, _) = open(&disk, options);
    for name in ["a", "b", "c"] {
        let channel = store.add_channel(name, "one", 1000).expect("a channel");
        publish(&mut store, channel, 1, b"x");
    }
    assert_eq!(store.add_channel("d", "one", 1000), Err(StoreError::ChannelsFull));
    let channel = store.channel("b").expect("a channel");
    store.append(&[Record::Cleared { channel }], 1000).expect("appended");
    settle(&mut store, 100_000, Keep::ALL);
    assert_eq!(store.add_channel("d", "one", 1000), Ok(channel));
    assert_eq!(store.channel("b"), None);
}
