//! The configuration of a server that runs is read again: what changes changes everywhere or not at all, what needs a restart is
//! named, and nobody loses anything.

mod doors;
mod load;
mod manager;

use crate::support::http::{Answer, HttpClient, get};
use crate::support::process::Process;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, OPERATOR_KEY, TestServer, wait_until, with_one_and_two_reactors};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use tidings::Config;

/// A configuration file that goes when this does.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn with(text: &str) -> File {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("reload-{}-{}.toml", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let file = File(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        file.write(text);
        file
    }

    /// Written beside and moved, as a careful editor does it.
    pub(crate) fn write(&self, text: &str) {
        let beside = self.0.with_extension("new");
        std::fs::write(&beside, text).expect("a writable folder");
        std::fs::rename(&beside, &self.0).expect("the same folder");
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A port for a listener that comes and goes: below those that the kernel gives to clients, which might take it meanwhile.
pub(crate) fn port() -> SocketAddr {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let first = std::process::id() as usize * 61;
    loop {
        let port = 20_000 + (first + COUNT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("0.0.0.0", port as u16)).is_ok() {
            return SocketAddr::from(([127, 0, 0, 1], port as u16));
        }
    }
}

/// The command `tidings reload`.
fn reload(address: SocketAddr, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.env("TIDINGS_OPERATOR_KEY", OPERATOR_KEY).args(["reload", "--url", &address.to_string()]).args(more);
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// The same as operators' programs ask for it.
pub(crate) fn ask(address: SocketAddr) -> Answer {
    HttpClient::connect(address).request("POST", "/admin/reload", &[OPERATOR], b"")
}

/// The largest body that is taken.
fn body_bytes(address: SocketAddr) -> Value {
    get(address, "/limits").json()["body_bytes"].clone()
}

fn started(file: &File) -> Process {
    Process::start(&["--reactors", "2", "--workers", "1", "--config", file.path()])
}

#[test]
fn an_operator_has_the_file_read_again_and_hears_what_changed_and_what_needs_a_restart() {
    let file = File::with("[http]\nbody_bytes = \"100kB\"\n");
    let process = started(&file);
    let address = process.address;
    let mut socket = WsClient::connect(address);
    socket.subscribe("a");
    assert_eq!(body_bytes(address), 100_000);
    assert_eq!(
        reload(address, &[]),
        (Some(0), "the configuration was read again; no setting changed\n".into(), String::new())
    );
    file.write(
        "[http]\nbody_bytes = \"200kB\"\n[server]\nreactors = 5\n[history]\nstamp_time = true\n[[channel]]\nmatch = \"**\"\nread = [\"anyone\"]\n",
    );
    // The flag wins over the file, as at the start.
    let said = "changed http.body_bytes\nchanged [[channel]]\nneeds a restart: history.stamp_time\n";
    assert_eq!(reload(address, &[]), (Some(0), said.into(), String::new()));
    assert_eq!(body_bytes(address), 200_000);
    let (code, out, _) = reload(address, &["--json"]);
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    let expected = json!({"changed": [], "needs_restart": ["history.stamp_time"], "opened": [], "closed": []});
    assert_eq!((code, answer), (Some(0), expected));
    // Rules came with it: nobody but keys and tokens may publish.
    assert_eq!(socket.post("a", &json!(1))["status"], 401);
    socket.subscribe("b");
    process.signal("TERM");
    drop(socket);
    let (_, log) = process.wait();
    for line in ["reloaded", "changed=\"http.body_bytes [[channel]]\"", "needs_restart", "settings=history.stamp_time"]
    {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn a_broken_file_changes_nothing_and_is_named_with_line_and_reason() {
    let good = "[http]\nbody_bytes = \"100kB\"\n";
    let file = File::with(good);
    let process = started(&file);
    let address = process.address;
    let mut socket = WsClient::connect(address);
    let broken = [
        ("[http]\nbody_bytes = \"300kB\"\nheaders = 1\n", ":3:11: \"http.headers\""),
        ("[http]\nbody_bytes = \"300kB\n", ":2:"),
        ("[http]\nbody_bytez = \"300kB\"\n", "body_bytes"),
        ("[http]\nbody_bytes = \"300kB\"\n[channels]\nsign_secret_file = \"/nowhere\"\n", "/nowhere"),
        (
            "[http]\nbody_bytes = \"300kB\"\n[[listener]]\naddress = \"192.0.2.1:80\"\nserves = [\"health\"]\n",
            "192.0.2.1:80",
        ),
        (
            "[server]\nallow_anonymous_publish = true\n[[channel]]\nmatch = \"a\"\nread = [\"anyone\"]\n",
            "allow_anonymous_publish",
        ),
        // Right by itself, and wrong with what holds until a restart.
        (
            "[history]\nbytes = \"3GB\"\ntotal_bytes = \"4GB\"\n",
            "until a restart, since history.total_bytes cannot change",
        ),
    ];
    for (text, why) in broken {
        file.write(text);
        let (code, out, errors) = reload(address, &[]);
        assert_eq!((code, out.as_str()), (Some(78), ""), "{text} {errors}");
        assert!(errors.contains("nothing changed") && errors.contains(why), "{why}: {errors}");
        let answer = ask(address);
        assert_eq!((answer.status, answer.code().as_str()), (422, "config_refused"));
        assert_eq!(body_bytes(address), 100_000, "{text}");
        assert_eq!(socket.post("a", &json!(1))["status"], 200, "{text}");
    }
    let gone = file.path().to_owned();
    std::fs::remove_file(&gone).expect("it is there");
    let (code, _, errors) = reload(address, &[]);
    assert!(code == Some(78) && errors.contains(&format!("{gone}: No such file")), "{errors}");
    file.write(good);
    assert_eq!(reload(address, &[]).0, Some(0));
    assert_eq!(process.metric("tidings_reloads_total{outcome=\"refused\"}"), 15.0);
    assert_eq!(process.metric("tidings_reloads_total{outcome=\"taken\"}"), 1.0);
    process.signal("TERM");
    drop(socket);
    let (_, log) = process.wait();
    assert!(log.contains("reload_refused") && log.contains(&format!("{gone}:3:11:")), "{log}");
}

#[test]
fn a_signal_does_the_same_and_the_log_says_it() {
    let file = File::with("[http]\nbody_bytes = \"100kB\"\n[log]\nlevel = \"warn\"\n");
    let process = started(&file);
    file.write("[http]\nbody_bytes = \"200kB\"\n[log]\nlevel = \"info\"\n");
    process.signal("HUP");
    wait_until("it is read again", || body_bytes(process.address) == 200_000);
    file.write("[http]\nbody_bytes = 0\n");
    process.signal("HUP");
    wait_until("it is refused", || process.metric("tidings_reloads_total{outcome=\"refused\"}") == 1.0);
    assert_eq!(body_bytes(process.address), 200_000);
    process.signal("TERM");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    // The first line says that the level changed: at warn it was not logged that the server listens.
    assert!(!log.contains("listening") && log.contains("reload_refused") && log.contains("draining"), "{log}");
}

#[test]
fn only_operators_may_ask_for_it_and_only_of_a_server_that_knows_where() {
    let server = TestServer::start(|_| ());
    let answer = HttpClient::connect(server.address()).request("POST", "/admin/reload", &[], b"");
    assert_eq!((answer.status, answer.code().as_str()), (401, "operator_needed"));
    let answer = ask(server.address());
    assert!(answer.status == 422 && answer.text().contains("has not said where"), "{}", answer.text());
    let answer = HttpClient::connect(server.address()).request("GET", "/admin/reload", &[OPERATOR], b"");
    assert_eq!(answer.status, 405);
}

/// The configuration that [`TestServer::start`] begins with, and more.
fn config(reactors: usize, text: &str) -> Config {
    let mut config = Config::from_toml("reload.toml", text).expect("valid");
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    (config.server.reactors, config.server.workers) = (reactors, 1);
    config.server.operator_key = tidings::model::operator_key::OperatorKey::parse(OPERATOR_KEY).ok();
    config
}

/// What a client meets of a setting: before it changes, and after.
type Met = (&'static str, fn(SocketAddr) -> String, &'static str, &'static str);

fn status(address: SocketAddr, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> String {
    let answer = HttpClient::connect(address).request(method, target, fields, body);
    answer.status.to_string()
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

const MET: [Met; 12] = [
    ("[http]\nbody_bytes = 1024", |at| status(at, "POST", "/channels/a", &[JSON], &[b'1'; 2000]), "200", "413"),
    ("[http]\nheaders = 8", |at| status(at, "GET", "/livez", &[("X-A", "1"); 9], b""), "200", "431"),
    (
        "[http]\ntarget_bytes = 1024",
        |at| status(at, "GET", &format!("/channels/{}", "a".repeat(1100)), &[], b""),
        "400",
        "414",
    ),
    (
        "[http]\nhead_bytes = \"64KiB\"",
        |at| status(at, "GET", "/livez", &[("X-A", &*"1".repeat(40_000))], b""),
        "431",
        "200",
    ),
    (
        "[server]\nallow_origin = [\"https://app.example\"]",
        |at| status(at, "GET", "/channels/x", &[("Origin", "https://app.example")], b""),
        "403",
        "200",
    ),
    (
        "[server]\nallow_host = [\"push.example\"]",
        |at| status(at, "GET", "/channels/x", &[("Host", "push.example")], b""),
        "421",
        "200",
    ),
    ("[web]\nconsole = false", |at| status(at, "GET", "/", &[("Accept", "text/html")], b""), "200", "404"),
    ("[websocket]\necho = \"off\"", |at| status(at, "GET", "/echo", &[], b""), "426", "403"),
    (
        "[channels]\nper_connection = 1",
        |at| {
            let mut socket = WsClient::connect(at);
            socket.subscribe("a");
            socket.request(json!({"method": "GET", "path": "/channels/b"}))["status"].to_string()
        },
        "200",
        "429",
    ),
    (
        "[websocket]\nmessage_bytes = 1024\n[server]\ninline_parse_bytes = 512",
        |at| {
            let mut socket = WsClient::connect(at);
            socket.send_text(&format!("\"{}\"", "a".repeat(2000)));
            socket.socket.read().expect("an answer").is_close().to_string()
        },
        "false",
        "true",
    ),
    (
        "[websocket]\nplain_get_text = \"yes\"",
        |at| {
            let mut socket = WsClient::connect(at);
            socket.send_text("GET");
            socket.next_text()
        },
        "服务器收到GET请求",
        "yes",
    ),
    (
        "[limits]\nconnection_requests = \"1/h\"",
        |at| {
            let mut client = HttpClient::connect(at);
            let all: Vec<_> =
                (0..3).map(|_| client.request("GET", "/channels/a", &[], b"").status.to_string()).collect();
            all.join(" ")
        },
        "200 200 200",
        "200 429 429",
    ),
];

#[test]
fn settings_hold_for_the_next_request_after_the_answer_and_until_they_change_again() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|own| *own = config(reactors, ""));
        let address = server.address();
        for (text, meet, before, after) in MET {
            assert_eq!(meet(address), before, "before {text}");
            server.reload(&config(reactors, text)).expect(text);
            // Whichever reactor takes it.
            for _ in 0..4 {
                assert_eq!(meet(address), after, "{text}");
            }
            server.reload(&config(reactors, "")).expect("valid");
            assert_eq!(meet(address), before, "after {text}");
        }
    });
}

#[test]
fn what_channels_keep_changes_for_those_that_there_are() {
    let server = TestServer::start(|own| *own = config(1, ""));
    let kept = || {
        for number in 0..5 {
            server.publish("a", number.to_string()).expect("published");
        }
        server.history("a", tidings::Replay::last(100)).expect("a channel").publications.len()
    };
    assert_eq!(kept(), 5);
    server.reload(&config(1, "[history]\ncount = 2\n")).expect("valid");
    assert_eq!(kept(), 2);
    server.reload(&config(1, "[history]\ncount = 2\n[[channel]]\nmatch = \"a\"\nhistory_count = 3\n")).expect("valid");
    assert_eq!(kept(), 3);
    // What has rules of its own keeps to what the configuration in force says of all others.
    server.change_rules(&config(1, "")).expect("valid");
    assert_eq!(kept(), 2);
}

#[test]
fn connections_that_a_limit_counts_are_counted_on() {
    let server = TestServer::start(|own| {
        *own = config(1, "[limits]\nuser_connections = 2\n[[channel]]\nmatch = \"**\"\nread = [\"anyone\"]\n");
    });
    let text = |most: usize| format!("[limits]\nkey_connections = {most}\n{}", key_block());
    server.reload(&config(1, &text(2))).expect("valid");
    let open = || {
        let answer = crate::support::http::get(server.address(), "/livez");
        assert_eq!(answer.status, 200);
        let request = [("X-API-Key", KEY)];
        HttpClient::connect(server.address()).request("GET", "/ws", &request, b"").status
    };
    assert_eq!(open(), 426, "a key is let in");
    let both: Vec<WsClient> =
        (0..2).map(|_| WsClient::connect_to(server.address(), "/ws", &[("X-API-Key", KEY)])).collect();
    let refused = || {
        let mut stream = crate::support::raw::RawClient::connect(server.address());
        stream.send(format!(
            "GET /ws HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        stream.read_until(b"\r\n\r\n");
        String::from_utf8_lossy(&stream.received).starts_with("HTTP/1.1 429")
    };
    assert!(refused());
    server.reload(&config(1, &text(3))).expect("valid");
    let third = WsClient::connect_to(server.address(), "/ws", &[("X-API-Key", KEY)]);
    assert!(refused(), "those from before the change are counted");
    drop((both, third));
}

const KEY: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn key_block() -> String {
    let hash = tidings::model::api_key::KeySecret::parse(KEY).expect("a secret").hash();
    format!(
        "[[key]]\nname = \"app\"\nhash = \"{hash}\"\ngrants = [{{ channels = [\"**\"], may = [\"read\", \"write\"] }}]\n"
    )
}

#[test]
fn the_page_for_operators_names_the_settings_that_need_a_restart_and_no_others() {
    let page = include_str!("../docs/operations.md");
    let (_, section) = page.split_once("### What needs a restart").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("the next one");
    let named: Vec<&str> = section.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, tidings::config::at_start());
}

#[test]
fn a_server_that_stops_takes_no_other_configuration() {
    let file = File::with("[server]\ndrain_delay = \"1h\"\n");
    let process = started(&file);
    process.signal("TERM");
    wait_until("it is leaving", || process.metric("tidings_drain_state{state=\"leaving\"}") == 1.0);
    let answer = ask(process.address);
    assert!(answer.status == 422 && answer.text().contains("is stopping"), "{}", answer.text());
    process.signal("HUP");
    process.signal("TERM");
    let (_, log) = process.wait();
    assert!(log.contains("is stopping"), "{log}");
}
