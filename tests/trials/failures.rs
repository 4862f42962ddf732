//! Memory that ends, and starts that cannot succeed: budgets keep a server below a limit that the kernel enforces, and where it
//! cannot go on it ends, with one line that says why.

use crate::hostile::kib;
use crate::hostile::silent::small_window;
use crate::hostile::witness::Witness;
use crate::support::cgroup::Group;
use crate::support::frames::handshake;
use crate::support::http::{HttpClient, post};
use crate::support::process::{Process, binary, descriptors_allowed};
use crate::support::raw::RawClient;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
/// What the kernel allows.
const LIMIT: usize = 256 * MIB;
/// What the server allows itself: half of that for readers and histories, since there is its own, and what the kernel keeps for
/// its sockets.
const BUDGETS: &str = "[delivery]\noutbound_total_bytes = \"80 MiB\"\noutbox_bytes = \"8 MiB\"\nmailbox_bytes = \"8 MiB\"\n\
                       [history]\ntotal_bytes = \"48 MiB\"\n";
/// Those who never read, each of a channel of its own, so that nothing that waits for one is another's, too.
const DEAF: usize = 300;
/// Publications of 100 KB to each of them, at most: the kernel takes the first of them.
const EACH: usize = 60;
/// Bytes in their outboxes from which on it is nearly over, and publications to each after that.
const NEARLY: usize = 60 * MIB;
const LAST: usize = 4;
/// Channels whose histories would take more than all may: what is published after that is not kept.
const CHANNELS: usize = 700;

#[test]
#[ignore = "run by tests/faults failures"]
fn budgets_keep_a_server_alive_in_256_mib() {
    let Some(group) = Group::of_memory(LIMIT) else { return };
    let arguments = ["--reactors", "2", "--workers", "1"];
    let server = Process::start_by(&group.wrapper(), descriptors_allowed(), BUDGETS, &arguments);
    let deaf: Vec<RawClient> = (0..DEAF)
        .map(|index| small_window(server.address, &handshake(&format!("/channels/deaf-{index}"), &[])))
        .collect();
    crate::support::wait_until("all are subscribed", || server.metric("tidings_subscriptions") == DEAF as f64);
    let witness = Witness::before_attack_on(&server);
    let data = format!("\"{}\"", "x".repeat(100_000));
    let mut publisher = HttpClient::connect(server.address);
    let mut publish = |channel: &str| {
        let answer = publisher.request("POST", &format!("/channels/{channel}"), &[], data.as_bytes());
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        usize::from(answer.status == 200)
    };
    let mut accepted = 0;
    for number in 0..CHANNELS {
        accepted += publish(&format!("kept-{number}"));
    }
    let mut rounds = EACH;
    while rounds > 0 {
        accepted += (0..DEAF).map(|index| publish(&format!("deaf-{index}"))).sum::<usize>();
        let is_near = server.metric("tidings_outbox_bytes") as usize > NEARLY;
        rounds = if is_near { rounds.min(LAST + 1) - 1 } else { rounds - 1 };
    }
    let (most, rss) = (server.status_bytes("VmHWM"), server.status_bytes("VmRSS"));
    let closed = |reason| server.metric(&format!("tidings_connections_closed_total{{reason=\"{reason}\"}}"));
    let cut = || closed("slow_consumer") + closed("outbound_budget");
    // They do not answer their Close.
    crate::support::wait_until("some of them are gone", || cut() > 0.0);
    println!(
        "failures: {accepted} publications of 100 KB, {} of {DEAF} that never read cut off, {} for the budget of all; the \
         process had {} at most and has {}, its group {} at most of {}, {} killed",
        cut(),
        closed("outbound_budget"),
        kib(most),
        kib(rss),
        kib(group.peak() as usize),
        kib(LIMIT),
        group.killed()
    );
    witness.finish("failures");
    drop(deaf);
    assert_eq!(group.killed(), 0);
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
    assert_eq!(post(server.address, "/channels/after", "1").status, 200);
    server.signal("TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// Without a budget that would keep it below: the memory that it asks for is refused, and there is no way to go on.
#[test]
#[ignore = "run by tests/faults failures"]
fn a_server_whose_memory_is_refused_ends_with_one_line() {
    let limit = 512 * MIB;
    // Where the variable is set that asks for backtraces, the line would have one after it.
    let wrapper = ["env", "RUST_BACKTRACE=0", "prlimit", &format!("--as={limit}"), "--core=0"].map(str::to_owned);
    let toml = "[history]\ntotal_bytes = \"8 GiB\"\nbytes = \"1 GiB\"\n";
    let server = Process::start_by(&wrapper, 1024, toml, &["--reactors", "1", "--workers", "1"]);
    let (address, began) = (server.address, Instant::now());
    let data = format!("\"{}\"", "x".repeat(1_000_000));
    let mut accepted = 0;
    // Until it is gone, which is long before this.
    while accepted < 4 * limit / MIB && publishes(address, accepted, data.as_bytes()) {
        accepted += 1;
    }
    let (status, errors) = server.wait();
    let lines: Vec<&str> = errors.lines().filter(|line| line.contains("memory allocation of")).collect();
    println!(
        "failures: with {} of addresses it took {accepted} publications of 1 MB in {:.1?}, then ended with {status} and said: {lines:?}",
        kib(limit),
        began.elapsed()
    );
    assert!(!status.success() && (status.signal().is_some() || status.code().is_some()), "{status}");
    assert_eq!(lines.len(), 1, "{errors}");
    assert!(accepted > limit / MIB / 8, "it did some work before");
}

/// Whether a publication is answered.
fn publishes(address: SocketAddr, number: usize, data: &[u8]) -> bool {
    let Ok(stream) = std::net::TcpStream::connect(address) else { return false };
    let mut client = HttpClient { raw: RawClient::on(stream) };
    let bytes = crate::support::http::request_bytes("POST", &format!("/channels/full-{number}"), &[], data);
    // It may end while this is written.
    if std::io::Write::write_all(&mut client.raw.stream, &bytes).is_err() {
        return false;
    }
    client.raw.stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    while !client.raw.received.windows(4).any(|window| window == b"\r\n\r\n") {
        if client.raw.read_more() == 0 {
            return false;
        }
    }
    assert!(client.raw.received.starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&client.raw.received));
    true
}

#[test]
#[ignore = "run by tests/faults failures"]
fn a_server_that_cannot_start_ends_with_one_line() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let in_use = held.local_addr().expect("an address").to_string();
    let cases: [(&str, &str, &str, &str); 4] = [
        ("no descriptors", "ulimit -n 8; exec \"$@\"", "127.0.0.1:0", "raise the limit of open files (ulimit -n)"),
        ("an address that is in use", "exec \"$@\"", &in_use, &in_use),
        ("an address of another machine", "exec \"$@\"", "192.0.2.1:80", "192.0.2.1:80"),
        ("no memory for its threads", "ulimit -v 100000; exec \"$@\"", "127.0.0.1:0", "memory are missing"),
    ];
    for (what, script, listen, named) in cases {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(binary()).args([
            "serve",
            "--listen",
            listen,
            "--allow-anonymous-publish",
        ]);
        command.args(["--reactors", "64", "--workers", "64"]);
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        println!("failures: {what}: {}, {said:?}", output.status);
        assert!(!output.status.success(), "{what}");
        // Where a flag said what cannot be done, a second line names it.
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("On the command line: ")).collect();
        assert!(lines.len() == 1 && lines[0].starts_with("tidings: ") && lines[0].contains(named), "{what}: {said}");
    }
}
