//! `tidings reload`: has a running server read its configuration again, and says what came of it.

use super::operate::Operator;
use super::{CONFIG, Outcome, note};
use clap::Args;
use serde_json::value::RawValue;
use std::io::{self, Write as _};
use std::process::ExitCode;
use tidings::client::{ClientError, Endpoint, Members};

/// What the server answers.
const NAMES: [&str; 4] = ["changed", "needs_restart", "opened", "closed"];

/// Arguments of `tidings reload`.
#[derive(Debug, Args)]
pub(crate) struct ReloadArgs {
    /// Print the answer as one JSON object, as the server gives it
    #[arg(long)]
    json: bool,
}

/// Asks the server, and prints what changed.
pub(crate) fn run(args: &ReloadArgs, server: Endpoint) -> Outcome {
    let answer = match Operator::new(server).try_ask("POST", "/admin/reload", None) {
        Ok(answer) => answer,
        // Of all refusals only that of a configuration has this status.
        Err(ClientError::Refused { status: 422, message }) => {
            note(&format!("tidings: the configuration was refused, and nothing changed:\n{message}"));
            return Ok(ExitCode::from(CONFIG));
        }
        Err(error) => return Err(super::explained(&error).into()),
    };
    let mut out = io::stdout().lock();
    if args.json {
        let members = NAMES.map(|name| format!("\"{name}\":{}", answer.raw(name).unwrap_or("[]")));
        writeln!(out, "{{{}}}", members.join(","))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut is_same = true;
    for (name, title) in [("changed", "changed"), ("opened", "listens on"), ("closed", "listens no longer on")] {
        for text in texts(&answer, name)? {
            is_same = false;
            writeln!(out, "{title} {text}")?;
        }
    }
    if is_same {
        writeln!(out, "the configuration was read again; no setting changed")?;
    }
    for name in texts(&answer, "needs_restart")? {
        writeln!(out, "needs a restart: {name}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn texts(answer: &Members, name: &str) -> Result<Vec<String>, serde_json::Error> {
    let list: Vec<Box<RawValue>> = serde_json::from_str(answer.raw(name).unwrap_or("[]"))?;
    list.iter().map(|text| serde_json::from_str(text.get())).collect()
}
