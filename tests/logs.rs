//! The log: it stops nothing when nobody reads it, says who was refused and why, and cannot be forged or flooded.

use crate::support::http::{HttpClient, get};
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Descriptors of a process that shall run out of them.
const DESCRIPTORS: usize = 48;
/// What a pipe holds by default; if it holds more, a test here proves less.
const PIPE_BYTES: usize = 64 * 1024;

/// A pipe that is full: who writes to it waits until the first end is read.
fn full_pipe() -> (std::io::PipeReader, Stdio) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&[b'.'; PIPE_BYTES]).expect("an empty pipe takes them");
    (reader, Stdio::from(writer))
}

/// The lines of a log in JSON.
fn events(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn of<'e>(events: &'e [Value], name: &'e str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

/// Stops a server; its log.
fn log_of(process: Process) -> String {
    process.signal("TERM");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    log
}

#[test]
fn a_full_pipe_on_standard_error_hangs_nothing_and_a_signal_still_drains() {
    let (mut unread, errors) = full_pipe();
    let process = Process::start_with_errors_to(errors, DESCRIPTORS);
    let mut client = HttpClient::connect(process.address);
    assert!(client.is_kept());
    let began = Instant::now();
    // More than fit, so that the reactor has something to say for two seconds.
    let crowd: Vec<TcpStream> =
        (0..2 * DESCRIPTORS).map(|_| TcpStream::connect(process.address).expect("a queue")).collect();
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(client.request("GET", "/livez", &[], b"").status, 200);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop((crowd, client));
    process.signal("TERM");
    let (status, _) = process.wait();
    assert_eq!(status.code(), Some(0), "it drains, and waits for nobody to read its last lines");
    let mut log = Vec::new();
    unread.read_to_end(&mut log).expect("what was there before");
    assert_eq!(log.len(), PIPE_BYTES);
}

#[test]
fn a_closed_or_full_standard_output_does_not_end_a_server_silently() {
    let (closed, output) = std::io::pipe().expect("a pipe");
    drop(closed);
    let process = Process::start_with_output_to(Stdio::from(output), " WARN standard_output_closed ");
    assert_eq!(get(process.address, "/livez").status, 200);
    log_of(process);

    let (unread, output) = full_pipe();
    let process = Process::start_with_output_to(output, "");
    assert_eq!(get(process.address, "/livez").status, 200);
    log_of(process);
    drop(unread);
}

#[test]
fn what_was_refused_is_logged_with_peer_and_reason_as_text_and_as_json() {
    for format in ["text", "json"] {
        let process = Process::start(&["--log-format", format, "--reactors", "1"]);
        let mut client = HttpClient::connect(process.address);
        let peer = client.raw.stream.local_addr().expect("an address").to_string();
        assert_eq!(client.request("GET", "/nowhere", &[], b"").status, 404);
        let mut socket = WsClient::connect(process.address);
        let faulty = socket.socket.get_ref().local_addr().expect("an address").to_string();
        socket.socket.get_mut().write_all(b"\xc1\x00").expect("open");
        assert!(socket.read_close().is_some());
        drop((client, socket));
        let log = log_of(process);
        if format == "text" {
            let refused = log.lines().find(|line| line.contains(" INFO refused ")).expect("a line");
            assert!(refused.ends_with(&format!(" peer={peer} reason=not_found")), "{refused}");
            let fault = log.lines().find(|line| line.contains(" INFO faulty_close ")).expect("a line");
            assert!(fault.ends_with(&format!(" peer={faulty} reason=protocol_error")), "{fault}");
            let end = log.lines().last().expect("a line");
            assert!(end.contains(" INFO drained \"drained ") && end.contains(", cut 0, "), "{end}");
        } else {
            let events = events(&log);
            assert_eq!(of(&events, "listening").len(), 1);
            let refused = of(&events, "refused")[0];
            assert_eq!((refused["peer"].as_str(), refused["reason"].as_str()), (Some(&*peer), Some("not_found")));
            let fault = of(&events, "faulty_close")[0];
            assert_eq!((fault["peer"].as_str(), fault["reason"].as_str()), (Some(&*faulty), Some("protocol_error")));
            assert_eq!(of(&events, "drained")[0]["cut"], 0);
        }
    }
}

#[test]
fn neither_a_path_nor_a_payload_can_forge_a_line_and_payloads_stay_out() {
    let process = Process::start(&["--log-format", "json", "--reactors", "1"]);
    let mut client = HttpClient::connect(process.address);
    let path = "/%0d%0a%1b[2J\u{9b}\u{2028}\"},{\"event\":\"forged\"%00";
    assert_eq!(client.request("GET", path, &[], b"").status / 100, 4);
    drop(client);
    let mut client = HttpClient::connect(process.address);
    let payload = b"{\"secret\":\"hunter2\n2026-01-01 ERROR forged\",}";
    assert_eq!(client.request("POST", "/channels/x", &[("Content-Type", "application/json")], payload).status, 400);
    drop(client);
    let log = log_of(process);
    assert!(!log.contains("hunter2") && !log.contains(['\u{1b}', '\r', '\u{9b}', '\u{2028}']), "{log}");
    let events = events(&log);
    assert_eq!(of(&events, "refused").len(), 2, "{log}");
    assert!(of(&events, "forged").is_empty());
}

#[test]
fn a_flood_of_one_kind_is_a_few_lines_that_say_how_many_were_left_out() {
    const FAULTS: usize = 200;
    let process = Process::start(&["--log-format", "json", "--reactors", "2"]);
    let began = Instant::now();
    for _ in 0..FAULTS {
        let mut client = RawClient::connect(process.address);
        client.send("no HTTP\r\n\r\n");
        client.read_to_end();
    }
    // Another kind is not hidden.
    let mut socket = WsClient::connect(process.address);
    socket.socket.get_mut().write_all(b"\xc1\x00").expect("open");
    assert!(socket.read_close().is_some());
    drop(socket);
    let log = log_of(process);
    let most = 10 + began.elapsed().as_secs() as usize + 1;
    let events = events(&log);
    let written = of(&events, "refused");
    assert!((10..=most).contains(&written.len()), "{} lines: {log}", written.len());
    let left_out = events.iter().filter(|event| event["event"] == "refused" || event["of"] == "refused");
    let left_out: u64 = left_out.filter_map(|event| event["left_out"].as_u64()).sum();
    assert_eq!(written.len() + left_out as usize, FAULTS, "{log}");
    assert_eq!(of(&events, "faulty_close").len(), 1);
}

#[test]
fn a_reader_that_is_cut_off_is_logged_with_what_waits_for_it() {
    let process = Process::start(&["--log-format", "json", "--reactors", "1"]);
    let mut reader = WsClient::connect(process.address);
    reader.subscribe("x");
    let peer = reader.socket.get_ref().local_addr().expect("an address").to_string();
    let mut publisher = HttpClient::connect(process.address);
    let payload = vec![b'1'; 60_000];
    crate::support::wait_until("the reader is cut off", || {
        let sent = (0..20).all(|_| publisher.request("POST", "/channels/x", &[], &payload).status == 200);
        assert!(sent);
        process.metric("tidings_connections_closed_total{reason=\"slow_consumer\"}") > 0.0
            || process.metric("tidings_outbox_bytes") == 0.0 && process.metric("tidings_subscriptions") == 0.0
    });
    drop((reader, publisher));
    let log = log_of(process);
    let events = events(&log);
    let slow = of(&events, "slow_reader");
    assert_eq!(slow.len(), 1, "{log}");
    assert_eq!((slow[0]["peer"].as_str(), slow[0]["level"].as_str()), (Some(&*peer), Some("warn")));
    assert!(slow[0]["waiting_bytes"].as_str().and_then(|text| text.parse::<u64>().ok()) > Some(1024 * 1024), "{log}");
}

#[test]
fn the_level_and_the_format_come_from_the_flag_the_environment_or_the_file() {
    let refused = |process: Process| {
        assert_eq!(get(process.address, "/nowhere").status, 404);
        log_of(process)
    };
    let quiet = refused(Process::start_with(&[("TIDINGS_LOG_LEVEL", "warn")], &[]));
    assert!(!quiet.contains(" refused "), "{quiet}");
    let flag_wins = refused(Process::start_with(&[("TIDINGS_LOG_LEVEL", "off")], &["--log-level", "info"]));
    assert!(flag_wins.contains(" INFO refused "), "{flag_wins}");
    let json = refused(Process::start_with(&[("TIDINGS_LOG_FORMAT", "json")], &[]));
    assert!(!of(&events(&json), "refused").is_empty(), "{json}");
    let file = refused(Process::start_by(&[], 1024, "[log]\nformat = \"json\"\nlevel = \"warn\"\n", &[]));
    assert!(of(&events(&file), "refused").is_empty(), "{file}");
}

#[test]
fn a_level_or_format_that_does_not_exist_is_refused_with_those_that_do() {
    for (flag, words) in [("--log-level", "off"), ("--log-format", "json")] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["serve", "--listen", "127.0.0.1:0", flag, "loud"])
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(said.contains("loud") && said.contains(words), "{said}");
    }
}
