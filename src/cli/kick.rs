//! `tidings kick`: ends connections, and with `--revoke` also refuses what they came with from now on.

use super::Outcome;
use super::operate::{Operator, WhomArgs, shown};
use clap::Args;
use serde_json::{Map, Value};
use std::io::{self, Write as _};
use std::process::ExitCode;
use tidings::client::Endpoint;

/// Arguments of `tidings kick`.
#[derive(Debug, Args)]
pub(crate) struct KickArgs {
    /// The user whose connections end
    user: Option<String>,
    #[command(flatten)]
    whom: WhomArgs,
    /// What their clients are told, at most 100 bytes
    #[arg(long, value_name = "TEXT", conflicts_with = "revoke")]
    reason: Option<String>,
    /// Also refuse the tokens of the user that were made up to now, the token, or the key, from now on
    #[arg(long)]
    revoke: bool,
    /// When what is revoked would hold no more anyway, in seconds since 1970 (exp in tokens); the revocation is kept until then
    #[arg(long, value_name = "SECONDS", requires = "revoke")]
    until: Option<u64>,
}

/// Asks the server, and prints how many there were.
pub(crate) fn run(args: &KickArgs, server: Endpoint) -> Outcome {
    let given: Vec<(&str, &str)> = args.whom.given(args.user.as_deref()).collect();
    if given.is_empty() {
        return Err("say whose connections end: a user, --connection, --key, --token-id or --address".into());
    }
    let whose = given.iter().map(|(name, value)| format!("{name} {}", shown(value))).collect::<Vec<_>>().join(", ");
    let mut body: Map<String, Value> = given.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    body.extend(args.reason.as_deref().map(|reason| ("reason".to_owned(), reason.into())));
    body.extend(args.until.map(|until| ("until".to_owned(), until.into())));
    let path = if args.revoke { "/admin/revoke" } else { "/admin/disconnect" };
    let answer = Operator::new(server).ask("POST", path, Some(&Value::Object(body).to_string()))?;
    let count = answer.number("disconnected").unwrap_or_default();
    let plural = if count == 1 { "" } else { "s" };
    let mut out = io::stdout();
    if args.revoke {
        let end = match answer.number("until") {
            Some(until) => format!("until {until}"),
            None => "for as long as the server runs".to_owned(),
        };
        writeln!(out, "revoked {whose}, {end}")?;
    }
    writeln!(out, "disconnected {count} connection{plural} of {whose}")?;
    let complete = answer.raw("missing").is_none();
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
