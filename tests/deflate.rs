//! permessage-deflate over real sockets (RFC 7692), with another implementation of DEFLATE on the other end.

use crate::support::frames::{BINARY, PING, PONG, RawSocket, TEXT, frame};
use crate::support::process::Process;
use crate::support::sse::SseClient;
use crate::support::{TestServer, wait_until, with_one_and_two_reactors};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::json;

/// The bit of a compressed message.
const RSV1: u8 = 0x40;
const OFFER: (&str, &str) = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
/// What is compressed, small for the default limits and large.
const PRICES: &str = r#"{"symbol":"ACME","price":110.25,"currency":"EUR","time":1700000000,"side":"buy"},"#;

/// A peer's compression in both directions, with windows that it keeps or not.
struct Peer {
    compress: Compress,
    decompress: Decompress,
    keeps: bool,
}

impl Peer {
    fn new(keeps: bool) -> Peer {
        let compress = Compress::new(Compression::default(), false);
        Peer { compress, decompress: Decompress::new(false), keeps }
    }

    fn deflate(&mut self, message: &[u8]) -> Vec<u8> {
        if !self.keeps {
            self.compress.reset();
        }
        let mut packed = Vec::with_capacity(message.len() + 100);
        self.compress.compress_vec(message, &mut packed, FlushCompress::Sync).expect("it compresses");
        assert!(packed.ends_with(&[0, 0, 0xFF, 0xFF]), "the room was enough");
        packed.truncate(packed.len() - 4);
        packed
    }

    fn inflate(&mut self, packed: &[u8]) -> Vec<u8> {
        if !self.keeps {
            self.decompress.reset(false);
        }
        let (mut message, mut rest) = (Vec::with_capacity(4 << 20), [packed, &[0, 0, 0xFF, 0xFF]].concat());
        let before = self.decompress.total_in();
        self.decompress.decompress_vec(&rest, &mut message, FlushDecompress::Sync).expect("DEFLATE data");
        rest.drain(..(self.decompress.total_in() - before) as usize);
        assert!(rest.is_empty(), "all of it was inflated");
        message
    }
}

