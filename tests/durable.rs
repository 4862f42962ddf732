//! The engine "disk": what was answered is there after an end of every kind, and what is not there is told.

mod engines;
mod kills;
mod large;

use crate::support::http::{Answer, HttpClient, get, get_as_operator, post};
use crate::support::process::Process;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, PATIENCE, TestServer, wait_until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use tidings::config::EngineKind;
use tidings::{Config, Message, Replay};

/// Publishes as fast as they are answered, without limits of a connection.
const NO_LIMITS: [&str; 6] = [
    "--limits.connection_requests",
    "off",
    "--limits.connection_publications",
    "off",
    "--limits.connection_bytes",
    "off",
];

/// The folder of a log, which goes with this.
pub(crate) struct Store(PathBuf);

impl Store {
    pub(crate) fn new() -> Store {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Store(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }

    /// Has a server keep its histories here.
    pub(crate) fn keep(&self, config: &mut Config) {
        config.server.engine = EngineKind::Disk;
        config.store.folder = self.path().to_owned();
    }

    /// Starts a server on it.
    pub(crate) fn start(&self, more: &[&str]) -> Process {
        let own = ["--engine", "disk", "--store.folder", self.path(), "--reactors", "2", "--workers", "1"];
        Process::start(&[&own, more].concat())
    }

    /// Runs a command on it that ends by itself.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command.args(arguments).args(["--engine", "disk", "--store.folder", self.path()]);
        command.output().expect("the binary starts")
    }

    /// Looks at it.
    fn check(&self) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command.args(["store", "check", self.path()]).output().expect("the binary starts")
    }

    /// Its files of segments.
    fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(&self.0).expect("a folder").flatten().map(|file| file.path());
        let is_log = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log-"));
        let mut logs: Vec<PathBuf> = files.filter(is_log).collect();
        logs.sort();
        logs
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Ends a server in order.
fn stop(process: Process) {
    process.signal("TERM");
    let (status, log) = process.wait();
    assert!(status.success(), "{status:?} {log}");
}

/// Ends it at once; what it logged.
fn kill(process: Process) -> String {
    process.signal("KILL");
    process.wait().1
}

