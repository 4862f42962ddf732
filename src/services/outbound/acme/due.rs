//! When a certificate is renewed, and when an order that failed is tried again. Time is an argument.

use super::failure::Blame;
use crate::services::outbound::backoff;
use crate::tls::Validity;
use std::time::Duration;

/// Nothing is ordered again before this is over, whatever is asked for: what it cost the authority is to last.
pub(super) const BETWEEN_ORDERS: Duration = Duration::from_secs(60 * 60);
/// The first wait after a failure of the way to the authority, and the longest.
const WAY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60 * 60));
/// The same after the authority refused: Let's Encrypt lets a name fail five times an hour.
const REFUSAL: (Duration, Duration) = (Duration::from_secs(3 * 60), Duration::from_secs(6 * 60 * 60));
/// The longest that an authority can ask for.
const ASKED_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The second in which a certificate is to be renewed: so long before its end, or when two thirds of its time are over where
/// that is zero. A bit earlier as `draw`, from 0 to 1, says, so that servers do not come together that began together.
pub(super) fn renewal(validity: Validity, before: Duration, draw: f64) -> i64 {
    let life = (validity.until - validity.from).max(0);
    let at = if before.is_zero() {
        validity.from + life / 3 * 2
    } else {
        validity.until.saturating_sub(i64::try_from(before.as_secs()).unwrap_or(i64::MAX))
    };
    at - (life as f64 / 50.0 * draw.clamp(0.0, 1.0)) as i64
}

/// How long the authority is left alone after this many failures, the last of which was to `blame`; at least as long as it `asked`
/// for.
pub(super) fn pause(blame: Blame, failures: u64, asked: Option<Duration>, draw: f64) -> Duration {
    let (least, most) = match blame {
        Blame::Way => WAY,
        Blame::Refusal => REFUSAL,
    };
    let own = backoff::wait(least, most, failures.saturating_sub(1), draw);
    own.max(asked.unwrap_or_default().min(ASKED_MAX))
}

#[cfg(test)]
mod tests {
    use super::{Blame, pause, renewal};
    use crate::tls::Validity;
    use std::time::Duration;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_certificate_is_renewed_when_two_thirds_of_its_time_are_over_or_as_is_said() {
        let ninety_days = Validity { from: 1000, until: 1000 + 90 * 86_400 };
        assert_eq!(renewal(ninety_days, s(0), 0.0), 1000 + 60 * 86_400);
        assert_eq!(renewal(ninety_days, s(0), 1.0), 1000 + 60 * 86_400 - 155_520);
        assert_eq!(renewal(ninety_days, s(86_400), 0.0), 1000 + 89 * 86_400);
        // One of an hour, and one that nobody can have meant.
        assert_eq!(renewal(Validity { from: 0, until: 3600 }, s(0), 0.5), 2400 - 36);
        assert_eq!(renewal(Validity { from: 10, until: 0 }, s(0), 1.0), 10);
        assert!(renewal(ninety_days, Duration::MAX, 0.0) < 0);
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_pauses() {
        let pauses =
            |blame, draw| (1..=12).map(|failures| pause(blame, failures, None, draw).as_secs()).collect::<Vec<_>>();
        assert_eq!(pauses(Blame::Way, 1.0), [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]);
        assert_eq!(pauses(Blame::Refusal, 1.0)[..9], [180, 360, 720, 1440, 2880, 5760, 11_520, 21_600, 21_600]);
        assert!(
            pauses(Blame::Way, 0.0)
                .iter()
                .zip(pauses(Blame::Way, 1.0))
                .all(|(shortest, longest)| shortest * 2 == longest)
        );
        // Five failures of a name within an hour are what Let's Encrypt allows.
        let hour: Vec<u64> =
            pauses(Blame::Refusal, 0.0).iter().scan(0, |at, own| Some(std::mem::replace(at, *at + own))).collect();
        assert!(hour.iter().filter(|at| **at < 3600).count() <= 6, "{hour:?}");
        assert_eq!(pause(Blame::Way, u64::MAX, None, 1.0), s(3600));
    }

    #[test]
    fn the_authority_may_ask_for_a_longer_pause_and_for_no_shorter_one() {
        assert_eq!(pause(Blame::Refusal, 1, Some(s(7200)), 1.0), s(7200));
        assert_eq!(pause(Blame::Refusal, 1, Some(s(1)), 1.0), s(180));
        assert_eq!(pause(Blame::Refusal, 1, Some(Duration::MAX), 1.0), s(86_400));
    }
}
