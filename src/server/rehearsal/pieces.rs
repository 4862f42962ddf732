//! Readers with nothing else to say share the bytes of a run, whatever they read it as: frames, compressed frames, blocks.

use super::{Client, Rehearsal, UPGRADE, masked};
use crate::config::Config;
use crate::reactor::engine::Readiness;
use crate::wire::frame::{Decoded, Decoder, Event, FrameLimits, Role};

/// How a client reads a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A WebSocket without extensions, as small clients open it.
    Plain,
    /// A WebSocket that agreed to permessage-deflate, as browsers open it.
    Browser,
    /// The transport of `EventSource`.
    Stream,
    /// The same over HTTP/1.0, which has no chunks.
    OldStream,
}

use Kind::{Browser, OldStream, Plain, Stream};

/// What browsers add to the request that opens a WebSocket.
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// Data below `websocket.deflate_min_bytes`, and above.
const SIZES: [usize; 2] = [16, 600];

impl Kind {
    fn open(self, server: &mut Rehearsal, path: &str) -> Client {
        let client = server.connect();
        let head = match self {
            Plain => format!("GET {path} {UPGRADE}"),
            Browser => format!("GET {path} {}{OFFER}", UPGRADE.strip_suffix("\r\n").expect("a head ends so")),
            Stream => format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"),
            OldStream => format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"),
        };
        server.send(client, head.as_bytes());
        server.turn();
        client
    }

