//! What a service manager is told: that the server is ready, and of each reload its beginning and its end.

use super::File;
use crate::support::process::Process;
use crate::support::{PATIENCE, wait_until};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// A service manager's end.
pub(super) struct Manager {
    socket: UnixDatagram,
    pub(super) path: PathBuf,
}

impl Manager {
    pub(super) fn new(name: &str) -> Manager {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("notify-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Manager { socket, path }
    }

    /// The next message, but for those that only say that the server lives.
    pub(super) fn next(&self) -> String {
        loop {
            let text = self.next_of_any();
            if text != "WATCHDOG=1" {
                return text;
            }
        }
    }

    pub(super) fn next_of_any(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).expect("a message");
        String::from_utf8(bytes[..count].to_vec()).expect("UTF-8")
    }

    pub(super) fn start(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Process {
        let path = self.path.to_str().expect("UTF-8");
        let all = [&[("NOTIFY_SOCKET", path)], variables].concat();
        Process::start_with(&all, arguments)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The clock that managers compare with, in microseconds.
fn monotonic_us() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("a clock");
    now.tv_sec() as u64 * 1_000_000 + now.tv_nsec() as u64 / 1000
}

#[test]
fn the_watchdog_is_fed_while_all_reactors_turn_and_hears_of_the_end() {
    let manager = Manager::new("watchdog");
    let process = manager.start(&[("WATCHDOG_USEC", "100000"), ("WATCHDOG_PID", "")], &["--reactors", "2"]);
    assert_eq!(manager.next_of_any(), "READY=1");
    for _ in 0..5 {
        assert_eq!(manager.next_of_any(), "WATCHDOG=1");
    }
    process.signal("TERM");
    assert_eq!(manager.next(), "STOPPING=1");
    // One that was meant for another process, which started this one.
    let other = Manager::new("other");
    let process = other.start(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")], &[]);
    assert_eq!(other.next_of_any(), "READY=1");
    process.signal("TERM");
    assert_eq!(other.next_of_any(), "STOPPING=1");
}

#[test]
fn a_reactor_that_hangs_does_not_answer_and_the_others_do_not_for_it() {
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let hooks = tidings::Hooks::default().on_connect(move |_| {
        let _ = wait.lock().expect("no panic").recv_timeout(PATIENCE);
        Ok(())
    });
    let mut config = tidings::Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.server.reactors = 2;
    let server = crate::support::TestServer::of(tidings::Server::start_with(config, hooks).expect("it starts"));
    let pulse = server.pulse();
    assert!(pulse.beats_within(PATIENCE));
    let mut client = crate::support::raw::RawClient::connect(server.address());
    client.send("GET /channels/a HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    wait_until("one hangs", || !pulse.beats_within(std::time::Duration::from_millis(50)));
    go_on.send(()).expect("it waits");
    assert!(pulse.beats_within(PATIENCE));
    drop(go_on);
}

#[test]
fn a_service_manager_hears_of_the_start_and_of_reloads_whatever_comes_of_them() {
    let manager = Manager::new("reload");
    let file = File::with("[http]\nheaders = 50\n");
    let process = manager.start(&[], &["--config", file.path()]);
    assert_eq!(manager.next(), "READY=1");
    for text in ["[http]\nheaders = 60\n", "[http]\nheaders = 1\n"] {
        file.write(text);
        let before = monotonic_us();
        process.signal("HUP");
        let message = manager.next();
        let (word, time) = message.split_once('\n').expect("two lines");
        let us: u64 = time.strip_prefix("MONOTONIC_USEC=").and_then(|us| us.parse().ok()).expect("a time");
        assert!(word == "RELOADING=1" && us >= before && us <= monotonic_us(), "{message}");
        assert_eq!(manager.next(), "READY=1");
    }
    wait_until("one was taken", || process.metric("tidings_reloads_total{outcome=\"taken\"}") == 1.0);
}
