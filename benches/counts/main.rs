//! One stage of the hot path, so many times: `counts STAGE TIMES`, run under valgrind by `benches/counts/run`.
//!
//! Two runs of different length differ by the stage alone: what the process does at its start cancels out. The last line is
//! how many units (messages, deliveries, connections) were done.

#[path = "../nowhere.rs"]
mod nowhere;

use bytes::Bytes;
use nowhere::Nowhere;
use std::sync::Arc;
use std::time::Instant;
use tidings::Config;
use tidings::access::Identities;
use tidings::hub::limits::HubLimits;
use tidings::hub::{Hub, RandomSource};
use tidings::model::ids::{ConnId, MailboxId};
use tidings::model::name::ChannelName;
use tidings::model::publication::Data;
use tidings::model::request::{PostOptions, Request, Verb};
use tidings::model::ticket::Ticket;
use tidings::node::execute::{Node, Progress, execute};
use tidings::node::work::Work;
use tidings::protocol::tidings::parse::{Dialect, Parsed, parse_text};
use tidings::server::rehearsal::{Client, Rehearsal, masked};
use tidings::wire::frame::{Decoded, Decoder, Event, FrameLimits, Opcode, Role, write_masked};
use tidings::wire::json::JsonScratch;

/// Subscribers in the stages of fan-out.
const SUBSCRIBERS: u64 = 1_000;

/// A stage does itself so many times and says how many units that was.
type Stage = fn(u64) -> u64;

