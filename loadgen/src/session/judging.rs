//! What is known of a run, for its verdict.

use super::draft::Draft;
use crate::outcome::{ClaimVerdict, Outcome};
use crate::plan::{Group, Task};
use crate::scenario::Kind;
use crate::verdict::{Claim, Facts, judge};

impl Draft<'_> {
    pub(super) fn verdicts(&self, outcome: &Outcome) -> Vec<ClaimVerdict> {
        let plan = self.plan_of();
        let claims = self.prepared.kind.claims(self.is_closed(), self.watch.pid.is_some(), &plan.groups);
        judge(&self.facts(outcome, &claims), &claims)
    }

    fn facts(&self, outcome: &Outcome, claims: &[Claim]) -> Facts {
        let p99 = |name: &str| outcome.latencies.get(name).and_then(|latency| latency.percentile(99.0));
        let (totals, ledger, server) = (&outcome.totals, &self.collected.ledger, outcome.server.as_ref());
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        Facts {
            generator_busy: outcome.generator.busiest,
            lag_p99: p99("lag").filter(|_| !self.is_closed()),
            latency_p99: p99(&outcome.primary),
            achieved: outcome.scalars.get("rate").copied(),
            saturation: self.is_closed(),
            kernel_drops: outcome.kernel.listen_drops + outcome.kernel.listen_overflows + outcome.kernel.backlog_drops,
            limits: ledger.limits.clone(),
            steal: outcome.kernel.steal,
            server_busy: server.map(|server| server.busiest()),
            server_gone: self.watch.is_server_gone(),
            cpu_us_per_msg: server.and_then(|server| server.cpu_us_per_msg),
            bytes_per_connection: server.and_then(|server| server.bytes_per_connection),
            counted_work: totals.lost == 0 && totals.duplicated == 0 && totals.corrupted == 0,
            objections: ledger.objections,
            corrupted: totals.corrupted,
            unopened: self.collected.unopened.iter().map(|place| unopened(&self.plan_of().groups[*place])).collect(),
            missing: self.missing(outcome),
            opened: totals.opened,
            refused_share: share(totals.refused, totals.opened + totals.refused),
            // A slow reader may be cut off; that is what is looked at there.
            dropped_share: share(totals.dropped.saturating_sub(ledger.slow_cut), totals.opened),
            arrived: if claims.contains(&Claim::Throughput) { self.answered() } else { totals.received },
            due: totals.expected,
            came: totals.received,
            unsent_share: share(totals.unsent, totals.unsent + totals.sent),
            silent_share: self.silent_share(outcome),
            seconds: outcome.series.iter().filter(|window| window.at >= 0.0 && window.seconds > 0.9).count() as u64,
            interrupted: self.is_short(),
            connections: self.watch.most_connections,
        }
    }

    /// What the scenario is about, where it did not come up. Where nothing could be opened, that says it.
    fn missing(&self, outcome: &Outcome) -> Vec<String> {
        if !self.collected.unopened.is_empty() {
            return Vec::new();
        }
        let (plan, totals) = (self.plan_of(), &outcome.totals);
        let any = |is: fn(&Group) -> bool| plan.groups.iter().any(is);
        let connections: u64 = plan.groups.iter().map(Group::wanted).sum();
        let cut = self.collected.ledger.cut;
        let recovered = outcome.scalars.contains_key("recovered_in");
        let reasons = [
            (
                any(|group| group.lifetime.is_some()) && totals.opened <= connections,
                "no connection was replaced: --lifetime (in a scenario: lifetime) should be less than -d",
            ),
            (
                self.prepared.kind == Kind::Reconnect && cut == 0,
                "no connection was cut: --cut-after should be less than --warmup and -d together",
            ),
            (
                self.prepared.kind == Kind::Reconnect && cut > 0 && !recovered,
                "99 % of the connections were never back: use a longer -d, or the server does not take them",
            ),
            (
                any(|group| group.slow.is_some()) && plan.groups.iter().all(|group| group.slow_readers() == 0),
                "no receiver was slow: use a larger --slow or -c",
            ),
            (
                any(|group| matches!(group.task, Task::Attack { .. })) && nothing_malformed(outcome),
                "no malformed handshake or frame was sent: use --attack-rate",
            ),
        ];
        let mut missing: Vec<String> =
            reasons.into_iter().filter(|(applies, _)| *applies).map(|(_, reason)| reason.to_owned()).collect();
        let late = plan.groups.iter().filter(|group| group.start >= plan.warmup + plan.duration);
        missing.extend(
            late.map(|group| format!("the group `{}` never began: its start is after the end (-d)", group.name)),
        );
        missing
    }

    /// Whole seconds without anything, of all that counted, where there was always something to do.
    fn silent_share(&self, outcome: &Outcome) -> f64 {
        let is_storm = self.prepared.kind == Kind::Storm;
        if !is_storm && !self.is_closed() {
            return 0.0;
        }
        let whole = || outcome.series.iter().filter(|window| window.at >= 0.0 && window.seconds > 0.9);
        let silent = whole().filter(|window| (if is_storm { window.opened } else { window.received }) == 0).count();
        silent as f64 / whole().count().max(1) as f64
    }
}

/// Whether no bad client got as far as sending something.
fn nothing_malformed(outcome: &Outcome) -> bool {
    outcome.attacks.keys().all(|what| what.starts_with(crate::engine::NOT_BEGUN))
}

fn unopened(group: &Group) -> String {
    format!("none of the {} connections of `{}` could be opened: see the errors", group.connections, group.name)
}
