//! RFC 6455 on the wire: fragments, control frames, every refusal with its code, closing, silence, and the echo.

use crate::support::frames::{BINARY, CLOSE, PING, PONG, RawSocket, TEXT, frame, header};
use crate::support::ws::WsClient;
use crate::support::{TestServer, wait_until, with_one_and_two_reactors};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const MASK: [u8; 4] = [0; 4];
/// Deadlines are kept in steps of this.
const GRAIN: Duration = Duration::from_millis(64);
const ALIVE: &[u8] = br#"{"id":1,"method":"GET","path":"/livez"}"#;

fn start() -> TestServer {
    TestServer::start(|_| {})
}

/// The header of a frame with its mask, without its payload.
fn announced(first: u8, length: usize) -> Vec<u8> {
    [header(first, length), MASK.to_vec()].concat()
}

#[test]
fn fragments_with_pings_between_them_are_one_message_however_the_bytes_come() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let mut random = StdRng::seed_from_u64(0x7469_6469);
        for round in 0..10 {
            let mut socket = RawSocket::open(server.address(), "/ws");
            let (mut bytes, mut pings) = (Vec::new(), 0_u32);
            for id in 0..20 {
                let data = "é漢🎉".repeat(random.random_range(0..40));
                let text = format!(r#"{{"id":{id},"method":"POST","path":"/channels/f{round}","data":"{data}"}}"#);
                let (mut rest, mut first) = (text.as_bytes(), 0x01);
                while !rest.is_empty() {
                    let (piece, behind) = rest.split_at(random.random_range(0..=rest.len().min(60)));
                    rest = behind;
                    let last = if rest.is_empty() { 0x80 } else { 0 };
                    bytes.extend(frame(first | last, piece));
                    first = 0;
                    if random.random_bool(0.3) {
                        bytes.extend(frame(PING, &pings.to_be_bytes()));
                        pings += 1;
                    }
                    if random.random_bool(0.1) {
                        bytes.extend(frame(PONG, b"unasked"));
                    }
                }
            }
            let mut sent = 0;
            while sent < bytes.len() {
                let size = random.random_range(1..200).min(bytes.len() - sent);
                socket.raw.send(&bytes[sent..sent + size]);
                sent += size;
            }
            let (mut answers, mut pongs) = (0, 0_u32);
            while answers < 20 || pongs < pings {
                let (first, payload) = socket.next().expect("a frame");
                if first == PONG {
                    assert_eq!(payload, pongs.to_be_bytes());
                    pongs += 1;
                } else {
                    let text = String::from_utf8(payload).expect("UTF-8");
                    assert!(text.starts_with(&format!("{{\"id\":{answers},\"status\":200,")), "{text}");
                    answers += 1;
                }
            }
        }
    });
}

#[test]
fn what_breaks_the_standard_is_closed_with_1002_as_soon_as_it_can_be_told() {
    let server = start();
    for (what, bytes) in [
        ("a reserved bit", vec![0xC1]),
        ("another reserved bit", vec![0x91]),
        ("a reserved data opcode", vec![0x83]),
        ("a reserved control opcode", vec![0x8B]),
        ("a fragmented ping", vec![0x09]),
        ("a fragmented close", vec![0x08]),
        ("a continuation of nothing", vec![0x80]),
        ("no mask", vec![0x81, 0x01]),
        ("a long ping", vec![0x89, 0xFE]),
        ("a long close", vec![0x88, 0xFF]),
        ("a message inside a message", [frame(0x01, b"a"), vec![0x81]].concat()),
        ("two bytes of length for few", [vec![0x81, 0xFE, 0, 125], MASK.to_vec()].concat()),
        ("eight bytes of length for few", [vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], MASK.to_vec()].concat()),
        ("a top bit", [vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], MASK.to_vec()].concat()),
        ("half a close code", frame(CLOSE, b"\x03")),
    ] {
        let mut socket = RawSocket::open(server.address(), "/ws");
        // What came before it is answered, what comes behind it is not.
        socket.send(TEXT, ALIVE);
        assert_eq!(socket.next_text(), r#"{"id":1,"status":200}"#);
        socket.raw.send(&bytes);
        let (code, reason) = socket.read_close();
        assert_eq!(code, Some(1002), "{what}");
        assert!(reason.starts_with("protocol_error: "), "{what}: {reason}");
        assert_eq!(socket.next(), None, "{what}");
    }
    wait_until("refusals are counted", || server.metric("tidings_refused_total{reason=\"protocol_error\"}") == 15.0);
}

