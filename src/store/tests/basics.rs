//! What is appended is there, in the next run, too.

use super::disk::Disk;
use super::{all, open, publish, small};
use crate::store::{Folder, Key, OpenError, Options, Record, Store, StoreError, boot_id};
use std::sync::Arc;

#[test]
fn what_was_appended_is_read_now_and_after_a_restart() {
    let disk = Disk::default();
    let (mut store, recovered) = open(&disk, small());
    assert!((recovered.first, recovered.clean, recovered.generation) == (true, true, 1), "{recovered:?}");
    let news = store.add_channel("news", "epoch-1", 1000).expect("a channel");
    let sport = store.add_channel("sport", "epoch-2", 1000).expect("a channel");
    assert_eq!(store.add_channel("news", "other", 1000), Ok(news));
    publish(&mut store, news, 1, b"a");
    publish(&mut store, sport, 1, b"b");
    publish(&mut store, news, 2, b"c");
    assert_eq!(all(&store, "news"), [(1, "a".into()), (2, "c".into())]);
    store.append(&[Record::Value { space: 7, key: b"k", value: Some(b"v") }], 1000).expect("appended");
    store.close(1000).expect("closed");
    let (store, recovered) = open(&disk, small());
    assert!(recovered.clean && !recovered.first && recovered.torn_bytes == 0 && recovered.generation == 1);
    assert_eq!((recovered.channels, recovered.publications), (2, 3));
    assert_eq!(all(&store, "news"), [(1, "a".into()), (2, "c".into())]);
    assert_eq!(all(&store, "sport"), [(1, "b".into())]);
    assert_eq!(store.value(7, b"k").as_deref(), Some(&b"v"[..]));
    let known = store.channels(1, 10);
    assert_eq!((known.len(), known[0].1.as_str(), known[0].2.last), (2, "news", 2));
    assert_eq!((&*known[1].2.epoch, store.channel("sport")), ("epoch-2", Some(sport)));
}

#[test]
fn histories_are_emptied_reset_and_forgotten() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    (1..=3).for_each(|offset| publish(&mut store, channel, offset, b"old"));
    store.append(&[Record::Cleared { channel }], 1000).expect("appended");
    assert_eq!(all(&store, "a"), []);
    publish(&mut store, channel, 4, b"new");
    assert_eq!(all(&store, "a"), [(4, "new".into())]);
    store.append(&[Record::Skipped { channel, offset: 5 }], 1000).expect("appended");
    publish(&mut store, channel, 9, b"later");
    assert_eq!(all(&store, "a"), [(9, "later".into())]);
    store.append(&[Record::Reset { channel, epoch: "two", offset: 0 }], 1000).expect("appended");
    publish(&mut store, channel, 1, b"again");
    let (store, _) = open(&disk.copy(), small());
    assert_eq!(all(&store, "a"), [(1, "again".into())]);
    assert_eq!(store.state(channel).map(|state| (state.epoch.to_string(), state.last)), Some(("two".into(), 1)));
    let (mut store, _) = (store, ());
    store.append(&[Record::Forgotten { channel }], 1000).expect("appended");
    assert_eq!((store.channel("a"), all(&store, "a")), (None, vec![]));
    // Another channel receives the number in the same segment.
    let other = store.add_channel("b", "three", 1000).expect("a channel");
    assert_eq!(other, channel);
    publish(&mut store, other, 1, b"other");
    assert_eq!(all(&store, "b"), [(1, "other".into())]);
}

#[test]
fn a_batch_counts_as_a_whole_or_not_at_all() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    let record = |offset| Record::Publication { channel, offset, at: 0, body: b"x", key: None };
    store.append(&[record(1), record(2)], 1000).expect("appended");
    let refused = store.append(&[record(3), record(3)], 1000);
    assert_eq!(refused, Err(StoreError::OutOfOrder { channel, offset: 3, last: 3 }));
    assert_eq!(all(&store, "a").len(), 2);
    let refused = store.append(&[record(3), Record::Forgotten { channel }, record(4)], 1000);
    assert_eq!(refused, Err(StoreError::UnknownChannel(channel)));
    store.append(&[record(3)], 1000).expect("appended");
    assert_eq!(all(&store, "a").len(), 3);
    let body = vec![0; small().record_bytes_max as usize];
    let large = Record::Publication { channel, offset: 4, at: 0, body: &body, key: None };
    assert_eq!(store.append(&[large], 1000), Err(StoreError::TooLarge));
}

