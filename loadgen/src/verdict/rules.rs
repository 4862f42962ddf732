//! The rules of the verdict, in one place.

use super::{Claim, Facts};
use crate::numbers::share;
use crate::outcome::{ClaimVerdict, Level};

/// Above this share of a CPU, a thread of the generator may have been what was measured (k6's guide for users says 80 %).
const BUSY: f64 = 0.80;
/// Above this share it was.
const SATURATED: f64 = 0.95;
/// Messages that left late make a latency suspect when their lag is a tenth of it, and invalid when it is half.
const LAG_SHARE: (f64, f64) = (0.10, 0.50);
/// Less than the first share of the requested rate is suspect; less than the second is another run than the requested one.
const ACHIEVED: (f64, f64) = (0.99, 0.90);
/// A hypervisor that takes more than the first share of the time changes figures; with more than the second they mean nothing.
const STEAL: (f64, f64) = (0.02, 0.10);
/// A server that is less busy than this waits for something else, and spends CPU time on waiting.
const SERVER_BUSY: f64 = 0.80;
/// The minimum number of seconds of a series.
const SECONDS: u64 = 5;
/// The minimum number of connections to find out what one costs.
const CONNECTIONS: u64 = 100;
/// More refused or dropped connections, or messages that were due and not sent, than the first share may have changed the
/// run, and with more than the second it is another run than the requested one.
const MISSED: (f64, f64) = (0.01, 0.10);
/// Where something could arrive at any time, a second without anything is suspect, and more than a tenth of them is no run.
const SILENT: (f64, f64) = (0.0, 0.10);

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

/// 3 when the first claim, which is what the run is about, is invalid, unless `force`; else 0.
#[must_use]
pub fn exit_code(verdicts: &[ClaimVerdict], force: bool) -> u8 {
    let invalid = verdicts.first().is_some_and(|verdict| verdict.level == Level::Invalid);
    if invalid && !force { 3 } else { 0 }
}

fn judge_one(facts: &Facts, claim: Claim) -> ClaimVerdict {
    let mut bench = Bench::new(claim);
    if !facts.unopened.is_empty() {
        // There was no run: every other reason would only follow from this one.
        facts.unopened.iter().for_each(|reason| bench.when(true, Level::Invalid, || reason.clone()));
        limits(&mut bench, facts);
        return bench.verdict;
    }
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
        Claim::Memory => memory(&mut bench, facts),
        Claim::Delivery => delivery(&mut bench, facts),
        Claim::Connections => {
            headroom(&mut bench, facts);
            connections(&mut bench, facts);
        }
    }
    bench.verdict
}

