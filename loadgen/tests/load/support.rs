//! Runs the program and reads its result; starts servers and stops them.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidings::{Config, Server};
use tidings_loadgen::outcome::Outcome;

/// What a run of the program came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) error: String,
    outcome: Option<Outcome>,
}

impl Run {
    /// Its result, which it must have.
    pub(crate) fn outcome(&self) -> &Outcome {
        self.outcome.as_ref().unwrap_or_else(|| panic!("no result: {}\n{}\n{}", self.code, self.out, self.error))
    }

    /// A number of its result, by the name that thresholds use.
    pub(crate) fn scalar(&self, name: &str) -> f64 {
        *self.outcome().scalars.get(name).unwrap_or_else(|| panic!("{name} was not measured"))
    }
}

/// A file of its own for each caller.
pub(crate) fn file(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}-{name}", std::process::id()))
}

/// Where servers of these tests leave their operators' keys, and the program finds them.
pub(crate) fn runtime() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("runtime");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The variable that holds an operator's key.
pub(crate) const OPERATOR_KEY: &str = "TIDINGS_OPERATOR_KEY";

/// The program with these arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings-loadgen"));
    command.args(arguments).stdin(Stdio::null());
    command.env("XDG_RUNTIME_DIR", runtime()).env_remove(OPERATOR_KEY);
    command
}

/// Runs the program to its end, and reads the result where it wrote one.
pub(crate) fn load(arguments: &[&str]) -> Run {
    let json = file("result.json");
    let mut command = command(arguments);
    if !matches!(arguments.first(), Some(&"compare" | &"report" | &"doctor" | &"--help")) {
        command.arg("--json").arg(&json);
    }
    let output = command.output().expect("the program runs");
    let text = std::fs::read_to_string(&json).ok();
    let outcome = text.map(|text| serde_json::from_str(&text).expect("a result"));
    // Where there is no result there is no file.
    let _ = std::fs::remove_file(&json);
    let words = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code().unwrap_or(-1), out: words(output.stdout), error: words(output.stderr), outcome }
}

/// Runs a verb against a server without a dialect, with options as a user types them, between spaces.
pub(crate) fn load_raw(verb: &str, url: &str, options: &str) -> Run {
    load(&[verb, url, "--adapter", "raw"].into_iter().chain(options.split_whitespace()).collect::<Vec<_>>())
}

/// Tidings in this process, on a free port.
pub(crate) fn tidings() -> (Server, String) {
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    let server = Server::start(config).expect("the server starts");
    let url = format!("ws://{}", server.addresses()[0]);
    (server, url)
}

/// Tidings in a process of its own, which can be stopped like any other.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start() -> Process {
        // The test below, in this same program: it serves until its input ends.
        let program = std::env::current_exe().expect("this program has a file");
        let mut command = Command::new(program);
        command.args(["--exact", "support::serves_for_others", "--ignored", "--nocapture", "--test-threads", "1"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        let address = loop {
            let line = lines.next().expect("it says where it listens").expect("UTF-8");
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.parse().expect("an address");
            }
        };
        Process { child, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many connections it has.
    pub(crate) fn connections(&self) -> usize {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("a live process").flatten();
        let sockets = entries.filter(|entry| {
            std::fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
        });
        // Its listener is a socket, too.
        sockets.count().saturating_sub(1)
    }

    /// Sends a signal by its name, like `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be stopped, or gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "a server for other tests"]
fn serves_for_others() {
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.server.reactors = 1;
    config.server.operator_key_folder = runtime().join("tidings").to_string_lossy().into_owned();
    let server = Server::start(config).expect("the server starts");
    println!("listening on {}", server.addresses()[0]);
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("its end comes");
    assert_eq!(server.stop(Duration::from_secs(1)), 0, "nobody is cut off");
}
