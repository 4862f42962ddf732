//! Where clients are, over real sockets: which peers may say so, what clients that say so themselves gain (nothing), and what
//! logs name.

mod announced;

use crate::support::http::{Answer, HttpClient, request_bytes};
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR_KEY, TestServer};
use serde_json::Value;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use tidings::model::network::Network;
use tidings::{Config, Connecting, Denied, Hooks, ListenAt, ListenerConfig, OperatorKey, Server, Serves};

/// The proxy whose word counts in these tests.
const PROXY: &str = "127.0.0.2";
/// The page of documentation about proxies.
const PAGE: &str = include_str!("../docs/proxies.md");
const STREAM: (&str, &str) = ("Accept", "text/event-stream");

pub(crate) fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| Network::parse(text).expect("a network")).collect()
}

/// The blocks of that page in this language.
pub(crate) fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = PAGE.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// A server that refuses every connection that would be held, and says where it comes from.
pub(crate) fn telling(adjust: impl FnOnce(&mut Config)) -> TestServer {
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.server.reactors = 1;
    config.server.operator_key = OperatorKey::parse(OPERATOR_KEY).ok();
    adjust(&mut config);
    let tell = |connecting: Connecting<'_>| {
        let address = connecting.address().map_or("a unix socket".to_owned(), |address| address.to_string());
        let machine = if connecting.is_from_loopback() { "this machine" } else { "elsewhere" };
        Err(Denied::new(format!("from {address} by {machine}")))
    };
    TestServer::of(Server::start_with(config, Hooks::default().on_connect(tell)).expect("the server starts"))
}

/// A connection from one of this machine's addresses.
pub(crate) fn connect_from(source: &str, to: SocketAddr) -> RawClient {
    let source: IpAddr = source.parse().expect("an address");
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::new(source, 0).into()).expect("an address of this machine");
    socket.connect(&to.into()).expect("it listens");
    RawClient::on(TcpStream::from(socket))
}

/// What a telling server says of a request: the address.
pub(crate) fn told(answer: &Answer) -> String {
    assert_eq!(answer.status, 403, "{}", answer.text());
    let message = answer.json()["error"]["message"].as_str().expect("a message").to_owned();
    let address = message.strip_prefix("from ").and_then(|rest| rest.split_once(" by ")).expect("an address").0;
    address.to_owned()
}

/// The address that counts for a request from `source` with these fields.
fn counted(server: &TestServer, source: &str, fields: &[(&str, &str)]) -> String {
    let mut client = HttpClient { raw: connect_from(source, server.address()) };
    told(&client.request("GET", "/channels/a", &[fields, &[STREAM]].concat(), b""))
}

#[test]
fn only_a_trusted_peer_says_where_its_client_is() {
    let server = telling(|config| config.server.trusted_proxies = networks(&[PROXY, "10.0.0.0/8"]));
    for (source, fields, expected) in [
        ("127.0.0.1", &[][..], "127.0.0.1"),
        ("127.0.0.1", &[("X-Forwarded-For", "192.0.2.1")], "127.0.0.1"),
        ("127.0.0.1", &[("Forwarded", "for=192.0.2.1")], "127.0.0.1"),
        (PROXY, &[], PROXY),
        (PROXY, &[("X-Forwarded-For", "192.0.2.1")], "192.0.2.1"),
        (PROXY, &[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "10.0.0.9")], "192.0.2.1"),
        (PROXY, &[("Forwarded", "for=\"[2001:db8::7]:80\";proto=https")], "2001:db8::7"),
        (PROXY, &[("X-Real-IP", "192.0.2.1")], PROXY),
        (PROXY, &[("X-Forwarded-For", "unknown")], PROXY),
        (PROXY, &[("X-Forwarded-For", "no address")], PROXY),
    ] {
        assert_eq!(counted(&server, source, fields), expected, "{source} {fields:?}");
    }
    let trusting_no_one = telling(|_| {});
    assert_eq!(counted(&trusting_no_one, PROXY, &[("X-Forwarded-For", "192.0.2.1")]), PROXY);
}