#[test]
fn text_that_is_not_utf8_is_closed_with_1007_at_its_first_wrong_byte() {
    let server = start();
    for (what, bytes) in [
        ("a byte that never is", frame(TEXT, b"\xff")),
        ("an overlong slash", frame(TEXT, b"\xc0\xaf")),
        ("a surrogate", frame(TEXT, b"\xed\xa0\x80")),
        ("an unfinished end", frame(TEXT, b"\xe2\x82")),
        ("a wrong byte in the first of many fragments", frame(0x01, b"ab\xff")),
        ("a wrong byte in an unfinished frame", [announced(TEXT, 1000), b"ok\xff".to_vec()].concat()),
        ("an end inside a character over fragments", [frame(0x01, b"\xe2"), frame(0x80, b"\x82")].concat()),
        ("a close with a wrong reason", frame(CLOSE, b"\x03\xe8\xff")),
    ] {
        let mut socket = RawSocket::open(server.address(), "/ws");
        socket.raw.send(&bytes);
        assert_eq!(socket.read_close().0, Some(1007), "{what}");
    }
    let mut socket = RawSocket::open(server.address(), "/ws");
    socket.raw.send([frame(0x01, b"\"\xe2"), frame(0x00, b"\x82"), frame(0x80, b"\xac\"")].concat());
    assert_eq!(socket.next_text(), "服务器收到POST请求,并返回数据", "a character may lie over fragments");
}

#[test]
fn a_message_may_be_as_large_as_the_limit_and_one_byte_more_is_1009_from_its_header() {
    const LIMIT: usize = 64 * 1024;
    let server = start();
    let fits = format!("\"{}\"", "x".repeat(LIMIT - 2));
    let mut socket = RawSocket::open(server.address(), "/ws");
    socket.send(TEXT, fits.as_bytes());
    assert_eq!(socket.next_text(), "服务器收到POST请求,并返回数据");
    let (a, b) = fits.as_bytes().split_at(LIMIT / 2);
    socket.raw.send([frame(0x01, a), frame(0x80, b)].concat());
    assert_eq!(socket.next_text(), "服务器收到POST请求,并返回数据");
    for (what, bytes) in [
        ("one frame", announced(TEXT, LIMIT + 1)),
        ("one binary frame", announced(BINARY, LIMIT + 1)),
        ("a huge frame", announced(BINARY, 1 << 40)),
        ("fragments together", [frame(0x01, a), announced(0x80, LIMIT / 2 + 1)].concat()),
    ] {
        let mut socket = RawSocket::open(server.address(), "/ws");
        socket.raw.send(&bytes);
        assert_eq!(socket.read_close().0, Some(1009), "{what}");
    }
}

#[test]
fn a_message_has_as_many_fragments_as_the_limit_and_not_one_more() {
    let server = TestServer::start(|config| config.websocket.fragments = 4);
    let pieces = |count: usize| -> Vec<u8> {
        (0..count).flat_map(|at| frame(u8::from(at == 0), if at == 0 { b"7" } else { b"" })).collect()
    };
    let mut socket = RawSocket::open(server.address(), "/ws");
    socket.raw.send([pieces(3), frame(0x80, b"")].concat());
    assert_eq!(socket.next_text(), "服务器收到POST请求,并返回数据");
    socket.raw.send([pieces(4), vec![0x80]].concat());
    assert_eq!(socket.read_close().0, Some(1008));
}

#[test]
fn a_close_is_answered_with_its_own_code_and_then_the_stream_ends() {
    let server = start();
    for code in [1000_u16, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
        let mut socket = RawSocket::open(server.address(), "/ws");
        socket.send(CLOSE, &[&code.to_be_bytes()[..], b"bye"].concat());
        assert_eq!(socket.read_close(), (Some(code), String::new()));
        assert_eq!(socket.next(), None);
    }
    let mut socket = RawSocket::open(server.address(), "/ws");
    socket.send(CLOSE, b"");
    assert_eq!(socket.next(), Some((CLOSE, Vec::new())), "no code is answered with no code");
    assert_eq!(socket.next(), None);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let mut socket = RawSocket::open(server.address(), "/ws");
        socket.send(CLOSE, &code.to_be_bytes());
        assert_eq!(socket.read_close().0, Some(1002), "{code}");
    }
}

#[test]
fn a_peer_that_never_answers_a_close_is_dropped_after_close_wait_and_one_that_does_at_once() {
    let dropped = "tidings_connections_closed_total{reason=\"protocol_error\"}";
    let server = TestServer::start(|config| config.websocket.close_wait = Duration::from_millis(400));
    let mut silent = RawSocket::open(server.address(), "/ws");
    let began = Instant::now();
    silent.raw.send([0xC1]);
    assert_eq!(silent.read_close().0, Some(1002));
    wait_until("it is dropped", || server.metric(dropped) == 1.0);
    assert!(began.elapsed() >= Duration::from_millis(300), "too early: {:?}", began.elapsed());
    let patient = TestServer::start(|config| config.websocket.close_wait = Duration::from_secs(3600));
    let mut polite = RawSocket::open(patient.address(), "/ws");
    polite.raw.send([0xC1]);
    assert_eq!(polite.read_close().0, Some(1002));
    drop(polite);
    wait_until("who leaves is not waited for", || patient.metric(dropped) == 1.0);
}

