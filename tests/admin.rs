//! The admin API over real sockets: who is connected, in pages that stay consistent while clients come and go; connections,
//! subscriptions and credentials that operators end, on all reactors at once.

use crate::support::frames::{RawSocket, TEXT};
use crate::support::http::{Answer, HttpClient, get, get_as_operator};
use crate::support::process::Process;
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, OPERATOR_KEY, TestServer, wait_until, with_one_and_two_reactors};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tidings::config::{ListenAt, ListenerConfig};
use tidings::model::serves::Serves;
use tungstenite::protocol::frame::coding::CloseCode;

fn start(reactors: usize) -> TestServer {
    TestServer::start(|config| config.server.reactors = reactors)
}

/// What an operator is answered.
fn read(address: SocketAddr, target: &str) -> Value {
    let answer = get_as_operator(address, target);
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    answer.json()
}

fn post(address: SocketAddr, target: &str, body: &Value) -> Answer {
    HttpClient::connect(address).request("POST", target, &[OPERATOR], body.to_string().as_bytes())
}

/// The number that an operation answers with.
fn done(address: SocketAddr, target: &str, body: &Value, what: &str) -> u64 {
    let answer = post(address, target, body);
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    let json = answer.json();
    assert!(json.get("missing").is_none(), "{json}");
    json[what].as_u64().unwrap_or_else(|| panic!("no {what} in {json}"))
}

/// The rows of a list, read page by page.
fn rows(address: SocketAddr, path: &str, filters: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = read(address, &format!("{path}?limit={limit}{filters}{after}"));
        let new = page["connections"].as_array().expect("a list").clone();
        assert!(new.len() <= limit);
        rows.extend(new);
        let Some(next) = page["next"].as_str() else { return rows };
        after = format!("&after={next}");
    }
}

fn names(rows: &[Value]) -> BTreeSet<String> {
    let all: Vec<String> = rows.iter().map(|row| row["connection"].as_str().expect("a name").to_owned()).collect();
    let once: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(once.len(), all.len(), "one is listed twice: {all:?}");
    once
}

/// A socket that is subscribed to channels, and its public name.
fn subscribed(address: SocketAddr, channels: &[&str], fields: &[(&'static str, &str)]) -> (WsClient, String) {
    let mut socket = WsClient::connect_to(address, "/ws", fields);
    let names =
        channels.iter().map(|channel| socket.subscribe(channel)["connection"].as_str().expect("a name").to_owned());
    let name = names.collect::<BTreeSet<_>>().into_iter().next().expect("at least one channel");
    (socket, name)
}

fn closed(mut socket: WsClient) -> (u16, String) {
    let close = socket.read_close().expect("a Close");
    (close.code.into(), close.reason.to_string())
}

#[test]
fn a_connection_is_listed_under_the_name_that_its_client_knows_with_what_it_does() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let before = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() * 1000;
        let (_socket, name) = subscribed(address, &["a", "b"], &[]);
        let (_operator, operator) = subscribed(address, &["a"], &[OPERATOR]);
        let mut stream = SseClient::open(address, "b", None);
        stream.next_block().expect("its position");
        let library = server.subscribe("a", |_| {}).expect("subscribed");
        let all = rows(address, "/admin/connections", "", 100);
        let row = |name: &str| all.iter().find(|row| row["connection"] == name).cloned().expect("it is listed");
        let own = row(&name);
        assert_eq!(
            (&own["who"], &own["address"], &own["transport"], &own["lag"], &own["subscriptions"]),
            (&json!("anonymous"), &json!("127.0.0.1"), &json!("websocket"), &json!(0), &json!(2)),
            "{own}"
        );
        assert_eq!(own["listener"], address.to_string());
        assert!(own["since"].as_u64().is_some_and(|since| since >= before && since % 1000 == 0), "{own}");
        assert!(own["bytes_in"].as_u64() > Some(200) && own["bytes_out"].as_u64() > Some(200), "{own}");
        assert_eq!(row(&operator)["who"], "operator");
        let streams: Vec<&Value> = all.iter().filter(|row| row["transport"] == "event_stream").collect();
        assert_eq!((streams.len(), &streams[0]["subscriptions"]), (1, &json!(1)), "{streams:?}");
        // The one that asks is a connection, too, and over HTTP nobody is anybody between requests.
        let http: Vec<&Value> = all.iter().filter(|row| row["transport"] == "http").collect();
        assert!(!http.is_empty() && http.iter().all(|row| row.get("who").is_none()), "{http:?}");
        // The program's own subscription is no connection.
        let readers = rows(address, "/admin/subscribers", "&channel=a", 100);
        assert_eq!(names(&readers), BTreeSet::from([name, operator]));
        drop(library);
    });
}