/// A client adds what a proxy would; the proxy appends the address that it sees.
#[test]
fn a_client_that_names_itself_gains_nothing() {
    const CLIENT: &str = "127.0.0.9";
    let server = telling(|config| config.server.trusted_proxies = networks(&[PROXY]));
    for claimed in ["10.0.0.1", "127.0.0.1", "::1", "127.0.0.2", "\"", "unknown", "for=x", "", ","] {
        for fields in [&[("X-Forwarded-For", claimed)][..], &[("Forwarded", claimed)]] {
            assert_eq!(counted(&server, CLIENT, fields), CLIENT, "past the proxy, {fields:?}");
        }
        let appended = format!("{claimed}, {CLIENT}");
        assert_eq!(counted(&server, PROXY, &[("X-Forwarded-For", &appended)]), CLIENT, "{appended}");
        let own_line = [("X-Forwarded-For", claimed), ("X-Forwarded-For", CLIENT)];
        assert_eq!(counted(&server, PROXY, &own_line), CLIENT, "{claimed} on a line of its own");
        let other_field = [("Forwarded", "for=10.0.0.1"), ("X-Forwarded-For", CLIENT)];
        assert_eq!(counted(&server, PROXY, &other_field), CLIENT, "a Forwarded that the proxy passes on");
        let element = format!("for=\"{claimed}, for={CLIENT}");
        assert_eq!(counted(&server, PROXY, &[("Forwarded", &element)]), CLIENT, "{element}");
    }
}

/// A proxy keeps its connections, and sends the requests of all its clients over them.
#[test]
fn each_request_of_a_kept_connection_has_its_own_client() {
    let server = telling(|config| config.server.trusted_proxies = networks(&[PROXY]));
    let mut proxy = HttpClient { raw: connect_from(PROXY, server.address()) };
    let request = |client: Option<&str>| {
        let field = client.map(|client| ("X-Forwarded-For", client));
        request_bytes("GET", "/channels/a", &[&[STREAM][..], field.as_slice()].concat(), b"")
    };
    let clients = [Some("192.0.2.1"), Some("192.0.2.2"), None, Some("192.0.2.1"), None, None, Some("2001:db8::7")];
    for client in clients {
        assert_eq!(told(&proxy.exchange(request(client))), client.unwrap_or(PROXY));
    }
    // At once, and in pieces.
    let all: Vec<u8> = clients.iter().flat_map(|client| request(*client)).collect();
    for size in [all.len(), 7] {
        proxy.raw.send_in_pieces(&all, size);
        for client in clients {
            assert_eq!(told(&proxy.read_answer(false)), client.unwrap_or(PROXY), "in pieces of {size}");
        }
    }
    // Publications of several clients are answered in their order.
    let posts: Vec<u8> = (0..20)
        .flat_map(|n| {
            let client = format!("192.0.2.{}", n % 3);
            request_bytes("POST", "/channels/a", &[("X-Forwarded-For", &client)], b"1")
        })
        .collect();
    proxy.raw.send(posts);
    for _ in 0..20 {
        assert_eq!(proxy.read_answer(false).code(), "publishing_not_allowed");
    }
    assert_eq!(told(&proxy.exchange(request(Some("192.0.2.9")))), "192.0.2.9");
}

#[test]
fn a_proxy_on_a_unix_socket_is_trusted_by_that_word() {
    for (trusted, expected) in
        [(&["unix"][..], "192.0.2.1"), (&["0.0.0.0/0", "::/0"], "a unix socket"), (&[], "a unix socket")]
    {
        let path = std::env::temp_dir().join(format!("tidings-{}-proxied-{}.sock", std::process::id(), trusted.len()));
        let at = ListenAt::Path { path: path.clone(), mode: 0o600 };
        let server = telling(|config| {
            let listener = ListenerConfig::new(at, Serves::CLIENTS);
            config.listeners = vec![ListenerConfig { trusted_proxies: networks(trusted), ..listener }];
        });
        let mut stream = UnixStream::connect(&path).expect("it listens");
        let fields = [("X-Forwarded-For", "192.0.2.1"), STREAM, ("Connection", "close")];
        stream.write_all(&request_bytes("GET", "/channels/a", &fields, b"")).expect("it reads");
        let answer = std::io::read_to_string(stream).expect("an answer");
        assert!(answer.contains(&format!("from {expected} by this machine")), "{trusted:?}: {answer}");
        drop(server);
    }
}

