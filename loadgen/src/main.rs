//! The command `tidings-loadgen`: arguments in, exit code out.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use tidings_loadgen::cli::Cli;
use tidings_loadgen::fleet::{CHILD_ARGUMENT, serve};
use tidings_loadgen::verbs;

fn main() -> ExitCode {
    // Arguments may be any bytes: a file's name is.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == CHILD_ARGUMENT) {
        return match serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Nobody may be there to read it.
                let _ = writeln!(std::io::stderr(), "tidings-loadgen: {error}");
                ExitCode::FAILURE
            }
        };
    }
    verbs::execute(Cli::parse())
}
