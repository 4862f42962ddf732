//! The command line: mistakes are told where they are, and exit codes mean what the help says.

use crate::crooked::{Crooked, Habits};
use crate::support::{command, file, load, load_raw, tidings};
use std::process::Stdio;
use std::time::Duration;

#[test]
fn a_mistake_on_the_command_line_is_pointed_at_and_exits_with_2() {
    let url = "ws://127.0.0.1:1";
    for (arguments, expected) in [
        (vec!["echo", url, "-R", "5x"], "expected no unit, or one of k K M G"),
        (vec!["echo", url, "-d", "10mz"], "  10mz\n    ^^ expected ns, us, ms, s, m or h"),
        (vec!["echo", url, "--threshold", "dlivery.p99<1s"], "expected `delivery`"),
        (vec!["echo", url, "-s", "19"], "messages of 19 bytes have no room for their stamp: the minimum is 20"),
        (vec!["fanout", url, "-s", "36"], "the minimum is 37"),
        (vec!["echo", url, "--adapter", "tiding"], "did you mean `tidings`?"),
        (vec!["echo", "127.0.0.1:1"], "begins with none of ws://"),
        (vec!["echo", url, "--template", "no place"], "has no {stamp}"),
        (vec!["fanout", url, "--closed", "--processes", "2"], "leave --processes out"),
        (
            vec!["fanout", url, "--channels", "2", "--subs-per-conn", "3"],
            "from 1 to the number of channels, which is 2",
        ),
        (vec!["echo", url, "--pin-self", "4000"], "CPU 4000 is none that this process may run on"),
        (vec!["fanout", "ws://127.0.0.1:1/room"], "the adapter tidings has paths of its own: leave `/room` out"),
        (vec!["echo", "ws://127.0.0.1:1/x", "--adapter", "nonesuch"], "there is no adapter `nonesuch`"),
        (vec!["fanout", url, "--adapter", "pusher"], "use --channel-prefix private-load-, or --publish http"),
        (vec!["fanout", url, "--adapter", "sse"], "use --publish http"),
        (vec!["mixed", url], "--scenario FILE"),
        (vec!["find", "echo", url, "--slo", "p99<1s", "--max", "speed:1..2"], "no a knob"),
        (vec!["find", "idle", url, "--slo", "refused==0"], "use --max connections:100..10k"),
        (
            vec!["find", "echo", url, "--slo", "p99<1s", "--max", "connections:1..2", "--ramp", "0:5/1s"],
            "use --connect-rate",
        ),
        (vec!["echo", url, "--source-ip", "10.0.0.0/8"], "at most 65,536 addresses"),
    ] {
        let run = load(&arguments);
        let expected = expected.replace("no a knob", "is not a knob and a range");
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.error);
        assert!(run.error.contains(&expected), "{arguments:?}: {}", run.error);
    }
}

#[test]
fn a_server_that_is_not_there_is_told_and_nothing_is_waited_for() {
    let run = load(&["echo", "ws://127.0.0.1:1", "-c", "3", "-d", "200ms", "--warmup", "0s", "--drain", "0s"]);
    let outcome = run.outcome();
    assert_eq!((outcome.totals.opened, outcome.totals.refused), (0, 3), "{}", run.out);
    assert!(outcome.errors.keys().any(|text| text.contains("refused")), "{:?}", outcome.errors);
    assert_eq!(run.code, 3, "nothing of what was asked for was sent: {}", run.out);
}

#[test]
fn thresholds_decide_the_exit_code() {
    let server = Crooked::start(Habits { loses: 10, ..Habits::default() });
    let url = server.url();
    let base = "-c 2 -R 200 -d 1s --warmup 0s --drain 300ms --force";
    for (threshold, code) in
        [("lost>0,reach<95%", 0), ("lost==0", 99), ("response.p99<10s", 0), ("p50<1ns", 99), ("recovered_in<1s", 99)]
    {
        let run = load_raw("echo", &url, &format!("{base} --threshold {threshold}"));
        assert_eq!(run.code, code, "{threshold}: {}", run.out);
    }
}

#[test]
fn an_interrupted_run_tells_what_it_has_and_exits_with_130() {
    let (_server, url) = tidings();
    let json = file("interrupted.json");
    let mut run = command(&["echo", &url, "-c", "5", "-R", "100", "-d", "10m", "--warmup", "0s", "--json"])
        .arg(&json)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    std::thread::sleep(Duration::from_millis(1500));
    let status =
        std::process::Command::new("kill").args(["-s", "INT", &run.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
    assert_eq!(run.wait().expect("it ends").code(), Some(130));
    let text = std::fs::read_to_string(&json).expect("a result");
    std::fs::remove_file(&json).expect("it was there");
    let outcome: tidings_loadgen::outcome::Outcome = serde_json::from_str(&text).expect("a result");
    assert!(outcome.interrupted && outcome.totals.received > 0 && outcome.totals.lost == 0, "{text}");
    assert!(outcome.verdicts[0].reasons.iter().any(|reason| reason.contains("interrupted")));
}

#[test]
fn every_verb_explains_itself_and_the_doctor_examines_this_machine() {
    let help = load(&["--help"]);
    for verb in [
        "echo",
        "fanout",
        "storm",
        "idle",
        "churn",
        "slow",
        "reconnect",
        "mixed",
        "soak",
        "hostile",
        "find",
        "compare",
        "report",
        "doctor",
    ] {
        assert!(help.out.contains(&format!("  {verb}")), "{verb} is not in the help");
        assert_eq!(command(&[verb, "--help"]).stdout(Stdio::null()).status().expect("it runs").code(), Some(0));
    }
    let doctor = load(&["doctor"]);
    assert!(
        doctor.code == 0 && doctor.out.contains("descriptors") && doctor.out.contains("connections per source address")
    );
    let options = command(&["echo", "ws://127.0.0.1:1", "--adapter-option", "help"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&options.stderr).contains("publish_path"));
}
