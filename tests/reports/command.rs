//! The command line as people use it: other processes, pipes, TLS.

use super::{Subject, Way, haproxy, new_channel};
use crate::fronts::proxy::{Program, Proxy};
use crate::support::http::post;
use crate::support::process::{Process, descriptors_allowed};
use crate::support::{OPERATOR_KEY, PATIENCE, wait_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

fn tidings(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.env_remove("TIDINGS_OPERATOR_KEY");
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end with this on its standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = tidings(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("standard input");
    let input = input.to_owned();
    // A command that was refused at once reads nothing.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic");
    output
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running `tidings subscribe`.
struct Subscriber {
    child: Child,
    lines: Receiver<String>,
    notes: Receiver<String>,
}

fn lines_of(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
    });
    receiver
}

impl Subscriber {
    /// Starts it and waits until it has its subscription: `--last 1` of a channel with something in it prints that.
    fn start(arguments: &[&str]) -> Subscriber {
        let mut child = Subscriber::spawn(arguments);
        let lines = lines_of(child.stdout.take().expect("standard output"));
        Subscriber::on(child, lines)
    }

    fn spawn(arguments: &[&str]) -> Child {
        let mut command = tidings(&[&["subscribe", "--last", "1"], arguments].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    }

    fn on(mut child: Child, lines: Receiver<String>) -> Subscriber {
        let notes = lines_of(child.stderr.take().expect("standard error"));
        Subscriber { child, lines, notes }
    }

    fn next(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no line; it says {:?}", self.notes.try_iter().collect::<Vec<_>>()))
    }

    /// Waits for a note with this in it.
    fn says(&self, what: &str) -> String {
        loop {
            let note = self.notes.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not say {what}"));
            println!("{note}");
            if note.contains(what) {
                return note;
            }
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "run by tests/run reports"]
fn the_command_line_says_what_is_wrong() {
    let subject = Subject::start(Way::Direct, "", &[]);
    let url = subject.address().to_string();
    let large = format!("\"{}\"", "x".repeat(100_000));
    for (report, arguments, input, code, said) in [
        (
            "the address of a channel is taken for that of the server",
            vec!["subscribe", "x", "--url", "http://127.0.0.1:1/channels/x"],
            "",
            2,
            "is the address of a channel",
        ),
        (
            "a position that was mistyped loses everything without a word",
            vec!["subscribe", "x", "--url", &url, "--since", "41"],
            "",
            2,
            "a position is EPOCH:OFFSET",
        ),
        (
            "an argument of two lines gets a parser's sentence",
            vec!["publish", "x", "--url", &url, "1\n2"],
            "",
            1,
            "tidings publish x -",
        ),
        (
            "what is too large is closed with a number",
            vec!["publish", "x", "--url", &url, "-"],
            &large,
            1,
            "the server accepts 65536",
        ),
        (
            "a bad line is not named",
            vec!["publish", "x", "--url", &url, "-"],
            "1\n{\n2\n",
            1,
            "line 2: this is not JSON",
        ),
        (
            "TLS with a server that has none is a broken pipe",
            vec!["publish", "x", "--url", &format!("https://{url}"), "1"],
            "",
            1,
            "its answer is not TLS",
        ),
        (
            "nobody there is a stack trace",
            vec!["publish", "x", "--url", "127.0.0.1:1", "1"],
            "",
            1,
            "Is the server running?",
        ),
    ] {
        let output = run(&arguments, input);
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(code), "{report}: {errors}");
        assert!(errors.contains(said), "{report}: {errors}");
    }
    let output = run(&["publish", &subject.channel, "--url", &url, "-"], "{\"a\":1}\n\n2\n");
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2, "each line is answered");
    assert_eq!(subject.data(), "2");
}

/// Its own output is not read: it falls behind, is closed as a slow consumer, and goes on where it was when it can.
#[test]
#[ignore = "run by tests/run reports"]
fn a_subscriber_that_fell_too_far_back_ends_for_good() {
    let toml = "[delivery]\noutbox_bytes = \"1 MiB\"\n[history]\nbytes = \"64 MiB\"\n";
    let subject = Subject::start(Way::Direct, toml, &[]);
    let url = subject.address().to_string();
    post(subject.address(), &subject.path(), "0");
    let mut child = Subscriber::spawn(&[&subject.channel, "--url", &url]);
    let mut stdout: BufReader<ChildStdout> = BufReader::new(child.stdout.take().expect("standard output"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("it prints");
    assert_eq!(first, "1 0\n");
    let large = format!("\"{}\"", "x".repeat(1_000_000));
    let slow = || subject.process.metric("tidings_connections_closed_total{reason=\"slow_consumer\"}");
    // More than the kernel keeps for a connection at both ends, and the outbox.
    for _ in 0..24 {
        assert_eq!(post(subject.address(), &subject.path(), &large).status, 200);
    }
    wait_until("it is closed as a slow consumer", || slow() == 1.0);
    let subscriber = Subscriber::on(child, lines_of(stdout));
    // Its Close may have found no room either, and the end was a reset.
    subscriber.says("connecting again");
    subscriber.says("connected again");
    post(subject.address(), &subject.path(), "\"after\"");
    while !subscriber.next().ends_with(" \"after\"") {}
}

/// The server is started anew on the same port: readers come back by themselves.
#[test]
#[ignore = "run by tests/run reports"]
fn a_restart_ends_every_subscriber() {
    let process = Process::start(&[]);
    let address = process.address;
    let (channel, url) = (new_channel(), address.to_string());
    post(address, &format!("/channels/{channel}"), "1");
    let subscriber = Subscriber::start(&[&channel, "--url", &url]);
    assert_eq!(subscriber.next(), "1 1");
    process.signal("TERM");
    assert!(process.wait().0.success());
    subscriber.says("server_shutdown");
    // The last --listen would be another address; the configuration names the same one again.
    let mut again = tidings(&["serve", "--listen", &url]);
    let mut again = again.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    subscriber.says("connected again");
    post(address, &format!("/channels/{channel}"), "\"again\"");
    assert_eq!(subscriber.next(), "1 \"again\"");
    again.kill().and_then(|()| again.wait()).expect("it ran");
}

/// Behind a proxy only operators publish, unless everybody may.
#[test]
#[ignore = "run by tests/run reports: needs nginx"]
fn an_operator_cannot_publish_through_a_proxy() {
    let subject = Subject::start(Way::Nginx, "", &[]);
    let url = subject.address().to_string();
    let file = std::env::temp_dir().join(format!("tidings-reports-key-{}", std::process::id()));
    std::fs::write(&file, format!("{OPERATOR_KEY}\n")).expect("a writable folder");
    let publish = ["publish", &subject.channel, "--url", &url];
    let output = run(&[&publish[..], &["1"]].concat(), "");
    let said = errors(&output);
    assert!(!output.status.success() && said.contains("--operator-key-file FILE"), "{said}");
    let key = file.display().to_string();
    let output = run(&[&publish[..], &["2", "--operator-key-file", &key]].concat(), "");
    assert!(output.status.success(), "{}", errors(&output));
    let by_variable = tidings(&[&publish[..], &["3"]].concat()).env("TIDINGS_OPERATOR_KEY", OPERATOR_KEY).output();
    assert!(by_variable.expect("it runs").status.success());
    let snapshot = subject.ask("GET", &subject.path(), &[], "").json();
    assert_eq!((&snapshot["offset"], subject.data().as_str()), (&2.into(), "3"), "{snapshot}");
    let output = run(&[&publish[..], &["4", "--operator-key-file", "/nonexistent/key"]].concat(), "");
    assert!(errors(&output).contains("/nonexistent/key: "), "{}", errors(&output));
    std::fs::remove_file(&file).expect("it was written");
}

/// A certificate for 127.0.0.2 and the authority that signed it, as files for HAProxy and for clients.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::new([]).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.2".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    std::fs::write(folder.join("ca.pem"), issuer.pem()).expect("a writable folder");
    std::fs::write(folder.join("server.pem"), certificate.pem() + &key.serialize_pem()).expect("a writable folder");
}

#[test]
#[ignore = "run by tests/run reports: needs HAProxy"]
fn the_command_line_speaks_no_tls() {
    let process = Process::start_by(&[], descriptors_allowed(), "", &["--allow-anonymous-publish"]);
    let folder = std::env::temp_dir().join(format!("tidings-reports-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable folder");
    certificates(&folder);
    let front = Proxy::run(Program::HaProxy, &|own, address: SocketAddr| {
        let more = format!("  bind 127.0.0.2:{} ssl crt {}/server.pem", address.port(), folder.display());
        haproxy(own, address, process.address, &more)
    });
    let (channel, url) = (new_channel(), format!("https://127.0.0.2:{}", front.address.port()));
    let ca = folder.join("ca.pem").display().to_string();
    let with = ["--url", &url, "--ca", &ca];

    let output = run(&[&["publish", &channel, "1"], &with[..]].concat(), "");
    assert!(output.status.success(), "{}", errors(&output));
    let subscriber = Subscriber::start(&[&[channel.as_str()], &with[..]].concat());
    assert_eq!(subscriber.next(), "1 1");
    let large = format!("\"{}\"", "x".repeat(60_000));
    assert!(run(&[&["publish", &channel, "-"], &with[..]].concat(), &large).status.success());
    assert_eq!(subscriber.next().len(), "2 ".len() + large.len());

    let output = run(&["publish", &channel, "1", "--url", &url], "");
    let said = errors(&output);
    assert!(
        !output.status.success() && said.contains("none of the authorities that are trusted here signed it"),
        "{said}"
    );
    assert!(said.contains("--ca FILE"), "{said}");
    std::fs::remove_dir_all(&folder).expect("it was written");
}