/// A number that a variable of the environment may say instead.
fn size(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn position(answer: &Value) -> String {
    format!("{}:{}", answer["epoch"].as_str().unwrap_or_default(), answer["offset"])
}

fn published(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    position(&answer.json())
}

/// All publications of a channel, read page by page from its beginning.
pub(crate) fn pages(address: SocketAddr, channel: &str, epoch: &str, limit: usize) -> Vec<Value> {
    pages_after(address, channel, (epoch, 0), limit)
}

/// The same after an offset.
pub(crate) fn pages_after(address: SocketAddr, channel: &str, (epoch, after): (&str, u64), limit: usize) -> Vec<Value> {
    let (mut client, mut since) = (HttpClient::connect(address), format!("{epoch}:{after}"));
    let mut all = Vec::new();
    loop {
        let target = format!("/channels/{channel}?since={since}&limit={limit}");
        let page = client.request("GET", &target, &[], b"").json();
        assert_eq!(page["recovered"], true, "{page}");
        let publications = page["publications"].as_array().expect("a list").clone();
        if publications.is_empty() {
            return all;
        }
        all.extend(publications);
        since = position(&page);
    }
}

#[test]
fn what_was_answered_is_there_after_an_end_in_order_and_after_a_kill() {
    for durability in ["written", "synced"] {
        let store = Store::new();
        let settings = ["--history.durability", durability];
        let server = store.start(&settings);
        let first = published(&post(server.address, "/channels/a", r#"{"n": 1.10}"#));
        let mut client = HttpClient::connect(server.address);
        let fields = [("Content-Type", "image/png"), ("Idempotency-Key", "k-1")];
        let second = published(&client.request("POST", "/channels/a?event=tick", &fields, b"\x00\x01\xff"));
        let before = get(server.address, "/channels/a").text();
        kill(server);
        let server = store.start(&settings);
        assert_eq!(get(server.address, "/channels/a").text(), before);
        // The key is remembered, and the positions go on.
        let again =
            HttpClient::connect(server.address).request("POST", "/channels/a?event=tick", &fields, b"\x00\x01\xff");
        assert_eq!(published(&again), second);
        let other = HttpClient::connect(server.address).request("POST", "/channels/a", &fields, b"other");
        assert_eq!((other.status, other.code()), (409, "key_reused".to_owned()));
        let after = |position: &str| {
            let tag = format!("\"{position}\"");
            HttpClient::connect(server.address).request("POST", "/channels/a", &[("If-Match", &tag)], b"3")
        };
        let moved = after(&first);
        assert_eq!(
            (moved.status, moved.code(), &moved.json()["error"]["offset"]),
            (412, "moved".to_owned(), &json!(2))
        );
        let third = published(&after(&second));
        assert_eq!(third, first.replace(":1", ":3"));
        let before = get(server.address, "/channels/a").text();
        stop(server);
        let server = store.start(&settings);
        assert_eq!(get(server.address, "/channels/a").text(), before);
        let resumed = get(server.address, &format!("/channels/a?since={first}")).json();
        assert_eq!((&resumed["recovered"], &resumed["offset"]), (&json!(true), &json!(3)), "{resumed}");
        stop(server);
    }
}

#[test]
fn a_subscriber_goes_on_over_a_restart_and_misses_nothing() {
    let store = Store::new();
    let server = store.start(&[]);
    let mut reader = WsClient::connect(server.address);
    let began = position(&reader.subscribe("a"));
    assert_eq!(post(server.address, "/channels/a", "1").status, 200);
    assert_eq!(reader.next_push()["offset"], 1);
    kill(server);
    let server = store.start(&[]);
    for json in ["2", "3"] {
        assert_eq!(post(server.address, "/channels/a", json).status, 200);
    }
    let mut reader = WsClient::connect(server.address);
    let since = began.replace(":0", ":1");
    let answer = reader.request(json!({"method": "GET", "path": "/channels/a", "since": since}));
    assert_eq!(answer["recovered"], true, "{answer}");
    let replayed: Vec<&Value> =
        answer["publications"].as_array().expect("a list").iter().map(|one| &one["data"]).collect();
    assert_eq!(replayed, [2, 3]);
    // The own push comes before the answer.
    let answer = reader.post("a", &json!(4));
    assert_eq!((&answer["offset"], &reader.pushed[0]["offset"]), (&json!(4), &json!(4)));
    stop(server);
}

/// One connection had one publication at the engine at a time, and waited for the disk for each.
#[test]
fn what_one_connection_sends_at_once_waits_for_the_disk_at_once() {
    let store = Store::new();
    let server = store.start(&["--history.durability", "synced"]);
    let mut client = WsClient::connect(server.address);
    let synced = || server.metric("tidings_store_syncs_total");
    let before = synced();
    let mut sent = Vec::new();
    for id in 1..=300_u64 {
        // A few of another kind are among them, whose answers come in their turn too.
        let request = match id % 100 {
            0 => json!([{"method": "POST", "path": "/channels/a", "data": id, "id": id}]),
            50 => json!({"method": "GET", "path": "/channels/b", "last": 1, "id": id}),
            60 => json!({"method": "POST", "path": "/nowhere", "data": id, "id": id}),
            _ => json!({"method": "POST", "path": "/channels/a", "data": id, "id": id}),
        };
        // Each is a frame of its own, and all leave by one write.
        client.socket.write(tungstenite::Message::text(request.to_string())).expect("there is room");
        sent.push(id);
    }
    client.socket.flush().expect("the server reads");
    let (mut answered, mut offset) = (Vec::new(), 0);
    while answered.len() < sent.len() {
        let message = client.next_json();
        let answer = message.as_array().map_or(&message, |batch| &batch[0]);
        let id = answer["id"].as_u64().expect("an answer");
        let status = if id % 100 == 60 { 404 } else { 200 };
        assert_eq!(answer["status"], status, "{answer}");
        if !matches!(id % 100, 50 | 60) {
            offset += 1;
            assert_eq!(answer["offset"], offset);
        }
        answered.push(id);
    }
    assert_eq!(answered, sent, "in their order");
    let syncs = synced() - before;
    assert!(syncs < 100.0, "{syncs} waits for the disk");
    stop(server);
}

#[test]
fn history_that_is_not_in_memory_is_read_page_by_page() {
    let store = Store::new();
    let server = store.start(&["--history.count", "10"]);
    let mut client = WsClient::connect(server.address);
    for batch in 0..20 {
        let one = |n: i32| json!({"method": "POST", "path": "/channels/a", "data": batch * 25 + n, "id": n});
        client.send_text(&Value::from((1..=25).map(one).collect::<Vec<_>>()).to_string());
        let answers = client.next_json();
        assert!(answers.as_array().expect("a list").iter().all(|answer| answer["status"] == 200), "{answers}");
    }
    let is_whole = |server: &Process| {
        let epoch = get(server.address, "/channels/a").json()["epoch"].as_str().expect("an epoch").to_owned();
        let all = pages(server.address, "a", &epoch, 70);
        let values: Vec<i64> = all.iter().map(|one| one["data"].as_i64().expect("a number")).collect();
        assert_eq!(values, (1..=500).collect::<Vec<_>>());
    };
    is_whole(&server);
    stop(server);
    let server = store.start(&["--history.count", "10"]);
    is_whole(&server);
    stop(server);
}

#[test]
fn an_emptied_history_stays_empty_and_its_position_stays() {
    let store = Store::new();
    let server = store.start(&[]);
    let first = published(&post(server.address, "/channels/a", "1"));
    let delete = |server: &Process, channel: &str| {
        HttpClient::connect(server.address).request("DELETE", channel, &[OPERATOR], b"")
    };
    assert_eq!(published(&delete(&server, "/channels/a")), first);
    assert_eq!(delete(&server, "/channels/unknown").code(), "unknown_channel");
    kill(server);
    let server = store.start(&[]);
    let emptied = get(server.address, "/channels/a").json();
    assert_eq!((position(&emptied), &emptied["publications"]), (first.clone(), &json!([])));
    let resumed = get(server.address, &format!("/channels/a?since={}", first.replace(":1", ":0"))).json();
    assert_eq!(resumed["recovered"], false, "{resumed}");
    assert_eq!(published(&post(server.address, "/channels/a", "2")), first.replace(":1", ":2"));
    stop(server);
}

#[test]
fn a_second_server_on_the_folder_is_refused() {
    let store = Store::new();
    let server = store.start(&[]);
    let second = store.run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("in use by another process"), "{said}");
    assert_eq!(post(server.address, "/channels/a", "1").status, 200);
    stop(server);
}

#[test]
fn damage_keeps_a_server_from_starting_until_the_loss_is_accepted_and_readers_are_told() {
    let store = Store::new();
    let server = store.start(&["--history.durability", "synced"]);
    let first = published(&post(server.address, "/channels/a", "1"));
    for n in 2..=100 {
        assert_eq!(post(server.address, "/channels/a", &n.to_string()).status, 200);
    }
    stop(server);
    let whole = store.check();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stdout));
    let log = &store.segments()[0];
    let mut bytes = std::fs::read(log).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(log, bytes).expect("a file");
    let checked = store.check();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success() && said.contains("damage: log-"), "{said}");
    let refused = store.run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--accept-loss"), "{said}");
    let server = store.start(&["--accept-loss", "--history.durability", "synced"]);
    let resumed = get(server.address, &format!("/channels/a?since={first}")).json();
    assert_eq!(resumed["recovered"], false, "{resumed}");
    // No position is given twice.
    let next = published(&post(server.address, "/channels/a", "101"));
    assert_ne!(next.split(':').next(), first.split(':').next());
    stop(server);
    let server = store.start(&["--history.durability", "synced"]);
    assert_eq!(position(&get(server.address, "/channels/a").json()), next);
    stop(server);
}

