//! What idle subscribed connections and empty channels cost: the real binary with many of them, measured by the kernel.

use crate::support::frames::{RawSocket, TEXT};
use crate::support::process::{Process, descriptors_allowed};
#[cfg(feature = "tls")]
use crate::support::tls::{BOTH, Stream, client, connect, pair};
use crate::support::wait_until;
use crate::tokens::{SECRET, token};
#[cfg(feature = "tls")]
use rustls::ClientConfig;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
#[cfg(feature = "tls")]
use std::sync::Arc;

/// Connections, if this process may have as many descriptors.
const CONNECTIONS: usize = 10_000;
/// Connections that compress.
const COMPRESSING: usize = 3_000;
/// Descriptors that the test binary needs besides.
const OTHER_DESCRIPTORS: usize = 2_000;
/// Connections over TLS: each takes a handshake of this process, too.
#[cfg(feature = "tls")]
const SEALED: usize = 2_000;
/// What an idle subscribed socket over TLS may cost, whatever the version: its session and its keys.
#[cfg(feature = "tls")]
const SEALED_BYTES_MAX: usize = 4_500;
/// No idle socket may cost more than this, in bytes of the server's own memory, however few there are and however it was built.
const BYTES_MAX: usize = 4 * 1024;
/// What an idle subscribed socket may cost in a release build, when [`CONNECTIONS`] share what is made once.
const SOCKET_BYTES_MAX: usize = 200;
/// What one whose client signed in by a token may cost beyond that: who it is is kept once, however many sockets it has.
const SIGNED_IN_BYTES_MAX: usize = 24;
/// How often that is measured before it is too much: the kernel counts what else the process did meanwhile as well.
const TRIES: usize = 3;

/// Channels, and how many are made by one request.
const CHANNELS: usize = 100_000;
const BATCH: usize = 50;
/// No empty channel may cost more than this.
const CHANNEL_BYTES_MAX: usize = 300;

#[test]
fn an_idle_subscribed_socket_costs_200_bytes_at_most() {
    let (count, max) = crowd(SOCKET_BYTES_MAX);
    let each = least(max, || bytes_of_each(count, Client::Plain));
    println!("{count} idle subscribed sockets: {each} bytes of PSS each");
    assert!(each <= max, "{each} bytes of at most {max} for each of {count} idle subscribed sockets");
}

#[test]
fn an_idle_socket_of_a_user_costs_24_bytes_more_at_most() {
    let (count, max) = crowd(SOCKET_BYTES_MAX + SIGNED_IN_BYTES_MAX);
    let claims = json!({"grants": [{"channels": ["crowd-*"], "may": ["read"]}]});
    let each = least(max, || bytes_of_each(count, Client::OneUser(&claims)));
    println!("{count} idle subscribed sockets of one user: {each} bytes of PSS each");
    println!(
        "{count} idle subscribed sockets of a user each: {} bytes of PSS each",
        bytes_of_each(count, Client::UserEach(&claims))
    );
    assert!(each <= max, "{each} bytes of at most {max} for each of {count} idle sockets of one user");
}

/// How many sockets are opened, and what each may cost: `max` where they share what is made once and the build is a release.
fn crowd(max: usize) -> (usize, usize) {
    let room = descriptors_allowed().saturating_sub(OTHER_DESCRIPTORS + COMPRESSING);
    let count = CONNECTIONS.min(room);
    assert!(count >= 500, "raise the limit of open files");
    (count, if count == CONNECTIONS && !cfg!(debug_assertions) { max } else { BYTES_MAX })
}

/// The least that was measured in a few tries.
fn least(max: usize, measure: impl Fn() -> usize) -> usize {
    let mut each = usize::MAX;
    for _ in 0..TRIES {
        each = each.min(measure());
        if each <= max {
            break;
        }
    }
    each
}

/// An inflater alone takes 48 KiB: none of it stays with a connection.
#[test]
fn an_idle_socket_that_compressed_keeps_nothing_of_it() {
    let each = bytes_of_each(COMPRESSING, Client::Compressing);
    println!("{COMPRESSING} idle sockets that sent and received compressed messages: {each} bytes of PSS each");
    assert!(each < BYTES_MAX, "{each} bytes for each of {COMPRESSING} idle sockets that compressed");
}

/// In a debug build as well: nearly all of it is what rustls and aws-lc keep.
#[cfg(feature = "tls")]
#[test]
fn an_idle_subscribed_socket_over_tls_costs_4500_bytes_at_most() {
    let pair = pair("memory", &["localhost"]);
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\ntls = true\n";
    // These clients answer no pings, and so many handshakes may take a while.
    let config = format!(
        "[websocket]\nping_idle = \"1h\"\n{listener}[[certificate]]\nchain = {:?}\nkey = {:?}\n",
        pair.chain, pair.key
    );
    for version in BOTH {
        let client = client(&[&pair.chain], &[version]);
        let each = least(SEALED_BYTES_MAX, || {
            let arguments = ["--reactors", "1", "--workers", "1"];
            let (process, sealed) = Process::start_sealed(descriptors_allowed(), &config, &arguments);
            grown(&process, SEALED, |index| open_sealed(sealed, &client, index))
        });
        println!("{SEALED} idle subscribed sockets over {:?}: {each} bytes of PSS each", version.version);
        assert!(each <= SEALED_BYTES_MAX, "{each} bytes of at most {SEALED_BYTES_MAX} over {:?}", version.version);
    }
}

