//! Each rule on both sides of its limit.

use super::{Claim, Facts, exit_code, judge};
use crate::outcome::Level::{self, Invalid, Suspect, Valid};

const ALL: [Claim; 6] =
    [Claim::Throughput, Claim::Latency, Claim::CpuPerMessage, Claim::Memory, Claim::Delivery, Claim::Connections];

/// A run that nothing speaks against.
fn good() -> Facts {
    Facts {
        generator_busy: 0.5,
        lag_p99: Some(0.0001),
        latency_p99: Some(0.01),
        achieved: Some(1.0),
        saturation: false,
        server_busy: Some(0.9),
        cpu_us_per_msg: Some(6.0),
        bytes_per_connection: Some(200.0),
        opened: 1000,
        arrived: 300_000,
        due: 300_000,
        came: 300_000,
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
    for claim in ALL {
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
fn cpu_per_message_needs_counted_work_and_at_its_limit_a_busy_server() {
    for (busy, expected) in [(Some(0.80), Valid), (Some(0.79), Suspect), (None, Invalid)] {
        let level = level(Claim::CpuPerMessage, |facts| (facts.saturation, facts.server_busy) = (true, busy));
        assert_eq!(level, expected, "{busy:?}");
    }
    // By a schedule a server waits, as it does in use: that is worth a note, and no doubt.
    let waiting = Facts { server_busy: Some(0.2), ..good() };
    let verdict = judge(&waiting, &[Claim::CpuPerMessage]).remove(0);
    assert_eq!((verdict.level, verdict.notes.len()), (Valid, 1), "{verdict:?}");
    assert_eq!(level(Claim::CpuPerMessage, |facts| facts.cpu_us_per_msg = None), Invalid);
    assert_eq!(level(Claim::CpuPerMessage, |facts| facts.server_gone = true), Invalid);
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

#[test]
fn no_claim_is_valid_without_what_it_needs() {
    for (claim, take) in [
        (Claim::Throughput, (|facts| facts.arrived = 0) as fn(&mut Facts)),
        (Claim::Latency, |facts| facts.latency_p99 = None),
        (Claim::CpuPerMessage, |facts| facts.cpu_us_per_msg = None),
        (Claim::Memory, |facts| facts.bytes_per_connection = None),
        (Claim::Memory, |facts| facts.bytes_per_connection = Some(0.0)),
        (Claim::Delivery, |facts| (facts.due, facts.came) = (0, 0)),
        (Claim::Delivery, |facts| facts.came = 0),
        (Claim::Connections, |facts| facts.opened = 0),
    ] {
        assert_eq!(level(claim, take), Invalid, "{claim}");
    }
    let nothing = Facts { seconds: 30, ..Facts::default() };
    for verdict in judge(&nothing, &ALL) {
        assert_eq!(verdict.level, Invalid, "{verdict:?}");
    }
}

#[test]
fn what_did_not_come_up_makes_every_claim_invalid() {
    for claim in ALL {
        assert_eq!(level(claim, |facts| facts.unopened = vec!["none".to_owned()]), Invalid, "{claim}");
        assert_eq!(level(claim, |facts| facts.missing = vec!["no cut".to_owned()]), Invalid, "{claim}");
        let nothing = Facts { unopened: vec!["none".to_owned()], refused_share: 1.0, ..Facts::default() };
        assert_eq!(judge(&nothing, &[claim])[0].reasons, ["none"], "that says it all");
    }
}

#[test]
fn connections_that_were_refused_or_dropped_are_judged_by_their_share_in_every_claim() {
    for claim in ALL {
        for (share, expected) in [(0.01, Valid), (0.011, Suspect), (0.10, Suspect), (0.101, Invalid)] {
            assert_eq!(level(claim, |facts| facts.refused_share = share), expected, "{claim} {share}");
            assert_eq!(level(claim, |facts| facts.dropped_share = share), expected, "{claim} {share}");
        }
        for (share, expected) in [(0.0, Valid), (0.05, Suspect), (0.11, Invalid)] {
            assert_eq!(level(claim, |facts| facts.silent_share = share), expected, "{claim} {share}");
        }
    }
}

#[test]
fn what_was_due_and_not_sent_counts_for_delivery_and_what_was_lost_is_noted() {
    for (share, expected) in [(0.01, Valid), (0.02, Suspect), (0.11, Invalid)] {
        assert_eq!(level(Claim::Delivery, |facts| facts.unsent_share = share), expected, "{share}");
    }
    let verdict = judge(&Facts { came: 299_999, ..good() }, &[Claim::Delivery]).remove(0);
    assert_eq!((verdict.level, verdict.notes.len()), (Valid, 1), "a loss that was seen is a finding: {verdict:?}");
}

/// What the example of the README comes to on a machine that does nothing else: 1,000 receivers, 20 publications a second.
#[test]
fn a_server_that_has_time_to_spare_is_valid_in_every_claim() {
    let example = Facts {
        generator_busy: 0.105,
        lag_p99: Some(314e-6),
        latency_p99: Some(21.7e-3),
        achieved: Some(1.0),
        server_busy: Some(0.058),
        cpu_us_per_msg: Some(5.35),
        steal: 0.001,
        counted_work: true,
        opened: 1001,
        arrived: 200_000,
        due: 220_000,
        came: 220_000,
        seconds: 10,
        connections: 1001,
        ..Facts::default()
    };
    for verdict in judge(&example, &[Claim::Latency, Claim::Throughput, Claim::Delivery, Claim::CpuPerMessage]) {
        assert_eq!(verdict.level, Valid, "{verdict:?}");
    }
}

/// In a closed flow nothing says how much should have come, and what never came has no latency.
#[test]
fn a_latency_of_those_that_came_is_not_that_of_all() {
    for (lost, expected) in [(0, Valid), (3000, Valid), (3001, Suspect), (30_000, Suspect), (30_001, Invalid)] {
        let closed = |facts: &mut Facts| (facts.achieved, facts.came) = (None, 300_000 - lost);
        assert_eq!(level(Claim::Latency, closed), expected, "{lost}");
    }
}

/// What one may do about it is an option that there is.
#[test]
fn remedies_name_options_that_there_are() {
    use clap::CommandFactory;
    let bad = Facts {
        generator_busy: 1.0,
        achieved: Some(0.5),
        saturation: true,
        server_busy: Some(0.1),
        lag_p99: Some(1.0),
        kernel_drops: 1,
        unsent_share: 1.0,
        ..Facts { latency_p99: Some(1.0), ..Facts::default() }
    };
    let mut command = crate::cli::Cli::command();
    let verb = command.find_subcommand_mut("echo").expect("a verb");
    let known: Vec<String> = verb
        .get_arguments()
        .flat_map(|arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            long.into_iter().chain(arg.get_short().map(|short| format!("-{short}")))
        })
        .collect();
    let mut named = 0;
    for reason in judge(&bad, &ALL).into_iter().flat_map(|verdict| verdict.reasons) {
        for word in reason.split([' ', ',', '(', ')', ':', '?']).filter(|word| word.starts_with('-')) {
            named += 1;
            assert!(known.iter().any(|option| option == word), "`{word}` in: {reason}");
        }
    }
    assert!(named >= 10, "{named}");
}
