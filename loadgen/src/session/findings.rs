//! The findings of a result: the numbers that thresholds may name, and whether the thresholds hold.

use super::draft::Draft;
use crate::grammar::{Metric, Stat, Threshold};
use crate::message::{Counts, Distribution, Series};
use crate::outcome::{Outcome, ThresholdResult, Totals, Window, WindowServer};
use crate::plan::{Flow, Group, Task};
use crate::scenario::Kind;
use crate::stats::slope;
use std::collections::BTreeMap;

/// The share of the connections that must be back for a server to have recovered.
const BACK: f64 = 0.99;
/// Of fewer seconds no growth per hour is given: a page of memory more in six seconds would be megabytes.
pub(super) const SLOPE_SECONDS: f64 = 300.0;

impl Draft<'_> {
    /// Numbers by name. What was not measured has none: a threshold for it does not hold.
    pub(super) fn scalars(&self, outcome: &Outcome, counted: &Counts) -> BTreeMap<String, f64> {
        let totals = &outcome.totals;
        let seconds = outcome.measured_seconds.max(1e-9);
        let mut scalars = counts(totals);
        let mut add = |name: &'static str, value: Option<f64>| scalars.extend(value.map(|value| (name, value)));
        let is_open = totals.opened > 0;
        add("connections", is_open.then_some(self.watch.most_connections as f64));
        let drops = outcome.kernel.listen_drops + outcome.kernel.listen_overflows;
        add("listen_drops", is_open.then_some(drops as f64));
        let gaps = self.collected.ledger.gaps;
        add("gaps", (self.collected.ledger.resumed > 0).then_some(gaps as f64));
        let work = self.work(counted) as f64;
        let was_due = if self.prepared.kind == Kind::Storm { is_open } else { totals.expected > 0 };
        add("throughput", was_due.then_some(work / seconds));
        add("rate", self.achieved(counted));
        let server = outcome.server.as_ref();
        add("cpu_us_per_msg", server.and_then(|server| server.cpu_us_per_msg));
        add("server_busy", server.map(|server| server.busiest()));
        add("bytes_per_connection", server.and_then(|server| server.bytes_per_connection));
        if self.prepared.kind == Kind::Reconnect {
            add("recovered_in", self.recovered_in());
        }
        if self.prepared.kind == Kind::Soak {
            growth(outcome).into_iter().for_each(|(name, slope)| add(name, slope));
        }
        scalars.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What was answered while it measured, or delivered, of what the schedule meant to; nothing in closed flows. What comes
    /// after the end, later and later, was not answered in time.
    fn achieved(&self, counted: &Counts) -> Option<f64> {
        let plan = self.plan_of();
        let (mut asked, mut answers) = (0.0, 0.0);
        for group in &plan.groups {
            if let Some(Flow::Closed { .. }) = group.flow() {
                return None;
            }
            let due = self.due(group).floor();
            asked += due;
            answers += due * if matches!(group.task, Task::Echo { .. }) { 1.0 } else { self.healthy_receivers() };
        }
        if asked < 1.0 || self.is_short() || plan.count.is_some() || !self.collected.unopened.is_empty() {
            return None;
        }
        // Where receivers come and go, what each of them should have is not known; what was sent is.
        if plan.groups.iter().any(|group| matches!(group.task, Task::Subscribe) && group.comes_and_goes()) {
            let sent = self.collected.distributions.get(&Series::Lag).map_or(0, Distribution::count);
            // A schedule's first message is at its begin, so there may be one more than the rate says.
            return Some((sent as f64 / asked).min(1.0));
        }
        (answers >= 1.0).then(|| (counted.answered as f64 / answers).min(1.0))
    }

    /// How many messages the schedule of a group meant to leave while it measured.
    fn due(&self, group: &Group) -> f64 {
        let plan = self.plan_of();
        match group.flow() {
            Some(Flow::Open(ramp)) => {
                let end = plan.warmup + plan.duration;
                let since = |time: std::time::Duration| ramp.cumulative(time.saturating_sub(group.start));
                since(end) - since(plan.warmup)
            }
            _ => 0.0,
        }
    }

    /// How many receivers a publication has that read what comes, on average over the channels.
    fn healthy_receivers(&self) -> f64 {
        let plan = self.plan_of();
        let slow: u64 =
            plan.groups.iter().map(Group::slow_readers).sum::<u64>() * u64::from(plan.naming.per_connection);
        plan.receivers_in_all().saturating_sub(slow) as f64 / f64::from(plan.naming.channels.max(1))
    }

    /// When 99 % of the connections were back.
    fn recovered_in(&self) -> Option<f64> {
        let recovery = self.collected.distributions.get(&Series::Recovery)?;
        let wanted = self
            .plan_of()
            .groups
            .iter()
            .filter(|group| group.outage.is_some())
            .map(|group| group.connections)
            .sum::<u64>();
        let share = BACK * wanted as f64 / recovery.count().max(1) as f64;
        (share <= 1.0).then(|| recovery.histogram().value_at_quantile(share) as f64 / 1e9)
    }
}

