//! What did not happen is not claimed: no connection, no message, no rate and no growth that was not seen is VALID, and no
//! threshold holds over nothing.

use crate::crooked::{Crooked, Habits};
use crate::support::{Process, Run, command, file, load, load_raw};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tidings_loadgen::outcome::{Level, Outcome};

/// Where nobody listens: a port that was free a moment ago.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("ws://{}", listener.local_addr().expect("it is bound"))
}

fn levels(outcome: &Outcome) -> Vec<(String, Level)> {
    outcome.verdicts.iter().map(|verdict| (verdict.claim.clone(), verdict.level)).collect()
}

#[track_caller]
fn is_all_invalid(run: &Run) {
    let levels = levels(run.outcome());
    assert!(!levels.is_empty() && levels.iter().all(|(_, level)| *level == Level::Invalid), "{levels:?}\n{}", run.out);
}

#[test]
fn nobody_listening_is_told_at_once_by_every_verb_and_nothing_is_claimed() {
    let url = nobody();
    for verb in ["echo", "fanout", "storm", "idle", "churn", "slow", "reconnect", "soak"] {
        let began = Instant::now();
        let run = load(&[verb, &url, "-c", "3", "-d", "1h", "--threshold", "lost==0"]);
        is_all_invalid(&run);
        assert_eq!(run.code, 99, "{verb}: {}", run.out);
        assert!(run.out.contains("✗ lost==0 (was not measured)"), "{verb}: {}", run.out);
        let reason = format!("none of the 3 connections of `{verb}` could be opened");
        assert!(run.outcome().verdicts[0].reasons[0].contains(&reason), "{verb}: {}", run.out);
        assert!(!run.outcome().scalars.contains_key("rate"), "{verb}: nothing was asked for in vain");
        assert!(began.elapsed() < Duration::from_secs(600), "{verb} waits for what cannot come");
    }
    for (force, code) in [(&[][..], 3), (&["--force"][..], 1)] {
        for verb in ["echo", "idle", "storm"] {
            let run = load(&[&[verb, &url, "-c", "3", "-d", "1h"][..], force].concat());
            assert_eq!(run.code, code, "{verb} {force:?}: {}", run.out);
        }
    }
}

#[test]
fn a_server_that_is_killed_in_the_middle_is_not_valid() {
    for verb in ["echo", "fanout", "idle", "storm"] {
        let server = Process::start();
        let (url, json) = (server.url(), file("killed.json"));
        let arguments = [verb, &url, "-c", "2", "-R", "50", "-d", "6s", "--warmup", "0s", "--drain", "200ms", "--json"];
        let mut run = command(&arguments).arg(&json).stdout(Stdio::null()).spawn().expect("the program runs");
        let until = Instant::now() + Duration::from_secs(60);
        while verb != "storm" && server.connections() < 2 {
            assert!(Instant::now() < until && run.try_wait().expect("a child").is_none(), "{verb} does not connect");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_secs(2));
        server.signal("KILL");
        assert_eq!(run.wait().expect("it ends").code(), Some(3), "{verb}");
        let text = std::fs::read_to_string(&json).expect("a result");
        std::fs::remove_file(&json).expect("it was there");
        let outcome: Outcome = serde_json::from_str(&text).expect("a result");
        assert!(levels(&outcome).iter().all(|(_, level)| *level == Level::Invalid), "{verb}: {:?}", outcome.verdicts);
        if verb == "echo" || verb == "fanout" {
            let totals = &outcome.totals;
            assert!(totals.unsent > 0 && totals.lost >= totals.unsent, "{verb}: what was due is lost: {totals:?}");
        }
    }
}

#[test]
fn a_rate_of_nothing_proves_nothing() {
    let server = Crooked::start(Habits::default());
    let url = server.url();
    for verb in ["echo", "fanout"] {
        let base = "-c 2 -R 0 -d 300ms --warmup 0s";
        let run = load_raw(verb, &url, base);
        is_all_invalid(&run);
        assert_eq!(run.code, 3, "{verb}: {}", run.out);
        for threshold in ["lost==0", "reach<=100%", "p99<1h", "corrupted==0", "gaps==0", "throughput<1", "rate<=100%"] {
            let run = load_raw(verb, &url, &format!("{base} --threshold {threshold} --force"));
            assert_eq!(run.code, 99, "{verb} {threshold}: {}", run.out);
            assert!(run.out.contains("was not measured"), "{verb} {threshold}: {}", run.out);
        }
    }
}

#[test]
fn publications_none_of_which_arrives_prove_nothing() {
    let server = Crooked::start(Habits { loses: 1, ..Habits::default() });
    let url = server.url();
    let run = load_raw("fanout", &url, "-c 10 -R 100 -d 300ms --warmup 0s --drain 0s");
    assert!(run.outcome().totals.expected >= 200 && run.outcome().totals.received == 0, "{}", run.out);
    is_all_invalid(&run);
    assert_eq!((run.code, run.scalar("rate")), (3, 0.0), "{}", run.out);
}

