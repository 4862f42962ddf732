//! A device without room, and one that fails.

use super::disk::{Disk, Faults};
use super::{all, open, publish, settle, small};
use crate::store::{Keep, Options, ReadError, Record, Store, StoreError};

#[test]
fn without_room_nothing_changes_and_later_it_goes_on() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    let body = [b'x'; 300];
    let mut offset = 0;
    for round in 0..40 {
        disk.faults(Faults { room: Some(137 * round), ..Faults::default() });
        let refused = loop {
            let record = Record::Publication { channel, offset: offset + 1, at: 0, body: &body, key: None };
            match store.append(&[record], 1000) {
                Ok(()) => offset += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused, StoreError::Full);
        assert_eq!(all(&store, "a").len() as u64, offset);
        // Whoever looks now finds what was appended, and nothing of what was not.
        let copy = disk.copy();
        let (found, recovered) = open(&copy, small());
        assert_eq!((all(&found, "a").len() as u64, recovered.torn_bytes), (offset, 0));
        assert!(store.sync().is_ok());
    }
    disk.faults(Faults::default());
    publish(&mut store, channel, offset + 1, b"there is room again");
    settle(&mut store, 1000, Keep::ALL);
    store.close(1000).expect("closed");
    let (store, recovered) = open(&disk, small());
    assert!(recovered.clean && recovered.torn_bytes == 0);
    assert_eq!(all(&store, "a").len() as u64, offset + 1);
}

#[test]
fn an_index_without_room_is_made_later() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    (1..=200).for_each(|offset| publish(&mut store, channel, offset, b"0123456789"));
    store.sync().expect("synced");
    disk.faults(Faults { room: Some(100), ..Faults::default() });
    assert_eq!(
        std::iter::repeat_with(|| store.upkeep(0, &|_| Keep::ALL)).find_map(Result::err),
        Some(StoreError::Full)
    );
    assert_eq!(all(&store, "a").len(), 200);
    disk.faults(Faults::default());
    settle(&mut store, 1000, Keep::ALL);
    assert_eq!(all(&store, "a").len(), 200);
}

#[test]
fn without_room_for_an_index_what_is_old_goes_all_the_same() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, Options { bytes_max: 15_000, ..small() });
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    let fill = |store: &mut Store, from: u64| {
        (from..from + 200).for_each(|offset| publish(store, channel, offset, b"0123456789"))
    };
    fill(&mut store, 1);
    settle(&mut store, 1000, Keep::ALL);
    fill(&mut store, 201);
    store.sync().expect("synced");
    disk.faults(Faults { room: Some(400), ..Faults::default() });
    let before = store.stats().segments;
    for _ in 0..100 {
        let _ = store.upkeep(1000, &|_| Keep::ALL);
        store.sync().expect("synced");
    }
    assert!(store.stats().segments < before, "{before}");
    assert_eq!(all(&store, "a").last().map(|kept| kept.0), Some(400));
}

#[test]
fn a_device_that_failed_is_never_asked_again() {
    let with = |faults: Faults| {
        let disk = Disk::default();
        let (mut store, _) = open(&disk, small());
        let channel = store.add_channel("a", "one", 1000).expect("a channel");
        publish(&mut store, channel, 1, b"x");
        store.sync().expect("synced");
        disk.faults(faults);
        let record = Record::Publication { channel, offset: 2, at: 0, body: b"y", key: None };
        let outcome = store.append(&[record], 1000).and_then(|()| store.sync());
        disk.faults(Faults::default());
        // The device works again, and nobody can tell what it forgot.
        let Err(StoreError::Broken(why)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(store.append(&[record], 1000), Err(StoreError::Broken(why.clone())));
        assert_eq!(store.sync(), Err(StoreError::Broken(why.clone())));
        assert_eq!(store.upkeep(1000, &|_| Keep::ALL), Err(StoreError::Broken(why.clone())));
        assert!(store.begin_sync().is_none());
        assert_eq!(all(&store, "a").first(), Some(&(1, "x".into())));
        assert_eq!(store.close(1000), Err(StoreError::Broken(why)));
        let (_store, recovered) = open(&disk.copy(), small());
        assert!(!recovered.clean);
    };
    with(Faults { sync: true, ..Faults::default() });
    with(Faults { writes: Some(0), ..Faults::default() });
}

#[test]
fn what_cannot_be_read_is_an_error_and_no_end() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    publish(&mut store, channel, 1, b"x");
    disk.faults(Faults { read: true, ..Faults::default() });
    let outcome = store.reader().after("a", 0, 10, 1000);
    assert!(matches!(outcome, Err(ReadError::Io(_))), "{outcome:?}");
}
