//! Puts a result together out of what the threads told and what was seen.

use super::findings::{SLOPE_SECONDS, result};
use super::watch::{Look, Watch};
use crate::cli::RunArgs;
use crate::clock::{self, Nanos, SECOND};
use crate::fleet::{Collected, SeriesWindow};
use crate::measure::process::{Usage, program};
use crate::measure::{environment, metrics, pin};
use crate::message::{Counts, Distribution, Phase};
use crate::outcome::{
    GeneratorCost, KernelCounts, Latency, Outcome, SCHEMA, ServerCost, Totals, Window, WindowLatency, WindowServer,
};
use crate::plan::{Flow, Plan, Task};
use crate::prepare::Prepared;
use crate::scenario::Kind;
use crate::stats::slope;
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
        mischief: draft.collected.ledger.mischief.clone(),
    };
    outcome.scalars = draft.scalars(&outcome, &counted);
    outcome.verdicts = draft.verdicts(&outcome);
    outcome.thresholds = prepared.thresholds.iter().map(|threshold| result(threshold, &outcome)).collect();
    outcome
}

/// What a result is made of.
pub(super) struct Draft<'a> {
    pub(super) prepared: &'a Prepared,
    args: &'a RunArgs,
    pub(super) collected: Collected,
    pub(super) watch: Watch,
}

