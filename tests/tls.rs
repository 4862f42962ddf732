//! TLS on running servers: HTTP, sockets and streams over it, certificates by name, old and new versions, and what is refused.

use crate::support::http::HttpClient;
use crate::support::tls::{BOTH, Stream, ask, chain, client, connect, pair, roots, start};
use crate::support::{TestServer, metric};
use rcgen::generate_simple_self_signed;
use rustls::{ClientConfig, HandshakeKind};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tidings::config::{CertificateConfig, FlushPath};
use tidings::{Config, ListenAt, ListenerConfig, Server, Serves};
use tungstenite::{Message, WebSocket};

struct Socket(WebSocket<Stream>);

impl Socket {
    fn open(address: SocketAddr, config: &Arc<ClientConfig>, path: &str) -> Socket {
        let url = format!("wss://localhost{path}");
        let (socket, _) = tungstenite::client(url, connect(address, config, "localhost")).expect("a socket");
        Socket(socket)
    }

    fn next(&mut self) -> Value {
        let message = self.0.read().expect("a message");
        let text = message.to_text().expect("a text");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {message:.200?}"))
    }

    fn request(&mut self, request: &Value) -> Value {
        self.0.send(Message::text(request.to_string())).expect("open");
        self.next()
    }
}

#[test]
fn everything_is_served_over_tls_in_both_versions() {
    let (server, _) = start("served", |config| config.server.reactors = 2);
    let chain = chain("served");
    for version in BOTH {
        let config = client(&[&chain], &[version]);
        let address = server.address();
        let answer = ask(connect(address, &config, "localhost"), "GET /livez");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        let mut reader = Socket::open(address, &config, "/channels/a");
        reader.next();
        let mut writer = Socket::open(address, &config, "/ws");
        let long = "x".repeat(60_000);
        for data in ["short", long.as_str()] {
            let post = json!({"id": 1, "method": "POST", "path": "/channels/a", "data": data});
            assert_eq!(writer.request(&post)["status"], 200);
            assert_eq!(reader.next()["data"], *data);
        }
        let mut stream = connect(address, &config, "localhost");
        stream
            .write_all(b"GET /channels/a?last=1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            .expect("open");
        let mut heard = String::new();
        let mut part = [0; 4096];
        while !heard.contains("xxxx") {
            let read = stream.read(&mut part).expect("a stream");
            heard.push_str(std::str::from_utf8(&part[..read]).expect("text"));
        }
        assert!(heard.contains("text/event-stream"), "{}", &heard[..200]);
    }
    assert_eq!(server.stop(Duration::from_secs(5)), 0, "everybody left");
}

/// Enough that they are written together, and more than the kernel holds for those who read late.
#[test]
fn many_readers_receive_everything_in_order_whichever_way_it_is_written() {
    let (count, bytes) = (400, 10 * 1024);
    for path in [FlushPath::Writev, FlushPath::Uring] {
        let (server, config) = start("readers", |config| {
            let metrics = ListenAt::Address("127.0.0.1:0".parse().expect("an address"));
            config.listeners = vec![ListenerConfig::new(metrics, Serves::METRICS)];
            config.io.flush = path;
            // Those that read late answer no pings.
            config.websocket.ping_idle = Duration::from_secs(3600);
            config.delivery.outbox_bytes = 2 * count * bytes;
            config.delivery.mailbox_bytes = 2 * count * bytes;
        });
        let open = || Socket::open(server.address(), &config, "/channels/a");
        let mut readers: Vec<Socket> = (0..40).map(|_| open()).collect();
        readers.iter_mut().for_each(|reader| drop(reader.next()));
        for number in 0..count {
            server.publish("a", format!("[{number},\"{}\"]", "y".repeat(bytes))).expect("published");
            // A few keep up.
            for reader in readers.iter_mut().step_by(10) {
                assert_eq!(reader.next()["data"][0], number, "{path:?}");
            }
        }
        for (_, reader) in readers.iter_mut().enumerate().filter(|(place, _)| place % 10 != 0) {
            for number in 0..count {
                assert_eq!(reader.next()["data"][0], number, "{path:?}");
            }
        }
        let together = metric(server.addresses()[1], "tidings_sent_together_total");
        let has_ring = path == FlushPath::Uring && tidings::reactor::has_ring();
        assert_eq!(together >= 40.0, has_ring, "{path:?}: {together} were sent together");
    }
}

#[test]
fn a_client_gets_the_certificate_for_the_name_that_it_asks_for() {
    let pairs = [pair("first", &["first.example"]), pair("second", &["second.example", "*.second.example"])];
    let chains: Vec<PathBuf> = pairs.iter().map(|pair| pair.chain.clone()).collect();
    let server = TestServer::start(|own| {
        own.server.tls = true;
        own.server.allow_host = vec!["localhost".to_owned()];
        own.certificates = pairs.to_vec();
    });
    let all = client(&[&chains[0], &chains[1]], BOTH);
    for name in ["first.example", "second.example", "www.second.example"] {
        let answer = ask(connect(server.address(), &all, name), "GET /livez");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{name}: {answer}");
    }
    // The first is for whoever asks for another, and is not for that name.
    let mut stream = connect(server.address(), &all, "third.example");
    let error = stream.write_all(b"GET").and_then(|()| stream.flush()).expect_err("a wrong name").to_string();
    assert!(error.contains("not valid for name"), "{error}");
}

#[test]
fn a_client_that_comes_back_skips_a_part_of_the_handshake() {
    let (server, config) = start("tickets", |_| {});
    let kind = || {
        let mut stream = connect(server.address(), &config, "localhost");
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("open");
        assert!(stream.read(&mut [0; 1024]).expect("an answer") > 0);
        stream.conn.handshake_kind()
    };
    assert_eq!(kind(), Some(HandshakeKind::Full));
    assert_eq!(kind(), Some(HandshakeKind::Resumed));
}

#[test]
fn keys_are_exchanged_in_the_way_that_the_client_prefers() {
    let (server, _) = start("exchange", |_| {});
    for name in [rustls::NamedGroup::X25519MLKEM768, rustls::NamedGroup::X25519] {
        let mut provider = rustls::crypto::CryptoProvider::clone(&tidings::tls::provider());
        provider.kx_groups.sort_by_key(|group| group.name() != name);
        let own = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots(&[&chain("exchange")]))
            .with_no_client_auth();
        let mut stream = connect(server.address(), &Arc::new(own), "localhost");
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("open");
        assert!(stream.read(&mut [0; 1024]).expect("an answer") > 0);
        assert_eq!(stream.conn.negotiated_key_exchange_group().map(|group| group.name()), Some(name));
    }
}

