//! The pages about the server: made off the reactor, in order with other requests, with what operators watch.

use crate::support::http::{HttpClient, get, request_bytes};
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, TestServer, with_one_and_two_reactors};

#[test]
fn pages_that_are_made_elsewhere_are_answered_in_the_order_of_the_requests() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let mut client = HttpClient::connect(server.address());
        let targets = ["/metrics", "/livez", "/channels", "/metrics", "/nothing", "/channels/x", "/metrics"];
        let mut sent = Vec::new();
        targets.iter().for_each(|target| sent.extend(request_bytes("GET", target, &[OPERATOR], b"")));
        client.raw.send(&sent);
        for target in targets {
            let answer = client.read_answer(false);
            let text = answer.text();
            match target {
                "/metrics" => assert!(text.starts_with("# HELP tidings_build_info "), "{text}"),
                "/channels" => assert!(text.starts_with("{\"channels\":"), "{text}"),
                "/livez" => assert_eq!(text, "alive\n"),
                "/nothing" => assert_eq!(answer.status, 404),
                _ => assert_eq!(answer.json()["publications"], serde_json::json!([])),
            }
        }
        assert!(client.is_kept());
    });
}

#[test]
fn a_head_a_peer_that_goes_and_a_body_that_nobody_asked_for_are_no_trouble() {
    let server = TestServer::start(|_| ());
    let mut client = HttpClient::connect(server.address());
    client.raw.send(request_bytes("HEAD", "/metrics", &[OPERATOR], b""));
    let head = client.read_answer(true);
    assert_eq!((head.status, head.field("Content-Type")), (200, Some("text/plain; version=0.0.4")));
    assert!(head.field("Content-Length").and_then(|length| length.parse::<usize>().ok()) > Some(1000));
    assert!(client.is_kept());
    for _ in 0..20 {
        let mut gone = RawClient::connect(server.address());
        gone.send(request_bytes("GET", "/metrics", &[OPERATOR], b""));
        drop(gone);
    }
    let refused = client.request("GET", "/metrics", &[OPERATOR], b"body");
    assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"));
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
}

#[test]
fn what_operators_watch_is_counted() {
    let server = TestServer::start(|config| config.server.reactors = 2);
    let mut socket = WsClient::connect(server.address());
    socket.subscribe("x");
    let mut client = HttpClient::connect(server.address());
    for _ in 0..5 {
        assert_eq!(client.request("POST", "/channels/x", &[], b"1").status, 200);
        socket.next_json();
    }
    assert_eq!(client.request("GET", "/nothing", &[], b"").status, 404);
    let page = client.request("GET", "/metrics", &[OPERATOR], b"").text();
    let value = |key: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {key} in {page}")).parse().expect("a number")
    };
    assert_eq!(value("tidings_http_requests_total{method=\"GET\",status=\"1xx\"}"), 1.0);
    assert_eq!(value("tidings_http_requests_total{method=\"POST\",status=\"2xx\"}"), 5.0);
    assert_eq!(value("tidings_http_requests_total{method=\"GET\",status=\"4xx\"}"), 1.0);
    // Once for each publication and the one reactor that has readers of it.
    assert_eq!(value("tidings_delivery_latency_seconds_count"), 5.0);
    assert!(value("tidings_loop_lag_seconds_count") > 5.0);
    assert!(value("process_cpu_seconds_total") > 0.0 && value("process_max_fds") >= value("process_open_fds"));
    assert_eq!(value("tidings_drain_state{state=\"serving\"}"), 1.0);
    assert!(!page.contains("tidings_refused_total{reason=\"peer_closed\"}"), "it cannot occur");
}

#[test]
fn the_drain_shows_in_the_metrics_while_the_port_is_open() {
    let process = Process::start_by(&[], 1024, "[server]\ndrain_delay = \"1h\"\n", &["--reactors", "1"]);
    process.signal("TERM");
    crate::support::wait_until("it is leaving", || get(process.address, "/readyz").status == 503);
    assert_eq!(process.metric("tidings_drain_state{state=\"leaving\"}"), 1.0);
    assert_eq!(process.metric("tidings_drain_state{state=\"serving\"}"), 0.0);
}
