//! The operator's key: a Tidings shows its metrics to whoever has it, and the program finds it or says what is missing.

use crate::support::{OPERATOR_KEY, Process, command, file, runtime};
use std::path::{Path, PathBuf};
use std::process::Command;
use tidings_loadgen::outcome::Outcome;

/// Where no server leaves a key.
const NOWHERE: &str = "/nowhere";

/// A short run that reads the metrics of a server, and finds what servers leave in a folder.
fn measuring(server: &Process, folder: &Path) -> Command {
    let (url, metrics) = (server.url(), format!("http://{}/metrics", server.address));
    let run = ["echo", &url, "-c", "1", "-R", "20", "-d", "300ms", "--warmup", "0s", "--force"];
    let mut command = command(&[&run[..], &["--metrics-url", &metrics]].concat());
    command.env("XDG_RUNTIME_DIR", folder);
    command
}

/// The result of such a run. A page that is refused does not fail it.
fn result(mut run: Command) -> Outcome {
    let json = file("metrics.json");
    let done = run.arg("-o").arg(&json).output().expect("it runs");
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(&json).expect("a result");
    std::fs::remove_file(&json).expect("it was there");
    serde_json::from_str(&text).expect("a result")
}

/// The file in which a server has left its key.
fn key_file(server: &Process) -> PathBuf {
    runtime().join(format!("tidings/operator-{}", server.address.port()))
}

#[track_caller]
fn shows_metrics(outcome: &Outcome) {
    assert!(!outcome.metrics.is_empty() && outcome.notes.is_empty(), "{:?}", outcome.notes);
}

/// One note, however often the page was asked for.
#[track_caller]
fn is_refused(outcome: &Outcome, expected: [&str; 2]) {
    let notes = outcome.notes.join("\n");
    assert!(expected.iter().all(|text| notes.contains(text)), "{notes}");
    assert_eq!((outcome.metrics.len(), notes.matches("--metrics-url").count()), (0, 1), "{notes}");
}

#[test]
fn metrics_that_are_refused_are_a_note_that_says_what_opens_them() {
    let server = Process::start();
    let refused = result(measuring(&server, Path::new(NOWHERE)));
    is_refused(&refused, ["the server answered 401: operator_needed", "--operator-key-file or TIDINGS_OPERATOR_KEY"]);
    let mut named = measuring(&server, Path::new(NOWHERE));
    named.arg("--operator-key-file").arg(key_file(&server));
    shows_metrics(&result(named));
    shows_metrics(&result(measuring(&server, &runtime())));
}

#[test]
fn the_key_in_the_environment_opens_the_metrics_and_is_not_shown() {
    let server = Process::start();
    let key = std::fs::read_to_string(key_file(&server)).expect("the server has left it").trim().to_owned();
    let with = |key: &str, folder: &Path| {
        let mut run = measuring(&server, folder);
        run.env(OPERATOR_KEY, key);
        run
    };
    let opened = result(with(&key, Path::new(NOWHERE)));
    shows_metrics(&opened);
    assert!(!serde_json::to_string(&opened).expect("JSON").contains(&key), "a result is shown to others");
    // An empty variable is none; any other comes before what is found.
    shows_metrics(&result(with("", &runtime())));
    let refused = result(with("wrong", &runtime()));
    is_refused(&refused, ["the server answered 403", "the key of TIDINGS_OPERATOR_KEY does not open it"]);
    let wrong = with("two words", &runtime()).output().expect("it runs");
    let error = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(1), "{error}");
    assert!(error.contains("TIDINGS_OPERATOR_KEY is no key") && !error.contains("two words"), "{error}");
}
