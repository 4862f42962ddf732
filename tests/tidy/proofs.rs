//! RELIABILITY.md: each of its rows is there, says how far it is proved, and names what exists. And `tests/faults` and
//! `tests/cluster`: they run each test that says so, by the name that it says, and no test that is not there.

use super::sources::{none, root, sources};
use std::collections::BTreeSet;
use std::fs;

/// The faults of the list.
const ROWS: usize = 38;
/// The commands that run tests by names, as files below `tests/`.
const COMMANDS: [&str; 2] = ["faults", "cluster"];
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
    for command in COMMANDS {
        if let Some(name) =
            piece.strip_prefix(command).and_then(|rest| rest.strip_prefix(' ')).filter(|name| *name != "NAME")
        {
            return named(command).iter().all(|(own, _)| own != name).then(|| piece.to_owned());
        }
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

/// Each test that a command runs, after the name by which it does.
fn named(command: &str) -> BTreeSet<(String, String)> {
    let script = read(&format!("tests/{command}"));
    let table = script.split("\ndeclare -A TESTS=(\n").nth(1).expect("the table of tests");
    let table = table.split("\n)\n").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    // What runs something else than tests has a function.
    let functions = script.split("\nrun_").skip(1).filter_map(|rest| rest.split_once("() {"));
    found.extend(functions.map(|(name, _)| (name.to_owned(), String::new())));
    for row in table.split("\n  [").map(|row| row.trim_start_matches("  [")) {
        let (name, tests) = row.split_once("]=").expect("a name and its tests");
        found.extend(tests.replace('"', " ").split_whitespace().map(|test| (name.to_owned(), test.to_owned())));
    }
    found
}

/// Each test that is not run by itself, by the path that the test binary has for it, and by what it is run.
fn ignored() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for source in sources(&["tests"]) {
        let module = source.path.trim_start_matches("tests/").trim_end_matches(".rs").replace('/', "::");
        for piece in source.text.split("\n#[ignore = \"run by ").skip(1) {
            let (by, rest) = piece.split_once("\"]").expect("the end of the attribute");
            let name = rest.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')).expect("a function").0;
            found.push((format!("{module}::{name}"), by.to_owned()));
        }
    }
    found
}

#[test]
fn every_test_that_says_so_is_run_by_its_command() {
    let ignored = ignored();
    assert!(ignored.len() > 30, "they were not found: {ignored:?}");
    let mut violations = Vec::new();
    for command in COMMANDS {
        let run = named(command);
        assert!(run.len() > 8, "they were not found: {run:?}");
        let of_command = |by: &str| by.strip_prefix(&format!("tests/{command} ")).map(str::to_owned);
        let not_run = ignored
            .iter()
            .filter_map(|(path, by)| of_command(by).map(|name| (name, path.clone())).filter(|own| !run.contains(own)));
        violations.extend(not_run.map(|(name, path)| format!("tests/{command} {name} does not run {path}")));
        let is_there = |path: &str| path.is_empty() || ignored.iter().any(|(own, _)| own == path);
        let missing = run.iter().filter(|(_, path)| !is_there(path));
        violations.extend(missing.map(|(name, path)| format!("tests/{command} {name}: no test {path}")));
    }
    none(&violations);
}
