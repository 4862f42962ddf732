//! `tidings store`: looks at the log of the engine "disk".

use super::args::SettingsArgs;
use super::settings::{gather, with_flags};
use super::{Misconfigured, Outcome, note};
use clap::Subcommand;
use std::io::{self, Write as _};
use std::process::ExitCode;
use tidings::server::check_store;

/// What `tidings store` does.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read every record, and say what each file has and where it is damaged; exits with 1 if it is. Nothing is changed, and a
    /// server may be running
    Check(SettingsArgs),
}

/// Runs the command.
pub(crate) fn run(command: &StoreCommand) -> Outcome {
    let StoreCommand::Check(args) = command;
    let settings = gather(args).map_err(Misconfigured)?;
    settings.check().map_err(|error| Misconfigured(with_flags(&error)))?;
    let report = check_store(settings.config())?;
    let mut out = io::stdout().lock();
    let mut damaged = 0;
    for file in &report.files {
        writeln!(out, "{}: {} bytes, {} records, {} publications", file.name, file.bytes, file.records, file.publications)?;
        for damage in &file.damage {
            damaged += 1;
            writeln!(out, "  damaged: {damage}")?;
        }
        if file.torn_bytes > 0 {
            writeln!(out, "  its last write has not ended: {} bytes, acknowledged to nobody", file.torn_bytes)?;
        }
    }
    if damaged > 0 {
        note(&format!("tidings: damaged in {damaged} places; tidings serve --accept-loss opens it without them"));
        return Ok(ExitCode::FAILURE);
    }
    writeln!(out, "nothing is damaged")?;
    Ok(ExitCode::SUCCESS)
}
