//! Coordinated omission: a server that stands still for a while must show in the percentiles as it did to its users.

use crate::support::{Process, command, file};
use std::process::Stdio;
use std::time::Duration;
use tidings_loadgen::outcome::Outcome;

/// How long the server stands still.
const STOP: Duration = Duration::from_secs(6);

/// Ten seconds of which the server stands still for six: by the schedule, messages of six tenths of the run wait, one of
/// them for six seconds and the mean of them for three, so the 90th percentile is about five seconds. Who stops the clock while
/// the server stands still would report milliseconds.
#[test]
fn a_server_that_is_stopped_for_six_seconds_shows_in_the_percentiles() {
    let server = Process::start();
    let json = file("stopped.json");
    let url = server.url();
    let arguments = ["echo", &url, "-c", "10", "-R", "500", "-d", "10s", "--warmup", "0s", "--drain", "20s", "--json"];
    let mut run = command(&arguments).arg(&json).stdout(Stdio::null()).spawn().expect("the program runs");
    while server.connections() < 10 {
        std::thread::sleep(Duration::from_millis(5));
        assert!(run.try_wait().expect("a child").is_none(), "it ended before it began");
    }
    // Traffic begins at once when all are open; a second of it is enough to begin with.
    std::thread::sleep(Duration::from_secs(1));
    server.signal("STOP");
    std::thread::sleep(STOP);
    server.signal("CONT");
    assert!(run.wait().expect("it ends").code().is_some());
    let text = std::fs::read_to_string(&json).expect("a result");
    std::fs::remove_file(&json).expect("it was there");
    let outcome: Outcome = serde_json::from_str(&text).expect("a result");
    let at = |name: &str, share: f64| {
        let latency = &outcome.latencies[name];
        latency.percentiles.iter().find(|(known, _)| *known == share).expect("a percentile").1
    };
    let shown: Vec<f64> = [50.0, 90.0, 99.0].iter().map(|share| at("response", *share)).collect();
    // The machine's other work can only make it slower.
    assert!(shown[0] > 0.4 && shown[1] > 4.0 && shown[2] > 5.0, "{shown:?}");
    assert!(outcome.latencies["response"].count >= 4999, "every message of the schedule counts");
    assert_eq!((outcome.totals.lost, outcome.totals.sent), (0, outcome.totals.received));
}