#[test]
fn a_silent_peer_is_pinged_and_closed_when_it_stays_silent() {
    let server = TestServer::start(|config| {
        config.websocket.ping_idle = Duration::from_millis(100);
        config.websocket.pong_wait = Duration::from_millis(300);
        config.websocket.close_wait = Duration::from_millis(100);
    });
    let mut socket = RawSocket::open(server.address(), "/ws");
    for _ in 0..3 {
        let (first, payload) = socket.next().expect("a ping");
        assert_eq!(first, PING);
        socket.send(PONG, &payload);
    }
    assert_eq!(socket.next().expect("a ping").0, PING);
    let (code, reason) = socket.read_close();
    assert_eq!((code, &*reason), (Some(1001), "ping_timeout"));
    assert_eq!(socket.next(), None);
    let name = "tidings_connections_closed_total{reason=\"ping_timeout\"}";
    wait_until("it is counted", || server.metric(name) == 1.0);
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let server = TestServer::start(|config| {
        config.websocket.ping_idle = Duration::from_millis(64);
        config.websocket.pong_wait = Duration::from_secs(3600);
    });
    let mut socket = RawSocket::open(server.address(), "/ws");
    // A next ping comes only when the last one counts as answered.
    for byte in frame(TEXT, b"GET") {
        assert_eq!(socket.next().expect("a ping").0, PING);
        socket.raw.send([byte]);
    }
    assert_eq!(socket.next_text(), "服务器收到GET请求");
}

/// Sends drops, one every few milliseconds, for as long as somebody takes them.
fn drip(mut stream: TcpStream, drops: Vec<u8>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for drop in drops {
            if stream.write_all(&[drop]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    })
}

#[test]
fn what_drips_is_closed_in_time_whatever_part_of_a_message_it_is() {
    let limit = Duration::from_millis(300);
    let server = TestServer::start(|config| config.websocket.message_timeout = limit);
    let mut healthy = RawSocket::open(server.address(), "/ws");
    let cases: [(&str, Vec<u8>, Vec<u8>); 6] = [
        ("half a header that stays one", vec![TEXT], Vec::new()),
        ("a dripping header", Vec::new(), vec![BINARY, 0xFF, 0, 0, 0, 0, 0, 1]),
        ("a dripping payload", announced(TEXT, 50_000), vec![b'a'; 49_000]),
        ("a message of empty fragments", frame(0x01, b""), frame(0x00, b"").repeat(5_000)),
        ("whole pings in half a message", frame(0x01, b"a"), frame(PING, b"").repeat(5_000)),
        ("half a ping", announced(PING, 125), vec![b'a'; 124]),
    ];
    let count = cases.len();
    for (what, first, drops) in cases {
        let mut slow = RawSocket::open(server.address(), "/ws");
        let began = Instant::now();
        slow.raw.send(first);
        let dripping = drip(slow.raw.stream.try_clone().expect("a descriptor"), drops);
        let (code, reason) = slow.read_close();
        assert_eq!((code, &*reason), (Some(1001), "message_timeout"), "{what}");
        assert!(began.elapsed() + GRAIN >= limit, "{what}: early, after {:?}", began.elapsed());
        // It may be gone already.
        let _ = slow.raw.stream.shutdown(Shutdown::Both);
        dripping.join().expect("no panic");
    }
    assert_eq!(server.metric("tidings_refused_total{reason=\"message_timeout\"}"), count as f64);
    let closed = "tidings_connections_closed_total{reason=\"message_timeout\"}";
    wait_until("all are gone", || server.metric(closed) == count as f64);
    healthy.send(TEXT, ALIVE);
    assert_eq!(healthy.next_json()["status"], 200);
}

#[test]
fn a_large_message_has_its_time_anew_for_each_part_that_comes() {
    const PART: usize = 64 * 1024;
    let limit = Duration::from_secs(1);
    let server = TestServer::start(|config| config.websocket.message_timeout = limit);
    let mut socket = RawSocket::open(server.address(), "/echo");
    let began = Instant::now();
    let whole = frame(BINARY, &[b'x'; 10 * PART]);
    for part in whole.chunks(PART) {
        socket.raw.send(part);
        assert!(part.len() < PART || socket.raw.is_silent_for(limit / 5), "it is not ended while it goes on");
    }
    let (first, echoed) = socket.next().expect("its echo");
    assert_eq!((first, echoed.len()), (BINARY, 10 * PART));
    assert!(began.elapsed() > limit, "it took longer than one part may");
}

