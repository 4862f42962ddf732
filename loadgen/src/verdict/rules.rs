//! The rules of the verdict, in one place.

use super::{Claim, Facts};
use crate::outcome::{ClaimVerdict, Level};

/// Above this share a thread of the generator may have been what was measured (k6's guide for its users says 80 %).
const BUSY: f64 = 0.80;
/// Above this share it was.
const SATURATED: f64 = 0.95;
/// Messages that left late make a latency suspect when their lag is a tenth of it, and invalid when it is half.
const LAG_SHARE: (f64, f64) = (0.10, 0.50);
/// Less than this share of the asked rate is suspect, and less than the other is another run than the one asked for.
const ACHIEVED: (f64, f64) = (0.99, 0.90);
/// A hypervisor that takes more than this share of the time changes figures, and with more than the other makes them.
const STEAL: (f64, f64) = (0.02, 0.10);
/// A server that is less busy than this waits for something else, and spends CPU time on waiting.
const SERVER_BUSY: f64 = 0.80;
/// Fewer seconds are no series.
const SECONDS: u64 = 5;
/// Fewer connections do not tell what one costs.
const CONNECTIONS: u64 = 100;
/// More refused connections than this share make a run another one than was asked for.
const REFUSED: f64 = 0.01;

struct Bench {
    verdict: ClaimVerdict,
}

impl Bench {
    fn new(claim: Claim) -> Bench {
        let claim = claim.to_string();
        Bench { verdict: ClaimVerdict { claim, level: Level::Valid, reasons: Vec::new(), notes: Vec::new() } }
    }

    fn when(&mut self, applies: bool, level: Level, reason: impl FnOnce() -> String) {
        if applies {
            self.verdict.level = self.verdict.level.max(level);
            self.verdict.reasons.push(reason());
        }
    }

    /// A reason with two limits: beyond the first it is suspect, beyond the second invalid.
    fn grades(&mut self, value: f64, limits: (f64, f64), reason: impl FnOnce() -> String) {
        let level = if value > limits.1 { Level::Invalid } else { Level::Suspect };
        self.when(value > limits.0, level, reason);
    }

    fn note(&mut self, applies: bool, note: impl FnOnce() -> String) {
        if applies {
            self.verdict.notes.push(note());
        }
    }
}

/// A verdict for each claim, in the order given.
#[must_use]
pub fn judge(facts: &Facts, claims: &[Claim]) -> Vec<ClaimVerdict> {
    claims.iter().map(|claim| judge_one(facts, *claim)).collect()
}

/// 3 when the first claim, which is what the run is about, is invalid and nobody insists; else 0.
#[must_use]
pub fn exit_code(verdicts: &[ClaimVerdict], force: bool) -> u8 {
    let invalid = verdicts.first().is_some_and(|verdict| verdict.level == Level::Invalid);
    if invalid && !force { 3 } else { 0 }
}

fn judge_one(facts: &Facts, claim: Claim) -> ClaimVerdict {
    let mut bench = Bench::new(claim);
    general(&mut bench, facts);
    match claim {
        Claim::Throughput => {
            headroom(&mut bench, facts);
            throughput(&mut bench, facts);
        }
        Claim::Latency => {
            headroom(&mut bench, facts);
            latency(&mut bench, facts);
        }
        Claim::CpuPerMessage => cpu_per_message(&mut bench, facts),
        Claim::Memory => bench.when(facts.connections < CONNECTIONS, Level::Suspect, || {
            format!("{} connections are too few to tell what one costs: use {CONNECTIONS} or more", facts.connections)
        }),
        Claim::Delivery => {}
        Claim::Connections => {
            headroom(&mut bench, facts);
            connections(&mut bench, facts);
        }
    }
    bench.verdict
}

