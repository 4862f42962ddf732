//! `data` travels byte for byte, in on every transport and out on every transport, inline and through the pool.

use crate::support::http::HttpClient;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{TestServer, with_one_and_two_reactors};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::mpsc::{Receiver, channel};
use tidings::Subscription;
use tungstenite::Message;

const CHANNEL: &str = "bytes";
const FORM: &str = "application/x-www-form-urlencoded";

/// One reader of each kind, all on one channel, and one publisher of each kind.
struct Circle {
    server: TestServer,
    text: WsClient,
    binary: WsClient,
    stream: RawClient,
    library: Receiver<Vec<u8>>,
    _subscription: Subscription,
    socket: WsClient,
    http: HttpClient,
    offset: u64,
}

impl Circle {
    fn new(reactors: usize, inline_parse_bytes: usize) -> Circle {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.inline_parse_bytes = inline_parse_bytes;
            config.websocket.plain_channel = CHANNEL.to_owned();
        });
        let mut text = WsClient::connect(server.address());
        text.subscribe(CHANNEL);
        let mut binary = WsClient::connect(server.address());
        binary.send_binary(format!("{{\"id\":0,\"method\":\"GET\",\"path\":\"/channels/{CHANNEL}\"}}\n").into_bytes());
        assert_eq!(binary.next_json()["status"], 200);
        let mut stream = RawClient::connect(server.address());
        // HTTP/1.0, so that no chunks lie between the lines.
        stream.send(format!("GET /channels/{CHANNEL} HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n"));
        stream.read_until(b"\"offset\":0}\n\n");
        stream.received.clear();
        let (sender, library) = channel();
        let subscription = server.subscribe(CHANNEL, move |publication| {
            assert_eq!(publication.content_type(), None);
            drop(sender.send(publication.data().to_vec()));
        });
        let (socket, http) = (WsClient::connect(server.address()), HttpClient::connect(server.address()));
        let _subscription = subscription.expect("it is subscribed");
        Circle { server, text, binary, stream, library, _subscription, socket, http, offset: 0 }
    }

    /// Publishes `data` in one of the ways there are.
    fn publish(&mut self, way: usize, data: &str) {
        let request = format!(r#"{{"id":1,"data": {data} ,"method":"POST","path":"/channels/{CHANNEL}"}}"#);
        match way {
            0 => self.socket.send_text(&request),
            1 => self.socket.send_text(&format!("POST /channels/{CHANNEL} {data}")),
            2 => self.socket.send_text(&format!("[{request}]")),
            3 => self.socket.send_text(data),
            4 => self.post(&format!("/channels/{CHANNEL}"), "application/json", data),
            5 => self.post(&format!("/channels/{CHANNEL}"), FORM, data),
            6 => self.post("/ws", "application/json", &request),
            7 => self.post("/ws", "application/json", data),
            _ => drop(self.server.publish(CHANNEL, data).expect("it is published")),
        }
        match way {
            0 => assert_eq!(self.socket.next_json()["status"], 200, "{data}"),
            2 => assert_eq!(self.socket.next_json()[0]["status"], 200, "{data}"),
            3 => assert!(self.socket.next_text().starts_with("服务器"), "{data}"),
            _ => {}
        }
    }

    fn post(&mut self, target: &str, content_type: &str, body: &str) {
        let answer = self.http.request("POST", target, &[("Content-Type", content_type)], body.as_bytes());
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    }

    /// Publishes and compares what every reader gets.
    fn check(&mut self, way: usize, data: &str) {
        self.publish(way, data);
        self.offset += 1;
        let push = format!(r#"{{"channel":"{CHANNEL}","offset":{},"data":{data}}}"#, self.offset);
        assert_eq!(self.text.next_text(), push, "way {way}");
        assert_eq!(self.binary.next(), Message::text(&push), "way {way}");
        let lines = data.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\ndata: ");
        let block = format!(":{}\ndata: {lines}\n\n", self.offset);
        self.stream.read_until(block.as_bytes());
        self.stream.received.clear();
        assert_eq!(self.library.recv().expect("the callback is called"), data.as_bytes(), "way {way}");
        let member = format!(r#""publications":[{{"offset":{},"data":{data}}}]"#, self.offset);
        let snapshot = self.http.request("GET", &format!("/channels/{CHANNEL}?last=1"), &[], b"").text();
        assert!(snapshot.contains(&member), "{snapshot} lacks {member}");
        let once = format!(r#"{{"id":2,"method":"GET","path":"/channels/{CHANNEL}","once":true,"last":1}}"#);
        self.socket.send_text(&once);
        let replay = self.socket.next_text();
        assert!(replay.contains(&member), "{replay} lacks {member}");
    }
}

/// Values that a codec which decodes and encodes again would change.
fn stubborn_values() -> Vec<String> {
    let digits = "123456789012345678901234567890";
    let mut values: Vec<String> = [
        "1.10",
        "-0",
        "-0.0",
        "1E+2",
        "1e400",
        "-1e-400",
        "0.10000000000000000000000000001",
        digits,
        "null",
        "\"\"",
        "[]",
        "{}",
        r#""\u0041\/\b\f\n\r\t\"\\""#,
        r#""\ud800""#,
        r#"["\udc00\ud800",{"\ud83d":"\ude00"}]"#,
        r#""\ud83d\ude00\u0000""#,
        "\"é漢🎉\u{2028}\u{2029}\u{feff}\u{7f}\"",
        r#"{"a":1,"a":2,"":{"":null}}"#,
        r#"{"method_":1,"data":{"data":1},"id":7}"#,
        "{\n  \"pretty\": [\n    1,\n    2.50\n  ]\n}",
        "[\r\n\t1 ,\r2\r\n]",
        r#"{"html":"</script><!--","quote":"'"}"#,
        "true",
        "[false,[[[]]]]",
    ]
    .map(str::to_owned)
    .into();
    values.push(format!("{}{}", "[".repeat(62), "]".repeat(62)));
    values.push(format!("{}0{}", "{\"k\":".repeat(62), "}".repeat(62)));
    values
}

#[test]
fn data_is_the_same_bytes_at_every_reader_however_it_was_published() {
    with_one_and_two_reactors(|reactors| {
        for inline in [4096, 0, usize::MAX] {
            let mut circle = Circle::new(reactors, inline);
            for value in stubborn_values() {
                for way in 0..9 {
                    circle.check(way, &value);
                }
            }
        }
    });
}

#[test]
fn data_may_be_63_levels_deep_in_a_request_and_64_alone() {
    for inline in [4096, 0] {
        let mut circle = Circle::new(1, inline);
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        for (way, deepest) in [(0, 63), (1, 64), (2, 62), (3, 64), (4, 64), (5, 64), (6, 63), (7, 64), (8, 64)] {
            circle.check(way, &nested(deepest));
        }
        let request = |data: &str| format!(r#"{{"id":9,"method":"POST","path":"/channels/{CHANNEL}","data":{data}}}"#);
        for frame in [request(&nested(64)), nested(65), format!("POST /channels/{CHANNEL} {}", nested(65))] {
            circle.socket.send_text(&frame);
            assert_eq!(circle.socket.next_json()["error"]["code"], "too_deep", "{frame}");
        }
        let answer = circle.http.request("POST", "/channels/x", &[], nested(65).as_bytes());
        assert_eq!((answer.status, answer.code()), (400, "too_deep".to_owned()));
    }
}

/// A random value, written as no encoder would write it.
fn random_value(random: &mut StdRng, depth: usize, out: &mut String) {
    match random.random_range(0..if depth == 0 { 6 } else { 9 }) {
        0 => out.push_str(["null", "true", "false"][random.random_range(0..3)]),
        1..=3 => random_number(random, out),
        4 | 5 => random_string(random, out),
        kind => {
            let (open, close) = if kind == 6 { ('{', '}') } else { ('[', ']') };
            out.push(open);
            random_space(random, out);
            for index in 0..random.random_range(0..5) {
                if index > 0 {
                    out.push(',');
                    random_space(random, out);
                }
                if kind == 6 {
                    random_string(random, out);
                    random_space(random, out);
                    out.push(':');
                    random_space(random, out);
                }
                random_value(random, depth - 1, out);
                random_space(random, out);
            }
            out.push(close);
        }
    }
}

fn random_space(random: &mut StdRng, out: &mut String) {
    while random.random_bool(0.2) {
        out.push([' ', '\t', '\n', '\r'][random.random_range(0..4)]);
    }
}

fn random_number(random: &mut StdRng, out: &mut String) {
    let mut digits = |least: usize, most: usize, out: &mut String| {
        (0..random.random_range(least..=most)).for_each(|_| out.push(char::from(random.random_range(b'0'..=b'9'))));
    };
    let mut shape = String::new();
    digits(3, 3, &mut shape);
    let shape = shape.as_bytes();
    if shape[0].is_multiple_of(2) {
        out.push('-');
    }
    if shape[1].is_multiple_of(4) {
        out.push('0');
    } else {
        out.push('7');
        digits(0, 30, out);
    }
    if shape[2].is_multiple_of(2) {
        out.push('.');
        digits(1, 25, out);
    }
    if shape[2].is_multiple_of(3) {
        out.push_str(["e", "E+", "e-"][usize::from(shape[0]) % 3]);
        digits(1, 4, out);
    }
}

fn random_string(random: &mut StdRng, out: &mut String) {
    out.push('"');
    for _ in 0..random.random_range(0..12) {
        match random.random_range(0..5) {
            0 => out.push_str(["\\n", "\\\"", "\\\\", "\\/", "\\b", "\\t"][random.random_range(0..6)]),
            1 => out.push_str(&format!("\\u{:04x}", random.random::<u16>())),
            2 => out.push_str(&format!("\\u{:04X}", random.random_range(0xD800..0xE000_u16))),
            3 => out.push(['é', '漢', '🎉', '\u{2028}', '\u{7f}'][random.random_range(0..5)]),
            _ => out.push(char::from(random.random_range(b'a'..=b'z'))),
        }
    }
    out.push('"');
}

#[test]
fn five_hundred_random_values_are_the_same_bytes_at_every_reader() {
    for (reactors, inline) in [(1, usize::MAX), (2, 0)] {
        let mut circle = Circle::new(reactors, inline);
        let mut random = StdRng::seed_from_u64(500);
        for case in 0..500 {
            let mut value = String::new();
            random_value(&mut random, 4, &mut value);
            circle.check(case % 9, &value);
        }
        let pooled = circle.server.metric("tidings_parsed_total{where=\"pool\"}");
        assert_eq!(pooled > 0.0, inline == 0, "{pooled} were parsed in the pool");
    }
}
