//! What each verb does, and how it ends.

mod compare;
mod doctor;
mod find;

use crate::cli::{Cli, OutputArgs, ReportArgs, RunArgs, Verb, prepare};
use crate::measure::environment;
use crate::outcome::{OLDEST, Outcome, SCHEMA};
use crate::report;
use crate::scenario::Kind;
use crate::session;
use crate::verdict::exit_code;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something failed.
const FAILED: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// A threshold was missed.
const THRESHOLD: u8 = 99;
/// Ctrl-C.
const INTERRUPTED: u8 = 130;

/// How a verb ended that did not go well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// It was right, and failed.
    Run(String),
}

/// Does what a command line says.
#[must_use]
pub fn execute(cli: Cli) -> ExitCode {
    environment::raise_descriptors();
    let done = match cli.verb {
        Verb::Echo(args) => run(Kind::Echo, &args),
        Verb::Fanout(args) => run(Kind::Fanout, &args),
        Verb::Storm(args) => run(Kind::Storm, &args),
        Verb::Idle(args) => run(Kind::Idle, &args),
        Verb::Churn(args) => run(Kind::Churn, &args),
        Verb::Slow(args) => run(Kind::Slow, &args),
        Verb::Reconnect(args) => run(Kind::Reconnect, &args),
        Verb::Mixed(args) => run(Kind::Mixed, &args),
        Verb::Soak(args) => run(Kind::Soak, &args),
        Verb::Hostile(args) => run(Kind::Hostile, &args),
        Verb::Find(args) => find::find(&args),
        Verb::Compare(args) => compare::compare(&args),
        Verb::Report(args) => render(&args),
        Verb::Doctor => doctor::doctor(),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(Failure::Usage(text)) => {
            eprintln!("tidings-loadgen: {text}");
            ExitCode::from(USAGE)
        }
        Err(Failure::Run(text)) => {
            eprintln!("tidings-loadgen: {text}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(kind: Kind, args: &RunArgs) -> Result<u8, Failure> {
    let prepared = prepare(kind, args).map_err(Failure::Usage)?;
    let interrupt = interrupt();
    let outcome = session::run(&prepared, args, &interrupt).map_err(Failure::Run)?;
    print!("{}", report::summary(&outcome, std::io::stdout().is_terminal()));
    write(&args.output, &outcome).map_err(Failure::Run)?;
    Ok(code(args, &outcome, &interrupt))
}

fn code(args: &RunArgs, outcome: &Outcome, interrupt: &AtomicBool) -> u8 {
    if interrupt.load(Ordering::Relaxed) {
        return INTERRUPTED;
    }
    if outcome.thresholds.iter().any(|threshold| !threshold.passed) {
        return THRESHOLD;
    }
    match exit_code(&outcome.verdicts, args.force) {
        // Nothing can be insisted on where there was nothing.
        0 if !outcome.unopened.is_empty() => FAILED,
        code => code,
    }
}

/// Becomes true at the first Ctrl-C; the second one ends the program.
pub(crate) fn interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Where signals cannot be had, Ctrl-C ends the program at once.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), Arc::clone(&flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
}

/// Writes a result to where it was asked for.
pub(crate) fn write(output: &OutputArgs, outcome: &Outcome) -> Result<(), String> {
    let json = || serde_json::to_string_pretty(outcome).expect("results are JSON") + "\n";
    let files: [(&Option<_>, &dyn Fn() -> String); 4] = [
        (&output.json, &json),
        (&output.csv, &|| report::csv(outcome)),
        (&output.hdr, &|| report::hdr_log(outcome)),
        (&output.html, &|| report::html(&[outcome])),
    ];
    for (path, text) in files {
        if let Some(path) = path {
            save(path, &text())?;
        }
    }
    Ok(())
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads a result that a run has written.
pub(crate) fn read(path: &Path) -> Result<Outcome, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let outcome: Outcome =
        serde_json::from_str(&text).map_err(|error| format!("{}: no result of a run: {error}", path.display()))?;
    match outcome.schema {
        OLDEST..=SCHEMA => Ok(outcome),
        other => Err(format!("{}: schema {other}, and this program reads {OLDEST} to {SCHEMA}", path.display())),
    }
}

fn render(args: &ReportArgs) -> Result<u8, Failure> {
    let outcomes: Vec<Outcome> =
        args.results.iter().map(|path| read(path)).collect::<Result<_, _>>().map_err(Failure::Run)?;
    let page = report::html(&outcomes.iter().collect::<Vec<&Outcome>>());
    match &args.html {
        Some(path) => save(path, &page).map_err(Failure::Run)?,
        None => print!("{page}"),
    }
    Ok(0)
}
