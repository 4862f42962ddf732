//! `tidings health`: what it says of a server that serves, that is to be left, and that is not there.

use crate::support::process::Process;
use crate::support::wait_until;
use std::process::Command;

/// The exit code of `tidings health`, its output and what it says is wrong.
fn health(address: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    // Whatever is set for other commands: health checks need no credentials.
    command.env("TIDINGS_TOKEN", "\u{1}").env("TIDINGS_OPERATOR_KEY_FILE", "/nowhere");
    let output = command.args(["health", "--url", address]).args(arguments).output().expect("the command");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_server_that_is_to_be_left_is_not_ready_but_works() {
    let process = Process::start(&["--reactors", "2"]);
    let address = process.address.to_string();
    assert_eq!(health(&address, &[]), (Some(0), "ready\n".to_owned(), String::new()));
    assert_eq!(health(&address, &["--live"]), (Some(0), "alive\n".to_owned(), String::new()));
    process.signal("USR2");
    wait_until("it is not ready", || health(&address, &[]).0 == Some(1));
    let (_, output, error) = health(&address, &[]);
    assert!(output.is_empty() && error.starts_with("tidings: refused with 503: "), "{error}");
    assert_eq!(health(&address, &["--live"]).0, Some(0));
}

#[test]
fn where_nobody_listens_the_exit_code_is_1() {
    // A port that was free a moment ago, and that nobody is given who does not ask for it.
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let (code, _, error) = health(&address.expect("a port").to_string(), &[]);
    assert!(code == Some(1) && error.contains("Is the server running?"), "{error}");
}