#[test]
fn who_speaks_no_tls_or_an_old_one_is_refused_and_told() {
    let (server, config) = start("refused", |own| own.tls.oldest = tidings::config::TlsVersion::Tls13);
    let plain = HttpClient::connect(server.address()).request("GET", "/channels/a", &[], b"");
    assert_eq!((plain.status, plain.code().as_str()), (400, "tls_needed"));
    assert!(plain.text().contains("https://"), "{}", plain.text());
    let chain = chain("refused");
    let old = client(&[&chain], &[&rustls::version::TLS12]);
    let mut stream = connect(server.address(), &old, "localhost");
    let error = stream.write_all(b"GET").and_then(|()| stream.flush()).expect_err("an old version").to_string();
    assert!(error.contains("ProtocolVersion"), "{error}");
    assert!(ask(connect(server.address(), &config, "localhost"), "GET /livez").starts_with("HTTP/1.1 200"));
    let mut operator = connect(server.address(), &config, "localhost");
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        crate::support::OPERATOR_KEY
    );
    operator.write_all(request.as_bytes()).expect("open");
    let mut page = String::new();
    operator.read_to_string(&mut page).expect("an end");
    assert!(page.contains("tidings_connections_closed_total{reason=\"tls_failed\"} 1\n"), "{page}");
}

