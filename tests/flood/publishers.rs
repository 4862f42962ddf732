//! Who publishes: one thread for each way in.

use super::payload::Payload;
use super::subscribers::{Track, push_of};
use super::{CHANNELS, Flood, any_channel};
use crate::support::http::HttpClient;
use crate::support::json::{items, member};
use crate::support::ws::WsClient;
use rand::RngExt;
use std::thread::{Builder, Scope, ScopedJoinHandle};
use tungstenite::Message;

/// A publisher's work, which knows its own number.
type Publisher = fn(&Flood<'_>, usize);

/// Starts one publisher of each kind, and a second one of the kinds that meet each other most.
pub(super) fn start<'s, 'e>(scope: &'s Scope<'s, 'e>, flood: &'e Flood<'e>) -> Vec<ScopedJoinHandle<'s, ()>> {
    let kinds: [(&str, Publisher); 7] = [
        ("http", over_http),
        ("http-2", over_http),
        ("requests", over_a_socket_that_is_subscribed),
        ("silent", without_an_id),
        ("binary", in_binary_frames),
        ("batches", in_batches),
        ("library", by_the_library),
    ];
    let spawn = |(who, (name, run)): (usize, (&str, Publisher))| {
        Builder::new().name(format!("publisher {name}")).spawn_scoped(scope, move || run(flood, who))
    };
    kinds.into_iter().enumerate().map(|kind| spawn(kind).expect("a thread")).collect()
}

/// Publishes the last word on every channel, twice: who joins in between is woken by the second.
pub(super) fn end(flood: &Flood<'_>) {
    for round in 0..2 {
        for channel in 0..CHANNELS {
            let text = format!("\"end {round}\"");
            let position = loop {
                match flood.server.publish(&name(channel), &text) {
                    Ok(position) => break position,
                    Err(refusal) => assert_eq!(refusal.status(), 503, "{refusal:?}"),
                }
            };
            flood.ledger.acknowledged(channel, position.offset, &Payload::Json(text));
            if round == 0 {
                flood.ledger.set_last(channel, position.offset);
            }
        }
    }
}

/// The name of a channel.
pub(super) fn name(channel: usize) -> String {
    format!("flood-{channel}")
}

fn over_http(flood: &Flood<'_>, who: usize) {
    let mut random = flood.random(who);
    let mut client = HttpClient::connect(flood.server.address());
    for number in 0.. {
        if !flood.goes_on(number) {
            return;
        }
        flood.board.note(format!("posts {number}"));
        let (channel, payload) = (any_channel(&mut random), Payload::any(&mut random, who, number));
        let (content_type, body) = match &payload {
            Payload::Json(json) => ("application/json", json.as_bytes()),
            Payload::Binary { content_type, bytes } => (&content_type[..], &bytes[..]),
        };
        let path = format!("/channels/{}", name(channel));
        let answer = client.request("POST", &path, &[("Content-Type", content_type)], body);
        if answer.status == 503 {
            assert_eq!((answer.code().as_str(), answer.says_when()), ("busy", true));
        }
        settle(flood, channel, &payload, &answer.text());
        if random.random_bool(0.1) {
            client = HttpClient::connect(flood.server.address());
        }
    }
}

/// Several requests at once; each of its own publications is pushed to it before the answer.
fn over_a_socket_that_is_subscribed(flood: &Flood<'_>, who: usize) {
    let mut random = flood.random(who);
    let mut client = WsClient::connect(flood.server.address());
    let own = any_channel(&mut random);
    let answer = client.subscribe(&name(own));
    let mut track =
        Track::at(answer["epoch"].as_str().expect("an epoch"), answer["offset"].as_u64().expect("a number"));
    let mut number = 0;
    while flood.goes_on(number) {
        flood.board.note(format!("requests {number}, at {track:?}"));
        let mut waiting = std::collections::VecDeque::new();
        for _ in 0..random.random_range(1..8) {
            let channel = if random.random_bool(0.5) { own } else { any_channel(&mut random) };
            let payload = Payload::json(&mut random, who, number);
            let Payload::Json(json) = &payload else { unreachable!() };
            client.send_text(&format!(
                "{{\"id\":\"n{number}\",\"method\":\"POST\",\"path\":\"/channels/{}\",\"data\":{json}}}",
                name(channel)
            ));
            waiting.push_back((format!("\"n{number}\""), channel, payload));
            number += 1;
        }
        while !waiting.is_empty() {
            let text = client.next_text();
            if let Some((_, offset, payload)) = push_of(&text) {
                track.receive(flood, own, offset, &payload);
                continue;
            }
            let (id, channel, payload) = waiting.pop_front().expect("somebody waits");
            assert_eq!(member(&text, "id"), Some(&id[..]), "answers come in the order of their requests");
            let offset = settle(flood, channel, &payload, &text);
            if channel == own {
                assert!(offset.is_none_or(|offset| track.offset >= offset), "its own push comes before the answer");
            }
        }
    }
    client.socket.close(None).expect("a live socket");
}

fn without_an_id(flood: &Flood<'_>, who: usize) {
    let mut random = flood.random(who);
    let mut client = WsClient::connect(flood.server.address());
    let mut number = 0;
    while flood.goes_on(number) {
        flood.board.note(format!("silent {number}"));
        let (channel, count) = (any_channel(&mut random), random.random_range(1..20));
        for _ in 0..count {
            let Payload::Json(json) = Payload::json(&mut random, who, number) else { unreachable!() };
            if random.random_bool(0.5) {
                client.send_text(&format!("POST /channels/{} {json}", name(channel)));
            } else {
                let path = format!("/channels/{}", name(channel));
                client.send_text(&format!("{{\"method\":\"POST\",\"path\":\"{path}\",\"data\":{json}}}"));
            }
            number += 1;
        }
        // Silence is success: what failed is told before the answer to the request behind.
        client.send_text("{\"id\":0,\"method\":\"GET\",\"path\":\"/livez\"}");
        let mut failed = 0;
        loop {
            let answer = client.next_json();
            if answer["id"] == 0 {
                break;
            }
            assert_eq!((&answer["status"], &answer["error"]["code"]), (&503.into(), &"busy".into()), "{answer}");
            flood.ledger.busy();
            failed += 1;
        }
        flood.ledger.published(channel, count - failed);
    }
}

fn in_binary_frames(flood: &Flood<'_>, who: usize) {
    let mut random = flood.random(who);
    let mut client = WsClient::connect(flood.server.address());
    for number in 0.. {
        if !flood.goes_on(number) {
            return;
        }
        flood.board.note(format!("binary {number}"));
        let (channel, payload) = (any_channel(&mut random), Payload::binary(&mut random, who, number));
        let Payload::Binary { content_type, bytes } = &payload else { unreachable!() };
        let path = format!("/channels/{}", name(channel));
        let line = format!(
            "{{\"id\":{number},\"method\":\"POST\",\"path\":\"{path}\",\"content_type\":\"{content_type}\"}}\n"
        );
        client.send_binary([line.as_bytes(), bytes].concat());
        let Message::Text(answer) = client.next() else { panic!("answers are text") };
        settle(flood, channel, &payload, &answer);
    }
}

fn in_batches(flood: &Flood<'_>, who: usize) {
    let mut random = flood.random(who);
    let mut client = WsClient::connect(flood.server.address());
    let mut number = 0;
    while flood.goes_on(number) {
        flood.board.note(format!("batches {number}"));
        let mut batch = Vec::new();
        let mut requests = Vec::new();
        for _ in 0..random.random_range(1..15) {
            let (channel, payload) = (any_channel(&mut random), Payload::json(&mut random, who, number));
            let Payload::Json(json) = &payload else { unreachable!() };
            if requests.iter().map(String::len).sum::<usize>() + json.len() > 50_000 {
                break;
            }
            let path = format!("/channels/{}", name(channel));
            requests.push(format!("{{\"id\":{number},\"method\":\"POST\",\"path\":\"{path}\",\"data\":{json}}}"));
            batch.push((channel, payload));
            number += 1;
        }
        client.send_text(&format!("[{}]", requests.join(",")));
        let answer = client.next_text();
        let answers = items(&answer);
        assert_eq!(answers.len(), batch.len());
        for ((channel, payload), answer) in batch.iter().zip(answers) {
            settle(flood, *channel, payload, answer);
        }
    }
}

fn by_the_library(flood: &Flood<'_>, who: usize) {
    let mut random = flood.random(who);
    for number in 0.. {
        if !flood.goes_on(number) {
            return;
        }
        flood.board.note(format!("publishes {number}"));
        let (channel, payload) = (any_channel(&mut random), Payload::any(&mut random, who, number));
        let published = match &payload {
            Payload::Json(json) => flood.server.publish(&name(channel), json),
            Payload::Binary { content_type, bytes } => {
                flood.server.publish(&name(channel), tidings::Message::binary(bytes.clone(), content_type))
            }
        };
        match published {
            Ok(position) => flood.ledger.acknowledged(channel, position.offset, &payload),
            Err(refusal) => {
                assert_eq!((refusal.status(), refusal.code()), (503, "busy"), "{refusal:?}");
                flood.ledger.busy();
            }
        }
    }
}

/// Books an answer: acknowledged with an offset, or busy.
fn settle(flood: &Flood<'_>, channel: usize, payload: &Payload, answer: &str) -> Option<u64> {
    if let Some(error) = member(answer, "error") {
        assert_eq!(member(error, "code"), Some("\"busy\""), "{answer}");
        flood.ledger.busy();
        return None;
    }
    assert_eq!(member(answer, "channel"), Some(&format!("\"{}\"", name(channel))[..]), "{answer}");
    let offset = member(answer, "offset").and_then(|digits| digits.parse().ok()).expect("an offset");
    flood.ledger.acknowledged(channel, offset, payload);
    Some(offset)
}
