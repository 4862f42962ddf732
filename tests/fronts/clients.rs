//! Who counts as what behind nginx and HAProxy: with and without trusted proxies, by fields and by PROXY headers, and for clients
//! that add what a proxy would.

use super::proxy::{Program, Proxy};
use super::strangers::{haproxy, nginx};
use crate::addresses::{blocks, connect_from, networks, telling, told};
use crate::support::TestServer;
use crate::support::http::{HttpClient, post};
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use std::net::SocketAddr;
use tidings::{ListenAt, ListenerConfig, Serves};

/// Where the clients of these tests are.
const CLIENT: &str = "127.0.0.9";
/// Where the fronts are.
const FRONT: &str = "127.0.0.1";

/// How a front says who its client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// It does not.
    Nothing,
    /// By a field that it writes itself or appends to.
    Field,
    /// By a PROXY header.
    Header,
}

struct Front {
    name: &'static str,
    program: Program,
    /// For nginx what stands beside `proxy_pass`, for HAProxy its mode and further lines.
    recipe: &'static str,
    /// Options of HAProxy's server line.
    server: &'static str,
    says: Says,
}

const KEPT: &str = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $http_host;";

const FRONTS: &[Front] = &[
    Front { name: "nginx, nothing said", program: Program::Nginx, recipe: KEPT, server: "", says: Says::Nothing },
    Front {
        name: "nginx, $proxy_add_x_forwarded_for",
        program: Program::Nginx,
        recipe: "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        server: "",
        says: Says::Field,
    },
    Front {
        name: "nginx, $remote_addr",
        program: Program::Nginx,
        recipe: "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header X-Forwarded-For $remote_addr;",
        server: "",
        says: Says::Field,
    },
    Front {
        name: "nginx, Forwarded alone",
        program: Program::Nginx,
        recipe: "proxy_set_header X-Forwarded-For ''; proxy_set_header Forwarded 'for=\"$remote_addr:$remote_port\";proto=$scheme';",
        server: "",
        says: Says::Field,
    },
    Front { name: "HAProxy, nothing said", program: Program::HaProxy, recipe: "http", server: "", says: Says::Nothing },
    Front {
        name: "HAProxy, forwardfor",
        program: Program::HaProxy,
        recipe: "http\n  option forwardfor\n  http-reuse always",
        server: "",
        says: Says::Field,
    },
    Front {
        name: "HAProxy, tcp, send-proxy",
        program: Program::HaProxy,
        recipe: "tcp",
        server: " send-proxy",
        says: Says::Header,
    },
    Front {
        name: "HAProxy, tcp, send-proxy-v2",
        program: Program::HaProxy,
        recipe: "tcp",
        server: " send-proxy-v2",
        says: Says::Header,
    },
    Front {
        name: "HAProxy, tcp, send-proxy-v2 with options and checks",
        program: Program::HaProxy,
        recipe: "tcp",
        server: " send-proxy-v2 proxy-v2-options unique-id,crc32c check inter 50ms",
        says: Says::Header,
    },
    Front {
        name: "HAProxy, http, send-proxy-v2",
        program: Program::HaProxy,
        recipe: "http",
        server: " send-proxy-v2",
        says: Says::Header,
    },
];

impl Front {
    fn start(&self, server: SocketAddr) -> Proxy {
        Proxy::run(self.program, &|folder, address| match self.program {
            Program::Nginx => nginx(self.recipe, folder, address, server),
            Program::HaProxy => haproxy(self.recipe, folder, address, &format!("{server}{}", self.server)),
        })
    }
}

/// A server that tells addresses, with a second listener for PROXY headers.
fn server(trusted: &[&str]) -> TestServer {
    telling(|config| {
        config.server.trusted_proxies = networks(trusted);
        // Without a proxy that it trusts such a listener is no configuration.
        config.listeners = vec![announcing(if trusted.is_empty() { &["192.0.2.1"] } else { trusted })];
    })
}

