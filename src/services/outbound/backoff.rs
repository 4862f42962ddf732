//! How long another server is left alone after failures.

use std::time::Duration;

/// The wait after a failure that came after `before` others in a row: between half of and all of what doubles with each from `least`
/// to `most`, as `draw`, from 0 to 1, says, so that many servers do not come back to a weak one together.
pub(super) fn wait(least: Duration, most: Duration, before: u64, draw: f64) -> Duration {
    // The shift is bounded, since it would overflow at 32.
    let ceiling = least.saturating_mul(1 << before.min(16)).min(most);
    ceiling.mul_f64(0.5 + draw.clamp(0.0, 1.0) / 2.0)
}