#[test]
fn an_echo_is_the_same_message_of_the_same_kind_up_to_its_own_limit() {
    const LIMIT: usize = 2 * 1024 * 1024;
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.websocket.echo_message_bytes = LIMIT;
        });
        let mut socket = RawSocket::open(server.address(), "/echo");
        for size in [0, 1, 125, 126, 65_535, 65_536, 65_537, 1 << 20, LIMIT] {
            for first in [TEXT, BINARY] {
                let payload: Vec<u8> = (0..size).map(|at| b'a' + (at % 26) as u8).collect();
                socket.send(first, &payload);
                assert!(socket.next() == Some((first, payload)), "{size} bytes of {first:x}");
            }
        }
        for text in ["GET", "GET /livez", "{\"method\":\"GET\",\"path\":\"/livez\"}"] {
            socket.send(TEXT, text.as_bytes());
            assert_eq!(socket.next_text(), text, "an echo understands nothing");
        }
        socket.raw.send([frame(0x02, b"in "), frame(PING, b"p"), frame(0x80, b"pieces")].concat());
        assert_eq!(socket.next(), Some((PONG, b"p".to_vec())));
        assert_eq!(socket.next(), Some((BINARY, b"in pieces".to_vec())));
        socket.raw.send(announced(BINARY, LIMIT + 1));
        assert_eq!(socket.read_close().0, Some(1009));
    });
}

#[test]
fn sixteen_echoes_in_flight_come_back_whole_and_in_order() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        for size in [1, 20, 1024, 16 * 1024, 1 << 20] {
            let mut socket = RawSocket::open(server.address(), "/echo");
            let mut output = socket.raw.stream.try_clone().expect("a second handle");
            let sender = std::thread::spawn(move || {
                use std::io::Write;
                for index in 0..16_u8 {
                    output.write_all(&frame(BINARY, &vec![index; size])).expect("the server reads");
                }
            });
            for index in 0..16_u8 {
                assert!(socket.next() == Some((BINARY, vec![index; size])), "message {index} of {size} bytes");
            }
            sender.join().expect("the sender");
        }
    });
}

#[test]
fn a_stopping_server_says_1012_and_waits_for_the_answer() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let mut sockets: Vec<_> = (0..4).map(|_| RawSocket::open(server.address(), "/ws")).collect();
        let stopping = std::thread::spawn(move || server.stop(Duration::from_secs(20)));
        for socket in &mut sockets {
            assert_eq!(socket.read_close(), (Some(1012), "server_shutdown".to_owned()));
            socket.send(CLOSE, &1001_u16.to_be_bytes());
        }
        drop(sockets);
        assert_eq!(stopping.join().expect("it stops"), 0, "nobody was cut off");
    });
}

/// It used to hold the sentence alone, so a page could not tell too many fragments (its own request) from slow_consumer
/// (nobody's), which share the code 1008.
#[test]
fn the_reason_of_a_close_begins_with_its_label() {
    let server = TestServer::start(|config| {
        config.server.inline_parse_bytes = 64;
        config.websocket.fragments = 2;
        config.websocket.message_bytes = 128;
        config.websocket.binary = false;
    });
    let fragment = |opcode: u8| [vec![opcode, 0x81], MASK.to_vec(), vec![0]].concat();
    for (bytes, code, label) in [
        ([fragment(0x01), fragment(0x00), fragment(0x00)].concat(), 1008, "too_many_fragments"),
        (frame(TEXT, &[b'1'; 129]), 1009, "message_too_big"),
        (frame(0x82, b"{}\n"), 1003, "unsupported_data"),
        (frame(TEXT, b"\xff"), 1007, "invalid_utf8"),
        (vec![0xC1], 1002, "protocol_error"),
    ] {
        let mut socket = RawSocket::open(server.address(), "/ws");
        socket.raw.send(&bytes);
        let (said, reason) = socket.read_close();
        assert_eq!(said, Some(code), "{label}");
        let sentence = reason.strip_prefix(label).and_then(|rest| rest.strip_prefix(": "));
        assert!(sentence.is_some_and(|sentence| sentence.len() > 3), "{reason}");
    }
}

#[test]
fn binary_messages_are_closed_with_1003_where_they_are_switched_off() {
    let server = TestServer::start(|config| config.websocket.binary = false);
    let mut socket = WsClient::connect(server.address());
    assert_eq!(socket.post("news", &serde_json::json!(1))["status"], 200);
    socket.send_binary(b"{\"method\":\"POST\",\"path\":\"/channels/news\"}\nbytes".to_vec());
    let close = socket.read_close().expect("a Close with a code");
    assert_eq!(u16::from(close.code), 1003);
    assert_eq!(server.metric("tidings_refused_total{reason=\"unsupported_data\"}"), 1.0);
}
