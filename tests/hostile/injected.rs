//! A kernel that fails: errors injected into the server's system calls end no connection but the one they hit, and nothing
//! is lost, doubled or reordered for anybody who comes back.

use crate::durable::Store;
use crate::support::http::{get, post};
use crate::support::process::{Process, can_trace};
use crate::support::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tungstenite::{HandshakeError, Message, WebSocket};

/// Publishers, and what each publishes.
const PUBLISHERS: usize = 3;
const PUBLICATIONS: usize = 150;
const READERS: usize = 4;
/// A new connection on which one request is made, every so many publications.
const FRESH_EVERY: usize = 5;
/// For everything in one run. Each call of the server is stopped and looked at.
const LIMIT: Duration = Duration::from_secs(60);

/// Connections that one accept without a descriptor may turn away with 503: what the server tells at once.
const TURNED_AWAY_AT_ONCE: usize = 64;

/// What strace injects, and how many connections each time may end at most. EAGAIN is not among it: no kernel says that nobody waits while
/// somebody does, and an edge-triggered server has to believe it.
const CASES: &[(&str, usize)] = &[
    ("accept4:error=EINTR:when=2+3", 0),
    ("accept4:error=ECONNABORTED:when=3+7", 0),
    // Those that wait are turned away on the descriptor kept aside.
    ("accept4:error=EMFILE:when=4+9", TURNED_AWAY_AT_ONCE),
    ("accept4:error=ENFILE:when=4+9", TURNED_AWAY_AT_ONCE),
    ("accept4:error=ENOBUFS:when=4+9", TURNED_AWAY_AT_ONCE),
    ("accept4:error=ENOMEM:when=4+9", TURNED_AWAY_AT_ONCE),
    ("epoll_wait:error=EINTR:when=2+3", 0),
    ("epoll_ctl:error=ENOSPC:when=9+11", 1),
    ("recvfrom:error=EINTR:when=2+3", 0),
    ("recvfrom:error=ECONNRESET:when=20+31", 1),
    ("recvfrom:error=ENOMEM:when=20+31", 1),
    // No io_uring for anybody: connections are written one by one.
    ("io_uring_setup:error=EPERM:when=1+1", 0),
    // Not for ever: the signal that ends the server reaches its thread by a send of its own.
    ("writev,sendto:error=EINTR:when=5..150+3", 0),
    ("writev,sendto:error=EPIPE:when=20..150+31", 1),
    ("writev,sendto:error=ECONNRESET:when=25..150+37", 1),
    ("writev,sendto:error=ENOBUFS:when=20..150+41", 1),
];

/// What ends the whole process, since no reactor can go on: what is injected, and what the log says of it.
const FATAL: (&str, &str) = ("epoll_wait:error=EINVAL:when=60+", "cannot wait for events");

/// What one run is about.
struct Run {
    address: SocketAddr,
    epoch: String,
    until: Instant,
    /// Connections that ended although their client did not want it.
    deaths: AtomicUsize,
}

