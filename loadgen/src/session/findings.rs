//! What a result comes to: the numbers that thresholds know, the verdict, and what became of the thresholds.

use super::assemble::Draft;
use crate::fleet::message::{Counts, Distribution, Series};
use crate::grammar::{Metric, Stat, Threshold};
use crate::outcome::{ClaimVerdict, Latency, Outcome, ThresholdResult, WindowServer};
use crate::plan::{Flow, Task};
use crate::scenario::Kind;
use crate::stats::slope;
use crate::verdict::{Facts, judge};
use std::collections::BTreeMap;

/// The share of the connections that must be back for a server to have recovered.
const BACK: f64 = 0.99;

impl Draft<'_> {
    pub(super) fn scalars(&self, outcome: &Outcome, counted: &Counts) -> BTreeMap<String, f64> {
        let totals = &outcome.totals;
        let seconds = outcome.measured_seconds.max(1e-9);
        let mut scalars: BTreeMap<&str, f64> = BTreeMap::from([
            ("lost", totals.lost as f64),
            ("duplicated", totals.duplicated as f64),
            ("reordered", totals.reordered as f64),
            ("corrupted", totals.corrupted as f64),
            ("sent", totals.sent as f64),
            ("received", totals.received as f64),
            ("errors", totals.errors as f64),
            ("refused", totals.refused as f64),
            ("dropped", totals.dropped as f64),
            ("gaps", self.collected.ledger.gaps as f64),
            ("connections", self.watch.most_connections as f64),
            ("listen_drops", (outcome.kernel.listen_drops + outcome.kernel.listen_overflows) as f64),
            ("throughput", self.work(counted) as f64 / seconds),
        ]);
        let mut add = |name: &'static str, value: Option<f64>| scalars.extend(value.map(|value| (name, value)));
        add("reach", (totals.expected > 0).then(|| totals.received as f64 / totals.expected as f64));
        add("rate", self.achieved());
        let server = outcome.server.as_ref();
        add("cpu_us_per_msg", server.and_then(|server| server.cpu_us_per_msg));
        add("server_busy", server.map(|server| server.busy_share));
        add("bytes_per_connection", server.and_then(|server| server.bytes_per_connection));
        if self.prepared.kind == Kind::Reconnect {
            add("recovered_in", self.recovered_in());
        }
        if self.prepared.kind == Kind::Soak {
            let per_hour = |points: Vec<(f64, f64)>| slope(&points, 1).map(|slope| 3600.0 * slope.per_unit.point);
            let of_server = |value: fn(&WindowServer) -> f64| {
                outcome.series.iter().filter_map(|window| Some((window.at, value(window.server.as_ref()?)))).collect()
            };
            add("rss_slope", per_hour(of_server(|server| server.rss as f64)));
            add("fd_slope", per_hour(of_server(|server| server.descriptors as f64)));
            let latency = outcome
                .series
                .iter()
                .filter_map(|window| Some((window.at, window.latencies.get(&outcome.primary)?.p50)));
            add("latency_slope", per_hour(latency.collect()));
        }
        scalars.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Messages sent of those that the schedule meant to leave while it counted; nothing in closed flows.
    fn achieved(&self) -> Option<f64> {
        let plan = self.plan_of();
        let mut asked = 0.0;
        for group in &plan.groups {
            match &group.task {
                Task::Echo { flow: Flow::Open(ramp), .. } | Task::Publish { flow: Flow::Open(ramp), .. } => {
                    let due = |elapsed| ramp.cumulative(elapsed);
                    asked += due(plan.warmup + plan.duration) - due(plan.warmup);
                }
                Task::Echo { .. } | Task::Publish { .. } => return None,
                _ => {}
            }
        }
        let short = self.is_short() || plan.count.is_some();
        let sent = self.collected.distributions.get(&Series::Lag).map_or(0, Distribution::count);
        // A schedule's first message is at its begin, so there may be one more than the rate says.
        (asked >= 1.0 && !short).then(|| (sent as f64 / asked.floor()).min(1.0))
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

    pub(super) fn verdicts(&self, outcome: &Outcome) -> Vec<ClaimVerdict> {
        let p99 = |name: &str| outcome.latencies.get(name).and_then(|latency| percentile(latency, 99.0));
        let totals = &outcome.totals;
        let attempts = totals.opened + totals.refused;
        let facts = Facts {
            generator_busy: outcome.generator.busiest,
            lag_p99: p99("lag").filter(|_| !self.is_closed()),
            latency_p99: p99(&outcome.primary),
            achieved: outcome.scalars.get("rate").copied(),
            saturation: self.is_closed(),
            kernel_drops: outcome.kernel.listen_drops + outcome.kernel.listen_overflows + outcome.kernel.backlog_drops,
            limits: self.collected.ledger.limits.clone(),
            steal: outcome.kernel.steal,
            server_busy: outcome.server.as_ref().map(|server| server.busy_share),
            counted_work: totals.lost == 0 && totals.duplicated == 0 && totals.corrupted == 0,
            objections: self.collected.ledger.objections,
            corrupted: totals.corrupted,
            refused_share: totals.refused as f64 / attempts.max(1) as f64,
            seconds: outcome.series.iter().filter(|window| window.at >= 0.0 && window.seconds > 0.9).count() as u64,
            interrupted: self.is_short(),
            connections: self.watch.most_connections,
        };
        judge(&facts, &self.prepared.kind.claims(self.is_closed(), self.watch.pid.is_some()))
    }
}

/// A percentile of a latency that was reported, or read from its histogram.
pub(crate) fn percentile(latency: &Latency, share: f64) -> Option<f64> {
    let known = latency.percentiles.iter().find(|(known, _)| *known == share);
    known.map(|(_, seconds)| *seconds).or_else(|| {
        let histogram = crate::report::histogram(latency)?;
        Some(histogram.value_at_percentile(share) as f64 / 1e9)
    })
}

/// What became of a threshold.
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
                Stat::Percentile(share) => percentile(latency, *share),
            })
        }
    };
    ThresholdResult { text: threshold.text.clone(), value, passed: value.is_some_and(|value| threshold.holds(value)) }
}
