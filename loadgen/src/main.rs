//! The command `tidings-loadgen`: arguments in, exit code out.

use clap::Parser;
use std::process::ExitCode;
use tidings_loadgen::cli::Cli;
use tidings_loadgen::fleet::{CHILD_ARGUMENT, serve};
use tidings_loadgen::verbs;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD_ARGUMENT) {
        return match serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tidings-loadgen: {error}");
                ExitCode::FAILURE
            }
        };
    }
    verbs::execute(Cli::parse())
}
