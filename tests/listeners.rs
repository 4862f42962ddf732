//! Listeners from outside: unix sockets, what each listener serves, and who is an operator where.

use crate::support::http::{Answer, HttpClient};
use crate::support::process::Process;
use crate::support::{OPERATOR, TestServer, with_one_and_two_reactors};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidings::config::{ListenAt, ListenerConfig};
use tidings::model::serves::Serves;

/// A path for a socket that nobody else has, short enough for the kernel.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tidings-{}-{}.sock", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Place(std::env::temp_dir().join(name))
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }

    fn listener(&self, serves: Serves) -> ListenerConfig {
        ListenerConfig::new(ListenAt::Path { path: self.0.clone(), mode: 0o600 }, serves)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    stream
}

/// Sends a request on a connection of its own, and reads all that comes.
fn ask(path: &Path, request: &str, fields: &str, body: &str) -> String {
    let mut stream = connect(path);
    let length = body.len();
    let bytes = format!(
        "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    );
    stream.write_all(bytes.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in UTF-8");
    answer
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn clients_are_served_over_a_unix_socket_as_over_a_port() {
    with_one_and_two_reactors(|reactors| {
        let place = Place::new();
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.listeners = vec![place.listener(Serves::CLIENTS)];
        });
        assert_eq!(server.listeners().len(), 2);
        // A reader over the socket, and a publisher over the port and the socket.
        let mut reader = connect(&place.0);
        let head = "GET /channels/news HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
        reader.write_all(head.as_bytes()).expect("it reads");
        let mut received = Vec::new();
        read_until(&mut reader, &mut received, "\n\n");
        let over_port = HttpClient::connect(server.address()).request(
            "POST",
            "/channels/news",
            &[("Content-Type", "application/json")],
            b"1",
        );
        assert_eq!(over_port.status, 200);
        let over_socket = ask(&place.0, "POST /channels/news", JSON, "22");
        assert_eq!(status(&over_socket), 200, "{over_socket}");
        read_until(&mut reader, &mut received, "data: 22");
        let large = "7".repeat(300_000);
        assert_eq!(status(&ask(&place.0, "POST /channels/news", JSON, &large)), 200);
        read_until(&mut reader, &mut received, &large);
        // Many connections, all of which find a reactor.
        for _ in 0..50 {
            assert_eq!(status(&ask(&place.0, "GET /livez", "", "")), 200);
        }
        // Clients are no operators there.
        for request in ["GET /metrics", "GET /channels", "DELETE /channels/news"] {
            assert_eq!(status(&ask(&place.0, request, "", "")), 401, "{request}");
            let (name, value) = OPERATOR;
            assert_eq!(status(&ask(&place.0, request, &format!("{name}: {value}\r\n"), "")), 200, "{request}");
        }
        // What a proxy passes on does not publish.
        let proxied = ask(&place.0, "POST /channels/news", &format!("{JSON}X-Forwarded-For: 10.0.0.1\r\n"), "3");
        assert_eq!(status(&proxied), 403, "{proxied}");
        drop(server);
        assert!(!place.0.exists(), "the file goes with its server");
    });
}

fn read_until(stream: &mut UnixStream, received: &mut Vec<u8>, end: &str) {
    let mut buffer = [0; 65_536];
    while !received.windows(end.len()).any(|window| window == end.as_bytes()) {
        let read = stream.read(&mut buffer).expect("it goes on");
        assert!(read > 0, "the stream ended: {}", String::from_utf8_lossy(received));
        received.extend_from_slice(&buffer[..read]);
    }
}

#[test]
fn connections_to_an_operators_socket_are_operators() {
    let (operators, all) = (Place::new(), Place::new());
    let server = TestServer::start(|config| {
        config.listeners =
            vec![operators.listener(Serves::OPERATORS), all.listener(Serves::CLIENTS.and(Serves::OPERATORS))];
    });
    server.publish("news", "1").expect("published");
    for place in [&operators, &all] {
        assert!(ask(&place.0, "GET /metrics", "", "").contains("tidings_"));
        assert!(ask(&place.0, "GET /channels", "", "").contains("news"));
        assert_eq!(status(&ask(&place.0, "DELETE /channels/news", "", "")), 200);
        // A wrong key is a mistake, and a page of another origin is let in by its origin alone.
        assert_eq!(status(&ask(&place.0, "GET /metrics", "Authorization: Bearer something-else\r\n", "")), 403);
    }
    for request in ["GET /channels/news", "POST /channels/news", "GET /", "GET /ws", "GET /limits", "OPTIONS *"] {
        let answer = ask(&operators.0, request, JSON, "1");
        let there = "which serves operators: DELETE /channels/{name}, /livez, /readyz, /metrics, /channels, /cluster, ";
        assert!(status(&answer) == 404 && answer.contains(there), "{answer}");
    }
    assert_eq!(status(&ask(&all.0, "POST /channels/news", &format!("{JSON}X-Forwarded-For: 10.0.0.1\r\n"), "3")), 200);
}

fn start_beside(serves: Serves, address: &str) -> TestServer {
    let address = address.parse().expect("an address");
    TestServer::start(|config| {
        config.server.allow_origin = vec!["https://app.example".to_owned()];
        config.listeners = vec![ListenerConfig::new(ListenAt::Address(address), serves)];
    })
}

fn get(server: &TestServer, target: &str, fields: &[(&str, &str)]) -> Answer {
    HttpClient::connect(server.addresses()[1]).request("GET", target, fields, b"")
}

#[test]
fn an_operators_port_takes_no_key_and_no_strangers() {
    // 0.0.0.0: what the Host rules of a loopback listener would refuse anyway is asked where they do not hold.
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let server = start_beside(Serves::OPERATORS, address);
        for (fields, expected) in [
            (vec![], 200),
            (vec![("Host", "127.0.0.1:9090")], 200),
            (vec![("Host", "localhost")], 200),
            (vec![("Host", "localhost"), ("Origin", "http://localhost")], 200),
            // A name that somebody's DNS points here.
            (vec![("Host", "evil.example")], 421),
            (vec![("Host", "evil.example"), ("Origin", "http://evil.example")], 421),
            // A page that is let in, but is nobody's operator.
            (vec![("Host", "localhost"), ("Origin", "https://app.example")], 401),
            (vec![("Host", "localhost"), ("Origin", "https://other.example")], 403),
            (vec![("Host", "localhost"), ("Authorization", "Bearer something-else")], 403),
            (vec![("Host", "localhost"), ("Origin", "https://app.example"), OPERATOR], 200),
        ] {
            assert_eq!(get(&server, "/metrics", &fields).status, expected, "{address} {fields:?}");
        }
        let refused = get(&server, "/channels/a", &[]);
        assert!(refused.status == 404 && refused.text().contains("use one that serves clients"), "{}", refused.text());
    }
}

