//! Dialects against real servers of their kinds: nginx with nchan, nats-server, socket.io and sockudo (Pusher's protocol), as
//! `benches/peers` starts them; event streams against Tidings. Centrifugo's is tested with recorded exchanges, where it is.

use crate::support::{OPERATOR_KEY, Run, command, file, load, tidings};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tidings::model::operator_key::OperatorKey;

/// A server of `benches/peers`.
struct Peer {
    child: Child,
    address: String,
}

impl Peer {
    fn start(name: &str) -> Peer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers/servers.sh");
        let build = Command::new(&script).args(["build", name]).status().expect("bash runs");
        assert!(build.success(), "{name} cannot be built");
        let mut child = Command::new(&script).args(["start", name]).stdout(Stdio::piped()).spawn().expect("bash runs");
        let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        let line = lines
            .find(|line| line.as_ref().is_ok_and(|line| line.starts_with("listening on ")))
            .expect("it listens")
            .expect("UTF-8");
        // Nobody else reads what it says; it must not wait for that.
        std::thread::spawn(move || lines.for_each(drop));
        Peer { child, address: line["listening on ".len()..].to_owned() }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // nginx ends its worker when it is asked to end, and not when it is killed.
        let _ = Command::new("kill").args(["-s", "TERM", &pid]).status();
        let _ = self.child.wait();
    }
}

fn exact(arguments: &[&str]) -> Run {
    let run = load(&[arguments, &["-d", "2s", "--warmup", "200ms", "--force", "--check-every", "5"]].concat());
    let totals = &run.outcome().totals;
    assert_eq!(
        (totals.lost, totals.duplicated, totals.reordered, totals.corrupted, totals.errors),
        (0, 0, 0, 0, 0),
        "{}\n{}",
        run.out,
        run.error
    );
    assert!(totals.received == totals.expected && totals.received > 300, "{}", run.out);
    run
}

#[test]
fn event_streams_of_tidings_are_read_and_resumed() {
    let (_server, url) = tidings();
    exact(&[
        "fanout",
        &url,
        "--adapter",
        "sse",
        "--publish",
        "http",
        "-c",
        "12",
        "-R",
        "50",
        "--channels",
        "3",
        "--channel-prefix",
        "sse-",
    ]);
    let run = exact(&[
        "reconnect",
        &url,
        "--adapter",
        "sse",
        "--publish",
        "http",
        "-c",
        "12",
        "-R",
        "50",
        "--adapter-option",
        "resume=true",
        "--cut-after",
        "500ms",
        "--jitter",
        "300ms",
        "--channel-prefix",
        "cut-",
    ]);
    assert_eq!(
        (run.outcome().latencies["recovery"].count, run.outcome().totals.expected),
        (12, 12 * run.outcome().totals.sent),
        "{}",
        run.out
    );
}

#[test]
#[ignore = "run by tests/run loadgen: needs nginx with nchan"]
fn nchan_is_spoken_to() {
    let peer = Peer::start("nchan");
    let url = format!("ws://{}", peer.address);
    let run =
        exact(&["fanout", &url, "--adapter", "nchan", "-c", "20", "-R", "50", "--channels", "2", "--publishers", "2"]);
    assert!(run.outcome().totals.acknowledged >= run.outcome().totals.sent - 2, "{}", run.out);
    exact(&[
        "fanout",
        &url,
        "--adapter",
        "nchan",
        "-c",
        "20",
        "-R",
        "50",
        "--publish",
        "http",
        "--channel-prefix",
        "http-",
    ]);
}

#[test]
#[ignore = "run by tests/run loadgen: needs nats-server"]
fn nats_is_spoken_to() {
    let peer = Peer::start("nats");
    let url = format!("ws://{}", peer.address);
    exact(&[
        "fanout",
        &url,
        "--adapter",
        "nats",
        "-c",
        "20",
        "-R",
        "100",
        "--channels",
        "4",
        "--subs-per-conn",
        "2",
        "-s",
        "128:90%,4KiB:10%",
    ]);
}