/// Every stage with what one unit is.
const STAGES: &[(&str, &str, Stage)] = &[
    ("decode", "a masked text frame of 20 B, 16 in one buffer", decode),
    ("parse", "a POST of 100 B of JSON into a request", parse),
    ("publish", "a publication of 128 B to a channel that one reactor is interested in", publish),
    ("echo-20", "an echo of 20 B, 16 in one read", |times| echo(times, 20, 16)),
    ("echo-20-alone", "an echo of 20 B, one in one read", |times| echo(times, 20, 1)),
    ("echo-16k", "an echo of 16 KiB, one in one read", |times| echo(times, 16 * 1024, 1)),
    ("post", "a POST of 100 B of JSON over a socket to a channel nobody reads, answered, 16 in one read", |times| {
        request(times, &post_of(100, 1), 16)
    }),
    ("livez", "a request that publishes nothing, answered, 16 in one read", |times| {
        request(times, r#"{"id":1,"method":"GET","path":"/livez"}"#, 16)
    }),
    ("deliver-1", "a delivery of 128 B to 1,000, one publication at a time, posted by a socket", |times| {
        deliver(times, 1)
    }),
    ("deliver-8", "a delivery of 128 B to 1,000, eight publications at a time", |times| deliver(times, 8)),
    ("open", "a connection opened as a WebSocket that subscribes, and lost", open),
    ("ping", "a ping to an idle socket and its pong", ping),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || {
        for (name, unit, _) in STAGES {
            println!("{name}\t{unit}");
        }
    };
    let [name, times] = arguments.as_slice() else { return usage() };
    let (Some((_, _, stage)), Ok(times)) = (STAGES.iter().find(|(known, _, _)| known == name), times.parse()) else {
        return usage();
    };
    println!("{}", stage(times));
}

/// A POST to `/channels/stocks` with so many bytes of data.
fn post_of(bytes: usize, id: u64) -> String {
    let rest = r#"{"symbol":"ACME","price":118.25,"note":""}"#.len();
    let note = "x".repeat(bytes.saturating_sub(rest));
    format!(
        r#"{{"id":{id},"method":"POST","path":"/channels/stocks","data":{{"symbol":"ACME","price":118.25,"note":"{note}"}}}}"#
    )
}

fn decode(times: u64) -> u64 {
    let limits = FrameLimits { message_bytes: 1 << 20, fragments: 1024 };
    let (source, mut decoder) = (masked(&[b'x'; 20]).repeat(16), Decoder::new(Role::Server));
    let mut buffer = source.clone();
    let mut found = 0;
    for _ in 0..times {
        buffer.copy_from_slice(&source);
        let mut rest = &mut buffer[..];
        loop {
            let (used, decoded) = decoder.decode(rest, &limits);
            let is_text = matches!(decoded, Ok(Decoded::Event(Event::Text(_))));
            if !is_text {
                break;
            }
            found += 1;
            rest = &mut rest[used..];
        }
    }
    found
}

fn parse(times: u64) -> u64 {
    let (text, mut scratch) = (post_of(100, 1), JsonScratch::default());
    let is_request = |_: &u64| matches!(parse_text(text.as_bytes(), &mut scratch, Dialect::Open), Parsed::One(Ok(_)));
    (0..times).filter(is_request).count() as u64
}

fn publish(times: u64) -> u64 {
    let (hub, now) = (Hub::new(HubLimits::default(), RandomSource::seeded(1)), Instant::now());
    let publisher = Identities::default().publisher;
    let work = |verb| {
        let to = ConnId::here(MailboxId(0), 0, 0);
        Work::one(to, Arc::clone(&publisher), Ticket::default(), Ok(Request { id: None, verb }))
    };
    let channel = ChannelName::new("stocks").expect("a valid name");
    let get = Verb::Get { channel: channel.clone(), options: Default::default() };
    execute(&mut work(get), Node::open(&hub), &Nowhere, now, 0);
    for _ in 0..times {
        let data = Data::Json(Bytes::from_static(&[b'1'; 128]));
        let post = PostOptions::of(data);
        let verb = Verb::Post { channel: channel.clone(), post };
        assert_eq!(execute(&mut work(verb), Node::open(&hub), &Nowhere, now, 0), Progress::Done);
    }
    hub.stats().published
}

/// A client gets something for everything it sends.
fn exchange(server: &mut Rehearsal, client: Client, frames: &[u8]) {
    let before = server.written(client);
    server.send(client, frames);
    server.turn();
    assert!(server.written(client) > before, "the server answered");
}

fn echo(times: u64, bytes: usize, depth: u64) -> u64 {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.open("/echo");
    let frames = masked(&vec![b'x'; bytes]).repeat(depth as usize);
    (0..times).for_each(|_| exchange(&mut server, client, &frames));
    times * depth
}

fn request(times: u64, text: &str, depth: u64) -> u64 {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.open("/ws");
    let frames = masked(text.as_bytes()).repeat(depth as usize);
    // Histories are full before it counts.
    (0..200).for_each(|_| exchange(&mut server, client, &frames));
    (0..times).for_each(|_| exchange(&mut server, client, &frames));
    times * depth
}

fn deliver(times: u64, at_once: u64) -> u64 {
    let mut server = Rehearsal::new(&Config::default());
    let readers: Vec<Client> = (0..SUBSCRIBERS).map(|_| server.open("/channels/stocks")).collect();
    let publisher = server.open("/ws");
    let frames = masked(post_of(128, 1).as_bytes()).repeat(at_once as usize);
    for _ in 0..times {
        exchange(&mut server, publisher, &frames);
    }
    let written: Vec<Option<u64>> = readers.iter().map(|reader| server.written(*reader)).collect();
    assert!(written.iter().all(|bytes| *bytes >= Some(times * at_once * 128)), "everybody was told everything");
    times * at_once * SUBSCRIBERS
}

fn open(times: u64) -> u64 {
    let mut server = Rehearsal::new(&Config::default());
    // An unmasked frame is refused: the connection is closed from the server's side.
    for _ in 0..times {
        let client = server.open("/channels/stocks");
        exchange(&mut server, client, &[0x81, 0x00]);
    }
    times
}

fn ping(times: u64) -> u64 {
    let config = Config::default();
    let mut server = Rehearsal::new(&config);
    let readers: Vec<Client> = (0..SUBSCRIBERS).map(|_| server.open("/channels/stocks")).collect();
    let mut pong = Vec::new();
    write_masked(&mut pong, Opcode::Pong, true, b"", [1, 2, 3, 4]);
    for _ in 0..times {
        server.pass(config.websocket.ping_idle + config.websocket.ping_idle / 100);
        server.turn();
        for reader in &readers {
            server.send(*reader, &pong);
        }
        server.turn();
    }
    assert_eq!(server.connections() as u64, SUBSCRIBERS, "nobody was taken for dead");
    times * SUBSCRIBERS
}
