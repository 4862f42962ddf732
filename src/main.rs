//! The command `tidings`: arguments → configuration → server → exit code, and the small client commands.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
