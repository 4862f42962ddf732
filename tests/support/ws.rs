//! A WebSocket client on tungstenite: somebody else's codec on the other end of ours.

use super::PATIENCE;
use serde_json::Value;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Request;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

/// One open WebSocket.
pub(crate) struct WsClient {
    pub(crate) socket: WebSocket<TcpStream>,
    next_id: u64,
    /// Messages that came while an answer was waited for.
    pub(crate) pushed: Vec<Value>,
}

impl WsClient {
    /// Opens `/ws` without a subprotocol.
    pub(crate) fn connect(address: SocketAddr) -> WsClient {
        WsClient::connect_to(address, "/ws", &[])
    }

    /// Opens any path with further fields.
    pub(crate) fn connect_to(address: SocketAddr, path: &str, fields: &[(&'static str, &str)]) -> WsClient {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("a request");
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        WsClient::on(TcpStream::connect(address).expect("the server accepts"), request)
    }

    /// The same on a stream on which something may have been sent already.
    pub(crate) fn on(stream: TcpStream, request: Request) -> WsClient {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_nodelay(true).expect("no delay");
        let (socket, _) = tungstenite::client(request, stream).expect("the handshake succeeds");
        WsClient { socket, next_id: 1, pushed: Vec::new() }
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("the server reads");
    }

    pub(crate) fn send_binary(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).expect("the server reads");
    }

    /// The next data message, skipping pings and pongs, which come for ever when nothing else does.
    pub(crate) fn next(&mut self) -> Message {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "nothing came but pings");
            match self.socket.read() {
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                // The machine was stopped and goes on.
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
                message => return message.expect("a message comes"),
            }
        }
    }

    pub(crate) fn next_text(&mut self) -> String {
        match self.next() {
            Message::Text(text) => text.to_string(),
            other => panic!("expected a text, got {other:?}"),
        }
    }

    pub(crate) fn next_json(&mut self) -> Value {
        let text = self.next_text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Sends a request with an id of its own and waits for its answer; pushes that come first go to `pushed`.
    pub(crate) fn request(&mut self, mut request: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        request["id"] = id.into();
        self.send_text(&request.to_string());
        loop {
            let message = self.next_json();
            if message["id"] == id {
                return message;
            }
            self.pushed.push(message);
        }
    }

    /// Subscribes; the answer.
    pub(crate) fn subscribe(&mut self, channel: &str) -> Value {
        let answer = self.request(serde_json::json!({"method": "GET", "path": format!("/channels/{channel}")}));
        assert_eq!(answer["status"], 200, "{answer}");
        answer
    }

    /// Publishes; the answer.
    pub(crate) fn post(&mut self, channel: &str, data: &Value) -> Value {
        self.request(serde_json::json!({"method": "POST", "path": format!("/channels/{channel}"), "data": data}))
    }

    /// The next push, from those that came already or from the socket.
    pub(crate) fn next_push(&mut self) -> Value {
        if self.pushed.is_empty() { self.next_json() } else { self.pushed.remove(0) }
    }

    /// Reads until the server closes; its Close.
    pub(crate) fn read_close(&mut self) -> Option<CloseFrame> {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => return frame,
                Ok(_) => {}
                Err(error) => panic!("the stream ended without a Close: {error}"),
            }
        }
    }
}