#[test]
fn every_filter_leaves_what_it_says() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.listen.push("127.0.0.2:0".parse().expect("an address"));
        });
        let address = server.address();
        let (_a, a) = subscribed(address, &["x"], &[]);
        let (_b, b) = subscribed(address, &["x", "y"], &[]);
        let (_c, c) = subscribed(server.addresses()[1], &["y"], &[]);
        let mut stream = SseClient::open(address, "y", None);
        stream.next_block().expect("its position");
        let listed = |filters: &str| names(&rows(address, "/admin/connections", filters, 2));
        let set = |names: &[&String]| names.iter().map(|name| (*name).clone()).collect::<BTreeSet<_>>();
        assert_eq!(listed("&channel=x"), set(&[&a, &b]));
        assert_eq!(listed("&transport=websocket"), set(&[&a, &b, &c]));
        assert_eq!(listed("&transport=websocket&channel=y"), set(&[&b, &c]));
        assert_eq!(listed("&transport=event_stream&channel=y").len(), 1);
        assert_eq!(listed("&transport=event_stream&channel=x").len(), 0);
        assert_eq!(listed(&format!("&connection={b}")), set(&[&b]));
        assert_eq!(listed(&format!("&connection={b}&transport=http")).len(), 0);
        assert_eq!(listed("&channel=never-used").len(), 0);
        assert_eq!(listed("&transport=websocket&address=127.0.0.1").len(), 3);
        assert_eq!(listed("&transport=websocket&address=::ffff:127.0.0.1").len(), 3, "the same address");
        for filters in ["&user=ada", "&key=k", "&token=t", "&address=192.0.2.7", "&address=unix"] {
            assert_eq!(listed(filters).len(), 0, "{filters}");
        }
    });
}

/// Clients come and go between the pages: none that stayed is missed, and none is listed twice.
#[test]
fn pages_stay_consistent_while_clients_come_and_go() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let mut random = StdRng::seed_from_u64(15);
        let open = || {
            let mut socket = RawSocket::open(address, "/channels/crowd");
            let name = socket.next_json()["connection"].as_str().expect("a name").to_owned();
            (socket, name)
        };
        let mut clients: Vec<_> = (0..60).map(|_| open()).collect();
        for round in 0..6 {
            let path = if round % 2 == 0 { "/admin/connections" } else { "/admin/subscribers" };
            let filters = if round % 2 == 0 { "&transport=websocket" } else { "&channel=crowd" };
            let stayed: BTreeSet<String> = clients.iter().take(30).map(|(_, name)| name.clone()).collect();
            let (mut listed, mut after) = (Vec::new(), String::new());
            loop {
                let limit = random.random_range(1..10);
                let page = read(address, &format!("{path}?limit={limit}{filters}{after}"));
                listed.extend(page["connections"].as_array().expect("a list").clone());
                let Some(next) = page["next"].as_str() else { break };
                after = format!("&after={next}");
                for _ in 0..random.random_range(0..4) {
                    // Also the one at which the page ended: its place is taken by another.
                    clients.remove(random.random_range(30..clients.len()));
                    clients.push(open());
                }
            }
            let listed = names(&listed);
            assert!(listed.is_superset(&stayed), "{:?} are missed", stayed.difference(&listed));
        }
    });
}

