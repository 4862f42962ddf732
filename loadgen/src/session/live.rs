//! What is shown on a terminal while a run goes on: one line, at most four times a second, and nothing where standard error is not a terminal.

use crate::clock::{self, Nanos};
use crate::fleet::{Collector, Sample};
use crate::measure::process::Usage;
use crate::message::{Phase, Series};
use crate::numbers::{count, duration, share};
use crate::prepare::Prepared;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// A line on standard error.
#[derive(Debug)]
pub(super) struct Live {
    bar: ProgressBar,
    primary: Series,
    connections: u64,
    seconds: f64,
    last_server: Option<(Nanos, f64)>,
    server_busy: f64,
}

impl Live {
    pub(super) fn new(prepared: &Prepared, quiet: bool) -> Live {
        let is_seen = !quiet && std::io::stderr().is_terminal();
        // It draws on a thread of its own, four times a second at most.
        let target = if is_seen { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1000), target);
        let style = ProgressStyle::with_template("{prefix:>10} {bar:24} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        let plan = &prepared.plan;
        Live {
            bar,
            primary: prepared.kind.primary(&plan.groups),
            connections: plan.groups.iter().map(|group| group.connections).sum(),
            seconds: (plan.warmup + plan.duration).as_secs_f64(),
            last_server: None,
            server_busy: 0.0,
        }
    }

    pub(super) fn show(&mut self, collector: &Collector, sample: Sample, connections: u64, server: Option<&Usage>) {
        let collected = &collector.collected;
        match sample {
            Sample::Before | Sample::Opening | Sample::Opened => {
                self.bar.set_prefix("opening");
                self.bar.set_position(1000 * connections / self.connections.max(1));
                self.bar.set_message(format!(
                    "{} of {} connections",
                    count(connections as f64),
                    count(self.connections as f64)
                ));
            }
            Sample::Running(begin, end) => {
                let now = clock::now();
                let left = Duration::from_nanos(end.saturating_sub(now)).as_secs_f64();
                self.bar.set_prefix(if now < begin { "warm-up" } else { "measuring" });
                self.bar.set_position((1000.0 * (1.0 - left / self.seconds).clamp(0.0, 1.0)) as u64);
                self.watch_server(server, now);
                let last = collected
                    .windows
                    .values()
                    .rev()
                    .find(|window| window.phase.is_some_and(|phase| phase <= Phase::Measure));
                let Some(window) = last else { return };
                let rate =
                    (window.counts.received.max(window.counts.sent)) as f64 / clock::seconds(window.length).max(1e-9);
                let latency = window.distributions.get(&self.primary).map(|distribution| {
                    let at = |share| distribution.histogram().value_at_quantile(share) as f64 / 1e9;
                    format!("  p50 {} p99 {}", duration(at(0.5)), duration(at(0.99)))
                });
                let server = server.map(|_| format!("  server {}", share(self.server_busy)));
                let text = format!("{}/s{}{}", count(rate), latency.unwrap_or_default(), server.unwrap_or_default());
                self.bar.set_message(text);
            }
            Sample::Draining => self.bar.set_prefix("draining"),
            Sample::After => self.bar.finish_and_clear(),
            Sample::CountingBegan | Sample::CountingEnded => {}
        }
    }

    fn watch_server(&mut self, server: Option<&Usage>, now: Nanos) {
        let Some(used) = server.map(|usage| usage.cpu_user + usage.cpu_system) else { return };
        match self.last_server {
            Some((_, before)) if before == used => {}
            Some((at, before)) => {
                self.server_busy = (used - before) / clock::seconds(now - at).max(1e-9);
                self.last_server = Some((now, used));
            }
            None => self.last_server = Some((now, used)),
        }
    }
}
