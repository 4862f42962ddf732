//! Listeners that send everybody to https://.

use crate::support::TestServer;
use crate::support::http::HttpClient;
use tidings::{Config, ListenAt, ListenerConfig, Serves};

/// A server whose second address redirects there.
fn start(to: &str, adjust: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::start(|config| {
        let at = ListenAt::Address("127.0.0.1:0".parse().expect("an address"));
        let redirecting = ListenerConfig { redirect: Some(to.to_owned()), ..ListenerConfig::new(at, Serves::HEALTH) };
        config.listeners = vec![redirecting];
        adjust(config);
    })
}

/// Status and Location for a request line and a Host.
fn asked(server: &TestServer, request: &str, host: &str) -> (u16, String) {
    let mut client = HttpClient::connect(server.addresses()[1]);
    let answer = client.exchange(format!("{request} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"));
    (answer.status, answer.field("Location").unwrap_or_default().to_owned())
}

#[test]
fn everything_is_at_https_on_the_same_host() {
    let server = start("https", |config| config.server.allow_host = vec!["push.example.com".to_owned()]);
    for (request, host, status, location) in [
        ("GET /", "push.example.com", 301, "https://push.example.com/"),
        ("GET /channels/a%2Fb?last=1", "push.example.com:80", 301, "https://push.example.com/channels/a%2Fb?last=1"),
        ("GET //other.example/", "localhost", 301, "https://localhost//other.example/"),
        ("POST /channels/a", "[::1]:8080", 308, "https://[::1]/channels/a"),
        ("DELETE /channels/a", "localhost", 308, "https://localhost/channels/a"),
        ("GET /metrics", "localhost", 301, "https://localhost/metrics"),
        // Nobody is sent where another's Host points.
        ("GET /", "evil.example", 421, ""),
        ("GET /", "a b", 400, ""),
        ("GET /", "", 400, ""),
    ] {
        assert_eq!(asked(&server, request, host), (status, location.to_owned()), "{request} {host}");
    }
    assert_eq!(asked(&server, "GET /livez", "localhost").0, 200);
    let answer = HttpClient::connect(server.addresses()[1]).exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
}

#[test]
fn everything_is_at_the_origin_that_was_set() {
    let server = start("https://push.example.com:8443", |_| {});
    assert_eq!(asked(&server, "GET /ws", "localhost"), (301, "https://push.example.com:8443/ws".to_owned()));
    let answer = HttpClient::connect(server.addresses()[1]).exchange("GET /a HTTP/1.0\r\n\r\n");
    assert_eq!((answer.status, answer.field("Location")), (301, Some("https://push.example.com:8443/a")));
}

#[test]
fn what_a_redirecting_listener_cannot_be_is_said() {
    let block = |lines: &str| {
        let text = format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{lines}");
        let config = Config::from_toml("a.toml", &text);
        config
            .and_then(|config| config.check().map(|()| config.listeners[0].clone()))
            .map_err(|error| error.to_string())
    };
    let read = block("redirect = \"https\"").expect("a block");
    assert_eq!((read.redirect.as_deref(), read.serves), (Some("https"), Serves::HEALTH));
    for (lines, problem) in [
        ("redirect = \"http://a\"", "is neither \"https\" nor an origin"),
        ("redirect = \"https\"\ntls = true", "speaks no TLS itself"),
        ("redirect = \"https\"\nserves = [\"clients\"]", "serves health checks alone"),
    ] {
        let error = block(lines).expect_err(problem);
        assert!(error.contains(problem), "{error}");
    }
}