#[test]
fn a_metrics_port_has_metrics_and_a_health_port_health_alone() {
    let metrics = start_beside(Serves::METRICS, "127.0.0.1:0");
    assert!(get(&metrics, "/metrics", &[]).text().contains("tidings_"));
    let health = start_beside(Serves::HEALTH, "127.0.0.1:0");
    for server in [&metrics, &health] {
        assert_eq!(get(server, "/livez", &[]).status, 200);
        assert_eq!(get(server, "/readyz", &[]).status, 200);
        for target in ["/channels", "/channels/a", "/ws", "/", "/tidings.js", "/echo", "/limits"] {
            assert_eq!(get(server, target, &[]).status, 404, "{target}");
            assert_eq!(get(server, target, &[OPERATOR]).status, 404, "{target}: a key opens no listener");
        }
        let foreign = get(server, "/tidings.js", &[("Origin", "https://other.example")]);
        assert_eq!(foreign.status, 403, "files are public where there are files");
    }
    assert!(get(&health, "/metrics", &[OPERATOR]).status == 404);
    // The listener of clients has everything, as always.
    let mut clients = HttpClient::connect(metrics.addresses()[0]);
    assert_eq!(clients.request("GET", "/metrics", &[], b"").status, 401);
    assert_eq!(clients.request("GET", "/limits", &[], b"").status, 200);
}

