//! Drains by a clock that the test moves: requests that are on their way when a connection is to end.

use super::{Client, Rehearsal};
use crate::config::Config;
use crate::connection::env::TICK_MS;
use crate::model::peer_address::PeerAddress;
use std::time::Duration;

const ASK: &[u8] = b"GET /limits HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// How long one that asks nothing may still ask.
const LAST_REQUEST_WAIT: Duration = Duration::from_secs(1);

/// Begins a drain and says the goodbyes that are due at once.
fn drain(server: &mut Rehearsal, spread: Duration) {
    server.engine.begin_goodbyes(spread);
    server.engine.say_goodbyes();
    server.turn();
}

fn said(server: &mut Rehearsal, client: Client) -> String {
    String::from_utf8(server.take_writes(client).concat()).expect("text")
}

/// Whether it was told that nothing more is answered: its connection waits for its end.
fn is_ended(server: &Rehearsal, client: Client) -> bool {
    server.engine.entries.peek(client.slot).is_none_or(|entry| entry.connection.ending().is_some())
}

fn is_last_answer(said: &str) -> bool {
    said.starts_with("HTTP/1.1 200 OK\r\n") && said.contains("Connection: close\r\n")
}

/// Its client asks once more, and receives an answer that says that it is the last.
fn is_answered_once_more(server: &mut Rehearsal, client: Client) {
    server.send(client, ASK);
    server.turn();
    let said = said(server, client);
    assert!(is_last_answer(&said) && is_ended(server, client), "{said}");
}

/// One of 200 clients of a service whose sockets systemd holds was closed without an answer, in two restarts of three: its
/// connection was accepted as the drain began, and its request came a moment later.
#[test]
fn a_connection_that_has_sent_nothing_when_a_drain_begins_is_answered() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.connect();
    server.turn();
    drain(&mut server, Duration::ZERO);
    server.pass(LAST_REQUEST_WAIT - Duration::from_millis(3 * TICK_MS));
    server.turn();
    assert!(!is_ended(&server, client));
    is_answered_once_more(&mut server, client);
}

/// The same of one that is kept for further requests: the next one crosses the end of it.
#[test]
fn a_request_that_crosses_the_end_of_a_kept_connection_is_answered() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.connect();
    server.send(client, ASK);
    server.turn();
    assert!(!is_last_answer(&said(&mut server, client)));
    drain(&mut server, Duration::ZERO);
    server.pass(LAST_REQUEST_WAIT / 2);
    server.turn();
    is_answered_once_more(&mut server, client);
}

/// Bytes that no event has told of yet: they came after the kernel was asked.
#[test]
fn what_came_since_the_kernel_was_asked_is_answered_before_a_close() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.open("/channels/x");
    server.take_writes(client);
    let entry = server.engine.entries.get_exact(client.slot, client.generation).expect("it is open");
    let ask = super::masked(b"{\"id\":7,\"method\":\"GET\",\"path\":\"/livez\"}");
    entry.stream.input.get_or_insert_default().extend_from_slice(&ask);
    drain(&mut server, Duration::ZERO);
    let said = String::from_utf8_lossy(&server.take_writes(client).concat()).into_owned();
    let (answer, close) = (said.find("{\"id\":7,\"status\":200}"), said.find("server_shutdown"));
    assert!(answer.is_some() && answer < close, "{said:?}");
}

#[test]
fn one_that_asks_nothing_ends_a_second_later_and_nobody_is_owed_anything() {
    let text = "[[listener]]\npath = \"/a\"\ntrusted_proxies = [\"unix\"]\nproxy_protocol = true\n";
    let mut announced = Config::from_toml("leaving.toml", text).expect("valid");
    announced.server.listen.clear();
    for config in [Config::default(), announced] {
        let mut server = Rehearsal::new(&config);
        let silent = server.connect_from(PeerAddress::UNIX, false);
        server.turn();
        drain(&mut server, Duration::ZERO);
        assert!(!is_ended(&server, silent) && server.engine.owed() == 0, "it is given time, and owed nothing");
        server.pass(LAST_REQUEST_WAIT + Duration::from_millis(3 * TICK_MS));
        server.turn();
        assert!(is_ended(&server, silent));
        assert_eq!(said(&mut server, silent), "");
    }
}

/// A head that has begun has the time of any head.
#[test]
fn a_request_that_has_begun_is_waited_for_longer() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.connect();
    server.send(client, &ASK[..10]);
    server.turn();
    drain(&mut server, Duration::ZERO);
    server.pass(3 * LAST_REQUEST_WAIT);
    server.turn();
    assert!(!is_ended(&server, client) && server.engine.owed() == 1);
    server.send(client, &ASK[10..]);
    server.turn();
    assert!(is_last_answer(&said(&mut server, client)));
}

/// Without a spread all are closed at once, and each client comes back after a pause of its own.
#[test]
fn sockets_are_advised_where_goodbyes_are_spread_and_closed_after_that() {
    let advice = "{\"reconnect\":\"server_shutdown\",\"after_ms\":";
    let text =
        |server: &mut Rehearsal, client| String::from_utf8_lossy(&server.take_writes(client).concat()).into_owned();
    for spread in [Duration::ZERO, Duration::from_secs(20)] {
        let mut server = Rehearsal::new(&Config::default());
        let clients: Vec<Client> = ["/ws", "/channels/x", "/echo"].map(|path| server.open(path)).into();
        for client in &clients {
            server.take_writes(*client);
        }
        drain(&mut server, spread);
        let said: Vec<String> = clients.iter().map(|client| text(&mut server, *client)).collect();
        let are_advised: Vec<bool> = said.iter().map(|said| said.contains(advice)).collect();
        assert_eq!(are_advised, [!spread.is_zero(), !spread.is_zero(), false], "{said:?}");
        for (client, said) in clients.iter().zip(&said).filter(|(_, said)| said.contains(advice)) {
            assert!(!is_ended(&server, *client), "it is closed later: {said:?}");
        }
        server.pass(spread);
        server.engine.set_clock(server.now, std::time::UNIX_EPOCH);
        server.engine.say_goodbyes();
        server.turn();
        assert!(clients.iter().all(|client| is_ended(&server, *client)), "one that ignores it is closed");
    }
}
