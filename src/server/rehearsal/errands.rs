//! Work that goes away and comes back: in order, within bounds, and without a trace of connections that did not wait for it.

use super::{Client, Rehearsal, masked};
use crate::access::Identities;
use crate::config::{Config, ListenAt, ListenerConfig};
use crate::metrics::histogram::Histogram;
use crate::model::ids::{ConnId, MailboxId};
use crate::model::peer_address::PeerAddress;
use crate::model::request::{Item, Page, PostOptions, Request, RequestId, Verb};
use crate::model::serves::Serves;
use crate::node::work::Work;
use crate::protocol::tidings::ticket::Form;
use std::time::{Duration, UNIX_EPOCH};

fn small_queue() -> Config {
    let mut config = Config::default();
    config.delivery.service_queue = 1;
    config
}

fn item(id: u64, verb: Verb) -> Item {
    Ok(Request { id: Some(RequestId::Number(id)), verb })
}

fn livez(id: u64) -> Item {
    item(id, Verb::Livez)
}

fn page(id: u64) -> Item {
    item(id, Verb::Inspect(Page::Channels))
}

fn post(id: u64) -> Item {
    let data = crate::model::publication::Data::Json("1".into());
    let post = PostOptions::of(data);
    item(id, Verb::Post { channel: "x".try_into().expect("a name"), post })
}

fn name(client: Client) -> ConnId {
    ConnId::here(MailboxId(0), client.slot, client.generation)
}

fn one(client: Client, item: Item) -> Work {
    Work::one(name(client), Identities::default().operator, Form::Text.ticket(), item)
}

fn batch(client: Client, items: Vec<Item>) -> Work {
    Work::batch(name(client), Identities::default().operator, Form::Batch(items.len() as u8).ticket(), items)
}

/// What was answered, in order: the id and status of each answer, or `page`.
fn said(server: &mut Rehearsal, client: Client) -> Vec<String> {
    let bytes = server.take_writes(client).concat();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let starts = text
        .match_indices('{')
        .map(|(at, _)| &text[at..])
        .filter(|rest| rest.starts_with("{\"id\":") || rest.starts_with("{\"channels\":"));
    let label = |answer: &str| {
        let number = |key: &str| {
            let rest = answer.split_once(key).expect("an answer has it").1;
            rest.chars().take_while(char::is_ascii_digit).collect::<String>()
        };
        if answer.starts_with("{\"channels\"") {
            "page".to_owned()
        } else {
            format!("{} {}", number("\"id\":"), number("\"status\":"))
        }
    };
    starts.map(label).collect()
}

fn open(server: &mut Rehearsal) -> Client {
    let client = server.open("/ws");
    server.take_writes(client);
    client
}

