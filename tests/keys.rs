//! Keys on running servers: which are taken, presented in which way, from where, for what; and the commands that make them.

use crate::support::http::{Answer, HttpClient};
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{TestServer, with_one_and_two_reactors};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tidings::config::{ListenAt, ListenerConfig};
use tidings::{Config, Serves};

/// The key `app`: reads and publishes in `orders:…`.
pub(crate) const APP: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/// The key `reader`: reads everything.
const READER: &str = "td_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Rules that let in keys alone, and keys with these networks besides.
fn configuration(networks: &[(&str, &str)]) -> String {
    let block = |name: &str, secret: &str, grants: &str, networks: &str| {
        let hash = tidings::model::api_key::KeySecret::parse(secret).expect("a secret").hash();
        format!("[[key]]\nname = \"{name}\"\nhash = \"{hash}\"\ngrants = [{grants}]\n{networks}\n")
    };
    let mut text = "[[channel]]\nmatch = \"**\"\nread = [\"key\"]\nwrite = [\"key\"]\n".to_owned();
    text += &block("app", APP, "{ channels = [\"orders:*\"], may = [\"read\", \"write\"] }", "");
    text += &block("reader", READER, "{ channels = [\"**\"], may = [\"read\"] }", "");
    for (secret, network) in networks {
        let list = format!("networks = [\"{network}\"]");
        text += &block(&format!("of-{secret}"), &of(secret), "{ channels = [\"**\"], may = [\"read\"] }", &list);
    }
    text
}

/// A secret of our own for each letter.
pub(crate) fn of(letter: &str) -> String {
    format!("td_{}A", letter.repeat(42))
}

fn start(text: &str, adjust: impl FnOnce(&mut Config)) -> TestServer {
    let given = Config::from_toml("test.toml", text).expect("a configuration");
    TestServer::start(|config| {
        (config.channel_rules, config.keys) = (given.channel_rules, given.keys);
        adjust(config);
    })
}

/// The ways to present a key over HTTP: a field's name, and what stands before the key.
const WAYS: [(&str, &str); 5] = [
    ("Authorization", "Bearer "),
    ("authorization", "bearer "),
    ("AUTHORIZATION", "BEARER  "),
    ("X-API-Key", ""),
    ("x-api-key", ""),
];

/// What is no key, however near it is.
fn wrong_keys() -> Vec<String> {
    let swapped: String =
        APP.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
    let mut wrong = vec![
        APP.to_uppercase(),
        APP.to_lowercase(),
        swapped,
        APP.replace("td_", "TD_"),
        APP.replace("td_", "td-"),
        APP.replace("td_", "tk_"),
        APP.replace("td_", ""),
        format!("td_{APP}"),
        format!("{APP}{APP}"),
        format!("{APP},{READER}"),
        format!("{APP};"),
        format!("{APP} {READER}"),
        format!("\"{APP}\""),
        format!("<{APP}>"),
        format!("{APP}A"),
        format!("{APP}="),
        format!("{APP}=="),
        format!("{APP}%00"),
        format!("{APP}\\0"),
        APP.replace("_", "%5F"),
        APP.replace('A', "á"),
        // One of the two bits that are always zero.
        format!("{}9", &APP[..APP.len() - 1]),
        of("B"),
        // The hash of a key, as text and as bits in the place of a secret.
        "sha256:5e445d1704abbbc7d1d7e7e75e83e1c66994c87bdbeb5ae1ea535948bd99f36c".to_owned(),
        "5e445d1704abbbc7d1d7e7e75e83e1c66994c87bdbeb5ae1ea535948bd99f36c".to_owned(),
        "td_XkRdFwSru8fR1-fnXoPhxmmUyHvb61rh6lNZSL2Z82w".to_owned(),
        // The secret's own bits in other clothes.
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".to_owned(),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        "app".to_owned(),
        "td_".to_owned(),
        "td_app".to_owned(),
        "null".to_owned(),
        "*".to_owned(),
        format!("td_{}", "A".repeat(8000)),
    ];
    wrong.extend((1..=APP.len() - 1).step_by(6).map(|cut| APP[..APP.len() - cut].to_owned()));
    wrong.extend((1..APP.len()).step_by(9).map(|cut| APP[cut..].to_owned()));
    wrong
}

