//! What a run cost: the server, the load generator, the kernel.

use super::draft::Draft;
use super::watch::Look;
use crate::clock::{self, Nanos};
use crate::measure::process::{Usage, program};
use crate::measure::{environment, pin};
use crate::message::Counts;
use crate::outcome::{GeneratorCost, KernelCounts, ServerCost, WindowServer};
use crate::stats::slope;

impl Draft<'_> {
    /// The server in a second, out of the looks around it.
    pub(super) fn server_in(&self, begin: Nanos, length: Nanos) -> Option<WindowServer> {
        let looks: Vec<&Look> = self.watch.looks.iter().filter(|look| look.server.is_some()).collect();
        let middle = begin + length / 2;
        let after = looks.iter().position(|look| look.at >= middle)?;
        let (from, to) = (looks.get(after.checked_sub(1)?)?, looks[after]);
        let (before, now) = (from.server.as_ref()?, to.server.as_ref()?);
        let scale = length as f64 / (to.at - from.at).max(1) as f64;
        let (user, system) = now.cpu_since(before);
        Some(WindowServer {
            cpu_user: user * scale,
            cpu_system: system * scale,
            rss: now.rss,
            descriptors: now.descriptors,
        })
    }

    pub(super) fn server(&self, counted: &Counts) -> Option<ServerCost> {
        let pid = self.watch.pid?;
        let (began, ended) = (self.watch.began.as_ref()?, self.watch.ended.as_ref()?);
        let (from, to) = (began.server.as_ref()?, ended.server.as_ref()?);
        let (user, system) = to.cpu_since(from);
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

    pub(super) fn generator(&self) -> GeneratorCost {
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

    pub(super) fn kernel(&self) -> KernelCounts {
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
}
