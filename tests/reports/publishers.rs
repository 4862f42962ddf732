//! What publishers and readers could do to others, and a pause of the server to all of them.

use super::{Case, EVERY_WAY, Subject, Way, run};
use crate::support::frames::{BINARY, PING, PONG, RawSocket, TEXT, handshake, header};
use crate::support::http::{HttpClient, post};
use crate::support::process::descriptors_allowed;
use std::time::Duration;

const OPEN_CASES: &[Case] = &[("?exclude= hides a push from anybody, who sees a hole without a word", |subject| {
    let mut reader = subject.socket("/ws", &[]);
    reader.send(TEXT, format!("{{\"id\":1,\"method\":\"GET\",\"path\":\"{}\"}}", subject.path()).as_bytes());
    let name = reader.next_json()["connection"].as_str().expect("a name").to_owned();
    // Names of neighbours cannot be made out of one's own.
    assert!(name.len() >= 11 && !name.starts_with("0-"), "{name}");
    for guess in ["0-0-0", "0-1-0", "1-0-0"] {
        post(subject.address(), &format!("{}?exclude={guess}", subject.path()), "0");
    }
    assert_eq!(post(subject.address(), &format!("{}?exclude={name}", subject.path()), "1").status, 200);
    assert_eq!(post(subject.address(), &subject.path(), "2").status, 200);
    let mut last = 0;
    let told = loop {
        let push = reader.next_json();
        assert_eq!(push["offset"], last + 1, "no hole: {push}");
        last += 1;
        if push["data"] != 0 {
            break push;
        }
    };
    assert_eq!((&told["excluded"], told.get("data")), (&true.into(), None), "{told}");
    assert_eq!(reader.next_json()["data"], 2);
})];

#[test]
#[ignore = "run by tests/run reports: needs nginx and HAProxy"]
fn what_publishers_and_readers_may_do() {
    run(EVERY_WAY, "", &["--allow-anonymous-publish"], OPEN_CASES);
}

#[test]
#[ignore = "run by tests/run reports: needs nginx and HAProxy"]
fn an_echo_costs_whatever_somebody_sends() {
    let near: &[Case] = &[("an echo has no limit of its own", |subject| {
        let mut socket = subject.socket("/echo", &[]);
        socket.send(BINARY, &vec![7; 1 << 20]);
        assert_eq!(socket.next().expect("an echo").1.len(), 1 << 20);
        socket.raw.send([&header(BINARY, (1 << 20) + 1)[..], &[0; 4]].concat());
        assert_eq!(socket.read_close().0, Some(1009));
    })];
    run(&[Way::Direct], "", &[], near);
    let far: &[Case] = &[("an echo is open to everybody", |subject| {
        let answer = HttpClient::connect(subject.address()).exchange(handshake("/echo", &[]));
        assert!(answer.status == 403 && answer.text().contains("websocket.echo"), "{}", answer.text());
    })];
    run(&[Way::Nginx, Way::HaProxy], "", &["--allow-anonymous-publish"], far);
}
/// The machine was suspended, or the process was stopped, while pongs lay in the kernel. There are more of them than one look
/// at the kernel shows.
#[test]
#[ignore = "run by tests/run reports"]
fn a_pause_of_the_server_kills_readers_that_live() {
    const READERS: usize = 3_000;
    const PONG_WAIT: Duration = Duration::from_secs(8);
    assert!(descriptors_allowed() > READERS + 100, "this needs {READERS} descriptors: ulimit -n");
    let toml = "[server]\nreactors = 1\n[websocket]\nping_idle = \"1s\"\npong_wait = \"8s\"\n";
    let subject = Subject::start(Way::Direct, toml, &[]);
    let mut readers: Vec<_> = (0..READERS).map(|_| subject.socket("/ws", &[])).collect();
    let pings: Vec<Vec<u8>> = readers
        .iter_mut()
        .map(|reader| {
            let (first, payload) = reader.next().expect("a ping comes");
            assert_eq!(first, PING);
            payload
        })
        .collect();
    subject.process.signal("STOP");
    readers.iter_mut().zip(&pings).for_each(|(reader, ping)| reader.send(PONG, ping));
    std::thread::sleep(PONG_WAIT + Duration::from_secs(1));
    subject.process.signal("CONT");
    readers.iter_mut().for_each(|reader| reader.send(TEXT, b"GET /livez"));
    let lives = |reader: &mut RawSocket| loop {
        match reader.next() {
            Some((PING, payload)) => reader.send(PONG, &payload),
            Some((first, _)) => return first == TEXT,
            None => return false,
        }
    };
    let dead = readers.iter_mut().filter_map(|reader| (!lives(reader)).then_some(())).count();
    assert_eq!(dead, 0, "of {READERS} readers that had answered");
}
/// A history that is full is nobody's reason to stop telling readers what happens.
#[test]
#[ignore = "run by tests/run reports"]
fn one_publisher_stops_everybody_for_an_hour() {
    let subject = Subject::start(Way::Direct, "[history]\nbytes = \"64 KiB\"\ntotal_bytes = \"64 KiB\"\n", &[]);
    let mut reader = subject.socket(&subject.path(), &[]);
    reader.next_json();
    let large = format!("\"{}\"", "x".repeat(20_000));
    let full = (0..20).find(|number| {
        let answer = post(subject.address(), &format!("/channels/greedy-{number}"), &large);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["kept"] == false
    });
    assert!(full.is_some(), "20 times 20 kB are kept in 64 KiB");
    let answer = post(subject.address(), &subject.path(), &large);
    assert_eq!((answer.status, &answer.json()["kept"]), (200, &false.into()), "{}", answer.text());
    assert_eq!(reader.next_json()["data"].as_str().map(str::len), Some(20_000));
    let epoch = answer.json()["epoch"].as_str().expect("an epoch").to_owned();
    let resumed = subject.ask("GET", &format!("{}?since={epoch}:0", subject.path()), &[], "").json();
    assert_eq!(resumed["recovered"], false, "told that it was not kept: {resumed}");
}