/// What makes every claim worse.
fn general(bench: &mut Bench, facts: &Facts) {
    for reason in &facts.missing {
        bench.when(true, Level::Invalid, || reason.clone());
    }
    bench.grades(facts.refused_share, MISSED, || {
        format!("{} of the connections could not be opened: see the errors", share(facts.refused_share))
    });
    bench.grades(facts.dropped_share, MISSED, || {
        format!("the server ended {} of the connections: see the errors", share(facts.dropped_share))
    });
    bench.grades(facts.silent_share, SILENT, || {
        format!("nothing arrived in {} of the seconds: the server hung, or was gone", share(facts.silent_share))
    });
    bench.when(facts.objections > 0, Level::Invalid, || {
        format!(
            "tungstenite's client objected {} times to what our own accepted: one of the two is wrong",
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
        format!("a thread of the generator was {busy:.0} % busy, and that may be what was measured: use more threads (-t), processes (--processes), or less load (-R, -c)")
    });
    bench.grades(facts.steal, STEAL, || {
        format!("the hypervisor took {} of the time: use a machine of its own", share(facts.steal))
    });
    let (suspect, invalid) = ACHIEVED;
    let achieved = facts.achieved.unwrap_or(1.0);
    bench.when(achieved < suspect, if achieved < invalid { Level::Invalid } else { Level::Suspect }, || {
        format!("{} of the requested rate was answered in time: request less (-R)", share(achieved))
    });
    bench.when(facts.kernel_drops > 0, Level::Suspect, || {
        format!(
            "the kernel dropped {} handshakes or packets: open more slowly (--connect-rate, --most-pending), or raise net.core.somaxconn",
            facts.kernel_drops
        )
    });
}

fn throughput(bench: &mut Bench, facts: &Facts) {
    limits(bench, facts);
    bench.when(facts.arrived == 0, Level::Invalid, || "no message arrived while it measured".to_owned());
    let idle = facts.saturation.then_some(facts.server_busy).flatten().filter(|busy| *busy < SERVER_BUSY);
    bench.when(idle.is_some(), Level::Suspect, || {
        let busy = 100.0 * idle.unwrap_or(0.0);
        format!("the server was {busy:.0} % busy: the limit was the generator or the latency, not the server: use more -c, --depth or -t")
    });
    bench.note(facts.saturation && facts.server_busy.is_none(), || {
        "whether the server was at its limit is unknown: watch it with --pid".to_owned()
    });
}

fn latency(bench: &mut Bench, facts: &Facts) {
    bench.when(facts.latency_p99.is_none(), Level::Invalid, || {
        "no message arrived while it measured, so there is no latency".to_owned()
    });
    // By a schedule the rate that was reached says it.
    let lost = facts.due.saturating_sub(facts.came) as f64 / facts.due.max(1) as f64;
    let unknown = if facts.achieved.is_none() && facts.due > 0 { lost } else { 0.0 };
    bench
        .grades(unknown, MISSED, || format!("{} of the messages never came, so their latency is unknown", share(lost)));
    bench.when(facts.corrupted > 0, Level::Suspect, || format!("{} messages came with other bytes", facts.corrupted));
    if let (Some(lag), Some(latency)) = (facts.lag_p99, facts.latency_p99.filter(|latency| *latency > 0.0)) {
        bench.grades(lag / latency, LAG_SHARE, || {
            let share = 100.0 * lag / latency;
            format!("messages left late: the 99th percentile of their lag is {share:.0} % of that of the latency: use less -R, or CPUs of its own (--pin-self)")
        });
    }
}

fn cpu_per_message(bench: &mut Bench, facts: &Facts) {
    bench.when(!facts.counted_work, Level::Suspect, || {
        "not every message is accounted for, so what work the CPU time was for is not known".to_owned()
    });
    bench.grades(facts.steal, STEAL, || {
        format!("the hypervisor took {} of the time: use a machine of its own", share(facts.steal))
    });
    let waits = |busy: f64| {
        format!(
            "the server was {} busy: one that waits pays for waking up with each message, as it does in use",
            share(busy)
        )
    };
    match facts.server_busy {
        _ if facts.server_gone => {
            bench.when(true, Level::Invalid, || "the server's process (--pid) was gone before the end".to_owned());
        }
        None => bench.when(true, Level::Invalid, || "the server was not watched: use --pid".to_owned()),
        // In a closed flow it is a limit that is measured, and then the server should have been at it.
        Some(busy) if facts.saturation => {
            let idle = busy < SERVER_BUSY;
            bench.when(idle, Level::Suspect, || waits(busy) + ": use more -c or --depth");
        }
        Some(busy) => bench.note(busy < SERVER_BUSY, || waits(busy)),
    }
    let unmeasured = facts.cpu_us_per_msg.is_none() && facts.server_busy.is_some();
    bench.when(unmeasured, Level::Invalid, || "no message arrived that the CPU time could be divided by".to_owned());
    bench.note(facts.generator_busy > BUSY, || {
        format!("a thread of the generator was {:.0} % busy", 100.0 * facts.generator_busy)
    });
}

fn connections(bench: &mut Bench, facts: &Facts) {
    limits(bench, facts);
    bench.when(facts.opened == 0, Level::Invalid, || "no connection was opened".to_owned());
}

fn memory(bench: &mut Bench, facts: &Facts) {
    bench.when(facts.bytes_per_connection.is_none_or(|bytes| bytes <= 0.0), Level::Invalid, || {
        "the server's memory did not grow with the connections: is --pid the process that holds them?".to_owned()
    });
    bench.when(facts.connections < CONNECTIONS, Level::Suspect, || {
        format!(
            "{} connections are too few to find out what one costs: use -c {CONNECTIONS} or more",
            facts.connections
        )
    });
}

/// What was due counts, whether it was sent or not.
fn delivery(bench: &mut Bench, facts: &Facts) {
    bench
        .when(facts.due == 0, Level::Invalid, || "no message was due, so none could be lost: use -R and -d".to_owned());
    bench.when(facts.due > 0 && facts.came == 0, Level::Invalid, || {
        format!("none of {} messages that were due came: does the server publish there? See --adapter", facts.due)
    });
    bench.grades(facts.unsent_share, MISSED, || {
        let unsent = share(facts.unsent_share);
        format!("{unsent} of the messages that were due were not sent: no sender was connected, or -R is too high")
    });
    let lost = facts.due.saturating_sub(facts.came) as f64 / facts.due.max(1) as f64;
    bench.note(facts.came > 0 && facts.came < facts.due, || format!("{} of what was due never came", share(lost)));
}

fn limits(bench: &mut Bench, facts: &Facts) {
    for limit in &facts.limits {
        bench.when(true, Level::Invalid, || limit.clone());
    }
}
