//! `tidings health`: whether a server takes new clients, as an exit code for container engines and scripts.

use super::args::HealthArgs;
use super::{Outcome, WAIT, explained};
use std::io::{self, Write as _};
use std::process::ExitCode;
use tidings::client::{Endpoint, health};

/// Asks, and prints what the server says of itself.
pub(crate) fn run(args: &HealthArgs, server: &Endpoint) -> Outcome {
    let path = if args.live { "/livez" } else { "/readyz" };
    let said = health(server, path, WAIT).map_err(|error| explained(&error))?;
    writeln!(io::stdout(), "{}", said.trim())?;
    Ok(ExitCode::SUCCESS)
}
