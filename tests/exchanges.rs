//! Exchanges over raw TCP: what is sent, what it is answered, what becomes of the connection, and what was really done.
//!
//! The table has a row for each thing that RFC 9110, 9112 or 6455 demands and for each public trick by which two parsers
//! are made to see different requests. Every row runs whole, with a request right behind it when its connection ends, byte
//! by byte, and cut in two at every place when it is short. What was done is told by channels: each request of a row
//! publishes to its own, so a request that nobody should have seen leaves a trace. `fronts` sends the same rows through
//! proxies.

mod bodies;
mod malformed;
mod requests;
mod smuggled;
pub(crate) mod table;
mod upgrades;

use crate::support::TestServer;
use crate::support::frames::{TEXT, frame};
use crate::support::http::{HttpClient, request_bytes};
use crate::support::raw::RawClient;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use table::{Case, Fate, LETTERS, channel, expand};

/// Rows that are longer are not cut at every place.
const SHORT: usize = 400;

/// The parts of the table with their names.
pub(crate) const TABLE: [(&str, &[Case]); 5] = [
    ("requests", requests::CASES),
    ("bodies", bodies::CASES),
    ("smuggled", smuggled::CASES),
    ("malformed", malformed::CASES),
    ("upgrades", upgrades::CASES),
];

/// A name for one run of one row, which no other run has.
pub(crate) fn new_run() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("run{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// One connection that a row runs on, and one that tells what has been read and done.
struct Runner {
    address: SocketAddr,
    /// With one reactor its answers tell what has become of other connections: see [`Runner::settle`].
    witness: HttpClient,
    runs: usize,
}

impl Runner {
    fn new(server: &TestServer) -> Runner {
        Runner { address: server.address(), witness: HttpClient::connect(server.address()), runs: 0 }
    }

    /// Runs a row: `pieces` cuts its bytes, each but the last is read before the next is sent, and `behind` follows them.
    fn run(&mut self, case: &Case, how: &str, pieces: impl FnOnce(Vec<u8>) -> Vec<Vec<u8>>, behind: &str) {
        self.runs += 1;
        let run = new_run();
        let what = format!("{:?} {how}", case.0);
        let bytes = case.bytes(&run);
        let to_head = bytes.starts_with(b"HEAD ");
        let mut client = HttpClient::connect(self.address);
        let pieces = pieces(bytes);
        for (index, piece) in pieces.iter().enumerate() {
            client.raw.send(piece);
            if pieces.len() == 2 && index == 0 {
                self.settle(&what);
            }
        }
        client.raw.send(expand(behind, &run));
        let mut last_says_close = false;
        for status in case.2 {
            let mut answer = client.read_answer(to_head);
            // Whoever was read before the body came is told to go on with it.
            while answer.status == 100 && *status != 100 {
                answer = client.read_answer(to_head);
            }
            assert_eq!(answer.status, *status, "{what}: {}", String::from_utf8_lossy(&answer.body));
            last_says_close = answer.field("Connection") == Some("close");
        }
        self.check_fate(case.3, client, &run, last_says_close, &what);
        assert_eq!(self.publications(&run), case.4, "{what}: publications");
    }

    fn check_fate(&mut self, fate: Fate, mut client: HttpClient, run: &str, last_says_close: bool, what: &str) {
        assert_eq!(last_says_close, fate == Fate::Closed, "{what}: Connection: close");
        match fate {
            Fate::Kept => {
                let own = format!("/channels/{run}-next");
                let answer = client.request("POST", &own, &[], b"1");
                assert_eq!((answer.status, answer.json()["channel"].as_str()), (200, Some(&own[10..])), "{what}");
            }
            Fate::Closed => {
                assert_eq!(read_to_clean_end(&mut client.raw), b"", "{what}: something behind the last answer");
            }
            Fate::Switched => {
                client.raw.send(frame(TEXT, b"GET"));
                let answer = [&[0x81, 24], "服务器收到GET请求".as_bytes()].concat();
                client.raw.read_until(&answer[2..]);
                assert_eq!(client.raw.received[2..], answer[2..], "{what}");
            }
            Fate::Failed => {
                let end = read_to_clean_end(&mut client.raw);
                assert_eq!(end.first(), Some(&0x88), "{what}: a Close and nothing else: {end:?}");
            }
            Fate::Waiting => {
                self.settle(what);
                client.raw.stream.set_nonblocking(true).expect("a live socket");
                let read = client.raw.stream.read(&mut [0; 1]);
                let waits = matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock);
                assert!(waits && client.raw.received.is_empty(), "{what}: {read:?}");
            }
        }
    }

    /// Returns when all that was sent before on other connections has been read, and its answers written: the tick that
    /// gives the first answer accepts, the one after it reads what came with the new connection, and a third answer
    /// shows that the second tick has flushed.
    fn settle(&mut self, what: &str) {
        for _ in 0..3 {
            assert!(self.witness.is_kept(), "{what}");
        }
    }

    /// The letters of the channels that exactly one publication was made to; more than one fails. All are asked for at once: forty
    /// thousand runs would wait for three answers more each.
    fn publications(&mut self, run: &str) -> String {
        let target = |letter: char| format!("/channels/{}", channel(run, letter));
        let letters = || LETTERS.map(char::from);
        let asked: Vec<Vec<u8>> = letters().map(|letter| request_bytes("GET", &target(letter), &[], b"")).collect();
        self.witness.raw.send(asked.concat());
        let mut done = String::new();
        for letter in letters() {
            let page = self.witness.read_answer(false).json();
            let (named, offset) = (page["channel"].as_str(), page["offset"].as_u64().expect("an offset"));
            assert_eq!(named, Some(channel(run, letter).as_str()), "another channel's answer");
            assert!(offset < 2, "{} was published to {offset} times", target(letter));
            done.extend((offset == 1).then_some(letter));
        }
        done
    }
}