impl Run {
    /// Does it again, on a new connection each time, until it succeeds.
    fn insist<T>(&self, mut act: impl FnMut() -> Result<T>) -> T {
        loop {
            match act() {
                Ok(value) => return value,
                Err(error) => {
                    assert!(Instant::now() < self.until, "still in vain: {error}");
                    assert!(!is_silence(&error), "a server that says nothing: {error}");
                    self.deaths.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn open(&self) -> Result<WebSocket<TcpStream>> {
        let url = format!("ws://{}/ws", self.address);
        match tungstenite::client(url, self.connect()?) {
            Ok((socket, _)) => Ok(socket),
            Err(HandshakeError::Failure(error)) => Err(io_error(error)),
            Err(HandshakeError::Interrupted(_)) => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// Where the channel begins.
    fn first_epoch(&self) -> Result<String> {
        let mut socket = self.open()?;
        let ask = r#"{"id":1,"method":"GET","path":"/channels/mixed","once":true}"#;
        socket.send(Message::text(ask)).map_err(io_error)?;
        let answer = socket.read().map_err(io_error)?;
        let answer: Value = serde_json::from_str(answer.to_text().map_err(io_error)?).expect("JSON");
        Ok(answer["epoch"].as_str().expect("an epoch").to_owned())
    }

    /// Publishes under an idempotency key: however often that is repeated, it is there once.
    fn post(&self, stream: &mut TcpStream, data: &str) -> Result<()> {
        let length = data.len();
        let head = format!(
            "POST /channels/mixed HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: {data}\r\nContent-Length: {length}\r\n\r\n{data}"
        );
        stream.write_all(head.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.trim_ascii_end().ends_with(b"}") {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&buffer[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    fn publish(&self, publisher: usize) {
        let mut stream = None;
        for index in 0..PUBLICATIONS {
            let data = format!("{}", publisher * PUBLICATIONS + index);
            self.insist(|| {
                let mut own = match stream.take() {
                    Some(stream) if index % FRESH_EVERY != 0 => stream,
                    _ => self.connect()?,
                };
                self.post(&mut own, &data)?;
                stream = Some(own);
                Ok(())
            });
        }
    }

    /// Reads the channel from its beginning to its end, resuming whenever the connection is lost; what was published.
    fn read(&self) -> Vec<u64> {
        let mut seen: Vec<u64> = Vec::new();
        self.insist(|| {
            let mut socket = self.open()?;
            let since = format!("{}:{}", self.epoch, seen.len());
            let ask = json!({"id": 1, "method": "GET", "path": "/channels/mixed", "since": since}).to_string();
            socket.send(Message::text(ask)).map_err(io_error)?;
            while seen.len() < PUBLISHERS * PUBLICATIONS {
                let Message::Text(text) = socket.read().map_err(io_error)? else { continue };
                let message: Value = serde_json::from_str(&text).expect("JSON");
                let Some(page) = message["publications"].as_array() else {
                    take(&message, &mut seen);
                    continue;
                };
                assert_eq!(message["recovered"], true, "nothing is forgotten: {message}");
                page.iter().for_each(|publication| take(publication, &mut seen));
            }
            Ok(())
        });
        seen
    }
}

/// Takes a publication, which must be the next one.
fn take(publication: &Value, seen: &mut Vec<u64>) {
    assert_eq!(publication["offset"], seen.len() + 1, "no gap, no double: {publication}");
    seen.push(publication["data"].as_u64().expect("a number"));
}

fn io_error(error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Io(error) => error,
        other => Error::other(other.to_string()),
    }
}

fn is_silence(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A server whose threads cannot wait any more: with one line it ends, instead of going round and round.
pub(crate) fn without_waits() {
    if !can_trace("a server that cannot wait for events") {
        return;
    }
    let (inject, said) = FATAL;
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-fatal.strace", std::process::id()));
    let options = ["-e", "trace=epoll_wait", "-e", &format!("inject={inject}")];
    let server = Process::start_traced(&options, &log, super::DESCRIPTORS, &["--reactors", "2", "--workers", "1"]);
    let (address, began) = (server.address, Instant::now());
    // Until it is gone.
    while began.elapsed() < LIMIT && TcpStream::connect(address).is_ok_and(|mut stream| ask(&mut stream).is_ok()) {}
    let (status, errors) = server.wait();
    drop(fs::remove_file(&log));
    let lines: Vec<&str> = errors.lines().filter(|line| line.contains(said)).collect();
    println!("injected: {inject}: the process ended with {status} and said: {lines:?}");
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!((1..=2).contains(&lines.len()), "one for each reactor at most: {errors}");
}

/// A device that fails when it is to keep what was written: nobody knows what became of that, so nothing is taken afterwards, and the
/// server says so until it starts anew. Whoever reads goes on reading.
#[test]
#[ignore = "run by tests/run hostile"]
fn a_device_that_fails_ends_publishing_and_nothing_else() {
    if !can_trace("a device that fails") {
        return;
    }
    let store = Store::new();
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-device.strace", std::process::id()));
    let options = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=20+"];
    let arguments = ["--engine", "disk", "--store.folder", store.path(), "--history.durability", "synced"];
    let server = Process::start_traced(&options, &log, super::DESCRIPTORS, &arguments);
    let mut taken = 0;
    let refused = loop {
        let answer = post(server.address, "/channels/a", &taken.to_string());
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 100, "the device does not fail");
    };
    assert_eq!((refused.status, refused.code()), (503, "outcome_unknown".to_owned()), "{}", refused.text());
    let later = post(server.address, "/channels/a", "1");
    assert_eq!((later.status, later.code()), (503, "engine_unavailable".to_owned()), "{}", later.text());
    assert_eq!(later.field("Retry-After"), Some("10"));
    assert_eq!(get(server.address, "/livez").status, 200);
    wait_until("it is not ready", || get(server.address, "/readyz").status == 503);
    let read = get(server.address, "/channels/a?last=300");
    assert_eq!((read.status, read.json()["offset"].as_u64()), (200, Some(taken)), "{}", read.text());
    server.signal("TERM");
    let (_, errors) = server.wait();
    drop(fs::remove_file(&log));
    println!(
        "a device that failed after {taken} publications: the log says {:?}",
        errors.lines().find(|line| line.contains("store_failed"))
    );
    assert!(errors.contains("store_failed") && !errors.contains("panicked"), "{errors}");
    let server = store.start(&[]);
    let offset = get(server.address, "/channels/a").json()["offset"].as_u64();
    assert!(offset.is_some_and(|offset| offset >= taken), "{offset:?} of {taken} that were answered");
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

fn ask(stream: &mut TcpStream) -> Result<usize> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    match stream.read(&mut [0; 1024])? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}

#[test]
#[ignore = "run by tests/run hostile"]
fn failing_system_calls_end_no_other_connection_and_lose_nothing() {
    if !can_trace("failing system calls") {
        return;
    }
    for (inject, may_end) in CASES {
        under(inject, *may_end);
    }
}

fn under(inject: &str, may_end: usize) {
    let call = inject.split(':').next().expect("a name");
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{call}.strace", std::process::id()));
    let options = ["-e", &format!("trace={call}"), "-e", &format!("inject={inject}")];
    let server = Process::start_traced(&options, &log, super::DESCRIPTORS, &["--reactors", "2", "--workers", "1"]);
    let began = Instant::now();
    let mut run =
        Run { address: server.address, epoch: String::new(), until: began + LIMIT, deaths: AtomicUsize::new(0) };
    run.epoch = run.insist(|| run.first_epoch());
    let run = run;
    let streams = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(|| run.read())).collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|index| {
                scope.spawn({
                    let run = &run;
                    move || run.publish(index)
                })
            })
            .collect();
        publishers.into_iter().for_each(|publisher| publisher.join().expect("everything is published"));
        readers.into_iter().map(|reader| reader.join().expect("everything is read")).collect::<Vec<_>>()
    });
    let took = began.elapsed();
    let all: HashSet<u64> = (0..(PUBLISHERS * PUBLICATIONS) as u64).collect();
    for stream in &streams {
        assert!(*stream == streams[0], "{inject}: everybody reads the same");
        assert_eq!(stream.iter().copied().collect::<HashSet<u64>>(), all, "{inject}");
    }
    let deaths = run.deaths.load(Ordering::Relaxed);
    server.signal("TERM");
    let (status, errors) = server.wait();
    assert_eq!(status.code(), Some(0), "{inject}: {errors}");
    let injected = fs::read_to_string(&log).expect("strace's log").matches("(INJECTED)").count();
    fs::remove_file(&log).expect("it was read");
    println!("injected: {inject}: {injected} times in {took:?}, {deaths} connections ended, nothing lost");
    assert!(injected > 0, "{inject} was never injected");
    let most = may_end * injected;
    assert!(deaths <= most, "{inject} ended {deaths} connections, and was injected {injected} times");
    assert!(!errors.contains("panicked"), "{inject}: {errors}");
}
