//! RELIABILITY.md: each of its rows is there, says how far it is proved, and names what exists.

use super::sources::{none, root};
use std::fs;

/// The faults of the list.
const ROWS: usize = 38;
/// How far a row may be proved.
const STATES: [&str; 4] = ["**proved**", "**in part**", "**not yet**", "**not built**"];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// What stands between two backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What a piece of the page names that does not exist.
fn missing(piece: &str, suites: &str, steps: &str) -> Option<String> {
    let is_suite = |word: &str| word.split("::").next().is_some_and(|suite| suites.contains(&format!("mod {suite};")));
    if let Some(names) = piece.split("--test all ").nth(1) {
        let names = names.split_whitespace().filter(|word| word.contains("::"));
        return names.filter(|name| !is_suite(name)).map(str::to_owned).next();
    }
    if let Some(step) = piece.strip_prefix("tests/run ") {
        return (!steps.contains(&format!("\nrun_{step}() {{"))).then(|| piece.to_owned());
    }
    let is_path = piece.starts_with("tests/") || piece.starts_with("benches/");
    let path = piece.split(' ').next().unwrap_or_default();
    (is_path && !root().join(path).exists()).then(|| piece.to_owned())
}

#[test]
fn every_fault_says_how_far_it_is_proved_and_by_what() {
    let (page, suites) = (read("RELIABILITY.md"), read("tests/all.rs"));
    let steps = ["own", "others", "apart"].map(|part| read(&format!("tests/steps/{part}.sh"))).concat();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && line.contains(" | **")).collect();
    let mut violations = Vec::new();
    let mut numbers = Vec::new();
    for row in &rows {
        let number = row[2..].split(' ').next().unwrap_or_default();
        // One row may be for several.
        let (first, last) = number.split_once('–').unwrap_or((number, number));
        numbers.extend(first.parse::<usize>().unwrap_or(0)..=last.parse::<usize>().unwrap_or(0));
        if !STATES.iter().any(|state| row.contains(state)) {
            violations.push(format!("row {number} does not say how far it is proved"));
        }
        violations.extend(
            quoted(row)
                .filter_map(|piece| missing(piece, &suites, &steps))
                .map(|piece| format!("row {number}: {piece}")),
        );
    }
    assert_eq!(numbers, (1..=ROWS).collect::<Vec<_>>());
    none(&violations);
}