#[test]
fn a_full_disk_refuses_publications_and_nothing_else_and_recovers_alone() {
    let store = Store::new();
    // Files of this process may have so many bytes; what has no more room there fails as on a full disk.
    let wrapper = ["sh", "-c", "trap '' XFSZ; exec prlimit --fsize=100000:unlimited \"$@\"", "sh"].map(str::to_owned);
    let toml = format!("server.engine = \"disk\"\nstore.folder = \"{}\"\n", store.path());
    let server = Process::start_by(&wrapper, 1000, &toml, &["--reactors", "1", "--workers", "1"]);
    let body = format!("\"{}\"", "x".repeat(10_000));
    let mut taken = 0;
    let refused = loop {
        let answer = post(server.address, "/channels/a", &body);
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 20, "the disk is not full");
    };
    assert_eq!((refused.status, refused.code()), (507, "store_full".to_owned()));
    assert_eq!(refused.field("Retry-After"), Some("1"));
    assert_eq!(get(server.address, "/readyz").status, 200);
    let read = get(server.address, "/channels/a").json();
    assert_eq!(read["offset"], taken, "{read}");
    assert!(server.metric("tidings_store_full_total") >= 1.0);
    let limit = ["--fsize=unlimited:unlimited", "--pid", &server.id().to_string()].map(str::to_owned);
    assert!(Command::new("prlimit").args(limit).status().expect("prlimit runs").success());
    wait_until("there is room", || post(server.address, "/channels/a", "1").status == 200);
    let epoch = read["epoch"].as_str().expect("an epoch").to_owned();
    kill(server);
    let server = store.start(&[]);
    assert_eq!(pages(server.address, "a", &epoch, 5).len(), taken + 1);
    stop(server);
}

