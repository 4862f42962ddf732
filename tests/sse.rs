//! Event streams as `EventSource` sees them: blocks, resuming, comments, HTTP/1.0, slow readers.

use crate::support::http::{self, Answer, HttpClient};
use crate::support::ws::WsClient;
use crate::support::{TestServer, wait_until, with_one_and_two_reactors};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tidings::model::ids::{ConnId, MailboxId};

/// A reader of one stream.
struct Reader {
    client: HttpClient,
    head: Answer,
    chunked: bool,
    /// The body so far, out of its chunks.
    text: Vec<u8>,
    ended: bool,
}

impl Reader {
    fn open(address: SocketAddr, target: &str, fields: &str) -> Reader {
        Reader::ask(address, &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}"))
    }

    fn ask(address: SocketAddr, request: &str) -> Reader {
        let mut client = HttpClient::connect(address);
        client.raw.send(format!("{request}Accept: text/event-stream\r\n\r\n"));
        client.raw.read_until(b"\r\n\r\n");
        // A HEAD's answer has no body: what follows stays in the buffer.
        let head = client.read_answer(true);
        assert_eq!(head.status, 200, "a browser gives up on any other: {head:?}");
        assert_eq!(head.field("Content-Type"), Some("text/event-stream"));
        let chunked = head.field("Transfer-Encoding") == Some("chunked");
        Reader { client, head, chunked, text: Vec::new(), ended: false }
    }

    /// Takes one chunk out of what came, if it is whole.
    fn unpack(&mut self) -> bool {
        let received = &mut self.client.raw.received;
        if !self.chunked {
            self.text.append(received);
            return false;
        }
        let Some(line) = received.windows(2).position(|pair| pair == b"\r\n") else { return false };
        let size = std::str::from_utf8(&received[..line]).expect("digits");
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        if received.len() < line + 4 + size {
            return false;
        }
        self.ended |= size == 0;
        let chunk: Vec<u8> = received.drain(..line + 4 + size).collect();
        self.text.extend_from_slice(&chunk[line + 2..line + 2 + size]);
        assert_eq!(chunk[line + 2 + size..], *b"\r\n");
        true
    }

    /// The next block, without its empty line; `None` at the end of the stream.
    fn next(&mut self) -> Option<String> {
        loop {
            while self.unpack() {}
            if let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                return Some(String::from_utf8(block[..end].to_vec()).expect("UTF-8"));
            }
            if self.ended || self.client.raw.read_more() == 0 {
                return None;
            }
        }
    }

    /// The first block: its id, and its data as a value.
    fn position(&mut self) -> (String, Value) {
        let block = self.next().expect("a first block");
        let lines: Vec<_> = block.lines().collect();
        let (retry, lines) = lines.split_first().expect("a first line");
        // What the setting says, with a half of it more or less.
        let ms: u64 = retry.strip_prefix("retry: ").and_then(|ms| ms.parse().ok()).expect("a time to wait");
        assert!((1000..=3000).contains(&ms), "{retry}");
        let lines: Vec<_> = lines.iter().filter(|line| !line.starts_with(": options ignored: ")).collect();
        let [event, id, data] = lines[..] else { panic!("{block}") };
        assert_eq!(*event, "event: position");
        let id = id.strip_prefix("id: ").expect("an id").to_owned();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
        assert_eq!(id, format!("{}:{}", data["epoch"].as_str().expect("an epoch"), data["offset"]));
        (id, data)
    }
}

fn publish(server: &TestServer, json: &str) -> String {
    publish_to(server, "x", json)
}

/// Publishes; the position.
fn publish_to(server: &TestServer, channel: &str, json: &str) -> String {
    let position = server.publish(channel, json).expect("it is published");
    format!("{}:{}", position.epoch.as_str(), position.offset)
}

