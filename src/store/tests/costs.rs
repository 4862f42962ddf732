//! What a store costs: bytes of device and memory, and, for whoever asks, time.

use crate::store::{ChannelNo, Folder, Keep, Options, Record, Step, Store};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let base = std::env::var_os("STORE_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = base.join(format!("tidings-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Scratch(path)
    }

    fn open(&self, options: Options) -> Store {
        let files = Arc::new(Folder::create(&self.0).expect("a folder"));
        Store::open(files, options, 0, &mut |_, _| {}).expect("a store").0
    }

    fn bytes(&self) -> u64 {
        fs::read_dir(&self.0).expect("there").map(|entry| entry.expect("there").metadata().expect("there").len()).sum()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Nanoseconds that this thread used of a processor.
fn cpu() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

fn channels(store: &mut Store, count: u32) -> Vec<ChannelNo> {
    let name = |at| format!("room:{at:08}:messages");
    (0..count).map(|at| store.add_channel(&name(at), "Zm9vYmFyMQ-1", 0).expect("a channel")).collect()
}

/// Publishes 100 bytes to each channel in turn, in groups; the last offset.
fn fill(store: &mut Store, channels: &[ChannelNo], from: u64, count: u64, group: usize) {
    let body = [b'x'; 100];
    let mut at = from;
    while at < from + count {
        let record = |at: u64| {
            let channel = channels[(at % channels.len() as u64) as usize];
            Record::Publication { channel, offset: at / channels.len() as u64 + 1, at, body: &body, key: None }
        };
        let records: Vec<Record<'_>> = (at..at + group as u64).map(record).collect();
        store.append(&records, at).expect("appended");
        at += group as u64;
    }
}

fn seal(store: &mut Store) -> u64 {
    let mut longest = 0;
    store.sync().expect("synced");
    for _ in 0..3 {
        loop {
            let start = Instant::now();
            let step = store.upkeep(0, &|_| Keep::ALL).expect("a step");
            longest = longest.max(start.elapsed().as_nanos() as u64);
            if step == Step::Idle {
                break;
            }
        }
        store.sync().expect("synced");
    }
    longest
}

#[test]
fn a_publication_of_100_bytes_takes_at_most_250_on_the_device() {
    let scratch = Scratch::new("bytes");
    let mut store = scratch.open(Options { segment_bytes: 4 << 20, channels_max: 20_000, ..Options::default() });
    let channels = channels(&mut store, 10_000);
    for round in 0..10 {
        fill(&mut store, &channels, round * 9984, 9984, 64);
        store.sync().expect("synced");
        seal(&mut store);
    }
    let bytes = scratch.bytes() as f64 / 99_840.0;
    println!("{bytes:.0} bytes for each publication of 100 bytes, 10,000 channels, segments of 4 MiB");
    assert!(bytes <= 250.0, "{bytes}");
}

#[test]
fn a_channel_takes_at_most_100_bytes_of_memory() {
    let scratch = Scratch::new("memory");
    let mut store = scratch.open(Options { channels_max: 200_000, ..Options::default() });
    assert_eq!(channels(&mut store, 200_000).len(), 200_000);
    let bytes = store.stats().channel_memory as f64 / 200_000.0;
    println!("{bytes:.1} bytes of memory for each of 200,000 channels with names of 22 bytes");
    assert!(bytes <= 100.0, "{bytes}");
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Times of this machine, for whoever runs it alone: `cargo test --release -- --ignored --nocapture figures_of`.
#[test]
#[ignore = "prints times, and judges none"]
fn figures_of_this_machine() {
    let scratch = Scratch::new("figures");
    let options = || Options { bytes_max: u64::MAX, channels_max: 20_000, ..Options::default() };
    let mut store = scratch.open(options());
    let many = channels(&mut store, 10_000);
    let count: u64 = 999_936;
    let (start, clock) = (cpu(), Instant::now());
    fill(&mut store, &many, 0, count, 64);
    let used = (cpu() - start) as f64 / count as f64;
    println!("append, groups of 64: {used:.0} ns CPU a publication, {:.2} s in all", clock.elapsed().as_secs_f64());
    drop(store);
    for round in 0..2 {
        let (start, clock) = (cpu(), Instant::now());
        let mut store = scratch.open(options());
        let used = (cpu() - start) as f64 / 1e6;
        println!("recovery {round} of {count}: {used:.0} ms CPU, {:.0} ms", clock.elapsed().as_secs_f64() * 1e3);
        let longest = seal(&mut store);
        println!("longest step of upkeep: {:.2} ms", longest as f64 / 1e6);
        println!("bytes for each: {:.1}; {:?}", scratch.bytes() as f64 / count as f64, store.stats());
    }
    let (start, clock) = (cpu(), Instant::now());
    let mut store = scratch.open(Options { verify_bytes: 0, ..options() });
    let used = (cpu() - start) as f64 / 1e6;
    println!("recovery by indexes: {used:.0} ms CPU, {:.0} ms", clock.elapsed().as_secs_f64() * 1e3);
    let hot = store.add_channel("hot", "Zm9vYmFyMQ-1", 0).expect("a channel");
    let reader = store.reader();
    fill(&mut store, &[hot], 0, 1_000_000, 64);
    let longest = seal(&mut store);
    println!("longest step of upkeep, one channel: {:.2} ms", longest as f64 / 1e6);
    for (name, from, most) in [("hot", 500_000, 300), ("hot", 990_000, 300), ("room:00000007:messages", 10, 80)] {
        let (start, rounds) = (Instant::now(), 200);
        for round in 0..rounds {
            let page = reader.after(name, from - round % 10, most, usize::MAX).expect("read").expect("a page");
            assert_eq!(page.publications.len(), most);
        }
        println!("{most} of {name} after {from}: {:.3} ms", start.elapsed().as_secs_f64() * 1e3 / rounds as f64);
    }
    drop(store);
    let scratch = Scratch::new("channels");
    let before = resident();
    let mut store = scratch.open(Options::default());
    let many = channels(&mut store, 1_000_000);
    let added = resident() - before;
    println!("a million channels: {} bytes resident for each, {:?}", (added - 4_000_000) / 1_000_000, store.stats());
    fill(&mut store, &many, 0, 1_000_000 - 64, 64);
    let longest = seal(&mut store);
    println!("published to once: {:?}; longest step {:.2} ms", store.stats(), longest as f64 / 1e6);
    drop(store);
    for verify_bytes in [u64::MAX, 0] {
        let start = cpu();
        let store = scratch.open(Options { verify_bytes, ..Options::default() });
        let used = (cpu() - start) as f64 / 1e6;
        println!(
            "recovery of a million channels, verifying {verify_bytes}: {used:.0} ms CPU, {}",
            store.stats().channels
        );
    }
}
