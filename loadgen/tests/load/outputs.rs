//! Results are not lost: files are opened before the first connection, and a standard output that is closed or full costs
//! nothing else.

use crate::crooked::{Crooked, Habits};
use crate::support::{command, file};
use std::fs::File;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

fn short<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = ["echo", url, "--adapter", "raw", "-c", "1", "-R", "50", "-d", "200ms", "--warmup", "0s", "--force"];
    [&base[..], more].concat()
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_that_cannot_be_opened_is_told_before_the_first_connection() {
    let server = Crooked::start(Habits::default());
    let url = server.url();
    for option in ["-o", "--csv", "--hdr", "--html"] {
        let output = command(&short(&url, &[option, "/nowhere/at/all"])).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{option}");
        assert!(error_of(&output).contains("/nowhere/at/all: "), "{option}: {}", error_of(&output));
    }
    let find = ["find", "echo", &url, "--adapter", "raw", "--slo", "lost==0", "-o", "/nowhere/at/all"];
    let output = command(&find).output().expect("it runs");
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{}", error_of(&output));
    assert_eq!(server.deeds.connected.load(Ordering::Relaxed), 0, "nobody should have connected");
}

#[test]
fn a_full_standard_output_loses_no_file_and_is_told() {
    let server = Crooked::start(Habits::default());
    let (url, json) = (server.url(), file("full.json"));
    let name = json.to_string_lossy().into_owned();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("it is there"));
    let output = command(&short(&url, &["-o", &name])).stdout(full()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", error_of(&output));
    assert!(error_of(&output).contains("standard output: No space left"), "{}", error_of(&output));
    assert!(!error_of(&output).contains("panicked"), "{}", error_of(&output));
    let text = std::fs::read_to_string(&json).expect("a result");
    assert!(text.contains("\"schema\""), "{text}");
    for arguments in [vec!["doctor"], vec!["report", &name], vec!["compare", &name, &name]] {
        let output = command(&arguments).stdout(full()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", error_of(&output));
        assert!(!error_of(&output).contains("panicked"), "{arguments:?}: {}", error_of(&output));
    }
    std::fs::remove_file(&json).expect("it was there");
}

#[test]
fn a_reader_that_has_gone_away_loses_no_file_and_is_no_failure() {
    let server = Crooked::start(Habits::default());
    let (url, json) = (server.url(), file("closed.json"));
    let name = json.to_string_lossy().into_owned();
    let mut run =
        command(&short(&url, &["-o", &name])).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(run.stdout.take());
    let output = run.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(0), ""));
    assert!(std::fs::read_to_string(&json).expect("a result").contains("\"schema\""));
    std::fs::remove_file(&json).expect("it was there");
    // Closed from the start, standard error as well.
    let program = env!("CARGO_BIN_EXE_tidings-loadgen");
    let words = short(&url, &["-o", &name]).join(" ");
    let status =
        Command::new("sh").args(["-c", &format!("exec {program} {words} >&- 2>&-")]).status().expect("sh runs");
    assert_eq!(status.code(), Some(0));
    assert!(std::fs::read_to_string(&json).expect("a result").contains("\"schema\""));
    std::fs::remove_file(&json).expect("it was there");
}

/// Names of files may be any bytes.
#[test]
fn a_name_that_is_no_text_is_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let name = file("a").with_file_name(std::ffi::OsStr::from_bytes(b"r\xffsult.json"));
    let server = Crooked::start(Habits { delay: Duration::from_millis(1), ..Habits::default() });
    let url = server.url();
    let output = command(&short(&url, &["-o"])).arg(&name).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", error_of(&output));
    assert!(std::fs::read_to_string(&name).expect("a result").contains("\"schema\""));
    std::fs::remove_file(&name).expect("it was there");
}
