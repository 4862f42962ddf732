//! The rules of the house, checked by reading the source: here sizes, docs and words; below it imports, registries and links.

mod circles;
mod dead;
mod links;
mod loadgen;
mod proofs;
mod registries;
mod rooms;
mod rules;
mod sources;

use sources::{Source, all_production, names, none, root, sources};
use std::fs;

/// Lines of a file without its tests, and lines of a function.
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Whoever waits is woken. A command that waits for its moment is another matter.
#[test]
fn nothing_waits_by_sleeping() {
    let mut violations = Vec::new();
    for source in all_production().iter().filter(|source| !source.path.starts_with("src/cli/")) {
        for (number, line) in source.code().into_iter().filter(|(_, line)| line.contains("thread::sleep")) {
            violations.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    none(&violations);
}

/// Features of `log` that cut levels off do so for the whole program of whoever uses this crate.
#[test]
fn the_library_leaves_the_log_levels_of_its_users_alone() {
    for manifest in ["Cargo.toml", "loadgen/Cargo.toml"] {
        let text = fs::read_to_string(root().join(manifest)).expect("a manifest");
        assert!(!text.contains("max_level_"), "{manifest} cuts levels off");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let without = |source: &Source| !source.text.starts_with("//! ");
    let files = sources(&["src", "tests", "benches", "loadgen"]);
    assert!(files.len() > 10, "the source was not found");
    none(&files.iter().filter(|source| without(source)).map(|source| source.path.clone()).collect::<Vec<_>>());
}

#[test]
fn files_stay_readable() {
    let too_long = |source: &Source| {
        let lines = source.lines().len();
        (lines > FILE_LINES).then(|| format!("{}: {lines} lines, at most {FILE_LINES}", source.path))
    };
    none(&all_production().iter().filter_map(too_long).collect::<Vec<_>>());
}

/// Whether a line begins a function.
fn is_function(line: &str) -> bool {
    names(line, "fn ") && !line.trim_start().starts_with("//") && !line.contains('"')
}

/// The lines of the function that begins on the first line; `None` when it has no body of its own lines.
fn body_length(lines: &[&str]) -> Option<usize> {
    let head = lines.iter().position(|line| line.ends_with(['{', ';', '}']))?;
    if !lines[head].ends_with('{') {
        return None;
    }
    // rustfmt closes a body at the indentation of its first line.
    let close = format!("{}}}", " ".repeat(lines[0].len() - lines[0].trim_start().len()));
    lines.iter().position(|line| *line == close).map(|end| end + 1)
}

#[test]
fn functions_stay_readable() {
    let mut violations = Vec::new();
    for source in all_production() {
        let lines = source.lines();
        for (start, _) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            let Some(length) = body_length(&lines[start..]) else { continue };
            if length > FUNCTION_LINES {
                violations.push(format!("{}:{}: {length} lines, at most {FUNCTION_LINES}", source.path, start + 1));
            }
        }
    }
    none(&violations);
}

#[test]
fn what_is_left_to_do_says_what_it_waits_for() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mut violations = Vec::new();
    for source in sources(&["src", "tests", "benches", "loadgen"]) {
        for (index, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| names(line, mark)) && !line.contains("waits for") {
                violations.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    none(&violations);
}
