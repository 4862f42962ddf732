//! Flipped bits and files that were cut: what is damaged is never given out, and what was synced is never lost in silence.

use super::disk::Disk;
use super::{Random, all, open, publish, settle, small};
use crate::store::{Damage, Keep, OpenError, Options, ReadError, Store, check};
use std::collections::BTreeMap;

/// What was written to each channel.
type Written = BTreeMap<String, Vec<(u64, String)>>;

/// A store that runs, with some full segments and an open one, of which the last is not synced.
fn live() -> (Disk, Store, Written) {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let mut written = Written::new();
    for at in 0..150_u64 {
        let name = format!("channel-{}", at % 7);
        let channel = store.add_channel(&name, "one", 1000).expect("a channel");
        let offset = at / 7 + 1;
        let body = format!("body {at} of {name} ").repeat(4);
        publish(&mut store, channel, offset, body.as_bytes());
        written.entry(name).or_default().push((offset, body));
        if at % 3 == 0 && at < 147 {
            store.sync().expect("synced");
        }
        if at % 40 == 0 {
            settle(&mut store, 1000, Keep::ALL);
        }
    }
    (disk, store, written)
}

/// What a copy of a store does after it was damaged.
#[derive(Debug, Default)]
struct Outcomes {
    refused: u32,
    told_when_read: u32,
    torn: u32,
    harmless: u32,
    loss_accepted: u32,
}

/// Opens a damaged copy. `synced` is how many publications of each channel were synced.
fn judge(disk: &Disk, written: &Written, synced: &BTreeMap<String, usize>, options: Options, outcomes: &mut Outcomes) {
    let (store, recovered) = match Store::open(disk.files(), options.clone(), 1000, &mut |_, _| {}) {
        Ok(opened) => opened,
        Err(OpenError::Damaged(damage)) => {
            outcomes.refused += 1;
            let report = check(disk.files().as_ref(), Some("one")).expect("a report");
            assert!(
                report.files.iter().any(|file| file.damage.iter().any(|found| found.file == damage.file)),
                "{damage}: {report:#?}"
            );
            accept(disk, written, options, outcomes);
            return;
        }
        Err(other) => panic!("{other}"),
    };
    let mut told = recovered.torn_bytes > 0;
    outcomes.torn += u32::from(told);
    let mut lost_synced = false;
    for (name, written) in written {
        match store.reader().after(name, 0, usize::MAX, usize::MAX) {
            Ok(page) => {
                let found = page.map_or_else(Vec::new, |page| super::texts(&page));
                assert_eq!(found[..], written[..found.len()], "{name}: not what was written");
                lost_synced |= found.len() < synced[name];
            }
            Err(ReadError::Damaged(_)) => {
                outcomes.told_when_read += 1;
                told = true;
            }
            Err(other) => panic!("{other}"),
        }
    }
    // A flip in what was written last after the last mark may take what the mark did not cover, and is told.
    assert!(!lost_synced || told, "lost in silence");
    outcomes.harmless += u32::from(!told);
}

/// With the loss accepted it opens, says so, gives out nothing that was not written, and opens again.
fn accept(disk: &Disk, written: &Written, options: Options, outcomes: &mut Outcomes) {
    let (mut store, recovered) = open(disk, Options { accept_loss: true, ..options.clone() });
    assert!(!recovered.damaged.is_empty() && recovered.generation > 1, "{recovered:?}");
    for (name, written) in written {
        let found = match store.reader().after(name, 0, usize::MAX, usize::MAX) {
            Ok(page) => page.map_or_else(Vec::new, |page| super::texts(&page)),
            Err(ReadError::Damaged(_)) => continue,
            Err(other) => panic!("{other}"),
        };
        assert!(found.iter().all(|kept| written.contains(kept)), "{name}: {found:?}");
        assert!(found.is_sorted());
    }
    let channel = store.add_channel("channel-1", "two", 1000).expect("a channel");
    let last = store.state(channel).expect("a channel").last;
    publish(&mut store, channel, last + 1, b"it goes on");
    drop(store);
    let (store, recovered) = open(disk, options);
    assert!(recovered.damaged.is_empty());
    assert_eq!(all(&store, "channel-1").last(), Some(&(last + 1, "it goes on".into())));
    outcomes.loss_accepted += 1;
}

fn thousand(options: &Options) -> Outcomes {
    let (disk, store, written) = live();
    let synced =
        written.iter().map(|(name, all)| (name.clone(), all.iter().filter(|(offset, _)| offset * 7 < 146).count()));
    let synced: BTreeMap<String, usize> = synced.map(|(name, count)| (name, count.saturating_sub(1))).collect();
    let (mut random, mut outcomes) = (Random::new(5), Outcomes::default());
    let names: Vec<String> = disk.names().into_iter().filter(|name| !name.starts_with("LOCK")).collect();
    let end = super::super::segment::file_name(store.active.number);
    for _ in 0..1000 {
        let copy = disk.copy();
        let name = &names[random.below(names.len() as u64) as usize];
        if random.below(4) == 0 {
            // Cut after the last sync.
            let from = store.synced.at;
            copy.edit(&end, |bytes| bytes.truncate((from + random.below(bytes.len() as u64 - from)) as usize));
        } else {
            copy.edit(name, |bytes| {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            });
        }
        judge(&copy, &written, &synced, options.clone(), &mut outcomes);
    }
    outcomes
}