#[test]
fn messages_without_anybody_to_send_them_are_due_and_lost() {
    let server = Crooked::start(Habits { refuses: "/pub", ..Habits::default() });
    let url = server.url();
    let run = load_raw("fanout", &url, "-c 3 -R 100 -d 1h --force");
    is_all_invalid(&run);
    assert!(run.out.contains("none of the 1 connections of `publishers` could be opened"), "{}", run.out);
    assert_eq!(run.code, 1, "{}", run.out);
}

/// The server takes everything at once and answers half as fast: each answer comes, and later and later.
#[test]
fn a_rate_that_was_sent_and_not_answered_in_time_was_not_reached() {
    let server = Crooked::start(Habits { pace: Duration::from_millis(4), ..Habits::default() });
    let url = server.url();
    let run = load_raw("echo", &url, "-c 1 -R 500 -d 1s --warmup 0s");
    assert_eq!(run.outcome().totals.lost, 0, "{}", run.out);
    assert!(run.scalar("rate") < 0.7, "{}", run.out);
    for verdict in &run.outcome().verdicts[..2] {
        assert_eq!(verdict.level, Level::Invalid, "{}", run.out);
        let told = verdict.reasons.iter().any(|reason| reason.contains("of the requested rate was answered"));
        assert!(told, "{verdict:?}");
    }
    assert_eq!(run.code, 3);
}

#[test]
fn a_soak_of_seconds_extrapolates_nothing() {
    let server = Process::start();
    let (url, pid) = (server.url(), server.id().to_string());
    let soak = ["soak", &url, "-c", "3", "-R", "50", "-d", "4s", "--pid", &pid, "--force"];
    let run = load(&[&soak[..], &["--threshold", "rss_slope<1GB/h,fd_slope<1M,latency_slope<1h"]].concat());
    for name in ["rss_slope", "fd_slope", "latency_slope"] {
        assert!(!run.outcome().scalars.contains_key(name), "{name}: {}", run.out);
    }
    assert_eq!((run.code, run.out.matches("(was not measured)").count()), (99, 3), "{}", run.out);
    assert!(run.out.contains("growth per hour needs 5 min 0 s or more"), "{}", run.out);
}

#[test]
fn a_scenario_whose_point_did_not_come_up_is_not_valid() {
    let (_server, url) = crate::support::tidings();
    let short = ["-d", "400ms", "--warmup", "0s", "--drain", "500ms"];
    for (verb, options, expected) in [
        ("churn", &["-c", "3", "--lifetime", "1h"][..], "no connection was replaced"),
        ("reconnect", &["-c", "3", "--cut-after", "1h"], "no connection was cut"),
        ("slow", &["-c", "3", "--slow", "5%"], "no receiver was slow"),
        ("hostile", &["-c", "3", "--attack-rate", "0"], "no malformed"),
    ] {
        let run = load(&[&[verb, &url], options, &short[..]].concat());
        let verdict = &run.outcome().verdicts[0];
        assert_eq!((verdict.level, run.code), (Level::Invalid, 3), "{verb}: {}", run.out);
        assert!(verdict.reasons.iter().any(|reason| reason.contains(expected)), "{verb}: {verdict:?}");
    }
}

#[test]
fn a_search_where_nobody_listens_fails_at_once() {
    let url = nobody();
    let run = load(&["find", "echo", &url, "-d", "1h", "--slo", "lost==0", "--max", "rate:1..1k"]);
    assert_eq!(run.code, 1, "{}\n{}", run.out, run.error);
    assert!(run.error.contains("none of the 100 connections of `echo` could be opened"), "{}", run.error);
}

#[test]
fn a_group_that_never_begins_is_told() {
    let (_server, url) = crate::support::tidings();
    let path = file("late.toml");
    let text = "[[group]]\nname = \"early\"\nverb = \"idle\"\nconnections = 2\n\n[[group]]\nname = \"late\"\nverb = \"idle\"\nconnections = 2\nstart = \"1h\"\n";
    std::fs::write(&path, text).expect("a file");
    let name = path.to_string_lossy().into_owned();
    let run = load(&["mixed", &url, "--scenario", &name, "-d", "300ms", "--warmup", "0s"]);
    std::fs::remove_file(&path).expect("it was there");
    let verdict = &run.outcome().verdicts[0];
    assert_eq!((verdict.claim.as_str(), verdict.level, run.code), ("connections", Level::Invalid, 3), "{}", run.out);
    assert!(verdict.reasons.iter().any(|reason| reason.contains("the group `late` never began")), "{verdict:?}");
}
