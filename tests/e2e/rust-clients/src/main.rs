//! The matrix of Rust's clients, tungstenite and fastwebsockets:  rust-clients PATH/TO/tidings

use fastwebsockets::{Frame, OpCode, Payload, Role};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame as TheirFrame;
use tungstenite::protocol::frame::coding::{Data, OpCode as TheirOpCode};
use tungstenite::{Message, WebSocket};

/// What comes from the server.
#[derive(Debug, PartialEq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
}

/// What every client of the matrix can do.
trait Client {
    fn open(address: &str, path: &str) -> Self;
    fn text(&mut self, text: &str);
    fn binary(&mut self, bytes: &[u8]);
    fn fragments(&mut self, parts: &[&str]);
    fn ping(&mut self, payload: &[u8]);
    fn close(&mut self, code: u16);
    fn hear(&mut self) -> Heard;
}

struct Tungstenite(WebSocket<TcpStream>);

impl Client for Tungstenite {
    fn open(address: &str, path: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        Tungstenite(tungstenite::client(format!("ws://{address}{path}"), stream).expect("a handshake").0)
    }

    fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).expect("sent");
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).expect("sent");
    }

    fn fragments(&mut self, parts: &[&str]) {
        for (index, part) in parts.iter().enumerate() {
            let kind = if index == 0 { Data::Text } else { Data::Continue };
            let frame = TheirFrame::message(part.to_string(), TheirOpCode::Data(kind), index + 1 == parts.len());
            self.0.send(Message::Frame(frame)).expect("sent");
        }
    }

    fn ping(&mut self, payload: &[u8]) {
        self.0.send(Message::Ping(payload.to_vec().into())).expect("sent");
    }

    fn close(&mut self, code: u16) {
        self.0.close(Some(CloseFrame { code: code.into(), reason: "bye".into() })).expect("sent");
    }

    fn hear(&mut self) -> Heard {
        loop {
            match self.0.read().expect("something comes") {
                Message::Text(text) => return Heard::Text(text.to_string()),
                Message::Binary(bytes) => return Heard::Binary(bytes.to_vec()),
                Message::Pong(bytes) => return Heard::Pong(bytes.to_vec()),
                Message::Close(frame) => return Heard::Close(frame.map_or(1005, |frame| frame.code.into())),
                Message::Ping(_) => self.0.flush().expect("its pong goes out"),
                Message::Frame(_) => {}
            }
        }
    }
}

struct Fastwebsockets {
    runtime: Runtime,
    socket: fastwebsockets::WebSocket<tokio::net::TcpStream>,
}

impl Fastwebsockets {
    fn send(&mut self, frame: Frame<'_>) {
        self.runtime.block_on(self.socket.write_frame(frame)).expect("sent");
    }
}

impl Client for Fastwebsockets {
    fn open(address: &str, path: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stream = runtime.block_on(async {
            let mut stream = tokio::net::TcpStream::connect(address).await.expect("the server accepts");
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.expect("sent");
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(stream.read_u8().await.expect("a head comes"));
            }
            assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
            stream
        });
        let mut socket = fastwebsockets::WebSocket::after_handshake(stream, Role::Client);
        socket.set_max_message_size(1 << 25);
        Fastwebsockets { runtime, socket }
    }

    fn text(&mut self, text: &str) {
        self.send(Frame::text(Payload::Borrowed(text.as_bytes())));
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.send(Frame::binary(Payload::Borrowed(bytes)));
    }

    fn fragments(&mut self, parts: &[&str]) {
        for (index, part) in parts.iter().enumerate() {
            let kind = if index == 0 { OpCode::Text } else { OpCode::Continuation };
            self.send(Frame::new(index + 1 == parts.len(), kind, None, Payload::Borrowed(part.as_bytes())));
        }
    }

    fn ping(&mut self, payload: &[u8]) {
        self.send(Frame::new(true, OpCode::Ping, None, Payload::Borrowed(payload)));
    }

    fn close(&mut self, code: u16) {
        self.send(Frame::close(code, b"bye"));
    }

    fn hear(&mut self) -> Heard {
        loop {
            let frame = self.runtime.block_on(self.socket.read_frame()).expect("something comes");
            let payload = frame.payload.to_vec();
            match frame.opcode {
                OpCode::Text => return Heard::Text(String::from_utf8(payload).expect("UTF-8")),
                OpCode::Binary => return Heard::Binary(payload),
                OpCode::Pong => return Heard::Pong(payload),
                OpCode::Close => {
                    return Heard::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)));
                }
                OpCode::Ping | OpCode::Continuation => {}
            }
        }
    }
}

/// Counts sentences that hold and sentences that do not.
#[derive(Default)]
struct Checks {
    passed: usize,
    failed: usize,
}

impl Checks {
    fn check(&mut self, sentence: &str, body: impl FnOnce()) {
        let holds = catch_unwind(AssertUnwindSafe(body)).is_ok();
        self.passed += usize::from(holds);
        self.failed += usize::from(!holds);
        println!("{} {} - {sentence}", if holds { "ok" } else { "not ok" }, self.passed + self.failed);
    }
}

