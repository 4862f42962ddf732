//! Tidings behind nginx and HAProxy: every row of the table of `exchanges` through each, and ordinary service.
//!
//! For a row, what the proxy took for requests (its log) is compared with what the server did: a publication that no
//! logged request asked for, a request that the server counted and the proxy did not, or an answer that came to another
//! request than its own is a request smuggled or a connection out of step. Clients share the proxy's connections to the
//! server, so after each row somebody else's request must still get its own answer.

mod clients;
pub(crate) mod proxy;
mod strangers;

use crate::exchanges::table::{Case, LETTERS, channel, expand};
use crate::exchanges::{TABLE, new_run};
use crate::support::frames::{RawSocket, TEXT, handshake};
use crate::support::http::{HttpClient, post};
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, TestServer};
use proxy::{Kind, Proxy, Seen};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tidings::config::EchoFor;

/// A server that lets everybody publish, as one behind a proxy has to be told. It waits for bodies that do not come for a
/// shorter time than usual, since proxies may wait as long as it does.
fn server() -> TestServer {
    TestServer::start(|config| {
        config.server.allow_anonymous_publish = true;
        config.websocket.echo = EchoFor::On;
        config.http.body_timeout = Duration::from_secs(2);
    })
}

/// The channels of a run: those of the table, that of the request which ends the connection, and somebody else's.
fn channels(run: &str) -> Vec<String> {
    let letters = LETTERS.map(|letter| channel(run, char::from(letter)));
    letters.chain(["tail", "other"].map(|name| format!("{run}-{name}"))).collect()
}

/// What came of all rows.
#[derive(Default)]
struct Sum {
    rows: usize,
    /// Requests that reached the server.
    asked: usize,
    /// Rows of which nothing reached the server.
    stopped: usize,
    /// Publications that rows made.
    done: usize,
}

/// A server with a proxy before it, and one direct connection that tells what the server did.
struct Pair {
    kind: Kind,
    proxy: Proxy,
    witness: HttpClient,
    /// How much of the proxy's log has been read.
    log: usize,
    /// Requests that the server had counted when the last row was over.
    counted: u64,
}

impl Pair {
    fn start(kind: Kind, server: &TestServer) -> Pair {
        let proxy = Proxy::start(kind, server.address(), "1s");
        let mut pair = Pair { kind, proxy, witness: HttpClient::connect(server.address()), log: 0, counted: 0 };
        pair.counted = pair.count();
        pair
    }

    /// Requests that the server has counted, with this one.
    fn count(&mut self) -> u64 {
        self.metric("tidings_http_request_heads_total ")
    }

    fn metric(&mut self, name: &str) -> u64 {
        let page = self.witness.request("GET", "/metrics", &[OPERATOR], b"").text();
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.parse().ok()).expect("a count")
    }

    /// The channels of a run that were published to, none twice.
    fn published(&mut self, run: &str) -> BTreeSet<String> {
        let mut published = BTreeSet::new();
        for name in channels(run) {
            let answer = self.witness.request("GET", &format!("/channels/{name}"), &[], b"");
            let offset = answer.json()["offset"].as_u64().expect("an offset");
            assert!(offset < 2, "{:?}: {name} was published to {offset} times", self.kind);
            if offset == 1 {
                published.insert(name);
            }
        }
        published
    }

    /// Sends a row through the proxy, and behind it a request that ends the connection.
    fn send(&self, case: &Case, run: &str) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(self.proxy.address).expect("the proxy accepts");
        stream.set_read_timeout(Some(crate::support::PATIENCE)).expect("a time limit");
        let port = stream.local_addr().expect("a port").port();
        let tail = format!(
            "POST /channels/{run}-tail HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1"
        );
        // A proxy that has refused the beginning may end the stream before it has read the end, and with a reset.
        let _ = stream.write_all(&[case.bytes(run), expand(&tail, run)].concat());
        let mut received = Vec::new();
        match stream.read_to_end(&mut received) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{:?}: {:?} does not end: {error}", self.kind, case.0),
        }
        (port, received)
    }

    /// Runs one row and compares what the proxy saw with what the server did.
    fn run(&mut self, case: &Case, sum: &mut Sum) {
        let run = new_run();
        let what = format!("{:?}: {:?}", self.kind, case.0);
        let (port, received) = self.send(case, &run);
        let other = format!("{run}-other");
        let answer = post(self.proxy.address, &format!("/channels/{other}"), "1");
        assert_eq!(answer.status, 200, "{what}: somebody else's request: {}", answer.text());
        assert_eq!(answer.json()["channel"].as_str(), Some(&*other), "{what}: somebody else's answer");
        let seen = self.proxy.seen(&mut self.log, &other);

        let done = self.published(&run);
        let count = self.count();
        // The witness asks once for each channel and once for the count.
        let counted = count - self.counted - channels(&run).len() as u64 - 1;
        self.counted = count;
        let did = Did { done: &done, counted, received: &received };
        if let Err(difference) = compare(&run, port, &seen, &did) {
            panic!("{what}: {difference}; the proxy saw {seen:#?}");
        }
        let asked: usize = seen.iter().map(|seen| seen.asked).sum();
        // Somebody else's request is not the row's.
        sum.rows += 1;
        sum.asked += asked - 1;
        sum.stopped += usize::from(asked == 1);
        sum.done += done.len() - 1;
    }
}

