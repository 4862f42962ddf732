//! Puts a result together out of what the threads reported and what was seen.

use super::draft::Draft;
use super::findings::{SLOPE_SECONDS, result};
use super::watch::Watch;
use crate::cli::RunArgs;
use crate::clock::{self, Nanos, SECOND};
use crate::fleet::{Collected, SeriesWindow};
use crate::measure::{environment, metrics};
use crate::message::{Counts, Distribution, Gather, Phase};
use crate::outcome::{Latency, Outcome, SCHEMA, Totals, Window, WindowLatency};
use crate::plan::Deflate;
use crate::prepare::Prepared;
use crate::scenario::Kind;
use std::collections::BTreeMap;

/// The result.
pub(super) fn outcome(prepared: &Prepared, args: &RunArgs, collected: Collected, watch: Watch) -> Outcome {
    let draft = Draft { prepared, args, collected, watch };
    let counted = draft.counted();
    let latencies = draft.latencies();
    let server = draft.server(&counted);
    let generator = draft.generator();
    let kernel = draft.kernel();
    let mut outcome = Outcome {
        schema: SCHEMA,
        label: args
            .output
            .label
            .clone()
            .unwrap_or_else(|| format!("{} {}", prepared.kind.name(), prepared.plan.adapter)),
        scenario: prepared.kind.name().to_owned(),
        target: prepared.plan.target.url.clone(),
        adapter: prepared.plan.adapter.clone(),
        plan: draft.plan(),
        environment: draft.environment(),
        started_unix_ms: draft.watch.started_unix_ms,
        measured_seconds: draft.seconds(),
        interrupted: draft.is_short(),
        unopened: draft.unopened(),
        totals: draft.totals(),
        latencies,
        primary: prepared.kind.primary(&prepared.plan.groups).name().to_owned(),
        series: draft.series(),
        server,
        generator,
        kernel,
        metrics: draft.metrics(),
        scalars: BTreeMap::new(),
        verdicts: Vec::new(),
        thresholds: Vec::new(),
        notes: draft.notes(),
        errors: draft.collected.ledger.errors.clone(),
        attacks: draft.collected.ledger.attacks.clone(),
    };
    outcome.scalars = draft.scalars(&outcome, &counted);
    outcome.verdicts = draft.verdicts(&outcome);
    outcome.thresholds = prepared.thresholds.iter().map(|threshold| result(threshold, &outcome)).collect();
    outcome
}

impl Draft<'_> {
    /// What the server's own numbers changed by: nothing where one of the two looks is missing.
    fn metrics(&self) -> BTreeMap<String, f64> {
        let looks = self.watch.metrics_before.as_ref().zip(self.watch.metrics_after.as_ref());
        looks.map_or_else(BTreeMap::new, |(before, after)| metrics::difference(before, after))
    }

    fn unopened(&self) -> Vec<String> {
        let groups = &self.plan_of().groups;
        self.collected.unopened.iter().map(|place| groups[*place].name.clone()).collect()
    }

    fn environment(&self) -> crate::outcome::Environment {
        let mut environment = environment::environment();
        environment.pinned_self.clone_from(&self.args.pin_self);
        environment.busy_poll = self.args.busy_poll;
        environment.pinned_server.clone_from(&self.args.pin_server);
        environment
    }

    /// Accounts are of the whole run: a message that was lost in the warm-up is lost, too.
    fn totals(&self) -> Totals {
        let mut all = Counts::default();
        self.collected.counts.values().for_each(|counts| all.gather(counts));
        let ledger = &self.collected.ledger;
        Totals {
            sent: all.sent,
            unsent: ledger.unsent,
            received: ledger.came,
            expected: ledger.expected + ledger.unsent_due,
            lost: ledger.lost + ledger.unsent_due,
            duplicated: ledger.duplicated,
            reordered: ledger.reordered,
            corrupted: ledger.corrupted,
            opened: all.opened,
            refused: all.refused,
            dropped: all.dropped,
            expired: all.expired,
            errors: all.errors,
            bytes_out: all.bytes_out,
            bytes_in: all.bytes_in,
            acknowledged: all.acknowledged,
        }
    }

    fn latencies(&self) -> BTreeMap<String, Latency> {
        let mut percentiles = self.args.output.percentiles.clone();
        percentiles.sort_by(f64::total_cmp);
        let filled = self.collected.distributions.iter().filter(|(_, distribution)| distribution.count() > 0);
        filled
            .map(|(series, distribution)| {
                (series.name().to_owned(), Latency::of(distribution.histogram(), &percentiles))
            })
            .collect()
    }

    fn series(&self) -> Vec<Window> {
        let began = self.watch.began.as_ref().map_or(0, |look| look.at);
        let windows = self
            .collected
            .windows
            .iter()
            .filter(|(_, window)| window.phase.is_some_and(|phase| phase <= Phase::Measure));
        windows.map(|(at, window)| self.window(*at, window, began)).collect()
    }

    fn window(&self, at: i64, window: &SeriesWindow, began: Nanos) -> Window {
        let summary = |distribution: &Distribution| {
            let value = |share| distribution.histogram().value_at_quantile(share) as f64 / 1e9;
            WindowLatency {
                count: distribution.count(),
                p50: value(0.5),
                p99: value(0.99),
                max: distribution.histogram().max() as f64 / 1e9,
            }
        };
        let latencies =
            window.distributions.iter().map(|(series, distribution)| (series.name().to_owned(), summary(distribution)));
        Window {
            at: at as f64,
            seconds: clock::seconds(window.length),
            connections: window.connections.values().sum(),
            sent: window.counts.sent,
            received: window.counts.received,
            opened: window.counts.opened,
            errors: window.counts.errors,
            bytes_out: window.counts.bytes_out,
            bytes_in: window.counts.bytes_in,
            latencies: latencies.collect(),
            server: self.server_in(began.saturating_add_signed(at * SECOND as i64), window.length),
            generator_busy: window.busiest,
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.watch.notes.clone();
        let plan = self.plan_of();
        match plan.deflate {
            Deflate::Nowhere => {}
            Deflate::Readers => notes.push("readers offered permessage-deflate".to_owned()),
            Deflate::Everywhere => notes.push("permessage-deflate was offered".to_owned()),
        }
        if self.prepared.kind == Kind::Soak && self.seconds() < SLOPE_SECONDS {
            notes.push(format!(
                "growth per hour needs {} or more: use a longer -d",
                crate::numbers::duration(SLOPE_SECONDS)
            ));
        }
        if self.collected.ledger.slow_cut > 0 {
            notes.push(format!("the server has cut off {} slow readers", self.collected.ledger.slow_cut));
        }
        if self.collected.ledger.gaps > 0 {
            notes
                .push(format!("{} resumed subscriptions had a gap, which the server said", self.collected.ledger.gaps));
        }
        notes
    }
}
