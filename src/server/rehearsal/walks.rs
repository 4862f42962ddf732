//! Walks over connections, for operators: whom they mean, what they do, and that nobody waits for them.

use super::{Client, Rehearsal, masked};
use crate::access::{Actions, Grants, Identity, TokenFacts, Who};
use crate::config::Config;
use crate::handoff::walk::{Act, Answers, Chosen, Walk, Walked};
use crate::model::code::Code;
use crate::model::glob::Glob;
use crate::model::operation::Whom;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use std::sync::Arc;
use std::time::Instant;

fn user(name: &str, token: Option<&str>, until: Option<u64>) -> Arc<Identity> {
    let facts = TokenFacts { id: token.map(Box::from), ..TokenFacts::default() };
    let basis = Identity::new(Who::User(name.into()), Grants::everywhere(Actions::ALL));
    Arc::new(Identity { token: Some(Box::new(facts)), until, ..basis })
}

fn key(name: &str) -> Arc<Identity> {
    Arc::new(Identity::new(Who::Key(name.into()), Grants::default()))
}

/// A socket that is subscribed to `x`, whose client is this.
fn open(server: &mut Rehearsal, identity: Arc<Identity>) -> Client {
    let client = server.open("/channels/x");
    server.take_writes(client);
    let entry = server.engine.entries.get_exact(client.slot, client.generation).expect("it is there");
    entry.connection.become_another(identity);
    client
}

fn begin(server: &mut Rehearsal, chosen: Chosen, act: Act) -> Answers {
    let (walk, answers) = Walk::new(chosen, act, 1);
    server.engine.begin_walk(walk);
    answers
}

fn whom(user: Option<&str>, key: Option<&str>, token: Option<&str>) -> Chosen {
    let [user, key, token] = [user, key, token].map(|name| name.map(Box::from));
    Chosen { whom: Whom { user, key, token, ..Whom::default() }, ..Chosen::default() }
}

/// What the reactor answered; `None` while it has not.
fn answered(answers: Answers) -> Option<Walked> {
    answers.wait(Instant::now()).0.pop()
}

fn walk(server: &mut Rehearsal, chosen: Chosen, act: Act) -> Walked {
    let answers = begin(server, chosen, act);
    server.turn();
    answered(answers).expect("it is over")
}

fn said(server: &mut Rehearsal, client: Client) -> String {
    String::from_utf8_lossy(&server.take_writes(client).concat()).into_owned()
}

#[test]
fn a_client_is_meant_by_everything_that_is_said_of_it() {
    let mut server = Rehearsal::new(&Config::default());
    let ada = open(&mut server, user("ada", Some("t1"), None));
    let again = open(&mut server, user("ada", Some("t2"), None));
    let bob = open(&mut server, user("bob", None, None));
    let backend = open(&mut server, key("ada"));
    let anonymous = server.open("/channels/x");
    let mut seen = |chosen| {
        let walked = walk(&mut server, chosen, Act::List(10));
        walked.seen.into_iter().map(|seen| seen.id.slot).collect::<Vec<_>>()
    };
    for (chosen, expected) in [
        (whom(Some("ada"), None, None), vec![ada, again]),
        (whom(Some("ada"), None, Some("t2")), vec![again]),
        (whom(Some("bob"), None, Some("t2")), vec![]),
        (whom(None, None, Some("t1")), vec![ada]),
        (whom(None, Some("ada"), None), vec![backend]),
        (whom(Some("ada"), Some("ada"), None), vec![]),
        (whom(None, None, None), vec![ada, again, bob, backend, anonymous]),
    ] {
        let expected: Vec<u32> = expected.iter().map(|client| client.slot).collect();
        assert_eq!(seen(chosen.clone()), expected, "{chosen:?}");
    }
    let elsewhere = "192.0.2.1".parse::<std::net::IpAddr>().expect("an address");
    for (address, count) in [(PeerAddress::UNIX, 5), (elsewhere.into(), 0)] {
        let whom = Whom { address: Some(address), ..Whom::default() };
        assert_eq!(seen(Chosen { whom, ..Chosen::default() }).len(), count);
    }
}