/// What the server did in one run, and what the client of the row received.
struct Did<'a> {
    done: &'a BTreeSet<String>,
    counted: u64,
    received: &'a [u8],
}

/// Compares what a proxy saw with what the server did; the difference, if there is one.
fn compare(run: &str, port: u16, seen: &[Seen], did: &Did<'_>) -> Result<(), String> {
    let told = seen.iter().filter(|seen| seen.status == 200 && seen.asked > 0 && seen.line.starts_with("POST "));
    let told: BTreeSet<String> = told.filter_map(|seen| channel_in(&seen.line, run)).collect();
    if told != *did.done {
        return Err(format!("published to {:?}, but the proxy knows of {told:?}", did.done));
    }
    let asked = seen.iter().map(|seen| seen.asked).sum::<usize>() as u64;
    if did.counted > asked {
        return Err(format!("the server counted {} requests, the proxy made {asked}", did.counted));
    }
    let own = seen.iter().filter(|seen| seen.port == port && seen.status == 200);
    let requests: Vec<String> = own.filter_map(|seen| channel_in(&seen.line, run)).collect();
    let answers = answers(did.received, run);
    if !requests.starts_with(&answers) {
        return Err(format!("answers about {answers:?} to requests about {requests:?}"));
    }
    Ok(())
}

/// The channel of this run that a request line names.
fn channel_in(line: &str, run: &str) -> Option<String> {
    let is_named = |name: &String| {
        let behind = line.split_once(&format!("/channels/{name}")).map(|(_, behind)| behind);
        // HTTP/0.9 has nothing behind the target.
        behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(' '))
    };
    channels(run).into_iter().find(is_named)
}

