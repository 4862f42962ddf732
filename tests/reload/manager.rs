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
        let mut bytes = [0; 4096];
        loop {
            let count = self.socket.recv(&mut bytes).expect("a message");
            let text = String::from_utf8(bytes[..count].to_vec()).expect("UTF-8");
            if text != "WATCHDOG=1" {
                return text;
            }
        }
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
