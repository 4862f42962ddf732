//! Runs a target on its corpus and on inputs made from seeds, and counts what became of them.

use super::targets::Target;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::path::Path;

/// No input is longer.
const LONGEST: usize = 4096;

/// Says how to run a case again when it fails, wherever in it that happens.
struct Named<'a> {
    target: &'a str,
    from: String,
    input: &'a [u8],
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing case of {}: {}\ninput: {}", self.target, self.from, self.input.escape_ascii());
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// The stored inputs of a target by file name, in order.
fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target.name);
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("an entry of the corpus");
        (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).expect("a stored input"))
    };
    let mut inputs: Vec<_> = std::fs::read_dir(&folder).expect("a corpus").map(read).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} holds no inputs", folder.display());
    inputs
}

/// Runs the corpus and `cases` seeds, and checks that every outcome of the target was met.
pub(super) fn run(target: &Target, cases: u64) {
    let stored = corpus(target);
    let mut counts: BTreeMap<&str, u64> = target.outcomes.iter().map(|outcome| (*outcome, 0)).collect();
    let mut run = |from: String, input: &[u8]| {
        let _named = Named { target: target.name, from, input };
        *counts.get_mut((target.check)(input)).expect("an outcome that the target lists") += 1;
    };
    if let Some(seed) = number("TIDINGS_PROPERTY_SEED") {
        return run(format!("TIDINGS_PROPERTY_SEED={seed}"), &make(seed, &stored, target.words));
    }
    for (file, input) in &stored {
        run(format!("tests/fuzz/corpus/{}/{file}", target.name), input);
    }
    let cases = number("TIDINGS_PROPERTY_CASES").unwrap_or(cases);
    for seed in 0..cases {
        run(format!("TIDINGS_PROPERTY_SEED={seed}"), &make(seed, &stored, target.words));
    }
    println!("{} stored inputs of {} and {cases} from seeds:", stored.len(), target.name);
    for (outcome, count) in &counts {
        println!("{count:8}  {outcome}");
    }
    let unmet: Vec<_> = counts.iter().filter(|(_, count)| **count == 0).map(|(outcome, _)| outcome).collect();
    assert!(unmet.is_empty(), "outcomes that no input leads to: {unmet:?}");
}

/// The input of one seed: noise, or a stored one that was changed in a few places.
fn make(seed: u64, stored: &[(String, Vec<u8>)], words: &[&str]) -> Vec<u8> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut input = Vec::new();
    if rng.random_ratio(1, 20) {
        input.resize(rng.random_range(0..200), 0);
        rng.fill_bytes(&mut input);
        return input;
    }
    input.extend_from_slice(&stored[rng.random_range(0..stored.len())].1);
    for _ in 0..rng.random_range(0..6) {
        mutate(&mut input, stored, words, &mut rng);
    }
    input.truncate(LONGEST);
    input
}

fn mutate(input: &mut Vec<u8>, stored: &[(String, Vec<u8>)], words: &[&str], rng: &mut SmallRng) {
    let at = rng.random_range(0..=input.len());
    let end = (at + rng.random_range(0..20)).min(input.len());
    match rng.random_range(0..8) {
        0 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8),
        1 if at < input.len() => input[at] = rng.random(),
        2 => drop(input.drain(at..end)),
        3 => {
            let again = input[at..end].to_vec();
            drop(input.splice(at..at, again));
        }
        4 | 5 => {
            let word = words[rng.random_range(0..words.len())];
            drop(input.splice(at..at, latin(word)));
        }
        6 => {
            let other = &stored[rng.random_range(0..stored.len())].1;
            let from = rng.random_range(0..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => input.insert(at, rng.random()),
    }
}

/// A word as bytes: characters below U+0100 stand for the byte of their number, others for their UTF-8.
fn latin(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for c in word.chars() {
        match u8::try_from(c) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    bytes
}
