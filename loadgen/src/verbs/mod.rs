//! What each verb does, and how it ends.

mod compare;
mod doctor;
mod ending;
mod find;
mod input;
mod output;
mod search;

use self::ending::{FAILED, Failure, INTERRUPTED, THRESHOLD, USAGE, interrupt};
use self::input::read;
use self::output::{Files, Voice, complain, save};
use crate::cli::{Cli, ReportArgs, RunArgs, Verb};
use crate::measure::environment;
use crate::outcome::Outcome;
use crate::prepare::prepare;
use crate::report;
use crate::scenario::Kind;
use crate::session;
use crate::verdict::exit_code;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Does what a command line says.
#[must_use]
pub fn execute(cli: Cli) -> ExitCode {
    environment::raise_descriptors();
    let mut voice = Voice::default();
    let done = match cli.verb {
        Verb::Echo(args) => run(Kind::Echo, &args, &mut voice),
        Verb::Fanout(args) => run(Kind::Fanout, &args, &mut voice),
        Verb::Storm(args) => run(Kind::Storm, &args, &mut voice),
        Verb::Idle(args) => run(Kind::Idle, &args, &mut voice),
        Verb::Churn(args) => run(Kind::Churn, &args, &mut voice),
        Verb::Slow(args) => run(Kind::Slow, &args, &mut voice),
        Verb::Reconnect(args) => run(Kind::Reconnect, &args, &mut voice),
        Verb::Mixed(args) => run(Kind::Mixed, &args, &mut voice),
        Verb::Soak(args) => run(Kind::Soak, &args, &mut voice),
        Verb::Hostile(args) => run(Kind::Hostile, &args, &mut voice),
        Verb::Auth(args) => run(Kind::Auth, &args, &mut voice),
        Verb::Find(args) => find::find(&args, &mut voice),
        Verb::Compare(args) => compare::compare(&args, &mut voice),
        Verb::Report(args) => render(&args, &mut voice),
        Verb::Doctor => doctor::doctor(&mut voice),
    };
    let (mut code, complaint) = match done {
        Ok(code) => (code, None),
        Err(Failure::Usage(text)) => (USAGE, Some(text)),
        Err(Failure::Run(text)) => (FAILED, Some(text)),
    };
    for text in complaint.into_iter().chain(voice.complaint()) {
        complain(&text);
        // What was asked for was not said.
        code = if code == 0 { FAILED } else { code };
    }
    ExitCode::from(code)
}

fn run(kind: Kind, args: &RunArgs, voice: &mut Voice) -> Result<u8, Failure> {
    let prepared = prepare(kind, args).map_err(Failure::Usage)?;
    let files = Files::open(&args.output).map_err(Failure::Run)?;
    let interrupt = interrupt();
    let outcome = session::run(&prepared, args, &interrupt).map_err(Failure::Run)?;
    let written = files.write(&outcome);
    voice.say(&report::summary(&outcome, std::io::stdout().is_terminal()));
    written.map_err(Failure::Run)?;
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

fn render(args: &ReportArgs, voice: &mut Voice) -> Result<u8, Failure> {
    let outcomes: Vec<Outcome> =
        args.results.iter().map(|path| read(path)).collect::<Result<_, _>>().map_err(Failure::Run)?;
    let page = report::html(&outcomes.iter().collect::<Vec<&Outcome>>());
    match &args.html {
        Some(path) => save(path, &page).map_err(Failure::Run)?,
        None => voice.say(&page),
    }
    Ok(0)
}