/// Accounts, where there was something to account for.
fn counts(totals: &Totals) -> BTreeMap<&'static str, f64> {
    let Totals { expected, received, opened, refused, .. } = *totals;
    let (due, came, open, tried) = (expected > 0, received > 0, opened > 0, opened + refused > 0);
    let all = [
        ("lost", totals.lost, due),
        ("unsent", totals.unsent, due),
        ("sent", totals.sent, due || totals.sent > 0),
        ("received", received, due),
        ("duplicated", totals.duplicated, came),
        ("reordered", totals.reordered, came),
        ("corrupted", totals.corrupted, came || totals.corrupted > 0),
        ("errors", totals.errors, tried),
        ("refused", refused, tried),
        ("dropped", totals.dropped, open),
        ("expired", totals.expired, open),
    ];
    let mut measured: BTreeMap<&'static str, f64> =
        all.into_iter().filter(|(_, _, is)| *is).map(|(name, count, _)| (name, count as f64)).collect();
    measured.extend(due.then(|| ("reach", received as f64 / expected as f64)));
    measured
}

/// What grows, per hour; nothing of a run that is too short to say so.
fn growth(outcome: &Outcome) -> [(&'static str, Option<f64>); 3] {
    let per_hour = |points: Vec<(f64, f64)>| {
        let long = outcome.measured_seconds >= SLOPE_SECONDS;
        long.then(|| slope(&points, 1)).flatten().map(|slope| 3600.0 * slope.per_unit.point)
    };
    let counted = || outcome.series.iter().filter(|window| window.at >= 0.0);
    let of_server = |value: fn(&WindowServer) -> f64| {
        counted().filter_map(|window| Some((window.at, value(window.server.as_ref()?)))).collect()
    };
    // A live process has some: none means that the process is another user's, whose descriptors cannot be read.
    let of_window = |window: &Window| {
        window
            .server
            .as_ref()
            .filter(|server| server.descriptors > 0)
            .map(|server| (window.at, server.descriptors as f64))
    };
    let descriptors = counted().filter_map(of_window).collect();
    let median = |window: &Window| Some((window.at, window.latencies.get(&outcome.primary)?.p50));
    [
        ("rss_slope", per_hour(of_server(|server| server.rss as f64))),
        ("fd_slope", per_hour(descriptors)),
        ("latency_slope", per_hour(counted().filter_map(median).collect())),
    ]
}

/// Whether a threshold holds.
pub(crate) fn result(threshold: &Threshold, outcome: &Outcome) -> ThresholdResult {
    let value = match &threshold.metric {
        Metric::Scalar(name) => outcome.scalars.get(*name).copied(),
        Metric::Latency(name, stat) => {
            let latency = outcome.latencies.get(name.unwrap_or(&outcome.primary));
            latency.and_then(|latency| match stat {
                Stat::Min => Some(latency.min),
                Stat::Mean => Some(latency.mean),
                Stat::Max => Some(latency.max),
                Stat::Stddev => Some(latency.stddev),
                Stat::Count => Some(latency.count as f64),
                Stat::Percentile(share) => latency.percentile(*share),
            })
        }
    };
    ThresholdResult { text: threshold.text.clone(), value, passed: value.is_some_and(|value| threshold.holds(value)) }
}

#[cfg(test)]
mod tests {
    use super::{SLOPE_SECONDS, counts, growth};
    use crate::outcome::Totals;
    use crate::report::example;

    #[test]
    fn growth_per_hour_is_told_of_minutes_and_not_of_seconds() {
        let mut outcome = example("soak", 3);
        outcome.measured_seconds = SLOPE_SECONDS - 0.5;
        assert!(growth(&outcome).iter().all(|(_, slope)| slope.is_none()));
        outcome.measured_seconds = SLOPE_SECONDS;
        let [(name, rss), ..] = growth(&outcome);
        // Four KiB more each second.
        assert!(name == "rss_slope" && (rss.expect("a slope") - 3600.0 * 4096.0).abs() < 1.0, "{rss:?}");
    }

    #[test]
    fn accounts_of_nothing_are_no_numbers() {
        assert!(counts(&Totals::default()).is_empty());
        let refused = counts(&Totals { refused: 3, errors: 3, ..Totals::default() });
        assert_eq!(refused.keys().copied().collect::<Vec<_>>(), ["errors", "refused"]);
        let silent = counts(&Totals { opened: 1, sent: 5, expected: 5, lost: 5, ..Totals::default() });
        assert_eq!((silent["lost"], silent["reach"], silent.get("corrupted")), (5.0, 0.0, None));
    }
}