#[test]
fn a_page_reads_from_its_socket_why_a_listener_has_none() {
    let server = start_beside(Serves::METRICS, "127.0.0.1:0");
    let address = server.addresses()[1];
    let origin = [("Origin", "http://localhost:3000")];
    let (mut socket, _) = crate::support::frames::RawSocket::open_with(address, "/ws", &origin);
    let (code, reason) = socket.read_close();
    assert_eq!(code, Some(4404));
    assert!(reason.contains("is not available on this listener"), "{reason}");
}

fn config_with(place: &Place, more: &str) -> (PathBuf, String) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{}.toml", place.0.file_name().expect("a name").to_string_lossy()));
    std::fs::write(&file, format!("[[listener]]\npath = {:?}\n{more}\n", place.text())).expect("a writable folder");
    (file.clone(), file.to_str().expect("UTF-8").to_owned())
}

#[test]
fn curl_reaches_a_unix_socket_of_the_binary_whose_file_goes_at_the_end() {
    let place = Place::new();
    let (file, config) = config_with(&place, "mode = \"0640\"\nserves = [\"clients\", \"operators\"]");
    for (signals, forced) in [(vec!["TERM"], false), (vec!["TERM", "TERM"], true)] {
        let process = Process::start(&["--config", &config, "--server.drain_delay", if forced { "60s" } else { "0" }]);
        let found = std::fs::metadata(&place.0).expect("a file");
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o640);
        let asked = Command::new("curl")
            .args([
                "-sS",
                "--unix-socket",
                place.text(),
                "-H",
                "Content-Type: application/json",
                "-d",
                "{\"text\":\"hello\"}",
            ])
            .arg("http://localhost/channels/news")
            .output()
            .expect("curl runs");
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert!(asked.status.success() && said.contains("\"offset\":1"), "{asked:?}");
        let read =
            Command::new("curl").args(["-sS", "--unix-socket", place.text(), "http://localhost/metrics"]).output();
        assert!(String::from_utf8_lossy(&read.expect("curl runs").stdout).contains("tidings_"));
        for signal in signals {
            process.signal(signal);
            std::thread::sleep(Duration::from_millis(if forced { 300 } else { 0 }));
        }
        let (_, errors) = process.wait();
        assert!(!place.0.exists(), "{errors}");
        assert!(errors.contains(&format!("address=unix:{}", place.text())), "{errors}");
    }
    std::fs::remove_file(file).expect("it was written");
}

#[test]
fn a_socket_that_a_killed_server_left_is_replaced_and_a_live_one_is_not() {
    let place = Place::new();
    let (file, config) = config_with(&place, "");
    drop(UnixListener::bind(&place.0).expect("a free path"));
    assert!(UnixStream::connect(&place.0).is_err(), "nobody listens on what is left");
    let first = Process::start(&["--config", &config]);
    assert_eq!(status(&ask(&place.0, "GET /livez", "", "")), 200);
    let second =
        Command::new(env!("CARGO_BIN_EXE_tidings")).args(["--listen", "127.0.0.1:0", "--config", &config]).output();
    let second = second.expect("the binary runs");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("another process listens there"), "{said}");
    assert_eq!(status(&ask(&place.0, "GET /livez", "", "")), 200, "the refused one took nothing away");
    // Somebody else's socket in its place stays when it ends.
    std::fs::remove_file(&place.0).expect("a file");
    let other = UnixListener::bind(&place.0).expect("a free path");
    first.signal("TERM");
    first.wait();
    assert!(UnixStream::connect(&place.0).is_ok());
    drop(other);
    // And a file that is not a socket stays.
    std::fs::remove_file(&place.0).expect("a file");
    std::fs::write(&place.0, "notes").expect("a file");
    let third =
        Command::new(env!("CARGO_BIN_EXE_tidings")).args(["--config", &config]).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&third.stderr).into_owned();
    assert!(!third.status.success() && said.contains("there is a file that is not a socket"), "{said}");
    assert_eq!(std::fs::read_to_string(&place.0).expect("a file"), "notes");
    std::fs::remove_file(file).expect("it was written");
}
