//! Results that runs have written, read again.

use crate::outcome::{OLDEST, Outcome, SCHEMA};
use std::path::Path;

/// Reads a result that a run has written.
pub(super) fn read(path: &Path) -> Result<Outcome, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let outcome: Outcome =
        serde_json::from_str(&text).map_err(|error| format!("{}: no result of a run: {error}", path.display()))?;
    match outcome.schema {
        OLDEST..=SCHEMA => Ok(outcome),
        other => Err(format!("{}: schema {other}, and this program reads {OLDEST} to {SCHEMA}", path.display())),
    }
}
