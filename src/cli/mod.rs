//! The command line: what each command does, and how its outcome becomes an exit code.

mod again;
mod args;
mod config;
mod demo;
mod engine;
mod health;
mod key;
mod kick;
mod knobs;
mod manual;
mod notify;
mod operate;
mod passed;
mod publish;
mod reload;
mod serve;
mod server;
mod settings;
mod store;
mod subscribe;
mod takeover;
mod who;

use args::{Arguments, Command};
use clap::Parser as _;
use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

/// The outcome of a command: an exit code, or a sentence for standard error.
type Outcome = Result<ExitCode, Box<dyn Error>>;

/// Connections were left when a drain ended (`EX_TEMPFAIL` of sysexits.h).
const LEFT: u8 = 75;
/// The configuration is wrong (`EX_CONFIG`).
const CONFIG: u8 = 78;

/// A configuration with which there is no server: what is wrong with it.
#[derive(Debug)]
struct Misconfigured(String);

impl Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Misconfigured {}

/// How long a command waits for a server to connect or to answer.
const WAIT: Duration = Duration::from_secs(10);

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command.unwrap_or(Command::Serve(arguments.serve)) {
        Command::Serve(args) => serve::run(&args),
        Command::Config(command) => config::run(&command),
        Command::Publish(args) => publish::run(&args),
        Command::Subscribe(args) => subscribe::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Who { what, server } => server.for_operators().map_err(Into::into).and_then(|at| who::run(&what, at)),
        Command::Kick { what, server } => {
            server.for_operators().map_err(Into::into).and_then(|at| kick::run(&what, at))
        }
        Command::Reload { what, server } => {
            server.for_operators().map_err(Into::into).and_then(|at| reload::run(&what, at))
        }
        Command::Key(command) => key::run(&command),
        Command::Store(command) => store::run(&command),
        Command::Health { what, server } => {
            server.without_credentials().map_err(Into::into).and_then(|at| health::run(&what, &at))
        }
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::pages(&args),
    };
    outcome.unwrap_or_else(|error| failed(error.as_ref()))
}

/// Reports what went wrong. A reader of standard output that went away (`| head`) is no failure.
fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    let broken_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<io::Error>().is_some_and(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    note(&format!("tidings: {error}"));
    code_of(error)
}

/// The exit code for an error.
fn code_of(error: &(dyn Error + 'static)) -> ExitCode {
    if error.is::<Misconfigured>() { ExitCode::from(CONFIG) } else { ExitCode::FAILURE }
}

/// A line on standard error. Where that fails, there is nowhere to report it.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A sentence for an error to connect, with what to do about it.
fn explained(error: &tidings::client::ClientError) -> String {
    match error {
        tidings::client::ClientError::Unreachable { .. } => {
            format!("{error}\nIs the server running? Start one with `tidings`, or name another with --url.")
        }
        tidings::client::ClientError::Refused { status: 401 | 403, .. } => {
            format!(
                "{error}\nSign in with a token or a key: --token-file FILE, TIDINGS_TOKEN or --key-file FILE; operators with \
                 --operator-key-file FILE."
            )
        }
        tidings::client::ClientError::Untrusted { .. } => {
            format!("{error}\nName the certificates to trust with --ca FILE.")
        }
        tidings::client::ClientError::NoTls { .. } => {
            format!("{error}\nWithout TLS its address begins with ws:// or http://.")
        }
        _ => error.to_string(),
    }
}