#[test]
fn a_client_that_said_that_nothing_follows_is_answered_and_told_the_same() {
    let (server, config) = start("half", |_| {});
    let mut stream = connect(server.address(), &config, "localhost");
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("open");
    stream.conn.send_close_notify();
    stream.flush().expect("open");
    // Its socket stays open both ways: only TLS has ended.
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an end that was said");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn a_drain_says_goodbye_and_that_nothing_follows() {
    let (server, config) = start("drain", |_| {});
    let mut socket = Socket::open(server.address(), &config, "/channels/a");
    socket.next();
    let ended = std::thread::spawn(move || {
        let close = socket.0.read().expect("a Close");
        let after = socket.0.read();
        (close, after.is_err())
    });
    assert_eq!(server.stop(Duration::from_secs(5)), 0);
    let (close, after) = ended.join().expect("it reads");
    assert!(matches!(close, Message::Close(Some(frame)) if u16::from(frame.code) == 1012), "it is told why");
    assert!(after);
}

#[test]
fn what_is_wrong_with_certificates_is_said_before_the_start() {
    let own = pair("mistakes", &["localhost"]);
    let other = pair("mistakes-other", &["localhost"]);
    let refused = |adjust: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        adjust(&mut config);
        Server::start(config).err().expect("it cannot start").to_string()
    };
    for (adjust, problem) in [
        (&(|config: &mut Config| config.server.tls = true) as &dyn Fn(&mut Config), "there is no certificate"),
        (&|config| config.certificates = vec![own.clone()], "no listener speaks TLS"),
        (&|config| (config.server.tls, config.tls.chain) = (true, "/nowhere".to_owned()), "go together"),
        (
            &|config| {
                config.server.tls = true;
                config.certificates = vec![CertificateConfig { key: other.key.clone(), ..own.clone() }];
            },
            "not the key of the certificate in",
        ),
    ] {
        let error = refused(adjust);
        assert!(error.contains(problem), "{problem}: {error}");
    }
}

#[test]
fn a_reload_reads_certificates_again_and_sockets_and_tickets_stay() {
    let mut config = None;
    let (server, before) = start("renewed", |own| config = Some(own.clone()));
    let (config, address) = (config.expect("it was started"), server.address());
    let mut socket = Socket::open(address, &before, "/channels/a");
    socket.next();
    assert!(ask(connect(address, &before, "localhost"), "GET /livez").starts_with("HTTP/1.1 200 "));

    let pair = pair("renewed", &["localhost"]);
    server.reload(&config).expect("valid");
    let after = client(&[&pair.chain], BOTH);
    assert!(ask(connect(address, &after, "localhost"), "GET /livez").starts_with("HTTP/1.1 200 "));
    server.publish("a", "7").expect("published");
    assert_eq!(socket.next()["data"], 7);
    // One that was here comes back by its ticket, without a look at the certificate.
    let mut back = connect(address, &before, "localhost");
    back.conn.complete_io(&mut back.sock).expect("a handshake");
    assert_eq!(back.conn.handshake_kind(), Some(HandshakeKind::Resumed));
    // One that was not finds a certificate that it does not trust.
    let chain = chain("renewed-before");
    fs::write(&chain, rcgen_of(&["localhost"])).expect("a file");
    let mut stranger = connect(address, &client(&[&chain], BOTH), "localhost");
    assert!(stranger.conn.complete_io(&mut stranger.sock).is_err());

    fs::write(&pair.key, "no key").expect("a file");
    let error = server.reload(&config).expect_err("no key").to_string();
    assert!(error.contains("renewed.key"), "{error}");
    assert!(ask(connect(address, &after, "localhost"), "GET /livez").starts_with("HTTP/1.1 200 "));
}

fn rcgen_of(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    generate_simple_self_signed(names).expect("a certificate").cert.pem()
}
