//! The least that an epoll server can do: it checks nothing, and answers what is well-formed.
//!
//! Batched (the default) it answers all frames of one read with one write, and sends a tick's publications to each subscriber with one
//! write of bytes that were put together once. `--unbatched` makes a write of each. It counts by itself what came and went:
//! `GET /counters`. `GET /hello` is for HTTP load.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use tungstenite::handshake::derive_accept_key;

const LISTENER: Token = Token(usize::MAX);
/// What one read takes at most, in bytes.
const READ_BYTES: usize = 512 * 1024;

#[derive(Clone, Copy, PartialEq)]
enum Path {
    Http,
    Echo,
    Fan,
    Publish,
}

struct Connection {
    stream: TcpStream,
    path: Path,
    input: Vec<u8>,
    output: Vec<u8>,
}

#[derive(Default)]
struct Counters {
    frames_in: u64,
    frames_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    http_requests: u64,
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    connections: HashMap<usize, Connection>,
    subscribers: Vec<usize>,
    next: usize,
    batched: bool,
    counters: Counters,
    /// The publications of this tick, as frames.
    publications: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

fn main() -> io::Result<()> {
    let batched = !std::env::args().any(|argument| argument == "--unbatched");
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    println!("listening on {}", listener.local_addr()?);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (connections, subscribers, publications) = (HashMap::new(), Vec::new(), Vec::new());
    let (counters, scratch) = (Counters::default(), vec![0; READ_BYTES]);
    let mut floor =
        Floor { poll, listener, connections, subscribers, next: 0, batched, counters, publications, scratch };
    let mut events = Events::with_capacity(1024);
    loop {
        match floor.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(),
                Token(id) => {
                    if event.is_writable() {
                        floor.flush(id);
                    }
                    if event.is_readable() || event.is_read_closed() {
                        floor.read(id);
                    }
                }
            }
        }
        floor.publish();
    }
}

