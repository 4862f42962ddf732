//! Whether the time of a check says how much of a secret was right: `cargo bench --bench timing [-- SAMPLES]`, by default 400,000.
//!
//! For each check two inputs with the same answer are timed in a random order and compared by Welch's t-test, as dudect does
//! (Reparaz, Balasch, Verbauwhede: "dude, is my code constant time?", DATE 2017): there |t| > 4.5 is a finding. It fails beyond 3
//! times that, |t| > 13.5, twice in a row, since what else runs on a machine makes large t by itself; what is between is printed
//! as a doubt, to be run again.
//!
//! A right secret is told from a wrong one by the answer, which needs no clock, so that both inputs are wrong, or both are
//! right. Each kind of check is timed once more with a comparison beside it that ends at the first difference: it fails as well
//! where the test does not find that leak. With `--leaky` the leaks are judged like everything else, so that it has to fail.

mod cases;
mod welch;

use cases::Case;
use std::process::ExitCode;
use welch::{FAILURE, FINDING, Finding};

/// Samples of each check.
const SAMPLES: usize = 400_000;
/// As many as show that it runs.
const FEW: usize = 2_000;

fn main() -> ExitCode {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let is_a_try = has("--test");
    let given = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let samples = given.unwrap_or(if is_a_try { FEW } else { SAMPLES });
    println!("{:<58} {:>9} {:>9} {:>7}", "check: one input, or the other", "one ns", "other ns", "|t|");
    let mut failed = false;
    for case in cases::all() {
        failed |= !judge(&case, samples, case.leaks && !has("--leaky"));
    }
    if failed && !is_a_try { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Times a case and prints what was found; whether it is as it should be.
fn judge(case: &Case, samples: usize, is_leak_expected: bool) -> bool {
    let mut found = Finding::of(case, samples, 1);
    if found.t > FAILURE && !is_leak_expected {
        // A leak is there the next time as well; what disturbed the machine seldom is.
        let again = Finding::of(case, samples, 2);
        found = if again.t < found.t { again } else { found };
    }
    let (verdict, is_right) = match (is_leak_expected, found.t) {
        (true, t) if t > FAILURE => ("a leak, as it should be", true),
        (true, _) => ("NOT FOUND, though there is a leak: too few samples?", false),
        (false, t) if t > FAILURE => ("A LEAK", false),
        (false, t) if t > FINDING => ("in doubt: run it again", true),
        (false, _) => ("no difference", true),
    };
    println!("{:<58} {:>9.1} {:>9.1} {:>7.2}  {verdict}", case.name, found.means[0], found.means[1], found.t);
    is_right
}