#[test]
fn a_stream_begins_with_the_position_and_goes_on_with_one_block_per_publication() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let mut reader = Reader::open(server.address(), "/channels/x", "");
        assert_eq!(reader.head.field("Cache-Control"), Some("no-store, no-transform"));
        assert_eq!(reader.head.field("X-Accel-Buffering"), Some("no"));
        assert_eq!(reader.head.field("Vary"), Some("Accept, Origin"));
        let (_, data) = reader.position();
        assert_eq!((&data["offset"], data.get("recovered")), (&json!(0), None), "it did not say from where it goes on");
        let id = publish(&server, r#"{"price":1.10}"#);
        assert_eq!(reader.next().as_deref(), Some(&*format!("id: {id}\ndata: {{\"price\":1.10}}")));
        let epoch = id.strip_suffix(":1").expect("offset 1").to_owned();
        assert_eq!(http::post(server.address(), "/channels/x?event=tick", "2").status, 200);
        assert_eq!(reader.next().as_deref(), Some(&*format!("id: {epoch}:2\nevent: tick\ndata: 2")));
        publish(&server, "{\r\n  \"a\": [\n    1,\r    2\n  ]\n}");
        let lines = "data: {\ndata:   \"a\": [\ndata:     1,\ndata:     2\ndata:   ]\ndata: }";
        assert_eq!(reader.next().as_deref(), Some(&*format!("id: {epoch}:3\n{lines}")));
        let mut client = HttpClient::connect(server.address());
        client.request("POST", "/channels/x", &[("Content-Type", "image/png")], b"\x89PNG\r\n\n");
        let data = r#"data: {"content_type":"image/png","data_base64":"iVBORw0KCg=="}"#;
        assert_eq!(reader.next().as_deref(), Some(&*format!("id: {epoch}:4\n{data}")));
    });
}

#[test]
fn a_quiet_stream_carries_comments_and_a_busy_one_needs_none() {
    let server = TestServer::start(|config| config.sse.comment = Duration::from_millis(128));
    let mut reader = Reader::open(server.address(), "/channels/x", "");
    reader.position();
    for _ in 0..3 {
        assert_eq!(reader.next().as_deref(), Some(":"));
    }
    let id = publish(&server, "1");
    // A comment may have been under way.
    let block = std::iter::from_fn(|| reader.next()).find(|block| block != ":");
    assert_eq!(block, Some(format!("id: {id}\ndata: 1")));
}

#[test]
fn http_1_0_gets_a_bare_stream_that_ends_with_the_connection() {
    let server = TestServer::start(|_| {});
    let mut reader = Reader::ask(server.address(), "GET /channels/x HTTP/1.0\r\n");
    assert_eq!(reader.head.field("Transfer-Encoding"), None);
    assert_eq!(reader.head.field("Content-Length"), None);
    reader.position();
    let id = publish(&server, "1");
    assert_eq!(reader.next(), Some(format!("id: {id}\ndata: 1")));
    let stopping = std::thread::spawn(move || server.stop(Duration::from_secs(20)));
    let last = reader.next().expect("the block that says when to come back");
    assert!(last.starts_with("retry: ") && !last.contains('\n'), "{last}");
    assert_eq!(reader.next(), None);
    assert!(reader.text.is_empty(), "it ends behind a whole block");
    drop(reader);
    assert_eq!(stopping.join().expect("it stops"), 0);
}