/// A trusted proxy is no client of this machine, wherever it is.
#[test]
fn what_a_trusted_proxy_passes_on_does_not_come_directly() {
    let server = TestServer::start(|config| config.server.trusted_proxies = networks(&["127.0.0.1"]));
    let publish = |fields: &[(&str, &str)]| {
        HttpClient::connect(server.address()).request("POST", "/channels/a", fields, b"1").status
    };
    assert_eq!(publish(&[]), 200);
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-For", ""),
        ("Forwarded", "for=127.0.0.1"),
        ("Forwarded", "for=\"[::1]\""),
        ("X-Forwarded-Proto", "https"),
    ] {
        assert_eq!(publish(&[(name, value)]), 403, "{name}: {value}");
    }
}

/// The events of a server that is stopped.
fn events(process: Process) -> Vec<Value> {
    process.signal("TERM");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Peer and proxy of the events of a kind.
fn parties<'e>(events: &'e [Value], kind: &str) -> Vec<(Option<&'e str>, Option<&'e str>)> {
    let of = events.iter().filter(|event| event["event"] == kind);
    of.map(|event| (event["peer"].as_str(), event["proxy"].as_str())).collect()
}

#[test]
fn a_log_line_names_the_client_and_the_proxy_that_it_came_through() {
    let process = Process::start(&["--log-format", "json", "--reactors", "1", "--server.trusted_proxies", "127.0.0.1"]);
    let mut proxy = HttpClient::connect(process.address);
    let own = proxy.raw.stream.local_addr().expect("an address").to_string();
    let nowhere = |client: &str| request_bytes("GET", "/nowhere", &[("X-Forwarded-For", client)], b"");
    // In one read: each refusal is that of its own client.
    let all = [nowhere("192.0.2.1"), nowhere("2001:db8::7"), request_bytes("GET", "/nowhere", &[], b"")].concat();
    proxy.raw.send(all);
    (0..3).for_each(|_| assert_eq!(proxy.read_answer(false).status, 404));
    let mut socket = WsClient::connect_to(process.address, "/ws", &[("X-Forwarded-For", "192.0.2.3")]);
    let socket_proxy = socket.socket.get_ref().local_addr().expect("an address").to_string();
    socket.socket.get_mut().write_all(b"\xc1\x00").expect("open");
    assert!(socket.read_close().is_some());
    drop((proxy, socket));
    let events = events(process);
    let own = Some(&*own);
    assert_eq!(
        parties(&events, "refused"),
        [(Some("192.0.2.1"), own), (Some("2001:db8::7"), own), (own, None)],
        "{events:#?}"
    );
    assert_eq!(parties(&events, "faulty_close"), [(Some("192.0.2.3"), Some(&*socket_proxy))], "{events:#?}");
}

#[test]
fn a_hop_that_cannot_be_read_is_logged_once_a_minute_and_serves_its_client() {
    let process = Process::start(&["--log-format", "json", "--reactors", "1", "--server.trusted_proxies", "127.0.0.1"]);
    let mut proxy = HttpClient::connect(process.address);
    for _ in 0..5 {
        for field in [("X-Forwarded-For", "192.0.2.1, client.example"), ("Forwarded", "for=client.example")] {
            assert_eq!(proxy.request("GET", "/channels/a", &[field], b"").status, 200);
        }
        // What is hidden on purpose is no mistake.
        assert_eq!(proxy.request("GET", "/channels/a", &[("X-Forwarded-For", "unknown")], b"").status, 200);
    }
    drop(proxy);
    let events = events(process);
    let said: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "hop_unreadable")
        .filter_map(|event| event["message"].as_str())
        .collect();
    assert!(said.len() == 2 && said[0].contains("X-Forwarded-For") && said[1].contains(" Forwarded "), "{events:#?}");
    let text = format!("{events:?}");
    assert!(!text.contains("client.example"), "{text}");
}

#[test]
fn every_configuration_on_the_page_can_be_started_with() {
    let blocks = blocks("toml");
    assert!(blocks.len() >= 4, "only {} blocks", blocks.len());
    for block in blocks {
        let config = Config::from_toml("proxies.md", &block).unwrap_or_else(|error| panic!("{block}{error}"));
        config.check().unwrap_or_else(|error| panic!("{block}{error}"));
        let trusts = config.all_listeners().iter().any(|listener| !listener.trusted_proxies.is_empty());
        assert!(trusts, "{block}");
    }
}