fn text_of(size: usize) -> String {
    let signs = (0..size as u32 / 3).map(|n| char::from_u32(0x4E00 + n * 7919 % 20_000).expect("a sign"));
    signs.chain(std::iter::repeat_n('x', size % 3)).collect()
}

fn exercise<C: Client>(name: &str, address: &str, matrix: &Value, checks: &mut Checks) {
    let numbers = |key: &str| -> Vec<u64> {
        let list = matrix[key].as_array().expect("a list");
        list.iter().map(|number| number.as_u64().expect("a number")).collect()
    };
    let sizes: Vec<usize> = numbers("sizes").into_iter().map(|size| size as usize).collect();
    checks.check(&format!("{name} echoes text of every size"), || {
        let mut client = C::open(address, "/echo");
        for &size in &sizes {
            client.text(&text_of(size));
            assert!(client.hear() == Heard::Text(text_of(size)), "{size} bytes");
        }
    });
    checks.check(&format!("{name} echoes binary of every size"), || {
        let mut client = C::open(address, "/echo");
        for &size in &sizes {
            let bytes: Vec<u8> = (0..size).map(|n| (n * n >> 3) as u8).collect();
            client.binary(&bytes);
            assert!(client.hear() == Heard::Binary(bytes), "{size} bytes");
        }
    });
    checks.check(&format!("{name} sends fragments, and is answered its ping"), || {
        let mut client = C::open(address, "/echo");
        client.fragments(&["时间", &"x".repeat(2000), "", "end"]);
        assert_eq!(client.hear(), Heard::Text(format!("时间{}end", "x".repeat(2000))));
        client.ping(b"between");
        assert_eq!(client.hear(), Heard::Pong(b"between".to_vec()));
    });
    checks.check(&format!("{name} closes with each code, and reads it back"), || {
        for code in numbers("codes") {
            let mut client = C::open(address, "/echo");
            client.close(code as u16);
            assert_eq!(client.hear(), Heard::Close(code as u16));
        }
    });
    checks.check(&format!("{name} is told why the server closes: 1009 too big, 1003 not taken"), || {
        let mut client = C::open(address, "/ws");
        client.text(&"x".repeat(65_537));
        assert_eq!(client.hear(), Heard::Close(1009));
        let mut client = C::open(address, "/ws");
        client.binary(&[0; 10]);
        assert_eq!(client.hear(), Heard::Close(1003));
    });
    checks.check(&format!("{name} subscribes, is pushed to, resumes"), || {
        let path = format!("/channels/{name}");
        let ask = |client: &mut C, request: Value| -> Value {
            client.text(&request.to_string());
            told(client)
        };
        let mut first = C::open(address, "/ws");
        let position = ask(&mut first, serde_json::json!({"id": 1, "method": "GET", "path": path}));
        let post = |data: &str| serde_json::json!({"id": 2, "method": "POST", "path": path, "data": data});
        assert_eq!(ask(&mut first, post("one"))["data"], "one");
        assert_eq!(told(&mut first)["status"], 200);
        let mut second = C::open(address, "/ws");
        assert_eq!(ask(&mut second, post("two"))["status"], 200);
        let since = format!("{}:1", position["epoch"].as_str().expect("an epoch"));
        let resumed = ask(&mut second, serde_json::json!({"id": 3, "method": "GET", "path": path, "since": since}));
        assert_eq!((&resumed["recovered"], &resumed["publications"][0]["data"]), (&true.into(), &"two".into()));
    });
}

fn told(client: &mut impl Client) -> Value {
    match client.hear() {
        Heard::Text(text) => serde_json::from_str(&text).expect("JSON"),
        other => panic!("expected a text, got {other:?}"),
    }
}

fn start(binary: &str, matrix: &Value) -> (Child, String) {
    let config = std::env::temp_dir().join(format!("tidings-rust-clients-{}.toml", std::process::id()));
    std::fs::write(&config, matrix["server"].as_str().expect("a configuration")).expect("a temporary file");
    let mut server = Command::new(binary)
        .args(["serve", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let lines = BufReader::new(server.stdout.take().expect("its output")).lines();
    let said = lines.map(|line| line.expect("UTF-8")).find_map(|line| {
        line.strip_prefix("listening on http://").map(|address| address.trim_end_matches('/').to_owned())
    });
    std::fs::remove_file(config).expect("it was written");
    (server, said.expect("it says where it listens"))
}

fn main() {
    let binary = std::env::args().nth(1).expect("usage: rust-clients PATH/TO/tidings");
    let matrix: Value = serde_json::from_str(include_str!("../../matrix/matrix.json")).expect("JSON");
    let (mut server, address) = start(&binary, &matrix);
    let mut checks = Checks::default();
    exercise::<Tungstenite>("tungstenite", &address, &matrix, &mut checks);
    exercise::<Fastwebsockets>("fastwebsockets", &address, &matrix, &mut checks);
    server.kill().expect("a child");
    server.wait().expect("a child");
    println!("{} passed, {} failed", checks.passed, checks.failed);
    std::process::exit(i32::from(checks.failed > 0));
}