impl Draft<'_> {
    pub(super) fn plan_of(&self) -> &Plan {
        &self.prepared.plan
    }

    /// What was counted while it counted.
    fn counted(&self) -> Counts {
        self.collected.counts.get(&Phase::Measure).copied().unwrap_or_default()
    }

    /// How long it counted: the time of the threads, which end together.
    fn seconds(&self) -> f64 {
        clock::seconds(self.collected.busy.values().map(|(_, time)| *time).max().unwrap_or(0))
    }

    /// What the server's own numbers changed by: nothing where one of the two looks is missing.
    fn metrics(&self) -> BTreeMap<String, f64> {
        let looks = self.watch.metrics_before.as_ref().zip(self.watch.metrics_after.as_ref());
        looks.map_or_else(BTreeMap::new, |(before, after)| metrics::difference(before, after))
    }

    fn unopened(&self) -> Vec<String> {
        let groups = &self.plan_of().groups;
        self.collected.unopened.iter().map(|place| groups[*place].name.clone()).collect()
    }

    pub(super) fn is_short(&self) -> bool {
        let ended = self.plan_of().count.is_none() && self.collected.unopened.is_empty();
        ended && self.seconds() < self.plan_of().duration.as_secs_f64() - 0.5
    }

    pub(super) fn is_closed(&self) -> bool {
        self.plan_of().groups.iter().any(|group| {
            matches!(
                group.task,
                Task::Echo { flow: Flow::Closed { .. }, .. } | Task::Publish { flow: Flow::Closed { .. }, .. }
            )
        })
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
        self.collected.counts.values().for_each(|counts| all.add(counts));
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

    /// The server in a second, out of the looks around it.
    fn server_in(&self, begin: Nanos, length: Nanos) -> Option<WindowServer> {
        let looks: Vec<&Look> = self.watch.looks.iter().filter(|look| look.server.is_some()).collect();
        let middle = begin + length / 2;
        let after = looks.iter().position(|look| look.at >= middle)?;
        let (from, to) = (looks.get(after.checked_sub(1)?)?, looks[after]);
        let (before, now) = (from.server.as_ref()?, to.server.as_ref()?);
        let scale = length as f64 / (to.at - from.at).max(1) as f64;
        Some(WindowServer {
            cpu_user: (now.cpu_user - before.cpu_user) * scale,
            cpu_system: (now.cpu_system - before.cpu_system) * scale,
            rss: now.rss,
            descriptors: now.descriptors,
        })
    }

    fn server(&self, counted: &Counts) -> Option<ServerCost> {
        let pid = self.watch.pid?;
        let (began, ended) = (self.watch.began.as_ref()?, self.watch.ended.as_ref()?);
        let (from, to) = (began.server.as_ref()?, ended.server.as_ref()?);
        let (user, system) = (to.cpu_user - from.cpu_user, to.cpu_system - from.cpu_system);
        let seconds = clock::seconds(ended.at - began.at).max(1e-9);
        let work = self.work(counted);
        let busy = (user + system) / seconds;
        let cpus = pin::cpus_of(pid).unwrap_or(1).clamp(1, environment::environment().cpus.max(1));
        let before = self.watch.server_before.clone().unwrap_or_default();
        let opened = self.watch.server_opened.clone().unwrap_or_default();
        Some(ServerCost {
            pids: crate::measure::process::family(pid),
            cpu_user: user,
            cpu_system: system,
            busy,
            busy_share: busy / f64::from(cpus),
            busiest_thread: to.busiest_since(from) / seconds,
            cpu_us_per_msg: (work > 0).then(|| 1e6 * (user + system) / seconds * self.seconds() / work as f64),
            switches_voluntary: to.switches_voluntary.saturating_sub(from.switches_voluntary),
            switches_involuntary: to.switches_involuntary.saturating_sub(from.switches_involuntary),
            rss_before: before.rss,
            rss_after: opened.rss,
            pss_before: before.pss,
            pss_after: opened.pss,
            bytes_per_connection: self.bytes_per_connection(&before, &opened),
            descriptors: to.descriptors,
            program: program(pid),
        })
    }

    /// What arrived while it counted, each message once; of a storm, the connections.
    pub(super) fn answered(&self) -> u64 {
        let counted = self.counted();
        if self.prepared.kind == Kind::Storm { counted.opened } else { counted.answered }
    }

    /// What the server did while it counted: messages delivered or echoed, or else connections opened.
    pub(super) fn work(&self, counted: &Counts) -> u64 {
        if self.prepared.kind == Kind::Storm { counted.opened } else { counted.received }
    }

    /// The slope of memory over connections while they were opened; of few points, the difference.
    fn bytes_per_connection(&self, before: &Usage, opened: &Usage) -> Option<f64> {
        let connections = self.watch.growth.last().map_or(0.0, |(connections, _)| *connections);
        if connections < 1.0 {
            return None;
        }
        let memory = |usage: &Usage| usage.pss.unwrap_or(usage.rss) as f64;
        let difference = (memory(opened) - memory(before)) / connections;
        // What the first connections cost once is no part of what each costs.
        let points: Vec<(f64, f64)> =
            self.watch.growth.iter().copied().filter(|(at, _)| *at >= connections / 10.0).collect();
        if points.len() < 5 {
            return Some(difference);
        }
        slope(&points, self.plan_of().seed).map(|slope| slope.per_unit.point).or(Some(difference))
    }

    fn generator(&self) -> GeneratorCost {
        let shares: Vec<f64> =
            self.collected.busy.values().map(|(cpu, time)| *cpu as f64 / (*time).max(1) as f64).collect();
        let memory = |usage: &Option<Usage>| usage.as_ref().map(|usage| usage.pss.unwrap_or(usage.rss) as f64);
        let grown = memory(&self.watch.self_opened)
            .zip(memory(&self.watch.self_before))
            .map(|(opened, before)| opened - before);
        let connections = self.watch.most_connections;
        GeneratorCost {
            processes: u32::try_from(self.prepared.size.processes).unwrap_or(u32::MAX),
            threads: u32::try_from(self.prepared.size.processes * self.prepared.size.threads).unwrap_or(u32::MAX),
            busiest: shares.iter().copied().fold(0.0, f64::max),
            busy: shares.iter().sum::<f64>() / shares.len().max(1) as f64,
            bytes_per_connection: grown.filter(|_| connections > 0).map(|grown| grown / connections as f64),
            checked_connections: self.collected.ledger.checked,
        }
    }

    fn kernel(&self) -> KernelCounts {
        let Some(after) = &self.watch.kernel_after else { return KernelCounts::default() };
        let mut counts = after.since(&self.watch.kernel_before);
        if let Some(opened) = &self.watch.kernel_opened {
            counts.tcp_memory_peak = counts.tcp_memory_peak.max(opened.tcp_memory);
            let grown =
                opened.slab.zip(self.watch.kernel_before.slab).map(|(opened, before)| opened as f64 - before as f64);
            let connections = self.watch.most_connections;
            counts.bytes_per_connection =
                grown.filter(|grown| connections >= 1000 && *grown > 0.0).map(|grown| grown / connections as f64);
        }
        counts
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.watch.notes.clone();
        let plan = self.plan_of();
        if plan.deflate {
            notes.push("permessage-deflate was offered".to_owned());
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
            notes.push(format!(
                "{} resumed subscriptions were told that something is missing",
                self.collected.ledger.gaps
            ));
        }
        notes
    }
}