#[test]
fn readers_of_a_channel_without_publications_keep_their_epoch() {
    let store = Store::new();
    let server = store.start(&["--channels.idle_forget", "1ms"]);
    let first = position(&get(server.address, "/channels/quiet").json());
    wait_until("the channel is forgotten", || server.metric("tidings_channels") == 0.0);
    let again = get(server.address, &format!("/channels/quiet?since={first}")).json();
    assert_eq!((position(&again), &again["recovered"]), (first, &json!(true)));
    assert!(get_as_operator(server.address, "/metrics").text().contains("\ntidings_engine_up 1\n"));
    stop(server);
}

#[test]
fn a_program_that_embeds_the_server_has_its_history_back() {
    let store = Store::new();
    let start = || TestServer::start(|config| store.keep(config));
    let server = start();
    let (sender, received) = std::sync::mpsc::channel();
    let subscription = server.subscribe("a", move |publication| sender.send(publication.offset()).expect("it is read"));
    let subscription = subscription.expect("a subscription");
    let first = server.publish("a", Message::json("1").key("k")).expect("published");
    assert_eq!((received.recv_timeout(PATIENCE), first.offset), (Ok(1), 1));
    drop(subscription);
    server.stop(PATIENCE);
    let server = start();
    assert_eq!(server.publish("a", Message::json("1").key("k")).expect("known"), first);
    let second = server.publish("a", "2").expect("published");
    assert_eq!((second.epoch, second.offset), (first.epoch, 2));
    let history = server.history("a", Replay::since(first)).expect("a history");
    assert_eq!((history.recovered, history.publications.len()), (Some(true), 1));
}

#[test]
fn a_takeover_says_why_there_is_none() {
    let store = Store::new();
    let refused = store.run(&["serve", "--listen", "127.0.0.1:0", "--takeover", "--server.handover", "/nowhere"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(78) && said.contains("cannot append to one log"), "{said}");
}