/// A listener for PROXY headers.
fn announcing(trusted: &[&str]) -> ListenerConfig {
    let at = ListenAt::Address("127.0.0.1:0".parse().expect("an address"));
    let listener = ListenerConfig::new(at, Serves::CLIENTS);
    ListenerConfig { trusted_proxies: networks(trusted), proxy_protocol: true, ..listener }
}

/// What clients add to be taken for others.
const CLAIMS: &[&[(&str, &str)]] = &[
    &[],
    &[("X-Forwarded-For", "192.0.2.66")],
    &[("X-Forwarded-For", "192.0.2.66, 127.0.0.1")],
    &[("X-Forwarded-For", "192.0.2.66"), ("X-Forwarded-For", "127.0.0.1")],
    &[("X-Forwarded-For", "\"")],
    &[("X-Forwarded-For", "unknown")],
    &[("X-Forwarded-For", "")],
    &[("Forwarded", "for=192.0.2.66"), ("X-Forwarded-For", "192.0.2.66")],
    &[("Forwarded", "for=\"")],
    &[("X-Real-IP", "192.0.2.66"), ("Via", "1.1 x")],
];

fn ask(front: SocketAddr, fields: &[(&str, &str)]) -> String {
    let mut client = HttpClient { raw: connect_from(CLIENT, front) };
    let fields = [&[("Accept", "text/event-stream")], fields].concat();
    // Twice, since a proxy may keep its connection to the server for the next request.
    let answers = [(); 2].map(|()| told(&client.request("GET", "/channels/a", &fields, b"")));
    assert_eq!(answers[0], answers[1], "{fields:?}");
    answers[0].clone()
}

#[test]
#[ignore = "run by tests/run fronts"]
fn behind_a_front_that_is_trusted_each_client_is_where_it_is() {
    for front in FRONTS {
        let server = server(&[FRONT]);
        let announced = front.says == Says::Header;
        let proxy = front.start(server.addresses()[usize::from(announced)]);
        for claims in CLAIMS {
            // A front that says nothing passes on what clients say: none such may be trusted.
            if front.says == Says::Nothing && !claims.is_empty() {
                continue;
            }
            let expected = if front.says == Says::Nothing { FRONT } else { CLIENT };
            assert_eq!(ask(proxy.address, claims), expected, "{}: {claims:?}", front.name);
        }
    }
}