#[test]
fn what_comes_before_and_after_is_answered_in_order_and_nothing_is_read_meanwhile() {
    let mut server = Rehearsal::new(&Config::default());
    let client = open(&mut server);
    server.engine.submit(one(client, livez(1)));
    server.engine.submit(one(client, page(2)));
    server.send(client, &masked(br#"{"id":3,"method":"POST","path":"/channels/x","data":1}"#));
    server.turn();
    assert_eq!(said(&mut server, client), ["1 200"]);
    assert_eq!(server.hub().stats().published, 0, "it is not read before the page is there");
    assert!(server.run_errand() && !server.run_errand());
    server.turn();
    assert_eq!(said(&mut server, client), ["page", "3 200"]);
}

#[test]
fn a_batch_goes_away_for_each_page_and_goes_on_after_it() {
    let mut server = Rehearsal::new(&Config::default());
    let client = open(&mut server);
    server.engine.submit(batch(client, vec![post(1), page(2), post(3), page(4), page(5), livez(6)]));
    let mut published = Vec::new();
    for _ in 0..3 {
        server.turn();
        assert_eq!(said(&mut server, client), [""; 0]);
        published.push(server.hub().stats().published);
        assert!(server.run_errand());
    }
    server.turn();
    assert_eq!(published, [1, 2, 2], "what follows a page waits for it");
    assert_eq!(said(&mut server, client), ["1 200", "page", "3 200", "page", "page", "6 200"]);
    server.send(client, &masked(br#"{"id":7,"method":"GET","path":"/livez"}"#));
    server.turn();
    assert_eq!(said(&mut server, client), ["7 200"], "it is read again");
}

#[test]
fn a_full_queue_of_errands_is_waited_for() {
    let mut server = Rehearsal::new(&small_queue());
    let clients = [open(&mut server), open(&mut server), open(&mut server)];
    for client in clients {
        server.engine.submit(batch(client, vec![livez(1), page(2), livez(3)]));
    }
    for client in clients {
        server.turn();
        assert!(server.run_errand());
        server.turn();
        assert_eq!(said(&mut server, client), ["1 200", "page", "3 200"], "in the order in which they asked");
    }
    assert!(!server.run_errand());
    assert_eq!(server.engine.counters().publish_waits.get(), 0, "no publication waited");
}

#[test]
fn an_errand_without_room_for_too_long_is_answered_busy_and_the_rest_goes_on() {
    let config = small_queue();
    let mut server = Rehearsal::new(&config);
    let (first, second) = (open(&mut server), open(&mut server));
    server.engine.submit(one(first, page(1)));
    server.engine.submit(batch(second, vec![page(1), post(2), page(3), livez(4)]));
    server.pass(config.server.publish_wait - Duration::from_millis(1));
    server.turn();
    assert_eq!(said(&mut server, second), [""; 0]);
    server.pass(Duration::from_millis(1));
    server.turn();
    assert_eq!(said(&mut server, second), ["1 503", "2 200", "3 503", "4 200"]);
    assert!(server.run_errand() && !server.run_errand());
    server.turn();
    assert_eq!(said(&mut server, first), ["page"]);
}

#[test]
fn a_page_after_a_publication_that_had_to_wait_is_made_too() {
    let mut config = Config::default();
    config.delivery.mailbox_entries = 2;
    let mut server = Rehearsal::new(&config);
    let reader = server.open("/channels/x");
    let client = open(&mut server);
    server.engine.submit(batch(client, vec![post(1), post(2), post(3), page(4), post(5)]));
    assert_eq!(server.hub().stats().published, 2, "the third has no room");
    server.turn();
    assert_eq!((server.hub().stats().published, server.run_errand()), (3, true));
    server.turn();
    assert_eq!(said(&mut server, client), ["1 200", "2 200", "3 200", "page", "5 200"]);
    assert!(server.written(reader).is_some_and(|bytes| bytes > 0));
}

#[test]
fn a_connection_that_is_gone_leaves_nothing_and_its_work_is_done() {
    let mut server = Rehearsal::new(&Config::default());
    let client = open(&mut server);
    server.engine.submit(batch(client, vec![page(1), post(2)]));
    server.engine.lose(client.slot);
    server.turn();
    assert_eq!(server.connections(), 0);
    let next = open(&mut server);
    assert_eq!(next.slot, client.slot, "its place is taken");
    assert!(server.run_errand());
    server.turn();
    assert_eq!(server.hub().stats().published, 1, "what was read is executed");
    assert_eq!(server.engine.counters().stale_ids.get(), 3, "two answers, and the work itself");
    assert_eq!(said(&mut server, next), [""; 0]);
    assert!(!server.run_errand() && !server.engine.is_busy());
}

#[test]
fn a_drain_waits_for_what_is_away() {
    let mut server = Rehearsal::new(&Config::default());
    let client = open(&mut server);
    server.engine.submit(batch(client, vec![page(1), livez(2)]));
    server.engine.begin_goodbyes(Duration::ZERO);
    server.engine.say_goodbyes();
    server.pass(Duration::from_secs(5));
    server.turn();
    assert!(!server.engine.only_the_unresponsive_are_left(), "one that is owed an answer is waited for");
    assert!(server.run_errand());
    server.turn();
    assert_eq!(said(&mut server, client), ["page", "2 200"]);
    server.pass(Duration::from_secs(5));
    server.turn();
    assert!(server.engine.only_the_unresponsive_are_left());
}

/// A client of a full server had a second for each thing it does, and a page that took longer was answered by a 408.
#[test]
fn a_page_that_takes_long_on_a_full_server_is_waited_for() {
    let mut config = Config::default();
    config.server.listen.clear();
    let at = ListenAt::Address("127.0.0.1:0".parse().expect("an address"));
    config.listeners = vec![ListenerConfig::new(at, Serves::CLIENTS.and(Serves::METRICS))];
    let mut server = Rehearsal::new(&config);
    let client = server.connect_from(PeerAddress::UNIX, true);
    server.send(client, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    server.turn();
    for _ in 0..5 {
        server.pass(Duration::from_secs(1));
        server.turn();
        assert_eq!(server.take_writes(client).concat(), b"", "nothing is said before the page is there");
    }
    assert!(server.run_errand());
    server.turn();
    let said = server.take_writes(client).concat();
    assert!(said.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&said));
}

/// Goodbyes deliver what was posted before them, and what that took was forgotten by the delivery of the same tick.
#[test]
fn what_is_delivered_before_a_goodbye_is_counted() {
    let mut server = Rehearsal::new(&Config::default());
    server.open("/channels/x");
    let publisher = open(&mut server);
    server.engine.submit(one(publisher, post(1)));
    server.engine.begin_goodbyes(Duration::ZERO);
    // One tick, as a reactor has it.
    let now = server.now;
    server.engine.set_clock(now, UNIX_EPOCH);
    server.engine.say_goodbyes();
    server.engine.turn();
    server.engine.end_tick(now, now, false);
    assert_eq!(Histogram::sum([&server.engine.counters().delivery].into_iter()).count, 1);
}

/// Law 9: a panic in what waited for room had ended the reactor.
#[test]
fn a_panic_in_a_retry_ends_its_connection_and_nothing_else() {
    let mut config = Config::default();
    config.delivery.mailbox_entries = 2;
    let mut server = Rehearsal::new(&config);
    server.open("/channels/x");
    let (victim, other) = (open(&mut server), open(&mut server));
    let data = crate::model::publication::Data::Json("1".into());
    let options = PostOptions::of(data);
    let mine = item(4, Verb::Post { channel: "mine:lock".try_into().expect("a name"), post: options });
    server.engine.submit(batch(victim, vec![post(1), post(2), post(3), mine]));
    server.turn();
    assert_eq!((server.hub().stats().published, server.engine.counters().panics.get()), (3, 1));
    let said_last = server.take_writes(victim).concat();
    assert!(String::from_utf8_lossy(&said_last).contains("internal_error"));
    server.send(other, &masked(br#"{"id":1,"method":"GET","path":"/livez"}"#));
    server.turn();
    assert_eq!(said(&mut server, other), ["1 200"]);
}
