//! Listeners whose connections begin with a PROXY header: who is believed, what is refused, and how it may come.

use super::{STREAM, events, networks, parties, telling, told};
use crate::support::http::{HttpClient, request_bytes};
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{TestServer, wait_until};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tidings::{Config, ListenAt, ListenerConfig, Serves};
use tungstenite::client::IntoClientRequest as _;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x30\x39\0\x50";
const V2_V6: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x30\x39\0\x50";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// Adds a listener that takes PROXY headers of these networks.
fn announce(config: &mut Config, trusted: &[&str]) {
    let at = ListenAt::Address("127.0.0.1:0".parse().expect("an address"));
    let listener = ListenerConfig::new(at, Serves::CLIENTS);
    let listener = ListenerConfig { trusted_proxies: networks(trusted), proxy_protocol: true, ..listener };
    config.listeners = vec![listener];
}

/// Where that listener is.
fn announced(server: &TestServer) -> SocketAddr {
    server.addresses()[1]
}

fn ask(fields: &[(&str, &str)]) -> Vec<u8> {
    request_bytes("GET", "/channels/a", &[fields, &[STREAM]].concat(), b"")
}

#[test]
fn a_header_says_where_the_client_is_however_it_comes() {
    let server = telling(|config| announce(config, &["127.0.0.1"]));
    for (header, expected) in
        [(V1, "192.0.2.7"), (V2, "192.0.2.7"), (V2_V6, "2001:db8::7"), (LOCAL, "127.0.0.1"), (UNKNOWN, "127.0.0.1")]
    {
        let all = [header, &ask(&[])].concat();
        for size in [all.len(), 1, 5, header.len(), header.len() + 1] {
            let mut client = HttpClient::connect(announced(&server));
            client.raw.send_in_pieces(&all, size);
            assert_eq!(told(&client.read_answer(false)), expected, "{} in {size}", header.escape_ascii());
            // For all requests of the connection.
            assert_eq!(told(&client.exchange(ask(&[]))), expected);
        }
    }
    // The other listener takes no header.
    let mut client = HttpClient::connect(server.address());
    client.raw.send(V1);
    assert_eq!(client.read_answer(false).code(), "bad_request");
}

/// A proxy by PROXY header before one by field, as a network load balancer before nginx.
#[test]
fn the_fields_of_an_announced_proxy_count_when_it_is_trusted_too() {
    let server = telling(|config| announce(config, &["127.0.0.1", "192.0.2.7"]));
    let mut client = HttpClient::connect(announced(&server));
    client.raw.send(V1);
    assert_eq!(told(&client.exchange(ask(&[("X-Forwarded-For", "198.51.100.1, 198.51.100.2")]))), "198.51.100.2");
    assert_eq!(told(&client.exchange(ask(&[]))), "192.0.2.7");
    // An announced client is believed no more than others.
    let server = telling(|config| announce(config, &["127.0.0.1"]));
    let mut client = HttpClient::connect(announced(&server));
    client.raw.send(V1);
    assert_eq!(told(&client.exchange(ask(&[("X-Forwarded-For", "198.51.100.1")]))), "192.0.2.7");
}

#[test]
fn whoever_is_not_trusted_is_closed_before_anything_is_read() {
    let server = telling(|config| announce(config, &["127.0.0.2", "unix"]));
    for bytes in [V1, &ask(&[]), &[V2, &ask(&[])].concat()] {
        let mut client = RawClient::connect(announced(&server));
        // It may be closed while this is sent.
        let _ = client.stream.write_all(bytes);
        assert!(client.read_to_end().is_empty());
    }
    wait_until("they are counted", || {
        server.metric("tidings_connections_closed_total{reason=\"proxy_header\"}") == 3.0
            && server.metric("tidings_refused_total{reason=\"proxy_header\"}") == 3.0
    });
}

#[test]
fn without_a_header_or_with_one_that_cannot_be_read_a_connection_is_refused_and_ends() {
    let server = telling(|config| announce(config, &["127.0.0.1"]));
    let too_long = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x02\x09";
    let bad: [&[u8]; 6] = [
        &ask(&[]),
        b"PROXY TCP4 192.0.2.7\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31",
        too_long,
        b"\x16\x03\x01\x02\0",
        &[b'P'; 1],
    ];
    let refused = &bad[..5];
    for bytes in refused {
        let mut client = HttpClient::connect(announced(&server));
        client.raw.send(bytes);
        let answer = client.read_answer(false);
        assert_eq!((answer.status, answer.code().as_str()), (400, "proxy_header"), "{}", bytes.escape_ascii());
        client.raw.end_output();
        assert!(client.is_ended());
    }
    assert_eq!(server.metric("tidings_refused_total{reason=\"proxy_header\"}"), 5.0);
    // One that ends in its middle, and one that sends nothing, as a health check does: neither is refused.
    for bytes in [bad[5], b""] {
        let mut client = RawClient::connect(announced(&server));
        client.send(bytes);
        client.end_output();
        assert!(client.read_to_end().is_empty());
    }
    assert_eq!(server.metric("tidings_refused_total{reason=\"proxy_header\"}"), 5.0);
}

