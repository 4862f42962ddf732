//! Revoked tokens: refused at once on all reactors in every way to present them, while their connections end; and what
//! operators see of users.

mod keys;

use crate::support::frames::{RawSocket, handshake};
use crate::support::http::{HttpClient, get_as_operator};
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, TestServer, wait_until, with_one_and_two_reactors};
use crate::tokens::{SECRET, now, token};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tidings::Config;

fn start(reactors: usize) -> TestServer {
    let text = format!(
        "[[issuer]]\nname = \"app\"\nissuer = \"app\"\naudience = [\"tidings\"]\nsecret = \"{SECRET}\"\nleeway = \"60s\"\n\
         token_in_query = true\n"
    );
    let config = Config::from_toml("revoked.toml", &text).expect("valid");
    TestServer::start(|own| {
        own.server.reactors = reactors;
        own.issuers = config.issuers;
    })
}

fn bearer(claims: &Value) -> String {
    format!("Bearer {}", token(claims))
}

/// What an operator's request is answered with.
fn operate(address: SocketAddr, method: &str, target: &str, body: &Value) -> Value {
    let body = if method == "POST" { body.to_string() } else { String::new() };
    let answer = HttpClient::connect(address).request(method, target, &[OPERATOR], body.as_bytes());
    assert_eq!(answer.status, 200, "{target} {body}: {}", answer.text());
    let json = answer.json();
    assert!(json.get("missing").is_none(), "{json}");
    json
}

fn subscribed(address: SocketAddr, bearer: &str) -> WsClient {
    let mut socket = WsClient::connect_to(address, "/ws", &[("Authorization", bearer)]);
    socket.subscribe("chat:a");
    socket
}

fn closed(mut socket: WsClient) -> (u16, String) {
    let close = socket.read_close().expect("a Close");
    (close.code.into(), close.reason.to_string())
}

/// The status and code of a read, and of a handshake.
fn read(address: SocketAddr, bearer: &str) -> [(u16, String); 2] {
    let fields = [("Authorization", bearer)];
    let read = HttpClient::connect(address).request("GET", "/channels/chat:a", &fields, b"");
    let shaken = HttpClient::connect(address).exchange(handshake("/channels/chat:a", &fields));
    [read, shaken].map(|answer| {
        let code = if answer.status < 300 { String::new() } else { answer.code() };
        (answer.status, code)
    })
}

fn is_let_in(address: SocketAddr, bearer: &str) -> bool {
    let said = read(address, bearer);
    let let_in = said == [(200, String::new()), (101, String::new())];
    assert!(let_in || said == [(401, "token_revoked".to_owned()), (401, "token_revoked".to_owned())], "{said:?}");
    let_in
}

#[test]
fn what_was_revoked_is_refused_at_once_in_every_way_and_what_was_not_goes_on() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let until = now() + 600;
        let claims = json!({"jti": "t1", "exp": until});
        let (revoked, other) = (bearer(&claims), bearer(&json!({"jti": "t2"})));
        let gone: Vec<_> = (0..4).map(|_| subscribed(address, &revoked)).collect();
        let mut stays = subscribed(address, &other);
        let mut stream = SseClient::open(address, &format!("chat:a?token={}", token(&claims)), None);
        wait_until("all are subscribed", || server.subscribers("chat:a") == 6);
        let answer = operate(address, "POST", "/admin/revoke", &json!({"token": "t1"}));
        // The server takes the token for as long as its clock may differ.
        assert_eq!((&answer["token"], &answer["disconnected"]), (&json!("t1"), &json!(5)), "{answer}");
        let end = answer["until"].as_u64().expect("it was found on the connections");
        assert!((until..=until + 60).contains(&end), "{end} is the end of the token, at {until}");
        for socket in gone {
            assert_eq!(closed(socket), (4401, "token_revoked: This token or key was revoked.".to_owned()));
        }
        let last = std::iter::from_fn(|| stream.next_block()).last().expect("a block");
        assert!(last.event.as_deref() == Some("refused") && last.data.contains("token_revoked"), "{last:?}");
        assert!(!is_let_in(address, &revoked) && is_let_in(address, &other));
        // In every way to present it.
        let token = token(&claims);
        let in_query =
            HttpClient::connect(address).request("GET", &format!("/channels/chat:a?token={token}"), &[], b"");
        assert_eq!((in_query.status, in_query.code().as_str()), (401, "token_revoked"));
        let streamed = [("Accept", "text/event-stream"), ("Authorization", revoked.as_str())];
        let streamed = HttpClient::connect(address).request("GET", "/channels/chat:a", &streamed, b"");
        assert_eq!((streamed.status, streamed.code().as_str()), (401, "token_revoked"));
        let offer = format!("tidings.v1, tidings.token.{token}");
        let page = [("Sec-WebSocket-Protocol", offer.as_str()), ("Origin", "http://localhost:1")];
        let (mut page, _) = RawSocket::open_with(address, "/ws", &page);
        assert_eq!(page.read_close(), (Some(4401), "token_revoked: This token or key was revoked.".to_owned()));
        let mut anonymous = WsClient::connect(address);
        let refused = anonymous.request(json!({"method": "AUTH", "token": token}));
        assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!(401), &json!("token_revoked")));
        // A renewal by what was revoked changes nothing.
        assert_eq!(stays.request(json!({"method": "AUTH", "token": token}))["status"], 401);
        server.publish("chat:a", "7").expect("published");
        assert_eq!(stays.next_push()["data"], 7);
        operate(address, "DELETE", "/admin/revoke?token=t1", &json!({}));
        assert!(is_let_in(address, &revoked), "it was taken back");
    });
}