/// Published to once each, with no history and nobody there.
#[test]
fn an_empty_channel_costs_300_bytes_at_most() {
    let process = Process::start_by(&[], 1_000, "[history]\ncount = 0\n", &["--reactors", "1", "--workers", "1"]);
    let mut socket = RawSocket::open(process.address, "/ws");
    let mut make = |channels: Range<usize>| {
        for first in channels.step_by(BATCH) {
            let posts =
                (first..first + BATCH).map(|at| format!(r#"{{"method":"POST","path":"/channels/c-{at}","data":1}}"#));
            socket.send(TEXT, format!("[{}]", posts.collect::<Vec<_>>().join(",")).as_bytes());
            assert!(!socket.next_text().contains("error"));
        }
    };
    make(0..BATCH);
    let before = process.pss();
    make(BATCH..BATCH + CHANNELS);
    let each = process.pss().saturating_sub(before) / CHANNELS;
    assert_eq!(process.metric("tidings_channels"), (BATCH + CHANNELS) as f64);
    println!("{CHANNELS} empty channels: {each} bytes of PSS each");
    assert!(each <= CHANNEL_BYTES_MAX, "{each} bytes for each of {CHANNELS} empty channels");
}

/// What opens the sockets.
#[derive(Clone, Copy)]
enum Client<'a> {
    /// Nobody in particular.
    Plain,
    /// One that sends and receives a compressed message.
    Compressing,
    /// The same user for all of them, by one token.
    OneUser(&'a Value),
    /// A user each, by a token of its own.
    UserEach(&'a Value),
}

/// Opens sockets that are subscribed: what each costs the server then.
fn bytes_of_each(count: usize, client: Client) -> usize {
    let config = if matches!(client, Client::OneUser(_) | Client::UserEach(_)) { issuer() } else { String::new() };
    let process = Process::start_by(&[], descriptors_allowed(), &config, &["--reactors", "1", "--workers", "1"]);
    let address = process.address;
    let shared = match client {
        Client::OneUser(claims) => Some(token(claims)),
        _ => None,
    };
    grown(&process, count, |index| open(address, index, client, shared.as_deref()))
}

/// By how many bytes a server grows with each of the sockets that `open` opens.
fn grown<S>(process: &Process, count: usize, open: impl Fn(usize) -> S) -> usize {
    // What is made once, for whoever comes first, is not counted.
    let first = open(0);
    let before = process.pss();
    let mut clients = vec![first];
    clients.extend((1..=count).map(open));
    wait_until("everybody is subscribed", || process.metric("tidings_subscriptions") == (count + 1) as f64);
    process.pss().saturating_sub(before) / count
}

/// A configuration with an issuer. The limits of connections, which it would switch on, have a table of a fixed size, 1.6 MB for
/// all: filling it would look like the cost of a socket.
fn issuer() -> String {
    let off = ["requests", "publications", "bytes"].map(|what| format!("connection_{what} = \"off\"\n")).concat();
    format!(
        "[limits]\n{off}[[issuer]]\nname = \"app\"\nissuer = \"app\"\naudience = [\"tidings\"]\nsecret = \"{SECRET}\"\n"
    )
}

fn open(address: SocketAddr, index: usize, client: Client, shared: Option<&str>) -> TcpStream {
    let path = format!("/channels/crowd-{}", index % 100);
    let own = match client {
        Client::UserEach(claims) => {
            let mut claims = claims.clone();
            claims["sub"] = json!(format!("user-{index}"));
            Some(token(&claims))
        }
        _ => None,
    };
    let bearer = shared.or(own.as_deref()).map(|token| format!("Bearer {token}"));
    let does_compress = matches!(client, Client::Compressing);
    let mut fields = Vec::new();
    fields.extend(does_compress.then_some(("Sec-WebSocket-Extensions", "permessage-deflate")));
    fields.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    let (mut socket, answer) = RawSocket::open_with(address, &path, &fields);
    assert_eq!(answer.field("sec-websocket-extensions").is_some(), does_compress);
    assert!(socket.next_text().contains("\"connection\":\""));
    if does_compress {
        send_compressed(&mut socket);
    }
    socket.raw.stream
}

/// A client over TLS that is subscribed.
#[cfg(feature = "tls")]
fn open_sealed(address: SocketAddr, config: &Arc<ClientConfig>, index: usize) -> Stream {
    let url = format!("wss://localhost/channels/crowd-{}", index % 100);
    let (mut socket, _) = tungstenite::client(url, connect(address, config, "localhost")).expect("a socket");
    let message = socket.read().expect("a message");
    assert!(message.to_text().is_ok_and(|text| text.contains("\"connection\":\"")), "{message:?}");
    socket.into_inner()
}

/// A batch as a stored block; its answer is long enough to be compressed.
fn send_compressed(socket: &mut RawSocket) {
    let text = format!("[{}]", [r#"{"method":"GET","path":"/nowhere"}"#; 10].join(","));
    let length = text.len() as u16;
    let block = [&[0], &length.to_le_bytes()[..], &(!length).to_le_bytes(), text.as_bytes(), &[0]].concat();
    socket.send(TEXT | 0x40, &block);
    let (first, _) = socket.next().expect("an answer");
    assert_eq!(first, TEXT | 0x40, "it is compressed");
}