#[test]
fn a_header_has_the_time_of_a_head_to_come_and_the_head_its_own() {
    let server = telling(|config| {
        announce(config, &["127.0.0.1"]);
        config.http.head_timeout = Duration::from_millis(300);
    });
    for beginning in [&b""[..], b"PROXY TCP4 192.0.2.7 10.0.0.1"] {
        let mut client = RawClient::connect(announced(&server));
        client.send(beginning);
        assert!(client.read_to_end().is_empty(), "nothing was asked, so nothing is said");
    }
    wait_until("they are counted", || {
        server.metric("tidings_connections_closed_total{reason=\"proxy_header\"}") == 2.0
    });
    let mut client = HttpClient::connect(announced(&server));
    client.raw.send([V1, b"GET /liv"].concat());
    assert_eq!(client.read_answer(false).code(), "head_timeout");
}

/// Whoever announces clients is a proxy: nothing comes directly.
#[test]
fn an_announced_client_of_this_machine_does_not_publish_unasked() {
    let server = TestServer::start(|config| announce(config, &["127.0.0.1"]));
    let here = b"PROXY TCP4 127.0.0.1 127.0.0.1 12345 80\r\n";
    for header in [&here[..], LOCAL, UNKNOWN, V1] {
        let mut client = HttpClient::connect(announced(&server));
        client.raw.send(header);
        let answer = client.request("POST", "/channels/a", &[], b"1");
        assert_eq!((answer.status, answer.code().as_str()), (403, "publishing_not_allowed"));
    }
    let telling = telling(|config| announce(config, &["127.0.0.1"]));
    let mut client = HttpClient::connect(announced(&telling));
    client.raw.send([LOCAL, &ask(&[])].concat());
    assert!(client.read_answer(false).text().contains("by elsewhere"));
}

#[test]
fn sockets_and_streams_are_served_after_a_header() {
    let server = TestServer::start(|config| {
        announce(config, &["127.0.0.1"]);
        config.server.allow_anonymous_publish = true;
    });
    let mut stream = TcpStream::connect(announced(&server)).expect("it listens");
    stream.write_all(V2).expect("it reads");
    let mut socket = WsClient::on(stream, "ws://localhost/ws".into_client_request().expect("a request"));
    socket.subscribe("a");
    let mut reader = RawClient::connect(announced(&server));
    reader.send([V1, &ask(&[])].concat());
    reader.read_until(b"event: position");
    let mut publisher = HttpClient::connect(announced(&server));
    publisher.raw.send(UNKNOWN);
    assert_eq!(publisher.request("POST", "/channels/a", &[], b"17").status, 200);
    assert_eq!(socket.next_push()["data"], 17);
    reader.read_until(b"data: 17");
}

#[test]
fn a_drain_waits_for_no_header() {
    let server = TestServer::start(|config| {
        announce(config, &["127.0.0.1"]);
        config.server.defer_accept = false;
    });
    let mut silent = RawClient::connect(announced(&server));
    let mut begun = RawClient::connect(announced(&server));
    begun.send(&V1[..10]);
    assert_eq!(server.stop(Duration::from_secs(10)), 0, "none had to be cut off");
    assert!(silent.read_to_end().is_empty() && begun.read_to_end().is_empty());
}

#[test]
fn an_announced_client_is_named_in_the_log() {
    let path = std::env::temp_dir().join(format!("tidings-{}-announced.sock", std::process::id()));
    let toml = format!(
        "[[listener]]\npath = \"{}\"\ntrusted_proxies = [\"unix\"]\nproxy_protocol = true\n[log]\nformat = \"json\"\n",
        path.display()
    );
    let process = Process::start_by(&[], 1024, &toml, &["--reactors", "1"]);
    let nowhere = request_bytes("GET", "/nowhere", &[("Connection", "close")], b"");
    for (header, status) in [(V2, 404), (b"", 400)] {
        let mut stream = UnixStream::connect(&path).expect("it listens");
        stream.write_all(&[header, &nowhere].concat()).expect("it reads");
        let answer = std::io::read_to_string(stream).expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let events = events(process);
    assert_eq!(parties(&events, "refused"), [(Some("192.0.2.7"), None), (None, None)], "{events:#?}");
}