fn ask(address: SocketAddr, method: &str, target: &str, field: &str, value: &str) -> Answer {
    let body: &[u8] = if method == "POST" { b"1" } else { b"" };
    let fields = [(field, value), ("Content-Type", "application/json")];
    HttpClient::connect(address).request(method, target, &fields, body)
}

#[test]
fn a_right_key_is_taken_in_every_way_and_no_other_text_in_any() {
    let server = start(&configuration(&[]), |_| {});
    let wrong = wrong_keys();
    assert!(WAYS.len() * wrong.len() >= 200, "{} wrong ones", wrong.len());
    for (field, before) in WAYS {
        for (method, target, key, status) in [
            ("GET", "/channels/orders:1", APP, 200),
            ("HEAD", "/channels/orders:1", APP, 200),
            ("POST", "/channels/orders:1", APP, 200),
            ("GET", "/channels/news", APP, 403),
            ("POST", "/channels/news", APP, 403),
            ("GET", "/channels/news", READER, 200),
            ("POST", "/channels/orders:1", READER, 403),
            ("DELETE", "/channels/orders:1", APP, 403),
        ] {
            let answer = ask(server.address(), method, target, field, &format!("{before}{key}"));
            assert_eq!(answer.status, status, "{field}: {before}{key} {method} {target}: {answer:?}");
        }
        // White space around a field's value is not part of it (RFC 9110 section 5.5).
        let spaced = format!(" \t{before}{APP}\t ");
        assert_eq!(ask(server.address(), "GET", "/channels/orders:1", field, &spaced).status, 200);
        for key in &wrong {
            let value = format!("{before}{key}");
            for method in ["GET", "POST"] {
                let answer = ask(server.address(), method, "/channels/orders:1", field, &value);
                let told = answer.text();
                assert_eq!(answer.status, 401, "{field}: {value}: {told}");
                assert!(["key_invalid", "token_invalid"].contains(&&*answer.code()), "{field}: {value}: {told}");
                assert!(key.len() < 8 || !told.contains(key), "what was presented is not repeated: {told}");
            }
        }
    }
}

#[test]
fn what_presents_nothing_is_asked_for_a_key() {
    let server = start(&configuration(&[]), |_| {});
    for (field, value) in [("Authorization", ""), ("Authorization", "Bearer"), ("Authorization", APP), ("X-Key", APP)] {
        let answer = ask(server.address(), "GET", "/channels/orders:1", field, value);
        assert_eq!((answer.status, &*answer.code()), (401, "token_needed"), "{field}: {value}");
    }
    let twice =
        format!("GET /channels/orders:1 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {APP}\r\nX-API-Key: {APP}\r\n\r\n");
    assert_eq!(HttpClient::connect(server.address()).exchange(twice).status, 400, "which of the two would count?");
}

#[test]
fn a_key_signs_in_sockets_and_streams_and_auth() {
    with_one_and_two_reactors(|reactors| {
        let server = start(&configuration(&[]), |config| config.server.reactors = reactors);
        let field = format!("Bearer {APP}");
        let mut by_field = WsClient::connect_to(server.address(), "/ws", &[("Authorization", &field)]);
        by_field.subscribe("orders:1");
        let mut by_auth = WsClient::connect(server.address());
        let refused = by_auth.post("orders:1", &json!(1));
        assert_eq!((refused["status"].as_u64(), refused["error"]["code"].as_str()), (Some(401), Some("token_needed")));
        let signed_in = by_auth.request(json!({"method": "AUTH", "token": APP}));
        assert_eq!(signed_in["status"], 200, "{signed_in}");
        assert_eq!(by_auth.post("orders:1", &json!(2))["status"], 200);
        assert_eq!(by_field.next_push()["data"], 2);
        let other = by_auth.request(json!({"method": "AUTH", "token": of("B")}));
        assert_eq!((other["status"].as_u64(), other["error"]["code"].as_str()), (Some(401), Some("key_invalid")));
        assert_eq!(by_auth.post("orders:1", &json!(3))["status"], 200, "a wrong AUTH changes nothing");
        let mut stream = RawClient::connect(server.address());
        stream.send(format!(
            "GET /channels/orders:1?last=1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nX-API-Key: {APP}\r\n\r\n"
        ));
        stream.read_until(b"data: 3");
    });
}