/// The channels that the answers speak of, in order.
fn answers(received: &[u8], run: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(received);
    let names = text.split("{\"channel\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    names.filter(|name| name.starts_with(run)).map(str::to_owned).collect()
}

fn every_row(kind: Kind) {
    let server = server();
    let mut pair = Pair::start(kind, &server);
    let mut sum = Sum::default();
    for case in TABLE.iter().flat_map(|(_, cases)| cases.iter()) {
        pair.run(case, &mut sum);
    }
    let Sum { rows, asked, stopped, done } = sum;
    let connections = pair.metric("tidings_connections_opened_total ");
    println!(
        "fronts: {kind:?}: {rows} rows, of which the proxy kept {stopped} to itself; {asked} requests reached the \
         server beside somebody else's {rows}, over {connections} connections; {done} publications were made; both saw \
         the same requests"
    );
    // An answer can only come out of step on a connection that clients share.
    if kind != Kind::NginxPlain {
        assert!(connections < (asked + rows) as u64, "{connections} connections for {} requests", asked + rows);
    }
    // Enough came through for the agreement to say something.
    assert!(rows >= 200 && asked >= 100 && done >= 100, "{rows} rows, {asked} requests, {done} publications");
}

/// The comparison finds what it is for.
#[test]
fn what_is_smuggled_or_out_of_step_is_noticed() {
    let saw = |port, name: &str| Seen { port, status: 200, asked: 1, line: format!("POST /channels/{name} HTTP/1.1") };
    let seen = [saw(1, "r-a"), saw(1, "r-b"), saw(2, "r-other")];
    let done = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let answers = |names: &[&str]| names.iter().map(|name| format!("{{\"channel\":\"{name}\"}}")).collect::<String>();
    let compare = |names: &[&str], counted, received: &[&str]| {
        let (done, received) = (done(names), answers(received));
        let did = Did { done: &done, counted, received: received.as_bytes() };
        compare("r", 1, &seen, &did)
    };
    let all = ["r-a", "r-b", "r-other"];
    assert_eq!(compare(&all, 3, &["r-a", "r-b"]), Ok(()));
    assert_eq!(compare(&all, 2, &["r-a"]), Ok(()), "an answer may be lost with its connection");
    for (names, counted, received) in [
        (&["r-a", "r-b", "r-c", "r-other"][..], 3, &["r-a", "r-b"][..]),
        (&["r-a", "r-other"], 3, &["r-a", "r-b"]),
        (&all, 4, &["r-a", "r-b"]),
        (&all, 3, &["r-b", "r-a"]),
        (&all, 3, &["r-b"]),
        (&all, 3, &["r-a", "r-b", "r-other"]),
    ] {
        assert!(compare(names, counted, received).is_err(), "{names:?} {counted} {received:?}");
    }
}

#[test]
#[ignore = "run by tests/run fronts"]
fn nginx_as_it_comes_sees_the_requests_that_the_server_sees() {
    every_row(Kind::NginxPlain);
}

#[test]
#[ignore = "run by tests/run fronts"]
fn nginx_with_kept_connections_sees_the_requests_that_the_server_sees() {
    every_row(Kind::NginxKept);
}

#[test]
#[ignore = "run by tests/run fronts"]
fn haproxy_sees_the_requests_that_the_server_sees() {
    every_row(Kind::HaProxy);
}

#[test]
#[ignore = "run by tests/run fronts"]
fn posts_and_event_streams_pass_every_front_at_once() {
    for kind in [Kind::NginxPlain, Kind::NginxKept, Kind::HaProxy] {
        let server = server();
        let proxy = Proxy::start(kind, server.address(), "30s");
        let mut stream = SseClient::open(proxy.address, "front", None);
        assert_eq!(stream.next_block().expect("a block").event.as_deref(), Some("position"), "{kind:?}");
        // Each is awaited before the next is sent: a proxy that holds blocks back until it has more is noticed.
        for offset in 1..=20 {
            let answer = post(proxy.address, "/channels/front", &format!("{{\"n\": {offset}}}"));
            assert_eq!((answer.status, answer.json()["offset"].as_u64()), (200, Some(offset)), "{kind:?}");
            assert_eq!(stream.next_block().expect("a block").data, format!("{{\"n\": {offset}}}"), "{kind:?}");
        }
        let large = format!("[\"{}\"]", "x".repeat(500_000));
        assert_eq!(post(proxy.address, "/channels/front", &large).status, 200, "{kind:?}");
        assert_eq!(stream.next_block().expect("a block").data, large, "{kind:?}");
        assert_eq!(crate::support::http::get(proxy.address, "/metrics").status, 401, "{kind:?}");
    }
}

#[test]
#[ignore = "run by tests/run fronts"]
fn websockets_pass_the_fronts_that_pass_upgrades() {
    for kind in [Kind::NginxKept, Kind::HaProxy] {
        let server = server();
        let proxy = Proxy::start(kind, server.address(), "30s");
        let mut echo = RawSocket::open(proxy.address, "/echo");
        for size in [0, 20, 70_000] {
            let text = "e".repeat(size);
            echo.send(TEXT, text.as_bytes());
            assert_eq!(echo.next_text(), text, "{kind:?}");
        }
        let mut reader = WsClient::connect(proxy.address);
        reader.subscribe("front");
        let mut writer = WsClient::connect(proxy.address);
        for n in 1..=20 {
            assert_eq!(writer.post("front", &n.into())["offset"], n, "{kind:?}");
            assert_eq!(reader.next_push()["data"], n, "{kind:?}");
        }
    }
}

/// nginx as it comes removes Upgrade, and the answer says what is missing.
#[test]
#[ignore = "run by tests/run fronts"]
fn nginx_as_it_comes_is_told_that_an_upgrade_is_required() {
    let server = server();
    let proxy = Proxy::start(Kind::NginxPlain, server.address(), "30s");
    let mut client = HttpClient::connect(proxy.address);
    client.raw.send(handshake("/ws", &[]));
    assert_eq!(client.read_answer(false).status, 426);
}