impl Floor {
    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let id = self.next;
            self.next += 1;
            let both = Interest::READABLE | Interest::WRITABLE;
            if stream.set_nodelay(true).is_ok() && self.poll.registry().register(&mut stream, Token(id), both).is_ok() {
                self.connections
                    .insert(id, Connection { stream, path: Path::Http, input: Vec::new(), output: Vec::new() });
            }
        }
    }

    fn read(&mut self, id: usize) {
        loop {
            let Some(connection) = self.connections.get_mut(&id) else { return };
            match connection.stream.read(&mut self.scratch) {
                Ok(0) => return self.end(id),
                Ok(count) => {
                    self.counters.bytes_in += count as u64;
                    let mut scratch = std::mem::take(&mut self.scratch);
                    self.take(id, &mut scratch[..count]);
                    self.scratch = scratch;
                    if count < READ_BYTES {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.end(id),
            }
        }
    }

    fn end(&mut self, id: usize) {
        self.connections.remove(&id);
        self.subscribers.retain(|subscriber| *subscriber != id);
    }

    fn take(&mut self, id: usize, bytes: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.input.is_empty() {
            let used = self.go_through(id, bytes);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.input.extend_from_slice(&bytes[used..]);
            }
        } else {
            let mut input = std::mem::take(&mut connection.input);
            input.extend_from_slice(bytes);
            let used = self.go_through(id, &mut input);
            input.drain(..used);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.input = input;
            }
        }
        self.flush(id);
    }

    fn go_through(&mut self, id: usize, input: &mut [u8]) -> usize {
        let mut at = 0;
        while at < input.len() {
            let Some(connection) = self.connections.get_mut(&id) else { return input.len() };
            let used = if connection.path == Path::Http {
                self.request(id, &input[at..])
            } else {
                self.frame(id, &mut input[at..])
            };
            if used == 0 {
                break;
            }
            at += used;
        }
        at
    }

    fn request(&mut self, id: usize, input: &[u8]) -> usize {
        let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else { return 0 };
        let head = String::from_utf8_lossy(&input[..end]);
        let path = head.split(' ').nth(1).unwrap_or_default();
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
        });
        let (answer, then) = match (key, path) {
            (Some(key), _) => {
                let then = match path {
                    "/fan" => Path::Fan,
                    "/pub" => Path::Publish,
                    _ => Path::Echo,
                };
                let accept = derive_accept_key(key.as_bytes());
                let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
                (format!("{answer}Sec-WebSocket-Accept: {accept}\r\n\r\n"), then)
            }
            (None, "/counters") => (self.counters(), Path::Http),
            _ => {
                self.counters.http_requests += 1;
                ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned(), Path::Http)
            }
        };
        if then == Path::Fan {
            self.subscribers.push(id);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.path = then;
            connection.output.extend_from_slice(answer.as_bytes());
        }
        end + 4
    }

    fn counters(&self) -> String {
        let Counters { frames_in, frames_out, bytes_in, bytes_out, http_requests } = &self.counters;
        let body = format!(
            "{{\"connections\":{},\"frames_in\":{frames_in},\"frames_out\":{frames_out},\"bytes_in\":{bytes_in},\"bytes_out\":{bytes_out},\"http_requests\":{http_requests}}}",
            self.connections.len()
        );
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// Takes one frame, which is masked and well-formed; how long it is, or 0 while it has not all come.
    fn frame(&mut self, id: usize, input: &mut [u8]) -> usize {
        let Some((header, length)) = lengths(input) else { return 0 };
        let Some(frame) = input.get_mut(..header + 4 + length) else { return 0 };
        let (head, payload) = frame.split_at_mut(header + 4);
        let mask = [head[header], head[header + 1], head[header + 2], head[header + 3]];
        unmask(payload, mask);
        let total = header + 4 + length;
        if head[0] & 0x0F == 8 {
            self.end(id);
            return total;
        }
        self.counters.frames_in += 1;
        let Some(connection) = self.connections.get_mut(&id) else { return total };
        if connection.path == Path::Publish {
            let mut frame = server_header(head[0], length);
            frame.extend_from_slice(payload);
            self.publications.push(frame);
            return total;
        }
        connection.output.extend_from_slice(&server_header(head[0], length));
        connection.output.extend_from_slice(payload);
        self.counters.frames_out += 1;
        if !self.batched {
            self.flush(id);
        }
        total
    }

    /// Sends this tick's publications to all subscribers.
    fn publish(&mut self) {
        let publications = std::mem::take(&mut self.publications);
        if publications.is_empty() {
            return;
        }
        let subscribers = std::mem::take(&mut self.subscribers);
        let parts = if self.batched { vec![publications.concat()] } else { publications.clone() };
        for part in parts {
            for subscriber in &subscribers {
                self.send(*subscriber, &part);
            }
        }
        self.counters.frames_out += (publications.len() * subscribers.len()) as u64;
        self.subscribers = subscribers;
        let connections = &self.connections;
        self.subscribers.retain(|subscriber| connections.contains_key(subscriber));
    }

    /// Writes at once what can be written, without a copy where nothing waits.
    fn send(&mut self, id: usize, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut at = 0;
        if connection.output.is_empty() {
            match connection.stream.write(bytes) {
                Ok(count) => at = count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return drop(self.connections.remove(&id)),
            }
        }
        self.counters.bytes_out += at as u64;
        if at < bytes.len() {
            connection.output.extend_from_slice(&bytes[at..]);
            self.flush(id);
        }
    }

    fn flush(&mut self, id: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut at = 0;
        while at < connection.output.len() {
            match connection.stream.write(&connection.output[at..]) {
                Ok(count) => at += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return self.end(id),
            }
        }
        self.counters.bytes_out += at as u64;
        if at == connection.output.len() && connection.output.capacity() > 64 * 1024 {
            connection.output = Vec::new();
        } else {
            connection.output.drain(..at);
        }
    }
}

/// The bytes of a header before the mask, and of the payload.
fn lengths(input: &[u8]) -> Option<(usize, usize)> {
    match input.get(1)? & 0x7F {
        126 => Some((4, usize::from(u16::from_be_bytes(*input.get(2..)?.first_chunk()?)))),
        127 => Some((10, usize::try_from(u64::from_be_bytes(*input.get(2..)?.first_chunk()?)).ok()?)),
        short => Some((2, usize::from(short))),
    }
}

fn server_header(first: u8, length: usize) -> Vec<u8> {
    match length {
        0..126 => vec![first, length as u8],
        126..65536 => [&[first, 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

fn unmask(payload: &mut [u8], [a, b, c, d]: [u8; 4]) {
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key;
    }
}
