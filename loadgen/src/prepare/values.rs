//! The values of options, read.

use crate::cli::RunArgs;
use crate::grammar::{self, BadText};
use crate::plan::{Flow, Payloads, Ramp, Slow};

/// An option's value, or its name and what is wrong with it.
pub(crate) fn option<T>(name: &str, value: Result<T, BadText>) -> Result<T, String> {
    value.map_err(|error| format!("{name}:\n{error}"))
}

/// What the messages of a run consist of.
pub(super) fn payloads(args: &RunArgs, default: &str) -> Result<Payloads, String> {
    let mut templates = args.template.clone();
    for path in &args.payload_file {
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("--payload-file: {}: {error}", path.display()))?;
        templates.push(text.trim_end().to_owned());
    }
    if templates.is_empty() {
        return option("--size", grammar::sizes(args.size.as_deref().unwrap_or(default))).map(Payloads::Sizes);
    }
    Ok(Payloads::Templates(templates))
}

/// When messages leave.
pub(super) fn flow(args: &RunArgs) -> Result<Flow, String> {
    if args.closed {
        return if args.depth > 0 {
            Ok(Flow::Closed { depth: args.depth })
        } else {
            Err("--depth: at least 1".to_owned())
        };
    }
    option("--rate", grammar::ramp(args.rate.as_deref().unwrap_or("100"))).map(Flow::Open)
}

/// How many connections, and when each is opened.
pub(super) fn connections(args: &RunArgs) -> Result<(u64, Option<Ramp>), String> {
    if let Some(text) = &args.ramp {
        let ramp = option("--ramp", grammar::ramp(text))?;
        return ramp.slope_of().map(|opening| (ramp.last() as u64, Some(opening))).ok_or_else(|| {
            "--ramp: connections are only opened by it, so it may not go down; from:to/over, such as 0:10k/30s"
                .to_owned()
        });
    }
    let opening = args.connect_rate.as_deref().map(|text| option("--connect-rate", grammar::ramp(text))).transpose()?;
    Ok((option("--connections", grammar::count(&args.connections))?, opening))
}

/// The slow readers of a run.
pub(super) fn slow(args: &RunArgs) -> Result<Slow, String> {
    let share = option("--slow", grammar::share(&args.slow))?;
    Ok(Slow { share: share.min(1.0), bytes_per_second: option("--read-rate", grammar::size(&args.read_rate))? as u64 })
}