#[test]
#[ignore = "run by tests/run loadgen: needs Node.js"]
fn socketio_is_spoken_to() {
    let peer = Peer::start("socketio");
    let url = format!("ws://{}", peer.address);
    exact(&["echo", &url, "--adapter", "socketio", "-c", "10", "-R", "300"]);
    exact(&["fanout", &url, "--adapter", "socketio", "-c", "20", "-R", "50", "--channels", "2"]);
}

#[test]
#[ignore = "run by tests/run sockudo: builds it, which takes minutes"]
fn sockudo_is_spoken_to() {
    let peer = Peer::start("sockudo");
    let url = format!("ws://{}", peer.address);
    // Signed requests to the HTTP API, on public channels; and events of clients, which need private ones.
    let http = ["--publish", "http", "--publishers", "2", "--channels", "2"];
    exact(&[&["fanout", &url, "--adapter", "pusher", "-c", "20", "-R", "20"][..], &http].concat());
    exact(&["fanout", &url, "--adapter", "pusher", "-c", "40", "-R", "8", "--channel-prefix", "private-load-"]);
}

/// What the floor counted by itself is what was measured.
#[test]
#[ignore = "run by tests/run loadgen: builds benches/peers"]
fn totals_are_those_of_a_server_that_counts_by_itself() {
    let peer = Peer::start("floor");
    let url = format!("ws://{}", peer.address);
    let echo = exact(&["echo", &url, "--adapter", "raw", "-c", "10", "-R", "2k"]);
    let fan = exact(&["fanout", &url, "--adapter", "raw", "-c", "10", "-R", "100"]);
    let page = tidings_loadgen_page(&peer.address);
    let number = |name: &str| -> u64 {
        let rest = page.split(&format!("\"{name}\":")).nth(1).unwrap_or_else(|| panic!("{page}"));
        rest.split([',', '}']).next().and_then(|digits| digits.parse().ok()).expect("a number")
    };
    let (echo, fan) = (&echo.outcome().totals, &fan.outcome().totals);
    assert_eq!((number("frames_in"), number("frames_out")), (echo.sent + fan.sent, echo.received + fan.received));
}

/// As many requests as an independent tool says that it has made.
#[test]
#[ignore = "run by tests/run loadgen: needs wrk"]
fn wrk_and_the_floor_count_the_same() {
    let peer = Peer::start("floor");
    let output = Command::new("wrk")
        .args(["-t1", "-c10", "-d1s", &format!("http://{}/hello", peer.address)])
        .output()
        .expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains("requests in")).unwrap_or_else(|| panic!("{text}"));
    let told: u64 = line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number");
    let page = tidings_loadgen_page(&peer.address);
    let counted: u64 = page
        .split("\"http_requests\":")
        .nth(1)
        .and_then(|rest| rest.trim_end_matches('}').parse().ok())
        .expect("a number");
    // Ten connections have one request each under way when wrk ends.
    assert!(counted >= told && counted <= told + 10, "{told} {counted}");
}

fn tidings_loadgen_page(address: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /counters HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    let mut page = Vec::new();
    let mut byte = [0];
    while !page.ends_with(b"}") {
        stream.read_exact(&mut byte).expect("it answers");
        page.push(byte[0]);
    }
    String::from_utf8(page).expect("UTF-8")
}

/// A folder with a certificate for this machine and its key, `cert.pem` and `key.pem`.
fn certificate() -> std::path::PathBuf {
    let folder = file("tls");
    std::fs::create_dir(&folder).expect("a folder");
    let name = |file: &str| folder.join(file).to_string_lossy().into_owned();
    let settings = "[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\n[dn]\nCN=localhost\n[v3]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\n";
    std::fs::write(name("openssl.cnf"), settings).expect("a file");
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", &name("openssl.cnf")])
        .args(["-keyout", &name("key.pem"), "-out", &name("cert.pem")])
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("openssl runs").success());
    folder
}