#[test]
fn those_that_are_ended_are_told_why_and_say_until_when_their_token_would_hold() {
    let mut server = Rehearsal::new(&Config::default());
    let first = open(&mut server, user("ada", Some("t"), Some(100)));
    let second = open(&mut server, user("ada", Some("t"), Some(200)));
    let other = open(&mut server, user("bob", Some("u"), Some(900)));
    let walked = walk(&mut server, whom(None, None, Some("t")), Act::End(Code::TokenRevoked.into()));
    assert_eq!((walked.count, walked.until), (2, Some(200)));
    for client in [first, second] {
        let text = said(&mut server, client);
        assert!(text.contains("\u{11}1token_revoked: ") || text.contains("token_revoked: This token"), "{text:?}");
    }
    assert_eq!(said(&mut server, other), "");
    let endless = open(&mut server, user("bob", Some("v"), None));
    let refusal = Refusal::new(Code::Disconnected, "enough");
    let walked = walk(&mut server, whom(Some("bob"), None, None), Act::End(refusal));
    assert_eq!((walked.count, walked.until), (2, None), "one of them has no end");
    for client in [other, endless] {
        assert!(said(&mut server, client).contains("disconnected: enough"));
    }
    assert_eq!(walk(&mut server, whom(Some("bob"), None, None), Act::List(10)).seen.len(), 0, "they have said goodbye");
}

#[test]
fn a_stream_that_waits_to_begin_is_refused_instead() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.connect();
    server.send(client, b"GET /channels/x HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    let answers = begin(&mut server, Chosen::default(), Act::End(Code::TokenRevoked.into()));
    // Read by hand: in a tick its answer would be there before the walk.
    server.engine.set_clock(server.now, std::time::UNIX_EPOCH);
    server.engine.walk_before_letters();
    server.turn();
    assert_eq!(answered(answers).map(|walked| walked.count), Some(1));
    let text = said(&mut server, client);
    assert!(text.starts_with("HTTP/1.1 401 ") && text.contains("token_revoked"), "{text}");
    let channel = server.hub().id_of("x");
    assert!(channel.is_some() && server.hub().stats().interest == 0, "it is no reader");
}

/// A list of a million must not keep anybody waiting: so many are looked at, and so many listed, in a tick.
#[test]
fn a_walk_goes_on_in_slices_and_others_are_served_between_them() {
    let mut server = Rehearsal::new(&Config::default());
    let crowd: Vec<Client> = (0..10_000).map(|_| server.connect()).collect();
    let last = open(&mut server, key("last"));
    let asker = server.open("/ws");
    server.take_writes(asker);
    let ticks = |server: &mut Rehearsal, chosen: Chosen, act: Act| {
        let answers = begin(server, chosen, act);
        let mut ticks = 0;
        while !server.engine.has_walked() {
            server.send(asker, &masked(br#"{"id":1,"method":"GET","path":"/livez"}"#));
            server.engine.turn();
            assert!(said(server, asker).contains("200"), "it is served in each tick");
            ticks += 1;
        }
        (answered(answers).expect("it is over"), ticks)
    };
    let (walked, looked) = ticks(&mut server, whom(None, Some("last"), None), Act::List(10));
    assert_eq!((walked.seen[0].id.slot, looked), (last.slot, 3), "4,096 in each tick");
    let (walked, listed) = ticks(&mut server, Chosen::default(), Act::List(1_000));
    assert_eq!((walked.seen.len(), listed), (1_000, 4), "256 in each tick");
    let id = server.hub().id_of("x");
    let (walked, found) = ticks(&mut server, Chosen { channel: id, ..Chosen::default() }, Act::List(10));
    assert_eq!((walked.seen.len(), found), (1, 1), "few subscribers are found by their channel");
    let after = walked.seen[0].id;
    let (walked, _) = ticks(&mut server, Chosen { after: Some(after), ..Chosen::default() }, Act::List(10));
    assert_eq!(walked.seen.len(), 1, "only the one that asks came after it");
    assert_eq!(crowd.len(), 10_000);
}

#[test]
fn subscriptions_end_by_patterns_and_nothing_else_does() {
    let mut server = Rehearsal::new(&Config::default());
    let client = open(&mut server, user("ada", None, None));
    server
        .send(client, &masked(br#"[{"method":"GET","path":"/channels/y:1"},{"method":"GET","path":"/channels/y:2"}]"#));
    server.turn();
    said(&mut server, client);
    let chosen = whom(Some("ada"), None, None);
    let act = Act::Unsubscribe(Glob::parse("y:*").expect("a pattern"), Code::Unsubscribed.into());
    assert_eq!(walk(&mut server, chosen.clone(), act.clone()).count, 2);
    let text = said(&mut server, client);
    assert_eq!(text.matches("\"ended\":true,\"status\":403,\"error\":{\"code\":\"unsubscribed\"").count(), 2, "{text}");
    assert_eq!((walk(&mut server, chosen, act).count, server.hub().stats().interest), (0, 1));
}