#[test]
fn whoever_is_no_operator_is_refused_and_operators_listeners_need_no_key() {
    let server = TestServer::start(|config| {
        let at = |serves| ListenerConfig::new(ListenAt::Address("127.0.0.1:0".parse().expect("an address")), serves);
        config.listeners = vec![at(Serves::OPERATORS), at(Serves::METRICS), at(Serves::HEALTH)];
    });
    let [clients, operators, metrics, health] = server.addresses() else { panic!("four listeners") };
    let all = [
        ("GET", "/admin/connections"),
        ("HEAD", "/admin/connections"),
        ("GET", "/admin/subscribers?channel=a"),
        ("GET", "/admin/revocations"),
        ("POST", "/admin/disconnect"),
        ("POST", "/admin/unsubscribe"),
        ("POST", "/admin/revoke"),
        ("DELETE", "/admin/revoke?user=ada"),
    ];
    for (method, target) in all {
        let body = match (method, target) {
            ("POST", "/admin/unsubscribe") => r#"{"user":"nobody","channel":"a"}"#,
            ("POST", _) => r#"{"user":"nobody"}"#,
            _ => "",
        };
        let ask = |address: SocketAddr, fields: &[(&str, &str)]| {
            HttpClient::connect(address).request(method, target, fields, body.as_bytes())
        };
        assert_eq!(ask(*clients, &[]).status, 401, "{method} {target}");
        assert_eq!(ask(*clients, &[("Authorization", "Bearer something-else")]).status, 403, "{method} {target}");
        assert_eq!(ask(*clients, &[OPERATOR]).status, 200, "{method} {target}");
        assert_eq!(ask(*operators, &[]).status, 200, "{method} {target}");
        let page = [("Host", "localhost"), ("Origin", "http://localhost:1")];
        assert_eq!(ask(*operators, &page).status, 401, "{method} {target}: a page is nobody's operator");
        for other in [metrics, health] {
            assert_eq!(ask(*other, &[OPERATOR]).status, 404, "{method} {target}: a key opens no listener");
        }
    }
    let refused = get(*clients, "/admin/connections");
    assert_eq!(refused.code(), "operator_needed");
    assert_eq!(
        HttpClient::connect(*clients).request("PUT", "/admin/revoke", &[OPERATOR], b"").field("Allow"),
        Some("POST, DELETE, OPTIONS")
    );
    let mut socket = WsClient::connect_to(*clients, "/ws", &[OPERATOR]);
    let answer = socket.request(json!({"method": "GET", "path": "/admin/connections"}));
    assert_eq!(answer["status"], 404, "it is there over HTTP alone");
}