#[test]
#[ignore = "run by tests/run fronts"]
fn behind_a_front_that_is_not_trusted_everybody_is_the_front() {
    for front in FRONTS.iter().filter(|front| front.says != Says::Header) {
        let server = server(&[]);
        let proxy = front.start(server.addresses()[0]);
        for claims in CLAIMS {
            assert_eq!(ask(proxy.address, claims), FRONT, "{}: {claims:?}", front.name);
        }
    }
    // A PROXY header of a front that is not trusted is not even read.
    for front in FRONTS.iter().filter(|front| front.says == Says::Header) {
        let server = server(&[]);
        let proxy = front.start(server.addresses()[1]);
        let mut client = HttpClient { raw: connect_from(CLIENT, proxy.address) };
        client.raw.send("GET /channels/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let received = String::from_utf8_lossy(client.raw.read_to_end()).into_owned();
        assert!(
            received.is_empty() || received.starts_with("HTTP/1.1 502 ") || received.starts_with("HTTP/1.1 503 "),
            "{}: {received}",
            front.name
        );
    }
}

/// Each speaks as if the other listener were meant: what is wrong is said.
#[test]
#[ignore = "run by tests/run fronts"]
fn a_front_with_the_wrong_settings_is_told_so() {
    let server = server(&[FRONT]);
    for front in FRONTS {
        let announced = front.says == Says::Header;
        let proxy = front.start(server.addresses()[usize::from(!announced)]);
        let mut client = HttpClient { raw: connect_from(CLIENT, proxy.address) };
        let answer = client.request("GET", "/channels/a", &[], b"");
        let expected = if announced { "bad_request" } else { "proxy_header" };
        assert_eq!((answer.status, answer.code().as_str()), (400, expected), "{}", front.name);
    }
}

/// The outer front appends to X-Forwarded-For, or announces its client to the inner one, which appends.
#[test]
#[ignore = "run by tests/run fronts"]
fn a_chain_of_fronts_is_walked_to_the_client() {
    let server = server(&[FRONT]);
    let append = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    let inner = Proxy::run(Program::Nginx, &|folder, address| nginx(append, folder, address, server.address()));
    let by_field = Proxy::run(Program::HaProxy, &|folder, address| {
        haproxy("http\n  option forwardfor", folder, address, &inner.address.to_string())
    });
    let announcing = Proxy::run(Program::HaProxy, &|folder, address| {
        haproxy("http\n  option forwardfor", folder, address, &format!("{} send-proxy-v2", server.addresses()[1]))
    });
    for claims in CLAIMS {
        assert_eq!(ask(by_field.address, claims), CLIENT, "{claims:?}");
        assert_eq!(ask(announcing.address, claims), CLIENT, "{claims:?}");
    }
}

/// The lines of a block of the page between its first and its last, without those that say where the server is.
fn recipe(block: &str, place: &str) -> (String, String) {
    let (own, place): (Vec<&str>, Vec<&str>) =
        block.lines().skip(1).filter(|line| line.trim() != "}").partition(|line| !line.contains(place));
    assert_eq!(place.len(), 1, "{block}");
    (own.join("\n"), place[0].to_owned())
}

/// Over each, a request, an event stream and a socket.
#[test]
#[ignore = "run by tests/run fronts"]
fn the_examples_of_the_page_work_as_they_stand_there() {
    let telling = server(&[FRONT]);
    let [nginx_block] = &blocks("nginx")[..] else { panic!("one block") };
    let [by_http, by_bytes] = &blocks("haproxy")[..] else { panic!("two blocks") };
    let nginx_recipe = recipe(nginx_block, "proxy_pass").0;
    let haproxy_of = |block: &str, server: SocketAddr| {
        let (lines, place) = recipe(block, "server tidings");
        let mode = lines.trim().strip_prefix("mode ").expect("a mode").to_owned();
        let options = place.split_once("127.0.0.1:8080").expect("the server").1.to_owned();
        Proxy::run(Program::HaProxy, &|folder, address| haproxy(&mode, folder, address, &format!("{server}{options}")))
    };
    let nginx_of = |server: SocketAddr| {
        Proxy::run(Program::Nginx, &|folder, address| nginx(&nginx_recipe, folder, address, server))
    };
    let (plain, announced) = (telling.addresses()[0], telling.addresses()[1]);
    for (name, proxy) in [
        ("nginx", nginx_of(plain)),
        ("HAProxy", haproxy_of(by_http, plain)),
        ("HAProxy, bytes", haproxy_of(by_bytes, announced)),
    ] {
        for claims in CLAIMS {
            assert_eq!(ask(proxy.address, claims), CLIENT, "{name}: {claims:?}");
        }
    }
    let open = TestServer::start(|config| {
        config.server.allow_anonymous_publish = true;
        config.server.trusted_proxies = networks(&[FRONT]);
        config.listeners = vec![announcing(&[FRONT])];
    });
    let (plain, announced) = (open.addresses()[0], open.addresses()[1]);
    for proxy in [nginx_of(plain), haproxy_of(by_http, plain), haproxy_of(by_bytes, announced)] {
        let mut stream = SseClient::open(proxy.address, "front", None);
        assert_eq!(stream.next_block().expect("a block").event.as_deref(), Some("position"));
        let mut socket = WsClient::connect(proxy.address);
        socket.subscribe("front");
        assert_eq!(post(proxy.address, "/channels/front", "17").status, 200);
        assert_eq!(stream.next_block().expect("a block").data, "17");
        assert_eq!(socket.next_push()["data"], 17);
    }
}