/// What makes every claim worse.
fn general(bench: &mut Bench, facts: &Facts) {
    bench.when(facts.objections > 0, Level::Invalid, || {
        format!(
            "tungstenite's client objected {} times to what our own took: one of the two is wrong",
            facts.objections
        )
    });
    bench.when(facts.interrupted, Level::Suspect, || "it was interrupted: these are the figures until then".to_owned());
    bench.when(facts.seconds < SECONDS, Level::Suspect, || {
        format!("{} whole seconds were measured, and less than {SECONDS} say little: use -d", facts.seconds)
    });
}

fn headroom(bench: &mut Bench, facts: &Facts) {
    bench.grades(facts.generator_busy, (BUSY, SATURATED), || {
        let busy = 100.0 * facts.generator_busy;
        format!("a thread of the generator was {busy:.0} % busy, and perhaps that is what was measured: use more threads, or less load")
    });
    bench.grades(facts.steal, STEAL, || format!("the hypervisor took {:.1} % of the time", 100.0 * facts.steal));
    let (suspect, invalid) = ACHIEVED;
    let achieved = facts.achieved.unwrap_or(1.0);
    bench.when(achieved < suspect, if achieved < invalid { Level::Invalid } else { Level::Suspect }, || {
        format!("{:.1} % of the rate that was asked for was sent", 100.0 * achieved)
    });
    bench.when(facts.kernel_drops > 0, Level::Suspect, || {
        format!("the kernel dropped {} handshakes or packets: see its counts", facts.kernel_drops)
    });
    bench.when(facts.refused_share > REFUSED, Level::Suspect, || {
        format!("{:.1} % of the connections could not be opened", 100.0 * facts.refused_share)
    });
}

fn throughput(bench: &mut Bench, facts: &Facts) {
    limits(bench, facts);
    let idle = facts.saturation.then_some(facts.server_busy).flatten().filter(|busy| *busy < SERVER_BUSY);
    bench.when(idle.is_some(), Level::Suspect, || {
        let busy = 100.0 * idle.unwrap_or(0.0);
        format!("the server was {busy:.0} % busy: this is the most that the generator or the latency allowed, and not the most that the server can do")
    });
    bench.note(facts.saturation && facts.server_busy.is_none(), || {
        "whether the server was at its limit is not known: watch it with --pid".to_owned()
    });
}

fn latency(bench: &mut Bench, facts: &Facts) {
    bench.when(facts.corrupted > 0, Level::Suspect, || format!("{} messages came with other bytes", facts.corrupted));
    if let (Some(lag), Some(latency)) = (facts.lag_p99, facts.latency_p99.filter(|latency| *latency > 0.0)) {
        bench.grades(lag / latency, LAG_SHARE, || {
            let share = 100.0 * lag / latency;
            format!("messages left late: the 99th percentile of their lag is {share:.0} % of that of the latency")
        });
    }
}

fn cpu_per_message(bench: &mut Bench, facts: &Facts) {
    bench.when(!facts.counted_work, Level::Suspect, || {
        "not every message is accounted for, so what the server was paid for is not known".to_owned()
    });
    bench.grades(facts.steal, STEAL, || format!("the hypervisor took {:.1} % of the time", 100.0 * facts.steal));
    match facts.server_busy {
        None => bench.when(true, Level::Invalid, || "the server was not watched: use --pid".to_owned()),
        Some(busy) => bench.when(busy < SERVER_BUSY, Level::Suspect, || {
            let busy = 100.0 * busy;
            format!("the server was {busy:.0} % busy: a server that waits pays for waking up with each message")
        }),
    }
    bench.note(facts.generator_busy > BUSY, || {
        format!("a thread of the generator was {:.0} % busy", 100.0 * facts.generator_busy)
    });
}

fn connections(bench: &mut Bench, facts: &Facts) {
    limits(bench, facts);
}

fn limits(bench: &mut Bench, facts: &Facts) {
    for limit in &facts.limits {
        bench.when(true, Level::Invalid, || limit.clone());
    }
}