fn open(server: &TestServer, path: &str) -> RawSocket {
    let (socket, answer) = RawSocket::open_with(server.address(), path, &[OFFER]);
    let agreed = answer.field("sec-websocket-extensions");
    assert_eq!(agreed, Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover"));
    socket
}

/// The next message, which must be compressed.
fn next_packed(socket: &mut RawSocket, first: u8, peer: &mut Peer) -> String {
    let (bits, packed) = socket.next().expect("a frame comes");
    assert_eq!(bits, first | RSV1, "compressed");
    String::from_utf8(peer.inflate(&packed)).expect("UTF-8")
}

#[test]
fn what_is_agreed_to_is_said_and_what_cannot_be_honoured_is_not_agreed_to() {
    let server = TestServer::start(|_| ());
    let neither = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (offer, agreed) in [
        ("permessage-deflate", Some(neither)),
        ("permessage-deflate; server_max_window_bits=10", None),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", Some(neither)),
        ("permessage-deflate; nonsense", None),
        ("another", None),
    ] {
        for path in ["/ws", "/echo", "/channels/a"] {
            let fields = [("Sec-WebSocket-Extensions", offer)];
            let (mut socket, answer) = RawSocket::open_with(server.address(), path, &fields);
            assert_eq!(answer.field("sec-websocket-extensions"), agreed, "{offer}");
            socket.send(PING, b"alive");
            while socket.next().expect("a frame comes").0 != PONG {}
        }
    }
    let off = TestServer::start(|config| config.websocket.deflate = false);
    let (mut socket, answer) = RawSocket::open_with(off.address(), "/echo", &[OFFER]);
    assert_eq!(answer.field("sec-websocket-extensions"), None);
    socket.send(TEXT | RSV1, &[0]);
    assert_eq!(socket.read_close().0, Some(1002));
}

#[test]
fn echoes_come_back_compressed_when_that_makes_them_smaller() {
    let server = TestServer::start(|config| config.websocket.echo_message_bytes = 2 << 20);
    let (mut socket, mut peer) = (open(&server, "/echo"), Peer::new(false));
    let noise: Vec<u8> = (0..40_000_u32).map(|n| (n.wrapping_mul(n).wrapping_mul(2_654_435_761) >> 17) as u8).collect();
    for bytes in [0, 1, 255, 256, 3000, 70_000, 1 << 20, (1 << 20) + 1] {
        let message = &PRICES.repeat(1 + bytes / PRICES.len()).into_bytes()[..bytes];
        let is_packed = (256..=1 << 20).contains(&bytes);
        for first in [TEXT, BINARY] {
            socket.send(first | RSV1, &peer.deflate(message));
            let (bits, payload) = socket.next().expect("an echo");
            assert_eq!(bits, if is_packed { first | RSV1 } else { first }, "{bytes} bytes");
            let payload = if is_packed { peer.inflate(&payload) } else { payload };
            assert!(payload == message, "{bytes} bytes come back");
        }
    }
    // What does not get smaller goes out as it is, whole or in fragments with a ping between them.
    let packed = peer.deflate(&noise);
    socket.send(BINARY | RSV1, &packed);
    assert!(socket.next() == Some((BINARY, noise.clone())));
    let (one, two) = packed.split_at(7);
    socket.send((BINARY | RSV1) & 0x7F, one);
    socket.send(PING, b"between");
    socket.send(0x00, b"");
    socket.send(0x80, two);
    assert_eq!(socket.next(), Some((PONG, b"between".to_vec())));
    assert!(socket.next() == Some((BINARY, noise)));
    // A client need not compress.
    socket.send(TEXT, PRICES.repeat(10).as_bytes());
    assert_eq!(next_packed(&mut socket, TEXT, &mut peer), PRICES.repeat(10));
}

#[test]
fn a_publication_is_compressed_once_for_all_its_readers() {
    with_one_and_two_reactors(|reactors| {
        const READERS: usize = 50;
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let mut readers: Vec<RawSocket> = (0..READERS).map(|_| open(&server, "/channels/prices")).collect();
        let mut plain = RawSocket::open(server.address(), "/channels/prices");
        let mut stream = SseClient::open(server.address(), "prices", None);
        for reader in readers.iter_mut().chain([&mut plain]) {
            assert_eq!(reader.next_json()["status"], 200);
        }
        stream.next_block().expect("its first block");
        let before = server.metric("tidings_compressions_total");
        let data = format!("[{}1]", PRICES.repeat(20));
        server.publish("prices", &data).expect("published");
        let expected = plain.next_text();
        let first = readers[0].next().expect("a push");
        assert_eq!(first.0, TEXT | RSV1);
        assert_eq!(Peer::new(false).inflate(&first.1), expected.as_bytes());
        assert!(first.1.len() * 5 < expected.len(), "{} of {} bytes", first.1.len(), expected.len());
        for reader in &mut readers[1..] {
            assert_eq!(reader.next(), Some(first.clone()), "the same bytes for everybody");
        }
        // Two reactors may both make it before either knows of the other's: nobody waits, and one result is dropped.
        let made = server.metric("tidings_compressions_total") - before;
        assert!(made >= 1.0 && made <= reactors as f64, "{made} times");
        assert_eq!(stream.next_block().expect("a block").data, data, "an event stream is not compressed");
    });
}

#[test]
fn every_way_to_a_socket_may_be_compressed() {
    let server = TestServer::start(|_| ());
    let (mut socket, mut peer) = (open(&server, "/ws"), Peer::new(false));
    let data = PRICES.repeat(10);
    let long = json!({"text": data}).to_string();
    let ask = |socket: &mut RawSocket, peer: &mut Peer, request: &str| {
        socket.send(TEXT | RSV1, &peer.deflate(request.as_bytes()))
    };
    ask(&mut socket, &mut peer, r#"{"id":1,"method":"GET","path":"/channels/a"}"#);
    assert_eq!(socket.next_json()["id"], 1, "a short answer is plain");
    ask(&mut socket, &mut peer, &format!(r#"{{"id":2,"method":"POST","path":"/channels/a","data":{long}}}"#));
    let push: serde_json::Value = serde_json::from_str(&next_packed(&mut socket, TEXT, &mut peer)).expect("JSON");
    assert_eq!(push["data"]["text"], data.as_str());
    assert_eq!(socket.next_json()["id"], 2);
    // A replay, and a batch.
    ask(&mut socket, &mut peer, r#"{"id":3,"method":"GET","path":"/channels/a","last":1,"once":true}"#);
    assert!(next_packed(&mut socket, TEXT, &mut peer).contains(&long));
    let gets = vec![json!({"method": "GET", "path": "/channels/b"}); 20];
    ask(&mut socket, &mut peer, &json!(gets).to_string());
    let batch: serde_json::Value = serde_json::from_str(&next_packed(&mut socket, TEXT, &mut peer)).expect("JSON");
    assert_eq!(batch.as_array().map(Vec::len), Some(20));
    // A binary publication, to a reader of binary frames.
    socket.send(BINARY | RSV1, &peer.deflate(b"{\"id\":4,\"method\":\"GET\",\"path\":\"/channels/c\"}\n"));
    assert_eq!(socket.next_json()["id"], 4);
    let post = [&b"{\"id\":5,\"method\":\"POST\",\"path\":\"/channels/c\"}\n"[..], &[7; 5000]].concat();
    socket.send(BINARY | RSV1, &peer.deflate(&post));
    let (bits, packed) = socket.next().expect("a push");
    assert_eq!(bits, BINARY | RSV1);
    assert!(peer.inflate(&packed).ends_with(&[7; 5000]));
}

#[test]
fn what_breaks_the_rules_of_compression_is_closed_with_its_code() {
    let server = TestServer::start(|_| ());
    let mut peer = Peer::new(false);
    let hello = peer.deflate(b"hello");
    let bad_text = peer.deflate(b"\xff\xfe");
    let cut = &peer.deflate(PRICES.as_bytes())[..20];
    let small_bomb = peer.deflate(&vec![0; 65_537]);
    for (frames, code, label) in [
        (vec![frame(PING | RSV1, b"")], 1002, "protocol_error"),
        (vec![frame(0x01 | RSV1, &hello), frame(0x80 | RSV1, b"")], 1002, "protocol_error"),
        (vec![frame(0x01, b"a"), frame(0x80 | RSV1, &hello)], 1002, "protocol_error"),
        (vec![frame(TEXT | 0x20, &hello)], 1002, "protocol_error"),
        (vec![frame(TEXT | RSV1, b"\xff\xff\xff")], 1007, "invalid_deflate"),
        (vec![frame(TEXT | RSV1, cut)], 1007, "invalid_deflate"),
        (vec![frame(TEXT | RSV1, &bad_text)], 1007, "invalid_utf8"),
        (vec![frame(BINARY | RSV1, &small_bomb)], 1009, "message_too_big"),
        (vec![frame(BINARY | RSV1, &[0; 70_000])[..14].to_vec()], 1009, "message_too_big"),
    ] {
        let before = server.metric(&format!("tidings_refused_total{{reason=\"{label}\"}}"));
        let mut socket = open(&server, "/ws");
        socket.raw.send(frames.concat());
        assert_eq!(socket.read_close().0, Some(code), "{label}");
        assert_eq!(server.metric(&format!("tidings_refused_total{{reason=\"{label}\"}}")), before + 1.0);
    }
    // One byte less is no bomb: it is a message, and refused as what it says.
    let mut socket = open(&server, "/ws");
    socket.send(TEXT | RSV1, &peer.deflate(&[b' '; 65_536]));
    assert_eq!(socket.next_json()["error"]["code"], "bad_json");
}

/// A thousand to one, a thousand times: memory stays where it was.
#[test]
fn bombs_cost_no_more_than_the_limit() {
    let process = Process::start(&["--reactors", "1", "--workers", "1"]);
    let mut peer = Peer::new(false);
    let bomb = peer.deflate(&vec![0; 40_000_000]);
    assert!(bomb.len() < 50_000 && bomb.len() < 65_536, "it passes the limit on the wire: {}", bomb.len());
    let throw = |times: usize| {
        for _ in 0..times {
            let (mut socket, _) = RawSocket::open_with(process.address, "/ws", &[OFFER]);
            socket.send(BINARY | RSV1, &bomb);
            assert_eq!(socket.read_close().0, Some(1009));
        }
    };
    throw(20);
    let before = process.pss();
    throw(500);
    let grown = process.pss().saturating_sub(before);
    println!("500 bombs of {} bytes for 40 MB each: {grown} bytes of PSS more", bomb.len());
    assert!(grown < 4 << 20, "{grown} bytes");
}

#[test]
fn windows_are_kept_where_that_is_allowed_until_the_memory_for_them_is_spent() {
    let each = tidings::wire::deflate::context_bytes(Some(15), true);
    let server = TestServer::start(|config| {
        config.websocket.deflate_takeover = true;
        config.websocket.deflate_memory_bytes = 2 * each;
        config.websocket.deflate_min_bytes = 16;
    });
    let connect = || {
        let (socket, answer) = RawSocket::open_with(server.address(), "/echo", &[OFFER]);
        let agreed = answer.field("sec-websocket-extensions").expect("agreed").to_owned();
        (socket, agreed == "permessage-deflate")
    };
    let (first, kept) = connect();
    assert!(kept);
    let (mut second, kept) = connect();
    assert!(kept);
    let (mut third, kept) = connect();
    assert!(!kept, "no memory is left");
    assert_eq!(server.metric("tidings_deflate_window_bytes"), 2.0 * each as f64);
    for (socket, keeps) in [(&mut second, true), (&mut third, false)] {
        let mut peer = Peer::new(keeps);
        let mut sizes = Vec::new();
        for _ in 0..5 {
            socket.send(TEXT | RSV1, &peer.deflate(PRICES.as_bytes()));
            let (bits, packed) = socket.next().expect("an echo");
            if bits == TEXT | RSV1 {
                assert_eq!(peer.inflate(&packed), PRICES.as_bytes());
            } else {
                assert_eq!((bits, &packed[..]), (TEXT, PRICES.as_bytes()));
            }
            sizes.push(packed.len());
        }
        assert_eq!(sizes[4] < sizes[0] / 4, keeps, "{sizes:?}");
    }
    drop(first);
    wait_until("the memory of a connection that ended is free", || {
        server.metric("tidings_deflate_window_bytes") <= each as f64
    });
    assert!(connect().1);
}

/// A little that is sent can be much to inflate: nobody gets more of a tick for that.
#[test]
fn a_turn_is_over_when_much_was_inflated() {
    const MESSAGES: usize = 100;
    let server = TestServer::start(|_| ());
    let (mut socket, mut peer) = (open(&server, "/echo"), Peer::new(false));
    let zeros = vec![0; 1 << 20];
    let packed = frame(BINARY | RSV1, &peer.deflate(&zeros));
    assert!(packed.len() * MESSAGES < 200_000, "all of them are one read");
    let before = server.metric("tidings_ticks_total");
    socket.raw.send(packed.repeat(MESSAGES));
    for _ in 0..MESSAGES {
        let (first, payload) = socket.next().expect("an echo");
        assert_eq!(first, BINARY | RSV1);
        assert!(peer.inflate(&payload) == zeros);
    }
    let ticks = server.metric("tidings_ticks_total") - before;
    assert!(ticks >= MESSAGES as f64, "{MESSAGES} MiB were inflated and compressed in {ticks} ticks");
}

/// What the budget counts for a connection's windows is what they take.
#[test]
fn the_memory_of_kept_windows_is_counted_as_it_is() {
    const COUNT: usize = 60;
    let config = std::env::temp_dir().join(format!("tidings-windows-{}.toml", std::process::id()));
    std::fs::write(&config, "[websocket]\ndeflate_takeover = true\n").expect("a file in the temporary directory");
    let process = Process::start(&["--reactors", "1", "--workers", "1", "--config", &config.to_string_lossy()]);
    std::fs::remove_file(&config).expect("it was written");
    let message = PRICES.repeat(1 + 60_000 / PRICES.len());
    let open = || {
        let (mut socket, answer) = RawSocket::open_with(process.address, "/echo", &[OFFER]);
        assert_eq!(answer.field("sec-websocket-extensions"), Some("permessage-deflate"));
        socket.send(TEXT | RSV1, &Peer::new(true).deflate(message.as_bytes()));
        assert_eq!(socket.next().expect("an echo").0, TEXT | RSV1);
        socket
    };
    let first = open();
    let before = process.pss();
    let sockets: Vec<RawSocket> = (0..COUNT).map(|_| open()).collect();
    let each = process.pss().saturating_sub(before) / COUNT;
    let counted = tidings::wire::deflate::context_bytes(Some(15), true);
    println!("windows kept by a connection: {each} bytes of PSS, counted as {counted}");
    assert!(each < counted + counted / 10 && each > counted / 2, "{each} bytes, counted as {counted}");
    drop((first, sockets));
}

/// The second message to the same reader repeats the first, whoever else reads.
#[test]
fn publications_keep_the_windows_of_each_reader_in_step() {
    let server = TestServer::start(|config| config.websocket.deflate_takeover = true);
    let mut readers: Vec<(RawSocket, Peer)> =
        (0..5).map(|_| (RawSocket::open_with(server.address(), "/channels/a", &[OFFER]).0, Peer::new(true))).collect();
    let mut plain = RawSocket::open(server.address(), "/channels/a");
    for socket in readers.iter_mut().map(|(socket, _)| socket).chain([&mut plain]) {
        assert_eq!(socket.next_json()["status"], 200);
    }
    for number in 0..10 {
        let data = json!({"number": number, "text": PRICES.repeat(5)}).to_string();
        server.publish("a", &data).expect("published");
        let expected = plain.next_text();
        for (socket, peer) in &mut readers {
            assert_eq!(next_packed(socket, TEXT, peer), expected);
        }
    }
}

#[test]
fn a_small_window_is_honoured_where_it_is_allowed() {
    for takeover in [false, true] {
        let server = TestServer::start(|config| {
            config.websocket.deflate_window_bits = 9;
            config.websocket.deflate_takeover = takeover;
        });
        for bits in 9..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let fields = [("Sec-WebSocket-Extensions", offer.as_str())];
            let (mut socket, answer) = RawSocket::open_with(server.address(), "/echo", &fields);
            let agreed = answer.field("sec-websocket-extensions").expect("agreed");
            assert!(agreed.ends_with(&format!("; server_max_window_bits={bits}")), "{agreed}");
            // What repeats lies farther back than 2^9 bytes, and nearer than 2^15.
            let block: String = (0..3000_u32).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
            let message = block.repeat(3);
            // It inflates in a window of that size and no larger one.
            let mut inflate = zlib_rs::Inflate::new(false, bits);
            for _ in 0..if takeover { 3 } else { 1 } {
                socket.send(TEXT, message.as_bytes());
                let (first, packed) = socket.next().expect("an echo");
                assert_eq!(first, TEXT | RSV1);
                let (mut out, rest) = (vec![0; 2 * message.len()], [&packed[..], &[0, 0, 0xFF, 0xFF]].concat());
                let before = inflate.total_out();
                inflate.decompress(&rest, &mut out, zlib_rs::InflateFlush::SyncFlush).expect("fits its window");
                assert_eq!(&out[..(inflate.total_out() - before) as usize], message.as_bytes());
            }
        }
    }
}