#[test]
fn a_stream_goes_on_behind_last_event_id_or_since_and_a_bad_one_is_never_400() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        // Query and field (AT is the channel's epoch), whether it is recovered, the first block's offset, what follows.
        for (row, (query, field, recovered, offset, data)) in [
            ("", "", None, 4, &[][..]),
            ("", "Last-Event-ID: AT:2", Some(true), 2, &["3", "4"]),
            ("", "last-event-id: AT:4", Some(true), 4, &[]),
            ("?since=AT:3", "", Some(true), 3, &["4"]),
            ("?since=AT:0", "", Some(true), 0, &["1", "2", "3", "4"]),
            ("?since=AT:1", "Last-Event-ID: AT:3", Some(true), 3, &["4"]),
            ("?last=2", "", None, 2, &["3", "4"]),
            ("", "Last-Event-ID: AAAAAAAA:2", Some(false), 4, &[]),
            ("?last=1", "Last-Event-ID: AAAAAAAA:2", Some(false), 3, &["4"]),
            ("", "Last-Event-ID: nonsense", Some(false), 4, &[]),
            ("", "Last-Event-ID: AT:9", Some(false), 4, &[]),
            ("", "Last-Event-ID: AT:-1", Some(false), 4, &[]),
            ("", "Last-Event-ID: \u{fc}ml\u{e4}ut", Some(false), 4, &[]),
            ("?since=", "", Some(false), 4, &[]),
            ("?since=x&last=0&colour=red", "", Some(false), 4, &[]),
            ("?colour=red&last=0&=&%0A=%0A", "", None, 4, &[]),
            // Polyfills and readers without a way to send the field.
            ("?lastEventId=AT:2", "", Some(true), 2, &["3", "4"]),
            ("?Last-Event-ID=AT:3", "", Some(true), 3, &["4"]),
            ("?lastEventId=AT%3A3&since=AT:1&_=1700000000", "", Some(true), 3, &["4"]),
            ("?lastEventId=AT:1", "Last-Event-ID: AT:3", Some(true), 3, &["4"]),
            ("?lastEventId=&since=AT:3", "", Some(true), 3, &["4"]),
            ("?lastEventId=", "", None, 4, &[]),
            ("?lastEventId=x", "", Some(false), 4, &[]),
        ]
        .into_iter()
        .enumerate()
        {
            let channel = format!("row{row}");
            let ids = ["1", "2", "3", "4"].map(|json| publish_to(&server, &channel, json));
            let (epoch, _) = ids[0].split_once(':').expect("a position");
            let field = if field.is_empty() { String::new() } else { format!("{field}\r\n") };
            let target = format!("/channels/{channel}{query}").replace("AT", epoch);
            let mut reader = Reader::open(server.address(), &target, &field.replace("AT", epoch));
            let (_, first) = reader.position();
            assert_eq!(first.get("recovered").and_then(Value::as_bool), recovered, "{query} {field}");
            assert_eq!(first["offset"], offset, "{query} {field}");
            for (at, data) in data.iter().enumerate() {
                assert_eq!(reader.next(), Some(format!("id: {epoch}:{}\ndata: {data}", offset + at + 1)), "{field}");
            }
            let id = publish_to(&server, &channel, "\"live\"");
            assert_eq!(reader.next(), Some(format!("id: {id}\ndata: \"live\"")), "{query} {field}");
        }
    });
}

#[test]
fn a_slow_reader_is_cut_at_a_whole_block_and_comes_back_to_the_truth() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.history.count = 100_000;
            config.history.bytes = 256 << 20;
        });
        let mut reader = Reader::open(server.address(), "/channels/x", "");
        reader.position();
        let cut = "tidings_connections{transport=\"sse\"}";
        wait_until("it is a stream", || server.metric(cut) == 1.0);
        let filling = format!("\"{}\"", "x".repeat(30_000));
        let mut published = 0;
        // Nobody reads: the kernel's buffers fill, then the outbox, then the reader is too slow.
        while server.metric(cut) > 0.0 {
            assert!(published < 5_000, "150 MB wait for a reader who may have 1 MiB waiting");
            publish(&server, &filling);
            published += 1;
        }
        let mut last = 0;
        let mut id = String::new();
        while let Some(block) = reader.next() {
            if block == ":" {
                continue;
            }
            let (head, data) = block.split_once("\ndata: ").expect("data");
            id = head.strip_prefix("id: ").expect("an id").to_owned();
            last += 1;
            assert!(id.ends_with(&format!(":{last}")) && data == filling, "block {last} is {head}");
        }
        assert!(reader.text.is_empty() && reader.ended, "the stream ends cleanly, behind a whole block");
        assert!(last < published, "it was cut before the end");
        drop(reader);
        let mut again = Reader::open(server.address(), "/channels/x", &format!("Last-Event-ID: {id}\r\n"));
        let (_, first) = again.position();
        assert_eq!((&first["recovered"], &first["offset"]), (&json!(false), &json!(published)), "it is told the gap");
        let (epoch, _) = id.split_once(':').expect("a position");
        let mut client = HttpClient::connect(server.address());
        while last < published {
            let target = format!("/channels/x?since={epoch}:{last}");
            let page = client.request("GET", &target, &[], b"").json();
            assert_eq!(page["recovered"], true);
            last = page["offset"].as_u64().expect("an offset");
        }
        let id = publish(&server, "\"live\"");
        assert_eq!(again.next(), Some(format!("id: {id}\ndata: \"live\"")));
        let name = "tidings_connections_closed_total{reason=\"slow_consumer\"}";
        wait_until("it is counted", || server.metric(name) == 1.0);
    });
}