#[test]
fn tokens_of_a_user_that_were_made_later_are_taken() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let made = |at: u64| bearer(&json!({"iat": at}));
        let without = bearer(&json!({"jti": "says not when"}));
        let sockets = [made(now() - 100), without.clone()].map(|bearer| subscribed(address, &bearer));
        let mut bob = subscribed(address, &bearer(&json!({"sub": "bob"})));
        assert_eq!(operate(address, "POST", "/admin/revoke", &json!({"user": "ann"}))["disconnected"], 2);
        for socket in sockets {
            assert_eq!(closed(socket).0, 4401);
        }
        let revoked = get_as_operator(address, "/admin/revocations").json()["revocations"][0].clone();
        let at = revoked["since"].as_u64().expect("a time") / 1000;
        assert!(revoked.get("until").is_none(), "{revoked}");
        for (bearer, let_in) in [(made(at - 1), false), (made(at), false), (without, false), (made(at + 1), true)] {
            assert_eq!(is_let_in(address, &bearer), let_in);
        }
        let mut back = subscribed(address, &made(at + 1));
        server.publish("chat:a", "1").expect("published");
        assert_eq!((bob.next_push()["data"].as_u64(), back.next_push()["data"].as_u64()), (Some(1), Some(1)));
    });
}

#[test]
fn a_connection_says_whose_token_is_revoked() {
    let server = start(2);
    let address = server.address();
    let with_id = bearer(&json!({"jti": "t"}));
    let sockets = [with_id.clone(), with_id, bearer(&json!({}))].map(|bearer| subscribed(address, &bearer));
    let listed = |filter: &str| {
        let page = get_as_operator(address, &format!("/admin/connections?{filter}")).json();
        page["connections"].as_array().expect("a list").clone()
    };
    let rows = listed("user=ann");
    assert_eq!((rows.len(), listed("user=bob").len(), listed("user=ann&token=t").len()), (3, 0, 2));
    assert!(rows.iter().all(|row| row["who"] == "user" && row["user"] == "ann"), "{rows:?}");
    let name =
        |has_id: bool| rows.iter().find(|row| (row["token"] == "t") == has_id).expect("one")["connection"].clone();
    let answer = operate(address, "POST", "/admin/revoke", &json!({"connection": name(true)}));
    assert_eq!((&answer["token"], &answer["disconnected"]), (&json!("t"), &json!(2)));
    assert!(answer["until"].as_u64().is_some_and(|until| until >= now() + 590), "{answer}");
    let body = json!({"connection": name(false)}).to_string();
    let refused = HttpClient::connect(address).request("POST", "/admin/revoke", &[OPERATOR], body.as_bytes());
    assert!(refused.status == 400 && refused.text().contains("jti"), "{}", refused.text());
    let [one, other, mut stays] = sockets;
    assert_eq!((closed(one).0, closed(other).0), (4401, 4401));
    server.publish("chat:a", "1").expect("published");
    assert_eq!(stays.next_push()["data"], 1);
}

/// A client that was let in must not act after the answer to the revocation, wherever its bytes were at that moment.
#[test]
fn a_body_whose_head_came_before_the_revocation_is_not_published() {
    let server = start(1);
    let bearer = bearer(&json!({"jti": "t"}));
    let mut client = HttpClient::connect(server.address());
    let head = format!(
        "POST /channels/chat:a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nContent-Length: 2\r\n\r\n1"
    );
    client.raw.send(head);
    wait_until("its head is read", || server.metric("tidings_http_request_heads_total") >= 2.0);
    operate(server.address(), "POST", "/admin/revoke", &json!({"token": "t"}));
    client.raw.send("2");
    let answer = client.read_answer(false);
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_revoked"));
    assert_eq!(server.hub().stats().published, 0);
}

/// Clients that come back as fast as they can while their token is revoked: whoever begins after the answer is refused, and
/// whoever was let in before is closed.
#[test]
fn nobody_slips_in_while_a_token_is_revoked_in_a_storm() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let bearer = bearer(&json!({"jti": "storm"}));
        let (is_answered, let_in, ended) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let storm = || {
            let mut refused_after = 0;
            while refused_after < 20 {
                let is_after = is_answered.load(Ordering::SeqCst);
                let mut client = HttpClient::connect(address);
                client.raw.send(handshake("/channels/chat:a", &[("Authorization", &bearer)]));
                let answer = client.read_answer(false);
                if answer.status == 101 {
                    assert!(!is_after, "it began after the answer");
                    let_in.fetch_add(1, Ordering::SeqCst);
                    // Kept by the last that it is sent.
                    let (code, _) = RawSocket { raw: client.raw }.read_close();
                    assert_eq!(code, Some(4401));
                    ended.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                assert_eq!((answer.status, answer.code().as_str()), (401, "token_revoked"));
                refused_after += usize::from(is_after);
            }
        };
        std::thread::scope(|scope| {
            let storms: Vec<_> = (0..8).map(|_| scope.spawn(storm)).collect();
            wait_until("all of them are in", || let_in.load(Ordering::SeqCst) == 8);
            let answer = operate(address, "POST", "/admin/revoke", &json!({"token": "storm"}));
            is_answered.store(true, Ordering::SeqCst);
            assert!(answer["disconnected"].as_u64() >= Some(8), "{answer}");
            storms.into_iter().for_each(|storm| storm.join().expect("no panic"));
        });
        assert_eq!(let_in.load(Ordering::SeqCst), ended.load(Ordering::SeqCst));
        wait_until("none is left", || server.subscribers("chat:a") == 0);
        let ways: BTreeSet<&str> = ["&token=storm", "&user=ann"].into();
        for way in ways {
            let page = get_as_operator(address, &format!("/admin/connections?limit=9{way}")).json();
            assert_eq!(page["connections"], json!([]));
        }
    });
}