#[test]
fn keys_that_still_count_come_back() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    let key = |key, expires| Some(Key { key, fingerprint: 5 << 100, expires });
    let old = Record::Publication { channel, offset: 1, at: 0, body: b"x", key: key(b"old", 999) };
    let new = Record::Publication { channel, offset: 2, at: 0, body: b"y", key: key(b"new", 1001) };
    store.append(&[old, new], 1000).expect("appended");
    assert_eq!(all(&store, "a"), [(1, "x".into()), (2, "y".into())]);
    let (_store, recovered) = open(&disk.copy(), small());
    let [known] = &recovered.keys[..] else { panic!("{:?}", recovered.keys) };
    assert_eq!(
        (known.key.as_slice(), known.offset, known.fingerprint, known.expires),
        (&b"new"[..], 2, 5 << 100, 1001)
    );
    assert_eq!((known.channel, known.epoch.as_str()), (channel, "one"));
}

#[test]
fn an_unclean_end_is_told_and_the_generation_rises_where_something_may_be_gone() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    publish(&mut store, channel, 1, b"x");
    let told = |options: Options| {
        let (_store, recovered) = open(&disk.copy(), options);
        (recovered.clean, recovered.may_have_lost, recovered.generation)
    };
    assert_eq!(told(small()), (false, false, 1));
    assert_eq!(told(Options { boot: Some("two".into()), ..small() }), (false, true, 2));
    assert_eq!(told(Options { boot: None, ..small() }), (false, true, 2));
    // Whoever acknowledges only what is synced loses nothing.
    let disk = Disk::default();
    let (_store, _) = open(&disk, Options { synced_only: true, ..small() });
    let (_store, recovered) = open(&disk.copy(), Options { boot: Some("two".into()), ..small() });
    assert_eq!((recovered.may_have_lost, recovered.generation), (false, 1));
}

#[test]
fn one_process_at_a_time_has_a_folder() {
    let folder = std::env::temp_dir().join(format!("tidings-store-lock-{}", std::process::id()));
    let files = || Arc::new(Folder::create(&folder).expect("a folder"));
    let options = || Options { boot: boot_id(), channels_max: 10, ..Options::default() };
    let (mut store, _) = Store::open(files(), options(), 0, &mut |_, _| {}).expect("a store");
    let second = Store::open(files(), options(), 0, &mut |_, _| {}).err();
    assert!(matches!(second, Some(OpenError::Locked)), "{second:?}");
    let channel = store.add_channel("a", "one", 0).expect("a channel");
    publish(&mut store, channel, 1, b"on a real device");
    store.sync().expect("synced");
    drop(store);
    let (store, recovered) = Store::open(files(), options(), 0, &mut |_, _| {}).expect("a store");
    assert_eq!((recovered.clean, recovered.torn_bytes), (false, 0));
    assert_eq!(all(&store, "a"), [(1, "on a real device".into())]);
    drop(store);
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_store_of_another_version_is_left_alone() {
    let disk = Disk::default();
    drop(open(&disk, small()));
    let title = "tidings store 99\nwho knows\n";
    let text = format!("{title}sum {:08x}\n", zlib_rs::crc32::crc32(0, title.as_bytes()));
    disk.edit("META", |bytes| *bytes = text.into_bytes());
    for accept_loss in [false, true] {
        let error = Store::open(disk.files(), Options { accept_loss, ..small() }, 0, &mut |_, _| {}).err();
        assert!(matches!(&error, Some(OpenError::Version(found)) if found == "tidings store 99"), "{error:?}");
    }
}