    /// The messages in what was written.
    fn messages(self, bytes: &[u8], codec: &mut crate::wire::deflate::Codec) -> Vec<String> {
        match self {
            Plain | Browser => frames(bytes, self == Browser, codec),
            Stream => chunks(bytes),
            OldStream => blocks(bytes),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn frames(bytes: &[u8], deflates: bool, codec: &mut crate::wire::deflate::Codec) -> Vec<String> {
    let mut decoder = if deflates { Decoder::with_deflate(Role::Client) } else { Decoder::new(Role::Client) };
    let (mut rest, mut found) = (&mut bytes.to_vec()[..], Vec::new());
    while !rest.is_empty() {
        let (used, decoded) = decoder.decode(rest, &FrameLimits::default());
        found.push(match decoded.expect("valid frames") {
            Decoded::Event(Event::Text(payload)) => text(&payload),
            Decoded::Event(Event::Deflated(_, payload)) => text(&codec.inflate(&payload, 1 << 20).expect("DEFLATE")),
            other => panic!("{other:?}"),
        });
        rest = &mut rest[used..];
    }
    found
}

fn chunks(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let head = bytes.windows(2).position(|pair| pair == b"\r\n").expect("the size of a chunk");
        let size = usize::from_str_radix(&text(&bytes[..head]), 16).expect("a size");
        let (block, rest) = bytes[head + 2..].split_at(size);
        found.extend(blocks(block));
        bytes = rest.strip_prefix(b"\r\n").expect("the end of a chunk");
    }
    found
}

fn blocks(bytes: &[u8]) -> Vec<String> {
    text(bytes).split_inclusive("\n\n").map(str::to_owned).collect()
}

impl Rehearsal {
    /// Lets a client take nothing, or everything again.
    fn hold(&mut self, client: Client, is_full: bool) {
        let entry = self.engine.entries.get_exact(client.slot, client.generation).expect("it is there");
        entry.stream.is_full = is_full;
        if !is_full {
            let room = Readiness { writable: true, ..Readiness::default() };
            self.engine.take_event(client.slot, client.generation, room);
        }
    }

    /// Where the one shared piece lies that is all a client waits for.
    fn piece(&mut self, client: Client) -> Option<*const u8> {
        let entry = self.engine.entries.get_exact(client.slot, client.generation)?;
        entry.connection.outbox.shared_frame().map(|bytes| bytes.as_ptr())
    }

    /// Everything that was written to a client.
    fn kept(&mut self, client: Client) -> Vec<u8> {
        self.engine.entries.get_exact(client.slot, client.generation).expect("it is there").stream.writes.concat()
    }
}

/// A publisher's message with `bytes` of data that compresses.
fn post(bytes: usize) -> Vec<u8> {
    masked(format!(r#"{{"method":"POST","path":"/channels/x","data":"{}"}}"#, "price ".repeat(bytes / 6)).as_bytes())
}

/// Eight publications that waited for each other cost 1,000 browsers 1.48 of what they cost 1,000 plain sockets: to those
/// they went as one piece, to browsers and event streams one by one.
#[test]
fn readers_of_each_kind_share_the_bytes_of_a_run() {
    for (kind, bytes, publications) in [Plain, Browser, Stream]
        .into_iter()
        .flat_map(|kind| SIZES.map(|bytes| [(kind, bytes, 1), (kind, bytes, 8)]))
        .flatten()
    {
        let context = format!("{kind:?}, {publications} of {bytes} B");
        let mut server = Rehearsal::new(&Config::default());
        let readers = [(); 3].map(|()| kind.open(&mut server, "/channels/x"));
        let before = readers.map(|reader| server.kept(reader).len());
        let publisher = Plain.open(&mut server, "/ws");
        readers.iter().for_each(|reader| server.hold(*reader, true));
        server.send(publisher, &post(bytes).repeat(publications));
        server.turn();
        let pieces = readers.map(|reader| server.piece(reader));
        assert!(pieces[0].is_some() && pieces.iter().all(|piece| *piece == pieces[0]), "{context}: {pieces:?}");
        readers.iter().for_each(|reader| server.hold(*reader, false));
        server.turn();
        let mut codec = crate::connection::env::Limits::new(&Config::default()).codec();
        for (reader, before) in readers.into_iter().zip(before) {
            let messages = kind.messages(&server.kept(reader)[before..], &mut codec);
            assert_eq!(messages.len(), publications, "{context}");
            for (offset, message) in (1..).zip(&messages) {
                let place = if kind == Stream { format!(":{offset}\n") } else { format!("\"offset\":{offset},") };
                assert!(
                    message.contains(&place) && message.contains(&"price ".repeat(bytes / 6)),
                    "{context}: {message}"
                );
            }
        }
    }
}

/// What all kinds of readers and a subscriber that sends `messages` are written, and what was counted: at once, or with a
/// turn after each.
fn written_to_all(sender: Kind, messages: &[&[u8]], at_once: bool) -> (Vec<Vec<u8>>, [u64; 4]) {
    let mut server = Rehearsal::new(&Config::default());
    let mut clients = vec![sender.open(&mut server, "/channels/x")];
    for kind in [Plain, Browser] {
        clients.push(kind.open(&mut server, "/channels/x"));
        let binary = kind.open(&mut server, "/ws");
        let mut subscribe = masked(b"{\"method\":\"GET\",\"path\":\"/channels/x\"}\n");
        subscribe[0] = 0x82;
        server.send(binary, &subscribe);
        server.turn();
        clients.push(binary);
    }
    clients.extend([Stream, OldStream].map(|kind| kind.open(&mut server, "/channels/x")));
    let before: Vec<usize> = clients.iter().map(|client| server.kept(*client).len()).collect();
    for message in messages {
        server.send(clients[0], message);
        if !at_once {
            server.turn();
        }
    }
    server.turn();
    let written = clients.iter().zip(before).map(|(client, before)| server.kept(*client).split_off(before)).collect();
    let counters = server.engine.counters();
    let counted = [&counters.frames_out, &counters.deflated_out, &counters.deliveries, &counters.compressions];
    (written, counted.map(|counter| counter.get()))
}

/// Whoever reads what, and whatever else is on its way to it: nobody can tell pieces from what they are made of.
#[test]
fn pieces_are_the_bytes_that_go_out_one_by_one_and_are_counted_alike() {
    let own = &masked(br#"{"id":1,"method":"GET","path":"/livez"}"#)[..];
    let not_to_me = &masked(br#"{"method":"POST","path":"/channels/x","data":22,"exclude_self":true}"#)[..];
    let mut binary = masked(b"{\"method\":\"POST\",\"path\":\"/channels/x\"}\n\x01\x02");
    binary[0] = 0x82;
    let binary = &binary[..];
    let [small, large] = &SIZES.map(post);
    let [small, large] = [&small[..], &large[..]];
    for sender in [Plain, Browser] {
        for messages in [
            &[small; 8][..],
            &[large; 8],
            &[large; 60],
            &[small, own, large, own, small],
            &[small, binary, large, binary, large],
            &[small, not_to_me, large, not_to_me, small],
        ] {
            let together = written_to_all(sender, messages, true);
            let one_by_one = written_to_all(sender, messages, false);
            assert_eq!(together.1, one_by_one.1, "{sender:?}");
            assert!(together.0 == one_by_one.0, "{sender:?}: {} messages", messages.len());
        }
    }
}
