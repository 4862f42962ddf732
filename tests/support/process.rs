//! The real binary as a process of its own: started on a free port, signalled, and looked at from outside.

use super::PATIENCE;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What stands before the address of a listener without TLS.
const PLAIN: &str = "listening on http://";

/// The server's binary: that of the same build, or the one that this variable names, such as that of a release.
pub(crate) fn binary() -> OsString {
    std::env::var_os("BINARY_UNDER_TEST").unwrap_or_else(|| env!("CARGO_BIN_EXE_tidings").into())
}

/// The load generator's, which a build of the workspace leaves beside the server's.
pub(crate) fn load_generator() -> PathBuf {
    Path::new(&binary()).with_file_name("tidings-loadgen")
}

/// A running `tidings serve`, killed when it goes out of scope.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Gathers standard error to its end.
    errors: Option<JoinHandle<String>>,
}

impl Process {
    /// Starts `tidings serve` on a free port, with further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Process {
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        Process::run(command)
    }

    /// The same with variables of the environment.
    pub(crate) fn start_with(variables: &[(&str, &str)], arguments: &[&str]) -> Process {
        let mut command = Command::new(binary());
        command.env("TIDINGS_OPERATOR_KEY", super::OPERATOR_KEY).envs(variables.iter().copied());
        command.arg("serve");
        // Several addresses may be listened on; the first that is told is the process's.
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(arguments);
        Process::spawn(command)
    }

    /// The same with at most so many file descriptors.
    pub(crate) fn start_with_descriptors(most: usize, arguments: &[&str]) -> Process {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {most}; exec \"$0\" serve --listen 127.0.0.1:0 \"$@\"");
        command.args(["-c", &script]).arg(binary()).args(arguments);
        Process::run(command)
    }

    /// The same with a configuration of a further listener, which speaks TLS, and where that one listens.
    #[cfg(feature = "tls")]
    pub(crate) fn start_sealed(most: usize, toml: &str, arguments: &[&str]) -> (Process, SocketAddr) {
        let (process, addresses) = Process::start_for(&[PLAIN, "listening on https://"], &[], most, toml, arguments);
        (process, addresses[1])
    }

    /// The same by way of another program, such as a tracer that becomes the server's parent, with a configuration.
    pub(crate) fn start_by(wrapper: &[String], most: usize, toml: &str, arguments: &[&str]) -> Process {
        Process::start_for(&[PLAIN], wrapper, most, toml, arguments).0
    }

    fn start_for(
        lines: &[&str],
        wrapper: &[String],
        most: usize,
        toml: &str,
        arguments: &[&str],
    ) -> (Process, Vec<SocketAddr>) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}.toml", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&file, toml).expect("a writable folder");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {most}; exec \"$@\""), "sh"]).args(wrapper);
        command.arg(binary()).args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
        command.args(arguments).env("TIDINGS_OPERATOR_KEY", super::OPERATOR_KEY);
        let started = Process::spawn_for(lines, command);
        std::fs::remove_file(&file).expect("it was written");
        started
    }

    /// The same under strace with these options, which writes to `log`.
    pub(crate) fn start_traced(options: &[&str], log: &Path, most: usize, arguments: &[&str]) -> Process {
        // -D: the server stays our child, and is traced by a grandchild.
        let log = log.to_str().expect("a path in UTF-8");
        let tracer = [&["strace", "-D", "-f", "-qq", "-o", log], options].concat();
        let tracer: Vec<String> = tracer.into_iter().map(str::to_owned).collect();
        Process::start_by(&tracer, most, "", arguments)
    }

    /// The same with at most so many file descriptors, and with standard error as given: nobody gathers it.
    pub(crate) fn start_with_errors_to(errors: Stdio, most: usize) -> Process {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {most}; exec \"$0\" serve --listen 127.0.0.1:0 --reactors 1 --workers 1");
        command.env("TIDINGS_OPERATOR_KEY", super::OPERATOR_KEY);
        command.args(["-c", &script]).arg(binary()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(errors).spawn().expect("the binary starts");
        let address = addresses_in(child.stdout.take().expect("standard output"), &[PLAIN])[0];
        Process { child, address, errors: None }
    }

    /// The same with standard output as given; where it listens is taken from its log, once that has said `expected`, too.
    pub(crate) fn start_with_output_to(output: Stdio, expected: &str) -> Process {
        let mut command = Command::new(binary());
        command.env("TIDINGS_OPERATOR_KEY", super::OPERATOR_KEY);
        command.args(["serve", "--listen", "127.0.0.1:0", "--reactors", "1"]).stdin(Stdio::null());
        let mut child = command.stdout(output).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut errors = BufReader::new(child.stderr.take().expect("standard error"));
        let mut said = String::new();
        let address = loop {
            assert!(errors.read_line(&mut said).expect("UTF-8") > 0, "it ended after {said:?}");
            // In either order: they come of two threads.
            if let Some((_, address)) = said.split_once(" listening \"serving\" address=")
                && said.contains(expected)
            {
                break address.split_whitespace().next().expect("a word").parse().expect("an address");
            }
        };
        let errors = std::thread::spawn(move || {
            errors.read_to_string(&mut said).expect("UTF-8");
            said
        });
        Process { child, address, errors: Some(errors) }
    }

    fn run(mut command: Command) -> Process {
        command.env("TIDINGS_OPERATOR_KEY", super::OPERATOR_KEY);
        Process::spawn(command)
    }

    fn spawn(command: Command) -> Process {
        Process::spawn_for(&[PLAIN], command).0
    }

    /// Waits for lines that begin like this, with the address of a listener each: the first is the process's.
    fn spawn_for(lines: &[&str], mut command: Command) -> (Process, Vec<SocketAddr>) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut errors = child.stderr.take().expect("standard error");
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).expect("UTF-8");
            text
        });
        let addresses = addresses_in(child.stdout.take().expect("standard output"), lines);
        (Process { child, address: addresses[0], errors: Some(errors) }, addresses)
    }

    /// Memory that it has allocated, in bytes. Without the pages of files: when another process of the same executable ends, a
    /// larger share of these is this one's, and it would seem to have grown.
    pub(crate) fn pss(&self) -> usize {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = std::fs::read_to_string(path).expect("a live process");
        let line = text.lines().find(|line| line.starts_with("Pss_Anon:")).expect("the kernel tells");
        1024 * line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number")
    }

    /// A line of `/proc/PID/status` in bytes, such as `VmRSS` or `VmHWM`.
    pub(crate) fn status_bytes(&self, name: &str) -> usize {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a live process");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("the kernel tells");
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number")
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("a live process").count()
    }

    /// How many sockets each of its reactors waits for, as the kernel tells.
    pub(crate) fn sockets_by_reactor(&self) -> Vec<usize> {
        let waited_for = |text: String| text.lines().filter(|line| line.starts_with("tfd:")).count();
        let folder = format!("/proc/{}/fdinfo", self.child.id());
        let files = std::fs::read_dir(folder).expect("a live process").flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).map(waited_for).filter(|n| *n > 0).collect()
    }

    /// One number of its `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        super::metric(self.address, name)
    }

    /// Sends a signal by its name, like `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; the exit status and what was written to standard error.
    pub(crate) fn wait(self) -> (ExitStatus, String) {
        self.wait_for(PATIENCE)
    }

    /// The same for as long as this.
    pub(crate) fn wait_for(mut self, limit: Duration) -> (ExitStatus, String) {
        let until = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < until, "the process does not end");
            std::thread::sleep(Duration::from_millis(2));
        };
        let errors = self.errors.take().map(|errors| errors.join().expect("no panic"));
        (status, errors.unwrap_or_default())
    }

    /// CPU time used so far, user and system together, in clock ticks (100 a second).
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("procfs");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
        fields[11..=12].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The addresses after each of `starts`, in this order, in what a process writes.
fn addresses_in(output: impl Read, starts: &[&str]) -> Vec<SocketAddr> {
    let mut lines = BufReader::new(output).lines();
    let mut address = |start: &&str| loop {
        let line = lines.next().expect("it says where it listens before it ends").expect("UTF-8");
        if let Some(address) = line.strip_prefix(start) {
            break address.parse().expect("an address");
        }
    };
    starts.iter().map(&mut address).collect()
}

/// The soft limit of open files of this process.
pub(crate) fn descriptors_allowed() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("the kernel tells");
    line.split_whitespace().nth(3).and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

/// Whether strace may trace here; if not, says that `what` is skipped.
pub(crate) fn can_trace(what: &str) -> bool {
    let inject = "inject=getpid:error=EPERM:when=1";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", inject, "-o", "/dev/null", "true"]);
    let can = strace.status().is_ok_and(|status| status.success());
    if !can {
        println!("skipped: {what}: no strace here, or it may not trace");
    }
    can
}