#[test]
fn what_cannot_be_meant_is_refused_and_does_nothing() {
    let server = start(1);
    let address = server.address();
    let (mut socket, name) = subscribed(address, &["a"], &[]);
    for (target, body, code) in [
        ("/admin/disconnect", "", "bad_json"),
        ("/admin/disconnect", "{", "bad_json"),
        ("/admin/disconnect", "[]", "bad_request"),
        ("/admin/disconnect", "{}", "bad_request"),
        ("/admin/disconnect", r#"{"reason":"all of you"}"#, "bad_request"),
        ("/admin/disconnect", r#"{"user":null,"address":"127.0.0.1"}"#, "bad_request"),
        ("/admin/disconnect", r#"{"user":"a","user":"b"}"#, "bad_request"),
        ("/admin/disconnect", r#"{"adress":"127.0.0.1"}"#, "unknown_member"),
        ("/admin/disconnect", r#"{"user":""}"#, "bad_request"),
        ("/admin/disconnect", r#"{"user":"a\u0000"}"#, "bad_request"),
        ("/admin/disconnect", r#"{"address":"localhost"}"#, "bad_request"),
        ("/admin/disconnect", r#"{"connection":"me"}"#, "bad_request"),
        ("/admin/disconnect", r#"{"user":"a","channel":"a"}"#, "unknown_member"),
        ("/admin/unsubscribe", r#"{"user":"a"}"#, "bad_request"),
        ("/admin/unsubscribe", r#"{"channel":"a"}"#, "bad_request"),
        ("/admin/unsubscribe", r#"{"user":"a","channel":"***"}"#, "bad_request"),
        ("/admin/revoke", "{}", "bad_request"),
        ("/admin/revoke", r#"{"address":"127.0.0.1"}"#, "unknown_member"),
        ("/admin/revoke", r#"{"user":"a","key":"b"}"#, "bad_request"),
        ("/admin/revoke", r#"{"user":"a","until":1}"#, "bad_request"),
        ("/admin/revoke", r#"{"user":"a","until":"soon"}"#, "bad_request"),
    ] {
        let answer = HttpClient::connect(address).request("POST", target, &[OPERATOR], body.as_bytes());
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{target} {body}: {}", answer.text());
    }
    let long = json!({"user": "a", "reason": "x".repeat(101)});
    assert_eq!(post(address, "/admin/disconnect", &long).status, 400);
    assert_eq!(
        post(address, "/admin/revoke", &json!({"connection": name})).code(),
        "bad_request",
        "nobody has signed in"
    );
    for (target, code) in [
        ("/admin/connections?limit=0", "bad_request"),
        ("/admin/connections?limit=x", "bad_request"),
        ("/admin/connections?after=me", "bad_request"),
        ("/admin/connections?usr=a", "unknown_option"),
        ("/admin/connections?user=a&user=b", "bad_request"),
        ("/admin/connections?transport=sse", "bad_request"),
        ("/admin/connections?channel=a*", "bad_channel"),
        ("/admin/subscribers", "bad_request"),
        ("/admin/revocations?after=x", "bad_request"),
    ] {
        assert_eq!(get_as_operator(address, target).code(), code, "{target}");
    }
    for target in ["/admin/revoke", "/admin/revoke?user=a&key=b"] {
        let answer = HttpClient::connect(address).request("DELETE", target, &[OPERATOR], b"");
        assert_eq!(answer.code(), "bad_request", "{target}");
    }
    assert_eq!(read(address, "/admin/connections?limit=100000")["connections"][0]["connection"], name);
    assert_eq!(read(address, "/admin/revocations")["revocations"], json!([]));
    server.publish("a", "1").expect("published");
    assert_eq!(socket.next_push()["data"], 1, "nothing has ended");
}

#[test]
fn a_form_says_the_same_as_json() {
    let server = start(1);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let (socket, name) = subscribed(server.address(), &["a"], &[]);
    let body = format!("connection={name}&reason=that+is+enough");
    let answer =
        HttpClient::connect(server.address()).request("POST", "/admin/disconnect", &[OPERATOR, form], body.as_bytes());
    assert_eq!((answer.status, answer.json()), (200, json!({"disconnected": 1})));
    assert_eq!(closed(socket), (4403, "disconnected: that is enough".to_owned()));
}

#[test]
fn connections_that_an_operator_ends_are_told_why_and_no_others_end() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let sockets: Vec<_> = (0..8).map(|_| subscribed(address, &["a"], &[])).collect();
        let mut sockets = sockets.into_iter();
        let (one, name) = sockets.next().expect("a socket");
        assert_eq!(done(address, "/admin/disconnect", &json!({"connection": name}), "disconnected"), 1);
        assert_eq!(closed(one), (4403, "disconnected: An operator ended this connection.".to_owned()));
        assert_eq!(done(address, "/admin/disconnect", &json!({"connection": name}), "disconnected"), 0, "it is gone");
        for other in
            [json!({"user": "ada"}), json!({"key": "k"}), json!({"token": "t"}), json!({"address": "192.0.2.1"})]
        {
            assert_eq!(done(address, "/admin/disconnect", &other, "disconnected"), 0, "{other}");
        }
        let mut stream = SseClient::open(address, "a", None);
        wait_until("all are subscribed", || server.subscribers("a") == 8);
        let mut kept = HttpClient::connect(address);
        assert!(kept.is_kept());
        // Its own connection is answered before it ends.
        let mut own = HttpClient::connect(address);
        let body = json!({"address": "127.0.0.1", "reason": "for today"}).to_string();
        let answer = own.request("POST", "/admin/disconnect", &[OPERATOR], body.as_bytes());
        assert_eq!((answer.status, answer.json()["disconnected"].as_u64()), (200, Some(7 + 1 + 1 + 1)));
        assert!(own.is_ended() && kept.is_ended());
        for (socket, _) in sockets {
            assert_eq!(closed(socket), (4403, "disconnected: for today".to_owned()));
        }
        let last = std::iter::from_fn(|| stream.next_block()).last().expect("a block");
        assert_eq!(last.event.as_deref(), Some("refused"));
        assert!(last.data.contains("\"disconnected\"") && last.data.contains("for today"), "{}", last.data);
        wait_until("nobody is subscribed", || server.subscribers("a") == 0);
        let ended = || server.metric("tidings_connections_closed_total{reason=\"disconnected\"}");
        wait_until("all are counted but the one that asked, which was answered", || ended() == 10.0);
    });
}

/// What was read before is answered before the Close.
#[test]
fn a_socket_is_answered_before_it_is_ended() {
    let server = start(1);
    let (mut socket, name) = subscribed(server.address(), &["a"], &[]);
    let large = format!(r#"{{"id":"large","method":"POST","path":"/channels/a","data":"{}"}}"#, "x".repeat(40_000));
    socket.send_text(&large);
    assert_eq!(done(server.address(), "/admin/disconnect", &json!({"connection": name}), "disconnected"), 1);
    assert_eq!(socket.next_json()["offset"], 1, "the push");
    assert_eq!(socket.next_json()["id"], "large");
    assert_eq!(closed(socket).0, 4403);
}

#[test]
fn subscriptions_that_an_operator_ends_say_so_and_the_others_go_on() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let mut sockets: Vec<_> = (0..6).map(|_| subscribed(address, &["chat:a", "chat:b", "news"], &[])).collect();
        let mut stream = SseClient::open(address, "chat:a", None);
        let mut stays = SseClient::open(address, "news", None);
        wait_until("all are subscribed", || server.metric("tidings_subscriptions") == 20.0);
        let of = |name: &str, channel: &str| json!({"connection": name, "channel": channel});
        assert_eq!(done(address, "/admin/unsubscribe", &of(&sockets[0].1, "chat:a"), "unsubscribed"), 1);
        let ended = sockets[0].0.next_push();
        assert_eq!((&ended["channel"], &ended["ended"]), (&json!("chat:a"), &json!(true)), "{ended}");
        assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!(403), &json!("unsubscribed")));
        assert_eq!(done(address, "/admin/unsubscribe", &of(&sockets[0].1, "chat:a"), "unsubscribed"), 0);
        let everybody = json!({"address": "127.0.0.1", "channel": "chat:*"});
        assert_eq!(done(address, "/admin/unsubscribe", &everybody, "unsubscribed"), 1 + 5 * 2 + 1);
        let last = std::iter::from_fn(|| stream.next_block()).last().expect("a block");
        assert!(last.event.as_deref() == Some("refused") && last.data.contains("unsubscribed"), "{last:?}");
        wait_until("seven are left", || server.metric("tidings_subscriptions") == 7.0);
        assert_eq!((server.subscribers("chat:a"), server.subscribers("chat:b"), server.subscribers("news")), (0, 0, 7));
        for channel in ["chat:a", "chat:b", "news"] {
            server.publish(channel, "7").expect("published");
        }
        for (place, (socket, _)) in sockets.iter_mut().enumerate() {
            let ends = if place == 0 { 1 } else { 2 };
            let said: Vec<Value> = (0..=ends).map(|_| socket.next_push()).collect();
            assert!(said[..ends].iter().all(|push| push["ended"] == true), "{said:?}");
            assert_eq!(said[ends]["channel"], "news", "nothing else came: {said:?}");
            // It may subscribe again: the rules let it.
            assert_eq!(socket.subscribe("chat:a")["status"], 200);
        }
        assert!(std::iter::from_fn(|| stays.next_block()).any(|block| block.data == "7"));
    });
}

#[test]
fn revocations_are_kept_listed_and_taken_back_within_their_bound() {
    let server = TestServer::start(|config| config.access.revocations = 3);
    let address = server.address();
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    assert_eq!(done(address, "/admin/revoke", &json!({"user": "ada"}), "disconnected"), 0);
    let answer = post(address, "/admin/revoke", &json!({"token": "t1", "until": soon})).json();
    assert_eq!(answer, json!({"token": "t1", "until": soon, "disconnected": 0}));
    assert_eq!(done(address, "/admin/revoke", &json!({"key": "backend"}), "disconnected"), 0);
    let full = post(address, "/admin/revoke", &json!({"user": "bob"}));
    assert_eq!((full.status, full.code().as_str()), (507, "revocations_full"));
    let first = read(address, "/admin/revocations?limit=2");
    assert_eq!((&first["revocations"][0]["token"], &first["revocations"][0]["until"]), (&json!("t1"), &json!(soon)));
    assert_eq!((&first["revocations"][1]["user"], &first["next"]), (&json!("ada"), &json!("user:ada")));
    let second = read(address, "/admin/revocations?limit=2&after=user:ada");
    assert_eq!(second["revocations"][0]["key"], "backend");
    assert!(second.get("next").is_none());
    let take_back = |target: &str| HttpClient::connect(address).request("DELETE", target, &[OPERATOR], b"").json();
    assert_eq!(take_back("/admin/revoke?user=ada"), json!({"user": "ada", "restored": true}));
    assert_eq!(take_back("/admin/revoke?user=ada"), json!({"user": "ada", "restored": false}));
    assert_eq!(post(address, "/admin/revoke", &json!({"user": "bob"})).status, 200);
    // What was revoked stays so when the rules change.
    server.change_rules(&tidings::Config::default()).expect("valid");
    assert_eq!(read(address, "/admin/revocations")["revocations"].as_array().map(Vec::len), Some(3));
}

#[test]
fn an_operators_key_is_never_revoked_by_accident() {
    let server = start(1);
    let (_socket, name) = subscribed(server.address(), &["a"], &[OPERATOR]);
    let refused = post(server.address(), "/admin/revoke", &json!({"connection": name}));
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(!refused.text().contains(OPERATOR_KEY));
}

#[test]
fn bytes_that_wait_for_a_connection_are_its_lag() {
    let server = TestServer::start(|config| config.delivery.outbox_bytes = 64 << 20);
    let mut socket = RawSocket::open(server.address(), "/channels/a");
    let name = socket.next_json()["connection"].as_str().expect("a name").to_owned();
    let data = format!("\"{}\"", "x".repeat(60_000));
    let target = format!("/admin/connections?connection={name}");
    wait_until("the kernel takes no more", || {
        (0..20).for_each(|_| assert!(server.publish("a", &data).is_ok()));
        read(server.address(), &target)["connections"][0]["lag"].as_u64() > Some(1_000_000)
    });
    socket.send(TEXT, b"{}");
    drop(socket);
    wait_until("it is gone", || read(server.address(), &target)["connections"] == json!([]));
}

#[test]
fn a_close_code_is_one_that_a_page_understands() {
    let server = start(1);
    let (mut socket, name) = subscribed(server.address(), &["a"], &[("Origin", "http://localhost:1")]);
    done(server.address(), "/admin/disconnect", &json!({"connection": name}), "disconnected");
    assert_eq!(socket.read_close().expect("a Close").code, CloseCode::from(4403));
}

#[test]
fn counts_are_right_while_connections_are_busy() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let crowd: Vec<_> = (0..300).map(|_| RawSocket::open(address, "/channels/crowd")).collect();
        wait_until("all are subscribed", || server.subscribers("crowd") == 300);
        let body = json!({"address": "127.0.0.1", "channel": "cr**"});
        for round in 0..20 {
            server.publish("crowd", round.to_string()).expect("published");
        }
        assert_eq!(done(address, "/admin/unsubscribe", &body, "unsubscribed"), 300);
        assert_eq!(done(address, "/admin/disconnect", &json!({"address": "127.0.0.1"}), "disconnected"), 301);
        for mut socket in crowd {
            assert_eq!(socket.read_close().0, Some(4403));
        }
    });
}

/// `tidings` with these arguments and nothing of ours in its environment but what is given.
fn tidings(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    for name in ["TIDINGS_OPERATOR_KEY", "TIDINGS_OPERATOR_KEY_FILE", "TIDINGS_TOKEN"] {
        command.env_remove(name);
    }
    let output = command.args(arguments).envs(variables.iter().copied()).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_line_lists_and_ends_connections() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let url = address.to_string();
        let key = [("TIDINGS_OPERATOR_KEY", OPERATOR_KEY)];
        let (one, name) = subscribed(address, &["a"], &[]);
        let others: Vec<_> = (0..3).map(|_| subscribed(address, &["b"], &[])).collect();
        let (ok, table, _) = tidings(&["who", "--url", &url, "--transport", "websocket"], &key);
        assert!(ok && table.lines().count() == 5 && table.starts_with("CONNECTION"), "{table}");
        let row = table.lines().find(|line| line.starts_with(&name)).expect("its row");
        assert!(row.contains("  anonymous  127.0.0.1  websocket  "), "{row}");
        let (ok, json, _) = tidings(&["who", "--url", &url, "--channel", "b", "--json"], &key);
        let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(ok && names(&rows) == others.iter().map(|(_, name)| name.clone()).collect());
        let (ok, json, _) = tidings(&["who", "--url", &url, "--channel", "b", "--json", "--limit", "2"], &key);
        assert_eq!((ok, json.lines().count()), (true, 2));
        let (ok, said, _) = tidings(&["kick", "--connection", &name, "--reason", "go home", "--url", &url], &key);
        assert_eq!((ok, said), (true, format!("disconnected 1 connection of connection {name}\n")));
        assert_eq!(closed(one), (4403, "disconnected: go home".to_owned()));
        let (ok, said, _) = tidings(&["kick", "ada", "--revoke", "--until", "99999999999", "--url", &url], &key);
        assert_eq!(
            (ok, said.as_str()),
            (true, "revoked user ada, until 99999999999\ndisconnected 0 connections of user ada\n")
        );
        assert_eq!(read(address, "/admin/revocations")["revocations"][0]["user"], "ada");
        let (ok, said, _) = tidings(&["kick", "--address", "127.0.0.1", "--url", &url], &key);
        assert!(
            ok && said.starts_with("disconnected ") && said.ends_with(" connections of address 127.0.0.1\n"),
            "{said}"
        );
        for (socket, _) in others {
            assert_eq!(closed(socket).0, 4403);
        }
        for (arguments, said) in [
            (vec!["kick", "--url", &url], "say whose connections end"),
            (vec!["kick", "--address", "127.0.0.1", "--revoke", "--url", &url], "unknown member"),
            (vec!["who", "--transport", "sse", "--url", &url], "websocket, event_stream, http"),
        ] {
            let (ok, _, error) = tidings(&arguments, &key);
            assert!(!ok && error.contains(said), "{arguments:?}: {error}");
        }
        let (ok, _, error) = tidings(&["who", "--url", &url], &[]);
        assert!(!ok && error.contains("401") && error.contains("--operator-key-file"), "{error}");
    });
}

/// A server that was started by hand leaves its key for its owner.
#[test]
fn the_command_line_finds_the_key_of_a_server_on_this_machine() {
    let runtime = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("admin-{}", std::process::id()));
    std::fs::create_dir_all(&runtime).expect("a writable folder");
    let folder = ("XDG_RUNTIME_DIR", runtime.to_str().expect("UTF-8"));
    let process = Process::start_with(&[folder, ("TIDINGS_OPERATOR_KEY", "")], &[]);
    let (ok, table, error) = tidings(&["who", "--url", &process.address.to_string()], &[folder]);
    assert!(ok && table.contains("  http  "), "{error}");
    drop(process);
    std::fs::remove_dir_all(&runtime).expect("it was made");
}

/// The commands of the documentation, with what each block should print: `…` stands for anything.
fn documented() -> Vec<(String, Option<String>)> {
    let text = include_str!("../docs/admin.md");
    let mut blocks =
        text.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').expect("a kind of block"));
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    for (kind, lines) in blocks.by_ref() {
        match (kind, found.last_mut()) {
            ("sh", _) => found.push((lines.to_owned(), None)),
            ("json", Some((_, expected))) => *expected = Some(lines.to_owned()),
            other => panic!("{other:?} is no block of a command"),
        }
    }
    assert_eq!(found.len(), text.matches("```sh\n").count());
    found
}

/// Whether all pieces between the `…` of a pattern stand in a text, in their order.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut rest = text;
    let mut pieces = pattern.split('…');
    let begins = pieces.next().is_some_and(|first| rest.strip_prefix(first).map(|after| rest = after).is_some());
    begins && pieces.all(|piece| rest.find(piece).map(|at| rest = &rest[at + piece.len()..]).is_some())
}

#[test]
fn the_commands_of_the_documentation_do_what_it_says() {
    let server = start(2);
    let address = server.address();
    let (socket, name) = subscribed(address, &["news"], &[]);
    let (mut other, _) = subscribed(address, &["news"], &[]);
    let binary = Path::new(env!("CARGO_BIN_EXE_tidings")).parent().expect("a folder").to_str().expect("UTF-8");
    let path = format!("{binary}:{}", std::env::var("PATH").unwrap_or_default());
    for (commands, expected) in documented() {
        let output = Command::new("sh")
            .args(["-ec", &commands])
            .env("PATH", &path)
            .envs([("URL", format!("http://{address}")), ("KEY", OPERATOR_KEY.to_owned()), ("NAME", name.clone())])
            .env("TIDINGS_OPERATOR_KEY", OPERATOR_KEY)
            .output()
            .expect("a shell");
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{commands}: {errors}");
        if let Some(expected) = expected {
            assert!(is_like(&expected, &said), "{commands}\nprints {said}\n and not {expected}");
        }
    }
    assert_eq!(closed(socket), (4403, "disconnected: see you tomorrow".to_owned()));
    assert_eq!(other.next_push()["error"]["code"], "unsubscribed");
}
