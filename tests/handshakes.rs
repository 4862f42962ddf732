//! TLS handshakes of a running server: what is counted of them, how many may be in progress, and PROXY headers before them.

use crate::support::http::HttpClient;
use crate::support::raw::RawClient;
use crate::support::tls::{BOTH, Stream, ask, chain, client, connect, pair, start};
use crate::support::{TestServer, metric, wait_until};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use tidings::model::network::Network;
use tidings::{Config, Connecting, Denied, Hooks, ListenAt, ListenerConfig, Server, Serves};

/// A server that speaks TLS at its first address, and not at its second, which is for operators.
fn watched(name: &str, adjust: impl FnOnce(&mut Config)) -> (TestServer, Arc<ClientConfig>) {
    start(name, |own| {
        let at = ListenAt::Address("127.0.0.1:0".parse().expect("an address"));
        own.listeners = vec![ListenerConfig::new(at, Serves::METRICS)];
        // The first bytes would be waited for in the kernel.
        own.server.defer_accept = false;
        adjust(own);
    })
}

fn figure(server: &TestServer, name: &str) -> f64 {
    metric(server.addresses()[1], &format!("tidings_tls_{name}"))
}

fn failures(server: &TestServer, reason: &str) -> f64 {
    figure(server, &format!("handshake_failures_total{{reason=\"{reason}\"}}"))
}

const IN_PROGRESS: &str = "handshakes_in_progress";

#[test]
fn what_becomes_of_handshakes_is_counted() {
    let (server, config) = watched("counted", |_| {});
    for _ in 0..3 {
        let answer = ask(connect(server.address(), &config, "localhost"), "GET /livez");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    assert_eq!(figure(&server, "handshakes_total{kind=\"full\"}"), 1.0);
    assert_eq!(figure(&server, "handshakes_total{kind=\"resumed\"}"), 2.0);
    // One that trusts nobody whom it meets, one that speaks nothing, plain HTTP, and one that leaves.
    let stranger = pair("counted-stranger", &["localhost"]);
    let mut stream = connect(server.address(), &client(&[&stranger.chain], BOTH), "localhost");
    stream.write_all(b"GET").and_then(|()| stream.flush()).expect_err("no trust");
    drop(stream);
    RawClient::connect(server.address()).send([0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(HttpClient::connect(server.address()).request("GET", "/", &[], b"").status, 400);
    drop(TcpStream::connect(server.address()).expect("it listens"));
    for reason in ["alert", "invalid", "plain_http", "gone"] {
        wait_until(reason, || failures(&server, reason) == 1.0);
    }
    wait_until("none is in progress", || figure(&server, IN_PROGRESS) == 0.0);
    assert_eq!(figure(&server, "handshake_failures_total"), 4.0);
}

#[test]
fn as_many_handshakes_are_in_progress_as_may_be_and_no_more() {
    let (server, config) = watched("bounded", |own| own.tls.handshakes = 2);
    let served = || ask(connect(server.address(), &config, "localhost"), "GET /livez").starts_with("HTTP/1.1 200 OK");
    let silent = || TcpStream::connect(server.address()).expect("it listens");
    let first = silent();
    wait_until("one is in progress", || figure(&server, IN_PROGRESS) == 1.0);
    assert!(served(), "there is room for one");
    let second = silent();
    wait_until("two are in progress", || figure(&server, IN_PROGRESS) == 2.0);
    let mut third = silent();
    assert!(matches!(third.read(&mut [0; 1]), Ok(0) | Err(_)), "it is closed at once");
    assert_eq!(failures(&server, "too_many"), 1.0);
    drop(second);
    wait_until("one is in progress again", || figure(&server, IN_PROGRESS) == 1.0);
    assert!(served());
    drop(first);
    wait_until("none is in progress", || figure(&server, IN_PROGRESS) == 0.0);
    assert_eq!((failures(&server, "too_many"), failures(&server, "gone")), (1.0, 2.0));
}

/// A server whose listener expects a PROXY header before TLS, and which answers with the address of its client.
fn announced(name: &str) -> (TestServer, Arc<ClientConfig>) {
    let own = pair(name, &["localhost"]);
    let at = ListenAt::Address("127.0.0.1:0".parse().expect("an address"));
    let mut listener = ListenerConfig::new(at, Serves::CLIENTS);
    (listener.tls, listener.proxy_protocol) = (true, true);
    listener.trusted_proxies = vec![Network::parse("127.0.0.1").expect("an address")];
    let mut config = Config { certificates: vec![own], listeners: vec![listener], ..Config::default() };
    (config.server.listen, config.server.reactors) = (Vec::new(), 1);
    let tell =
        |connecting: Connecting<'_>| Err(Denied::new(format!("from {}", connecting.address().expect("an address"))));
    let server = Server::start_with(config, Hooks::default().on_connect(tell)).expect("the server starts");
    (TestServer::of(server), client(&[&chain(name)], BOTH))
}

/// A client through a proxy that says this first, in one piece with the first bytes of TLS or byte by byte.
fn behind(address: SocketAddr, config: &Arc<ClientConfig>, header: &[u8], bytewise: bool) -> Stream {
    let name = ServerName::try_from("localhost").expect("a name");
    let mut tls = ClientConnection::new(Arc::clone(config), name).expect("a client");
    let mut bytes = header.to_vec();
    tls.write_tls(&mut bytes).expect("memory");
    let mut raw = RawClient::connect(address);
    raw.send_in_pieces(&bytes, if bytewise { 1 } else { bytes.len() });
    StreamOwned::new(tls, raw.stream)
}

#[test]
fn a_proxy_header_before_tls_says_where_the_client_is() {
    let (server, config) = announced("announced");
    let v1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n".to_vec();
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend([203, 0, 113, 7, 192, 0, 2, 1, 0x13, 0x88, 1, 0xbb]);
    for (header, bytewise) in [(&v1, false), (&v2, false), (&v1, true), (&v2, true)] {
        let mut stream = behind(server.address(), &config, header, bytewise);
        stream
            .write_all(b"GET /channels/a HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n")
            .expect("open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an end that was said");
        assert!(answer.contains("from 203.0.113.7"), "{answer}");
    }
    // In clear, since the proxy reads it: it sends what is no header, and what is no TLS after one.
    let mut without = HttpClient::connect(server.address());
    let answer = without.request("GET", "/channels/a", &[], b"");
    assert_eq!((answer.status, answer.code().as_str()), (400, "proxy_header"));
    let plain = [&v1[..], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
    let answer = HttpClient::connect(server.address()).exchange(plain);
    assert_eq!((answer.status, answer.code().as_str()), (400, "tls_needed"));
}
