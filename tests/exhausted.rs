//! A server that runs out of descriptors stays useful and quiet, and reactors share what they accept.

use crate::support::http::{HttpClient, get};
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, OPERATOR_KEY, TestServer, wait_until};
use serde_json::json;
use std::fs::{DirEntry, File};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use tidings::model::operator_key::OperatorKey;
use tidings::{Config, Server};

/// Descriptors of the process: enough for itself and some dozen connections.
const DESCRIPTORS: usize = 64;

/// Whether a new connection is served. One that finds no descriptor is closed, or waits.
fn is_served(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).expect("the kernel accepts");
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a time limit");
    let asked = std::io::Write::write_all(&mut stream, b"GET /limits HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut start = [0; 12];
    asked.is_ok() && stream.read_exact(&mut start).is_ok() && start == *b"HTTP/1.1 200"
}

#[test]
fn without_descriptors_those_who_are_there_are_served_quietly_and_others_as_soon_as_some_leave() {
    for reactors in ["1", "2"] {
        let process = Process::start_with_descriptors(DESCRIPTORS, &["--reactors", reactors, "--workers", "1"]);
        let mut client = HttpClient::connect(process.address);
        assert!(client.is_kept());
        let mut socket = WsClient::connect(process.address);
        socket.subscribe("x");
        let crowded = Instant::now();
        // More than fit: those that are not accepted wait in the kernel's queue or are closed.
        let crowd: Vec<RawClient> = (0..2 * DESCRIPTORS).map(|_| RawClient::connect(process.address)).collect();
        wait_until("no more are served", || !is_served(process.address));

        let began = Instant::now();
        let cpu = process.cpu_ticks();
        let mut offset = 0;
        // One second of an ordinary life, not of spinning: what is there is served as if nothing were wrong.
        while began.elapsed() < Duration::from_secs(1) {
            offset += 1;
            assert_eq!(client.request("POST", "/channels/x", &[], b"1").json()["offset"], offset);
            assert_eq!(socket.next_json(), json!({"channel": "x", "offset": offset, "data": 1}));
            assert!(socket.socket.get_ref().peer_addr().is_ok());
            std::thread::sleep(Duration::from_millis(50));
        }
        let used = process.cpu_ticks() - cpu;
        assert!(used < 30, "{used} ticks of 10 ms in one second");
        assert_eq!(client.request("GET", "/metrics", &[OPERATOR], b"").status, 200);
        for target in ["/livez", "/readyz"].into_iter().cycle().take(20) {
            assert_eq!(get(process.address, target).status, 200, "{target} without descriptors");
        }

        drop(crowd);
        wait_until("new connections are served again", || is_served(process.address));
        drop(client);
        process.signal("TERM");
        assert!(socket.read_close().is_some());
        assert!(socket.socket.read().is_err());
        drop(socket);
        let (status, errors) = process.wait();
        assert_eq!(status.code(), Some(0), "{errors}");
        let complaints = errors.matches("cannot accept connections").count();
        let took = crowded.elapsed();
        assert!((1..=took.as_secs() as usize + 1).contains(&complaints), "{complaints} lines in {took:?}: {errors}");
    }
}

/// Set for a process of its own with few descriptors, which are counted out to servers that start.
const FEW: &str = "TIDINGS_TEST_FEW_DESCRIPTORS";

#[test]
fn a_start_that_fails_leaves_no_reactor_that_serves() {
    if std::env::var_os(FEW).is_some() {
        return start_with_ever_more_descriptors();
    }
    let name = "exhausted::a_start_that_fails_leaves_no_reactor_that_serves";
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {DESCRIPTORS}; exec \"$0\" --exact {name} --test-threads 1")]);
    let output = command.arg(std::env::current_exe().expect("a path")).env(FEW, "1").output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{name} is this test's name");
}

/// From none on, one more for each start, until there are enough: a start fails at each step that needs one.
fn start_with_ever_more_descriptors() {
    for free in 0..DESCRIPTORS {
        let mut held: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        held.truncate(held.len().saturating_sub(free));
        let mut config = Config::default();
        config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        config.server.reactors = 3;
        config.server.operator_key = OperatorKey::parse(OPERATOR_KEY).ok();
        let started = Server::start(config);
        drop(held);
        if started.is_ok() {
            return;
        }
        // A thread that was joined is in the list for a moment.
        wait_until(&format!("no reactor after a start with {free} descriptors"), || reactors_running() == 0);
    }
    panic!("{DESCRIPTORS} descriptors are enough");
}

/// The threads of this process that are reactors.
fn reactors_running() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a list of threads");
    let name = |task: std::io::Result<DirEntry>| std::fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).filter(|name| name.starts_with("reactor-")).count()
}

#[test]
fn a_server_with_all_the_connections_it_may_have_answers_health_checks_and_metrics() {
    crate::support::with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.connections = 4;
        });
        let mut sockets: Vec<WsClient> = (0..4).map(|_| WsClient::connect(server.address())).collect();
        for _ in 0..10 {
            for target in ["/livez", "/readyz"] {
                let mut client = HttpClient::connect(server.address());
                let probe = format!("GET {target} HTTP/1.1\r\nHost: 10.1.2.3:8080\r\n\r\n");
                assert_eq!(client.exchange(probe).status, 200, "{target}");
                assert!(client.is_ended(), "the place is given back");
            }
        }
        let page = HttpClient::connect(server.address()).request("GET", "/metrics", &[OPERATOR], b"");
        assert_eq!(page.status, 200);
        assert!(page.text().contains("tidings_connections_opened_total"), "{}", page.text());
        let refused = get(server.address(), "/channels/x");
        assert_eq!((refused.status, refused.code().as_str()), (503, "too_many_connections"));
        // Silent ones give their places back too.
        let mut silent = RawClient::connect(server.address());
        assert!(silent.read_to_end().is_empty());
        for socket in &mut sockets {
            socket.subscribe("x");
        }
    });
}

#[test]
fn two_reactors_share_the_connections_and_all_of_them_hear_everything() {
    let process = Process::start(&["--reactors", "2"]);
    let mut sockets: Vec<WsClient> = (0..200).map(|_| WsClient::connect(process.address)).collect();
    sockets.iter_mut().for_each(|socket| drop(socket.subscribe("shared")));
    let owned = process.sockets_by_reactor();
    assert_eq!(owned.len(), 2, "{owned:?}");
    assert!(owned.iter().all(|count| *count >= 40), "each has at least a fifth: {owned:?}");
    assert_eq!(crate::support::http::post(process.address, "/channels/shared", "1").status, 200);
    for socket in &mut sockets {
        assert_eq!(socket.next_json(), json!({"channel": "shared", "offset": 1, "data": 1}));
    }
}

#[test]
fn a_second_server_does_not_take_half_of_the_connections_of_the_first() {
    let server = TestServer::start(|config| config.server.reactors = 2);
    let mut config = Config::default();
    config.server.listen = vec![server.address()];
    let Err(error) = Server::start(config) else { panic!("two servers share a port") };
    assert!(error.to_string().contains(&server.address().to_string()), "{error}");
    assert!(HttpClient::connect(server.address()).is_kept());
}
