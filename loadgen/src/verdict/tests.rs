//! Each rule on both sides of its limit.

use super::{Claim, Facts, exit_code, judge};
use crate::outcome::Level::{self, Invalid, Suspect, Valid};

/// A run that nothing speaks against.
fn good() -> Facts {
    Facts {
        generator_busy: 0.5,
        lag_p99: Some(0.0001),
        latency_p99: Some(0.01),
        achieved: Some(1.0),
        saturation: false,
        server_busy: Some(0.9),
        counted_work: true,
        seconds: 30,
        connections: 1000,
        ..Facts::default()
    }
}

fn level(claim: Claim, change: impl FnOnce(&mut Facts)) -> Level {
    let mut facts = good();
    change(&mut facts);
    let verdict = judge(&facts, &[claim]).remove(0);
    assert_eq!(verdict.level == Valid, verdict.reasons.is_empty(), "{verdict:?}");
    verdict.level
}

#[test]
fn a_good_run_is_valid_in_every_claim() {
    use Claim::{Connections, CpuPerMessage, Delivery, Latency, Memory, Throughput};
    for claim in [Throughput, Latency, CpuPerMessage, Memory, Delivery, Connections] {
        assert_eq!(level(claim, |_| {}), Valid, "{claim}");
    }
}

#[test]
fn a_busy_generator_spoils_latency_and_throughput_but_not_cpu_per_message() {
    for (busy, expected) in [(0.80, Valid), (0.81, Suspect), (0.95, Suspect), (0.96, Invalid)] {
        assert_eq!(level(Claim::Throughput, |facts| facts.generator_busy = busy), expected, "{busy}");
        assert_eq!(level(Claim::Latency, |facts| facts.generator_busy = busy), expected, "{busy}");
        assert_eq!(level(Claim::CpuPerMessage, |facts| facts.generator_busy = busy), Valid, "{busy}");
    }
    let busy = Facts { generator_busy: 0.99, ..good() };
    assert_eq!(judge(&busy, &[Claim::CpuPerMessage])[0].notes.len(), 1, "it is noted all the same");
}

#[test]
fn lag_is_judged_by_the_latency_that_it_is_part_of() {
    for (lag, expected) in [(0.001, Valid), (0.0011, Suspect), (0.005, Suspect), (0.0051, Invalid)] {
        assert_eq!(level(Claim::Latency, |facts| facts.lag_p99 = Some(lag)), expected, "{lag}");
        assert_eq!(level(Claim::Throughput, |facts| facts.lag_p99 = Some(lag)), Valid, "{lag}");
    }
    assert_eq!(level(Claim::Latency, |facts| facts.lag_p99 = None), Valid);
}

#[test]
fn a_rate_that_was_not_reached_is_another_run() {
    for (achieved, expected) in [(0.99, Valid), (0.989, Suspect), (0.90, Suspect), (0.899, Invalid)] {
        assert_eq!(level(Claim::Throughput, |facts| facts.achieved = Some(achieved)), expected, "{achieved}");
    }
    assert_eq!(level(Claim::Throughput, |facts| facts.achieved = None), Valid);
}

#[test]
fn cpu_per_message_needs_counted_work_and_a_busy_server() {
    for (busy, expected) in [(Some(0.80), Valid), (Some(0.79), Suspect), (None, Invalid)] {
        assert_eq!(level(Claim::CpuPerMessage, |facts| facts.server_busy = busy), expected, "{busy:?}");
    }
    assert_eq!(level(Claim::CpuPerMessage, |facts| facts.counted_work = false), Suspect);
    assert_eq!(level(Claim::Throughput, |facts| facts.server_busy = Some(0.1)), Valid, "it was not asked for its most");
    let idle = |facts: &mut Facts| (facts.saturation, facts.server_busy) = (true, Some(0.79));
    assert_eq!(level(Claim::Throughput, idle), Suspect);
}

#[test]
fn the_machine_may_spoil_a_run() {
    for (steal, expected) in [(0.02, Valid), (0.021, Suspect), (0.10, Suspect), (0.11, Invalid)] {
        assert_eq!(level(Claim::Latency, |facts| facts.steal = steal), expected, "{steal}");
        assert_eq!(level(Claim::CpuPerMessage, |facts| facts.steal = steal), expected, "{steal}");
    }
    assert_eq!(level(Claim::Latency, |facts| facts.kernel_drops = 1), Suspect);
    for claim in [Claim::Connections, Claim::Throughput] {
        assert_eq!(level(claim, |facts| facts.limits = vec!["no descriptors".to_owned()]), Invalid);
    }
    for (share, expected) in [(0.01, Valid), (0.011, Suspect)] {
        assert_eq!(level(Claim::Connections, |facts| facts.refused_share = share), expected);
    }
}

#[test]
fn an_objection_makes_everything_invalid_and_an_early_end_suspect() {
    for claim in [Claim::Throughput, Claim::Delivery, Claim::CpuPerMessage, Claim::Memory] {
        assert_eq!(level(claim, |facts| facts.objections = 1), Invalid, "{claim}");
        assert_eq!(level(claim, |facts| facts.interrupted = true), Suspect, "{claim}");
        assert_eq!(level(claim, |facts| facts.seconds = 4), Suspect, "{claim}");
        assert_eq!(level(claim, |facts| facts.seconds = 5), Valid, "{claim}");
    }
    assert_eq!(level(Claim::Memory, |facts| facts.connections = 99), Suspect);
}

#[test]
fn only_an_invalid_first_claim_changes_the_exit_code() {
    let verdicts = judge(&Facts { server_busy: None, ..good() }, &[Claim::Latency, Claim::CpuPerMessage]);
    assert_eq!((verdicts[1].level, exit_code(&verdicts, false)), (Invalid, 0));
    let verdicts = judge(&Facts { generator_busy: 1.0, ..good() }, &[Claim::Latency]);
    assert_eq!((exit_code(&verdicts, false), exit_code(&verdicts, true)), (3, 0));
}