/// The server counts handshakes of both kinds.
#[test]
#[ignore = "run by tests/run loadgen: needs openssl"]
fn handshakes_of_tls_are_full_ones_where_that_is_asked_for() {
    let folder = certificate();
    let (chain, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[[listener]]\naddress = \"127.0.0.1:0\"\ntls = true\n[[certificate]]\nchain = {chain:?}\nkey = {key:?}\n"
    );
    let mut config = tidings::Config::from_toml("tls.toml", &text).expect("settings");
    config.server.operator_key = OperatorKey::parse("the-key-of-this-test-0123456789").ok();
    let server = tidings::Server::start(config).expect("it starts");
    let page = format!("http://{}/metrics", server.addresses()[0]);
    let url = format!("wss://{}", server.addresses()[1]);
    let common =
        ["storm", &url, "-c", "2", "-d", "1s", "--warmup", "0s", "--insecure", "--force", "--metrics-url", &page];
    let both = |more: &[&str]| {
        let json = file("storm.json");
        let mut run = command(&[&common[..], more].concat());
        run.env(OPERATOR_KEY, "the-key-of-this-test-0123456789").arg("-o").arg(&json);
        let done = run.output().expect("it runs");
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        let text = std::fs::read_to_string(&json).expect("a result");
        std::fs::remove_file(&json).expect("it was there");
        let outcome: tidings_loadgen::outcome::Outcome = serde_json::from_str(&text).expect("a result");
        assert!(outcome.totals.opened > 2 && outcome.totals.refused == 0, "{text}");
        ["full", "resumed"].map(|kind| {
            let name = format!("tidings_tls_handshakes_total{{kind=\"{kind}\"}}");
            // What did not change is not there.
            outcome.metrics.get(&name).copied().unwrap_or(0.0)
        })
    };
    let [full, resumed] = both(&[]);
    assert!(full > 0.0 && resumed > full, "{full} {resumed}");
    for name in ["x25519", "x25519mlkem768", "secp256r1"] {
        let [full, resumed] = both(&["--full-handshakes", "--key-exchange", name]);
        assert!(full > 2.0 && resumed == 0.0, "{name}: {full} {resumed}");
    }
    std::fs::remove_dir_all(&folder).expect("it was there");
}

/// HAProxy speaks TLS in front of Tidings, with a certificate made for it.
#[test]
#[ignore = "run by tests/run loadgen: needs HAProxy and openssl"]
fn tls_is_spoken_and_certificates_are_checked() {
    let (server, _) = tidings();
    let folder = certificate();
    let name = |file: &str| folder.join(file).to_string_lossy().into_owned();
    let both =
        [std::fs::read(name("cert.pem")).expect("a certificate"), std::fs::read(name("key.pem")).expect("a key")]
            .concat();
    std::fs::write(name("both.pem"), both).expect("a file");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let config = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\nfrontend f\n bind 127.0.0.1:{port} ssl crt {}\n default_backend b\nbackend b\n server s {}\n",
        name("both.pem"),
        server.addresses()[0]
    );
    std::fs::write(name("haproxy.cfg"), config).expect("a file");
    let child = Command::new("haproxy")
        .args(["-db", "-f", &name("haproxy.cfg")])
        .stdout(Stdio::null())
        .spawn()
        .expect("haproxy runs");
    let proxy = Peer { child, address: format!("127.0.0.1:{port}") };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while std::net::TcpStream::connect(&proxy.address).is_err() {
        assert!(std::time::Instant::now() < until, "HAProxy does not listen");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let url = format!("wss://127.0.0.1:{port}");
    // Its host is the proxy's, which is a loopback name, too.
    exact(&["echo", &url, "-c", "10", "-R", "300", "-s", "20..8KiB", "--insecure"]);
    exact(&["fanout", &url, "-c", "10", "-R", "50", "--ca", &name("cert.pem")]);
    let run = load(&["echo", &url, "-c", "2", "-R", "10", "-d", "500ms", "--warmup", "0s", "--drain", "0s"]);
    assert!(
        run.outcome().totals.opened == 0 && run.outcome().errors.keys().any(|text| text.contains("certificate")),
        "{}",
        run.out
    );
    drop(proxy);
    std::fs::remove_dir_all(&folder).expect("it was there");
}