/// What a stream that is refused says: its status, code and message, its blocks and the end.
fn assert_refused(mut reader: Reader, status: u16, code: &str) {
    assert_eq!(reader.head.field("Connection"), Some("close"));
    let block = reader.next().expect("a block");
    let lines: Vec<_> = block.lines().collect();
    let [retry, comment, event, data] = lines[..] else { panic!("{block}") };
    let ms: u64 = retry.strip_prefix("retry: ").and_then(|ms| ms.parse().ok()).expect("a time to wait");
    assert!((1000..=3000).contains(&ms), "{retry}");
    assert!(comment.starts_with(&format!(": {status} {code}: ")), "{comment}");
    assert_eq!(event, "event: refused");
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
    assert_eq!((&data["code"], &data["status"]), (&json!(code), &json!(status)));
    assert!(data["message"].as_str().is_some_and(|message| message.len() > 10), "{data}");
    assert_eq!(reader.next(), None, "and that was all");
    assert!(reader.ended || !reader.chunked, "the body ends as it should");
}

#[test]
fn a_stream_is_never_refused_by_a_status_that_makes_event_source_give_up() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.connections = 3;
            config.channels.total = 1;
            config.channels.per_connection = 1;
        });
        publish(&server, "1");
        assert_refused(Reader::open(server.address(), "/channels/y", ""), 503, "channels_full");
        assert_refused(Reader::ask(server.address(), "GET /channels/y HTTP/1.0\r\n"), 503, "channels_full");
        let refusal = http::get(server.address(), "/channels/y");
        assert!(refusal.status == 503 && refusal.says_when(), "others read the status: {refusal:?}");
        let mut held = Vec::new();
        wait_until("those who were refused are gone", || {
            held.clear();
            held.extend((0..3).map(|_| HttpClient::connect(server.address())));
            held.iter_mut().all(HttpClient::is_kept)
        });
        assert_refused(Reader::open(server.address(), "/channels/x", ""), 503, "too_many_connections");
        drop(held);
        let mut reader = None;
        wait_until("there is room again", || {
            let mut opened = Reader::open(server.address(), "/channels/x", "");
            let block = opened.next().expect("a block");
            reader = block.contains("event: position").then_some(opened);
            reader.is_some()
        });
    });
}

#[test]
fn readers_are_not_all_told_to_come_back_at_the_same_moment() {
    let server = TestServer::start(|_| {});
    let mut seen: Vec<String> = (0..20)
        .map(|_| {
            let block = Reader::open(server.address(), "/channels/x", "").next().expect("a first block");
            block.lines().next().expect("a line").to_owned()
        })
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 10, "of 2001 values: {seen:?}");
}

#[test]
fn a_comment_names_the_options_that_a_stream_ignores_if_they_are_names() {
    let server = TestServer::start(|_| {});
    let long = "x".repeat(41);
    for (query, comment) in [
        ("?since=x&last=1&limit=5&once=true&lastEventId=", None),
        ("?_=1700000000", Some(": options ignored: _")),
        ("?colour=red&colour=blue&cache-buster.2=1", Some(": options ignored: colour, cache-buster.2")),
        ("?last=none", Some(": options ignored: last")),
        ("?%0Aevent%3A+reset=1", Some(": options ignored: 1 without a plain name")),
        (&format!("?{long}=1&{}=2", &long[1..]), Some(&*format!(": options ignored: {} and 1 more", &long[1..]))),
        ("?a&b&c&d&e&f&g&h&i&j", Some(": options ignored: a, b, c, d, e, f, g, h and 2 more")),
    ] {
        let mut reader = Reader::open(server.address(), &format!("/channels/x{query}"), "");
        let block = reader.next().expect("a first block");
        let found: Vec<_> = block.lines().filter(|line| line.starts_with(':')).collect();
        assert_eq!(found.first().copied(), comment, "{query}: {block}");
        assert!(found.len() < 2 && block.contains("event: position"), "{query}: {block}");
    }
    let snapshot = http::get(server.address(), "/channels/x?colour=red");
    assert_eq!((snapshot.status, snapshot.code().as_str()), (400, "unknown_option"), "everybody else is told");
}