/// The status of a GET with a key over a unix socket.
fn over_unix(path: &Path, key: &str) -> u16 {
    let mut stream = UnixStream::connect(path).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    let head = format!("GET /channels/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-API-Key: {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in UTF-8");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[test]
fn a_key_counts_only_where_it_may_come_from() {
    let socket = std::env::temp_dir().join(format!("tidings-keys-{}.sock", std::process::id()));
    let networks = [
        ("B", "127.0.0.0/8"),
        ("C", "127.0.0.1"),
        ("D", "::1"),
        ("E", "10.0.0.0/8"),
        ("F", "unix"),
        ("G", "0.0.0.0/0"),
        ("H", "::/0"),
        ("I", "::ffff:127.0.0.0/104"),
        ("J", "127.0.0.2"),
        ("K", "2001:db8::/32"),
    ];
    let server = start(&configuration(&networks), |config| {
        let unix = ListenAt::Path { path: socket.clone(), mode: 0o600 };
        config.listeners = vec![ListenerConfig::new(unix, Serves::CLIENTS)];
        config.server.listen.push("[::1]:0".parse().expect("an address"));
    });
    let [v4, v6] = [server.addresses()[0], server.addresses()[1]];
    assert!(v4.is_ipv4() && v6.is_ipv6());
    for (letter, from_v4, from_v6, from_unix) in [
        ("B", true, false, false),
        ("C", true, false, false),
        ("D", false, true, false),
        ("E", false, false, false),
        ("F", false, false, true),
        ("G", true, false, false),
        ("H", false, true, false),
        ("I", true, false, false),
        ("J", false, false, false),
        ("K", false, false, false),
    ] {
        let status = |may: bool| if may { 200 } else { 403 };
        for (address, may) in [(v4, from_v4), (v6, from_v6)] {
            let answer = ask(address, "GET", "/channels/a", "X-API-Key", &of(letter));
            assert_eq!(answer.status, status(may), "{letter} {address}: {}", answer.text());
            if !may {
                let told = answer.text();
                assert_eq!(answer.code(), "key_network");
                assert!(told.contains(&format!("of-{letter}")) && told.contains(&address.ip().to_string()), "{told}");
                assert!(!told.contains("10.0.0.0") && !told.contains("db8"), "the networks are not told: {told}");
            }
        }
        assert_eq!(over_unix(&socket, &of(letter)), status(from_unix), "{letter} over a unix socket");
        // The name is told to whoever has the secret, and to nobody else.
        let near = ask(v4, "GET", "/channels/a", "X-API-Key", &of(letter).replacen(letter, "Z", 1));
        assert!(near.status == 401 && !near.text().contains("of-"), "{}", near.text());
    }
}

#[test]
fn a_key_goes_with_its_block_and_its_subscriptions_end() {
    let server = start(&configuration(&[]), |_| {});
    let field = format!("Bearer {APP}");
    let mut client = HttpClient::connect(server.address());
    let ask =
        |client: &mut HttpClient| client.request("GET", "/channels/orders:1", &[("Authorization", &field)], b"").status;
    assert_eq!(ask(&mut client), 200);
    let mut text = configuration(&[]);
    text = text.replace(APP, READER).replace(
        "sha256:5e445d1704abbbc7d1d7e7e75e83e1c66994c87bdbeb5ae1ea535948bd99f36c",
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    );
    let mut config = Config::from_toml("t", &text).expect("a configuration");
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    server.change_rules(&config).expect("rules");
    crate::support::wait_until("the key is gone, on an open connection too", || ask(&mut client) == 401);
}

/// A folder that is removed when it goes out of scope.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a writable folder");
        Folder(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the command with this on its standard input.
fn tidings(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.args(arguments).env_remove("TIDINGS_OPERATOR_KEY").env_remove("TIDINGS_TOKEN");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // It may not read it.
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn a_key_is_made_configured_and_used_without_being_an_argument() {
    let folder = Folder::new("made");
    let made = tidings(&["key", "new", "app-1", "--channels", "orders:*", "--network", "127.0.0.1"], "");
    let (secret, block) = (text(&made.stdout), text(&made.stderr));
    assert!(made.status.success() && secret.lines().count() == 1, "{secret}{block}");
    assert!(!block.contains(secret.trim()), "{block}");
    let hashed = tidings(&["key", "hash"], secret);
    assert!(block.contains(text(&hashed.stdout).trim()) && hashed.stderr.is_empty(), "{block}");
    let again = tidings(&["key", "new", "app-1"], "");
    assert_ne!(text(&again.stdout), secret);

    let config = folder.file("tidings.toml", block);
    let (secret_file, token_file) = (folder.file("secret", secret), folder.file("token", secret));
    let server = Process::start(&["--config", &config]);
    let url = server.address.to_string();
    let publish = |more: &[&str]| tidings(&[&["publish", "orders:1", "1", "--url", &url], more].concat(), "");
    for more in [["--key-file", &*secret_file], ["--token-file", &token_file], ["--token", secret.trim()]] {
        let done = publish(&more);
        assert!(done.status.success(), "{more:?}: {}", text(&done.stderr));
    }
    let mut by_variable = Command::new(env!("CARGO_BIN_EXE_tidings"));
    by_variable.args(["publish", "orders:1", "1", "--url", &url]).env("TIDINGS_TOKEN", secret);
    assert!(by_variable.output().expect("it runs").status.success());
    let refused = publish(&[]);
    assert!(
        !refused.status.success() && text(&refused.stderr).contains("--key-file FILE"),
        "{}",
        text(&refused.stderr)
    );
    let other = folder.file("other", text(&again.stdout));
    let refused = publish(&["--key-file", &other]);
    assert!(!refused.status.success() && !text(&refused.stderr).contains(text(&again.stdout).trim()));
    let elsewhere = tidings(&["publish", "news", "1", "--url", &url, "--key-file", &secret_file], "");
    assert!(text(&elsewhere.stderr).contains("app-1"), "{}", text(&elsewhere.stderr));
}

#[test]
fn a_secret_in_a_file_counts_and_one_that_is_none_stops_the_start() {
    let folder = Folder::new("files");
    let key = |file: &str| {
        format!(
            "[[key]]\nname = \"a\"\nsecret_file = {file:?}\ngrants = [{{ channels = [\"**\"], may = [\"read\"] }}]\n"
        )
    };
    let secret = folder.file("secret", &format!("{APP}\n"));
    let config = folder.file("good.toml", &key(&secret));
    let server = Process::start(&["--config", &config]);
    assert_eq!(ask(server.address, "GET", "/channels/a", "X-API-Key", APP).status, 200);
    let (wrong, absent) =
        (folder.file("wrong", "hunter2\n"), folder.0.join("absent").to_str().expect("UTF-8").to_owned());
    for (file, said) in [(&wrong, "\"td_\" and 43 letters"), (&absent, "No such file")] {
        let config = folder.file("bad.toml", &key(file));
        let ended = tidings(&["serve", "--listen", "127.0.0.1:0", "--config", &config], "");
        let errors = text(&ended.stderr);
        assert!(!ended.status.success() && errors.contains(said) && errors.contains(file.as_str()), "{errors}");
        assert!(errors.contains("[[key]] 1") && !errors.contains("hunter2"), "{errors}");
    }
    let twice =
        format!("{}{}", key(&secret), key(&secret).replace("\"a\"", "\"b\"").replace("secret_file", "secret_file "));
    let copy = folder.file("copy", APP);
    let config = folder.file("twice.toml", &twice.replacen(&secret, &copy, 1));
    let ended = tidings(&["serve", "--listen", "127.0.0.1:0", "--config", &config], "");
    assert!(text(&ended.stderr).contains("[[key]] 2: it has the secret of the key \"a\""), "{}", text(&ended.stderr));
}