/// Reads to the end of the stream, which must be an end and no reset.
fn read_to_clean_end(client: &mut RawClient) -> Vec<u8> {
    let mut bytes = std::mem::take(&mut client.received);
    client.stream.read_to_end(&mut bytes).expect("an end without a reset");
    bytes
}

fn run_part(part: &str) {
    // HTTP/1.0 is no direct client's, so it publishes only where everybody may.
    let server = TestServer::start(|config| config.server.allow_anonymous_publish = true);
    let mut runner = Runner::new(&server);
    let cases = TABLE.iter().find(|(name, _)| *name == part).expect("a part of the table").1;
    for case in cases {
        runner.run(case, "whole", |bytes| vec![bytes], "");
        if case.3 == Fate::Closed {
            runner.run(case, "with a request behind it", |bytes| vec![bytes], "{D}");
        }
        runner.run(case, "byte by byte", |bytes| bytes.chunks(1).map(<[u8]>::to_vec).collect(), "");
        let length = case.bytes("run000000").len();
        for cut in (1..length).filter(|_| length <= SHORT) {
            runner.run(case, &format!("cut at {cut}"), |bytes| cut_at(bytes, cut), "");
        }
    }
    println!("exchanges: {} rows about {part} in {} runs", cases.len(), runner.runs);
}

fn cut_at(mut bytes: Vec<u8>, cut: usize) -> Vec<Vec<u8>> {
    let second = bytes.split_off(cut.min(bytes.len()));
    vec![bytes, second]
}

#[test]
fn requests_are_answered_as_the_table_says() {
    run_part("requests");
}

#[test]
fn bodies_end_where_the_table_says() {
    run_part("bodies");
}

#[test]
fn nothing_is_smuggled_past_the_table() {
    run_part("smuggled");
}

#[test]
fn malformed_heads_are_refused_as_the_table_says() {
    run_part("malformed");
}

#[test]
fn handshakes_end_as_the_table_says() {
    run_part("upgrades");
}

/// The checks find what they are for: rows that say something else than the server does are noticed.
#[test]
fn a_row_that_is_wrong_is_noticed() {
    const WRONG: [Case; 7] = [
        Case("another status", "{A}", &[201], Fate::Kept, "a"),
        Case("an answer too few", "{A}{B}", &[200], Fate::Closed, "ab"),
        Case("a publication that was not made", "{A}", &[200], Fate::Kept, "ab"),
        Case("a publication that was made", "{A}{B}", &[200, 200], Fate::Kept, "a"),
        Case("kept, not closed", "{A}", &[200], Fate::Closed, "a"),
        Case("answered, not waiting", "{A}", &[], Fate::Waiting, "a"),
        Case("closed, not kept", "POST {a}\r\n", &[400], Fate::Kept, ""),
    ];
    let server = TestServer::start(|config| config.server.allow_anonymous_publish = true);
    for case in WRONG {
        let run = || Runner::new(&server).run(&case, "whole", |bytes| vec![bytes], "");
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err(), "{} was not noticed", case.0);
    }
}

#[test]
fn the_table_is_large_and_names_each_row_once() {
    let names: Vec<&str> = TABLE.iter().flat_map(|(_, cases)| cases.iter().map(|case| case.0)).collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(names.len(), distinct.len(), "a reason stands twice");
    assert!(names.len() >= 200, "{}", names.len());
}
