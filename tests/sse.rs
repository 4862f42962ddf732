//! Event streams as `EventSource` sees them: blocks, resuming, comments, HTTP/1.0, slow readers.

use crate::support::http::{self, Answer, HttpClient};
use crate::support::{TestServer, wait_until, with_one_and_two_reactors};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

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
        let [retry, event, id, data] = lines[..] else { panic!("{block}") };
        assert_eq!((retry, event), ("retry: 2000", "event: position"));
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
        assert_eq!(reader.head.field("Cache-Control"), Some("no-store"));
        assert_eq!(reader.head.field("X-Accel-Buffering"), Some("no"));
        assert_eq!(reader.head.field("Vary"), Some("Accept, Origin"));
        let (_, data) = reader.position();
        assert_eq!((&data["offset"], data["recovered"].is_boolean()), (&json!(0), true));
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
            if let Some(recovered) = recovered {
                assert_eq!(first["recovered"], recovered, "{query} {field}");
            }
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

#[test]
fn a_head_does_not_stream() {
    let server = TestServer::start(|_| {});
    let mut client = HttpClient::connect(server.address());
    let accept = [("Accept", "text/event-stream")];
    let head = client.request("HEAD", "/channels/x", &accept, b"");
    assert_eq!(head.status, 200);
    let next = client.request("GET", "/livez", &[], b"");
    assert_eq!((next.status, next.text()), (200, "alive\n".to_owned()), "the connection goes on");
    assert_eq!(server.hub().stats().interest, 0);
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