#[test]
fn a_head_of_a_stream_has_the_fields_of_the_stream_and_does_not_stream() {
    let server = TestServer::start(|_| {});
    let mut client = HttpClient::connect(server.address());
    let accept = [("Accept", "text/event-stream")];
    let head = client.request("HEAD", "/channels/x?colour=red", &accept, b"");
    assert_eq!((head.status, head.field("Content-Length")), (200, None));
    let stream = Reader::open(server.address(), "/channels/x", "").head;
    for name in ["Content-Type", "Cache-Control", "X-Accel-Buffering", "Vary", "X-Content-Type-Options"] {
        assert_eq!(head.field(name), stream.field(name), "{name}");
        assert!(head.field(name).is_some(), "{name}");
    }
    let next = client.request("GET", "/livez", &[], b"");
    assert_eq!((next.status, next.text()), (200, "alive\n".to_owned()), "the connection goes on");
    wait_until("nobody is subscribed", || server.hub().stats().interest == 0);
    let bad = client.request("HEAD", "/channels/..", &accept, b"");
    assert_eq!(bad.status, 400);
}

/// B21: whoever could publish could tell all readers of a channel that it was reset, or that somebody left.
#[test]
fn nobody_publishes_an_event_that_readers_take_for_the_servers_own() {
    let server = TestServer::start(|_| {});
    let mut reader = Reader::open(server.address(), "/channels/x", "");
    reader.position();
    let mut socket = WsClient::connect(server.address());
    for event in ["error", "open", "position", "reset", "closed", "join", "leave", "refused"] {
        let answer = http::post(server.address(), &format!("/channels/x?event={event}"), "1");
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_event"), "{event}");
        let request = json!({"method": "POST", "path": "/channels/x", "data": 1, "event": event});
        let posted = http::post(server.address(), "/ws", &request.to_string());
        assert_eq!((posted.status, posted.code().as_str()), (400, "bad_event"), "{event}");
        assert_eq!(socket.request(request.clone())["error"]["code"], "bad_event", "{event}");
        socket.send_text(&json!([request]).to_string());
        assert_eq!(socket.next_json()[0]["error"]["code"], "bad_event", "{event}");
        let binary = format!("{{\"id\":0,\"method\":\"POST\",\"path\":\"/channels/x\",\"event\":\"{event}\"}}\n1");
        socket.send_binary(binary.into_bytes());
        assert_eq!(socket.next_json()["error"]["code"], "bad_event", "{event}");
    }
    let tool = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(["publish", "x", "1", "--event", "reset", "--url", &format!("ws://{}/ws", server.address())])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&tool.stderr).into_owned();
    assert!(!tool.status.success() && said.contains("reset"), "{said}");
    let epoch = publish(&server, "1");
    assert_eq!(reader.next(), Some(format!("id: {epoch}\ndata: 1")), "nothing else was published");
    assert!(epoch.ends_with(":1"), "{epoch}");
}

/// Only sockets are told their name, so this one is made up as the server makes it.
#[test]
fn an_excluded_stream_gets_an_id_alone_so_that_it_comes_back_to_the_right_place() {
    for version in ["1.1\r\nHost: localhost", "1.0"] {
        let server = TestServer::start(|_| {});
        let mut reader = Reader::ask(server.address(), &format!("GET /channels/x HTTP/{version}\r\n"));
        let (id, _) = reader.position();
        let epoch = id.strip_suffix(":0").expect("offset 0");
        let name = server.hub().names().name(ConnId::here(MailboxId(0), 0, 0));
        let target = format!("/channels/x?exclude={name}");
        assert_eq!(http::post(server.address(), &target, "1").json()["offset"], 1);
        publish(&server, "2");
        assert_eq!(reader.next(), Some(format!("id: {epoch}:1")), "HTTP/{version}");
        assert_eq!(reader.next(), Some(format!("id: {epoch}:2\ndata: 2")), "HTTP/{version}");
    }
}

#[test]
fn a_reader_that_leaves_is_forgotten() {
    let server = TestServer::start(|_| {});
    let mut reader = Reader::open(server.address(), "/channels/x", "");
    reader.position();
    assert_eq!(server.hub().stats().interest, 1);
    drop(reader);
    wait_until("its subscription ends", || server.hub().stats().interest == 0);
}