#[test]
fn damage_is_never_given_out_and_what_was_synced_is_never_lost_in_silence() {
    let whole = thousand(&Options { verify_bytes: u64::MAX, ..small() });
    println!("all checked at the start: {whole:?}");
    assert!(whole.refused > 300 && whole.torn > 50 && whole.harmless > 10 && whole.told_when_read == 0, "{whole:?}");
    assert_eq!(whole.loss_accepted, whole.refused);
    let newest = thousand(&Options { verify_bytes: 0, ..small() });
    println!("only the newest checked at the start: {newest:?}");
    assert!(newest.told_when_read > 100, "{newest:?}");
}

#[test]
fn the_end_of_an_interrupted_write_is_cut_off_and_kept_aside() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, small());
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    publish(&mut store, channel, 1, b"whole");
    store.sync().expect("synced");
    publish(&mut store, channel, 2, b"interrupted");
    let copy = disk.copy();
    let name = super::super::segment::file_name(1);
    copy.edit(&name, |bytes| bytes.truncate(bytes.len() - 3));
    let report = check(copy.files().as_ref(), Some("one")).expect("a report");
    assert_eq!((report.is_whole(), report.files[0].torn_bytes, report.files[0].publications), (true, 45, 1));
    let (mut store, recovered) = open(&copy, small());
    assert_eq!((recovered.torn_bytes, recovered.generation), (45, 1));
    assert_eq!(copy.read(&format!("{name}.torn")).len(), 45);
    assert_eq!(all(&store, "a"), [(1, "whole".into())]);
    publish(&mut store, channel, 2, b"again");
    assert_eq!(all(&open(&copy.copy(), small()).0, "a"), [(1, "whole".into()), (2, "again".into())]);
}

#[test]
fn damage_names_file_and_place_and_nothing_is_changed() {
    let (disk, _store, _) = live();
    let name = super::super::segment::file_name(2);
    disk.edit(&name, |bytes| bytes[64 + 40] ^= 1);
    let copy = disk.copy();
    let error = Store::open(copy.files(), small(), 0, &mut |_, _| {}).err();
    let Some(OpenError::Damaged(Damage { file, at, .. })) = error else { panic!("{error:?}") };
    assert_eq!((file.as_str(), at), (name.as_str(), 64));
    for name in disk.names() {
        assert_eq!(copy.read(&name), disk.read(&name), "{name}");
    }
}

#[test]
fn a_missing_file_is_damage() {
    for missing in [2, u32::MAX, 0] {
        let (disk, store, _) = live();
        let number = if missing == u32::MAX { store.active.number } else { missing };
        store.close(1000).expect("closed");
        let name = if number == 0 { "META".to_owned() } else { super::super::segment::file_name(number) };
        disk.remove_now(&name);
        let error = Store::open(disk.files(), small(), 0, &mut |_, _| {}).err();
        let Some(OpenError::Damaged(damage)) = error else { panic!("{name}: {error:?}") };
        assert_eq!(damage.file, name);
        let report = check(disk.files().as_ref(), None).expect("a report");
        assert!(!report.is_whole(), "{report:?}");
        let (_store, recovered) = open(&disk, Options { accept_loss: true, ..small() });
        assert!(recovered.generation > 0);
    }
}

#[test]
fn a_store_that_was_closed_and_is_shorter_now_is_damaged() {
    for cut in [1, 32, 33, 64, 500] {
        let (disk, store, _) = live();
        let name = super::super::segment::file_name(store.active.number);
        store.close(1000).expect("closed");
        disk.edit(&name, |bytes| bytes.truncate(bytes.len() - cut));
        let error = Store::open(disk.files(), small(), 0, &mut |_, _| {}).err();
        assert!(matches!(&error, Some(OpenError::Damaged(damage)) if damage.file == name), "{cut}: {error:?}");
    }
}

#[test]
fn a_body_that_looks_like_a_record_is_never_one() {
    let disk = Disk::default();
    let (mut store, _) = open(&disk, Options { segment_bytes: 1 << 20, ..small() });
    let channel = store.add_channel("a", "one", 1000).expect("a channel");
    publish(&mut store, channel, 1, b"real");
    let name = super::super::segment::file_name(1);
    // Somebody who knows what a record looks like, and even has one.
    let bytes = disk.read(&name);
    let place = bytes.len() - 40;
    let record = bytes[place..].to_vec();
    assert_eq!(&record[32..36], b"real");
    publish(&mut store, channel, 2, &record.repeat(20));
    publish(&mut store, channel, 3, b"next");
    store.sync().expect("synced");
    disk.edit(&name, |bytes| bytes[place + 40] ^= 1);
    let (store, recovered) = open(&disk.copy(), Options { accept_loss: true, ..small() });
    assert_eq!(recovered.damaged.len(), 1);
    assert_eq!(all(&store, "a"), [(3, "next".into())]);
}
