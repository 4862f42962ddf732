//! One run with everything around it: the server watched, the result put together and judged.

mod assemble;
mod cost;
mod described;
mod draft;
mod findings;
mod judging;
mod live;
mod reach;
mod watch;

pub(crate) use self::findings::result as judge_threshold;
use self::watch::Watch;
use crate::cli::RunArgs;
use crate::fleet;
use crate::outcome::Outcome;
use crate::prepare::Prepared;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Runs, and says what came out.
///
/// # Errors
/// A text for people: the server's process is not there, a thread failed.
pub fn run(prepared: &Prepared, args: &RunArgs, interrupt: &Arc<AtomicBool>) -> Result<Outcome, String> {
    let prepared = &reach::choose(prepared, args)?;
    let mut watch = Watch::new(prepared, args)?;
    let (collected, _) =
        fleet::run(&prepared.plan, prepared.size, interrupt, &mut watch).map_err(|error| error.to_string())?;
    Ok(assemble::outcome(prepared, args, collected, watch))
}
