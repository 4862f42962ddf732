//! Dialects: how each kind of server is spoken to. An adapter is pure: messages in, messages and events out.
//!
//! The engine owns sockets, frames, HTTP and time; an adapter says which request opens a connection, what is sent when it
//! is open, how a publication is worded, and what a message that came means. What it must remember of a connection is a
//! [`Memory`] of a few bytes.

pub mod centrifugo;
pub mod choice;
pub mod nats;
pub mod nchan;
pub mod pusher;
pub mod raw;
pub mod socketio;
pub mod sse;
pub mod tidings;

use serde::{Deserialize, Serialize};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Sends messages and expects each back.
    Echo,
    /// Reads what is published to its channels.
    Subscribe,
    /// Publishes.
    Publish,
    /// Is there.
    Idle,
    /// Signs in, again and again.
    SignIn,
}

/// Which channels there are, and who reads which: connection `n` reads `per_connection` channels from
/// `n * per_connection` on, round and round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Naming {
    /// What every channel's name begins with.
    pub prefix: String,
    /// How many channels there are, at least one.
    pub channels: u32,
    /// How many of them each subscriber reads, at most all.
    pub per_connection: u32,
}

impl Naming {
    /// The name of a channel.
    #[must_use]
    pub fn name(&self, channel: u32) -> String {
        format!("{}{channel}", self.prefix)
    }

    /// How many of `readings` subscriptions, which are dealt out in turn, are to the channel of a sequence.
    #[must_use]
    pub fn receivers_of(&self, stream: u32, readings: u64) -> u64 {
        let channels = self.channels.max(1);
        let channel = u64::from(stream % channels);
        readings / u64::from(channels) + u64::from(channel < readings % u64::from(channels))
    }

    /// The numbers of the channels that a connection reads.
    pub fn of(&self, connection: u64) -> impl Iterator<Item = u32> + use<> {
        let (channels, count) = (u64::from(self.channels.max(1)), u64::from(self.per_connection));
        let first = connection.wrapping_mul(count);
        (0..count).map(move |step| u32::try_from((first + step) % channels).unwrap_or(0))
    }
}

/// One connection, as an adapter sees it.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// Its number among those of its job in the whole run, over all threads and processes.
    pub number: u64,
    /// What it is for.
    pub job: Job,
    /// The channels.
    pub naming: &'a Naming,
    /// Its line of the file of tokens: one, or several with spaces between them.
    pub tokens: Option<&'a str>,
}

impl<'a> Peer<'a> {
    /// One of its tokens, from 0; the last one where there are fewer.
    #[must_use]
    pub fn token(&self, place: u16) -> Option<&'a str> {
        let mut tokens = self.tokens?.split_ascii_whitespace();
        let last = tokens.clone().last();
        tokens.nth(usize::from(place)).or(last)
    }

    /// The names of the channels it reads: none unless it is a subscriber.
    pub fn channels(&self) -> impl Iterator<Item = String> {
        let count = if self.job == Job::Subscribe { usize::MAX } else { 0 };
        self.naming.of(self.number).take(count).map(|channel| self.naming.name(channel))
    }

    /// How many channels it reads.
    #[must_use]
    pub fn channel_count(&self) -> u32 {
        if self.job == Job::Subscribe { self.naming.per_connection } else { 0 }
    }
}

/// What an adapter remembers of one connection between messages. Small: there is one per connection.
#[derive(Debug, Default)]
pub struct Memory {
    /// How far the handshake of the dialect has come; the adapter's own numbers.
    pub stage: u16,
    /// How many subscriptions were confirmed.
    pub joined: u32,
    /// The next number for a request that needs one.
    pub next_id: u32,
    /// The part of a message of the dialect that has come so far, where they do not end with WebSocket messages.
    pub rest: Option<Box<Vec<u8>>>,
    /// Where each channel was, in the order of [`Peer::channels`], to go on from after a reconnect.
    pub positions: Option<Box<Vec<String>>>,
}

/// How a connection is opened: the request line and what goes into the head besides Host, Upgrade, Connection,
/// Sec-WebSocket-Key and -Version, which the engine writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What runs on the connection.
    pub transport: Transport,
    /// Path and query.
    pub path: String,
    /// Further fields.
    pub headers: Vec<(String, String)>,
    /// The value of Sec-WebSocket-Protocol; the server must choose one of these.
    pub subprotocol: Option<&'static str>,
}

/// What runs on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// A WebSocket (RFC 6455).
    WebSocket,
    /// An event stream (HTML standard, server-sent events): a GET whose answer does not end. [`Adapter::read`] gets each
    /// block of lines.
    EventStream,
    /// Requests and answers: a publisher over HTTP.
    Http,
}

/// One request of a publisher over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Such as POST.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Fields besides Host, Content-Length and those that the user gave.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Text or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
}

/// Where messages to send go. The engine frames, masks and perhaps compresses them.
pub trait Outlet {
    /// Sends one message.
    fn send(&mut self, kind: Kind, payload: &[u8]);
}

impl Outlet for Vec<(Kind, Vec<u8>)> {
    fn send(&mut self, kind: Kind, payload: &[u8]) {
        self.push((kind, payload.to_vec()));
    }
}

/// What to publish: text that is a JSON value when `json` says so, and otherwise has no character that JSON would escape.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// Printable ASCII, with the stamp in it.
    pub text: &'a str,
    /// Whether it is a JSON value by itself.
    pub json: bool,
}

impl Payload<'_> {
    /// The payload as a JSON value: itself, or a string.
    #[must_use]
    pub fn as_json(&self) -> String {
        if self.json { self.text.to_owned() } else { format!("\"{}\"", self.text) }
    }

    /// The payload as a JSON string, with quotes and backslashes escaped.
    #[must_use]
    pub fn as_json_string(&self) -> String {
        serde_json::Value::from(self.text).to_string()
    }
}

/// What a message meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The connection is usable from now on: greeted, and all its subscriptions confirmed. Said once.
    Ready,
    /// A publication, or an echo: text that may contain a stamp.
    Message(&'a [u8]),
    /// The server has taken one publication of this connection.
    Ack,
    /// The server refused something: counted as an error with this text.
    Refused(String),
    /// A resumed subscription: whether everything since the position comes, or something is missing.
    Resumed {
        /// True when nothing is missing.
        complete: bool,
    },
}

/// A message that an adapter could not make sense of: the connection is closed and the text counted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProtocolError(pub String);

/// A dialect. One value serves all connections of a thread.
pub trait Adapter: std::fmt::Debug + Send + Sync {
    /// How a connection is opened. `memory` is that of an earlier life of the connection when it reconnects and may
    /// resume, and otherwise new.
    fn opening(&self, peer: &Peer<'_>, memory: &Memory) -> Opening;

    /// The WebSocket, or the event stream, is open: sends what comes first. Says [`Event::Ready`] when nothing else is
    /// needed.
    fn opened(&self, peer: &Peer<'_>, memory: &mut Memory, out: &mut dyn Outlet, emit: &mut dyn FnMut(Event<'_>));

    /// A message, or a block of an event stream, has come.
    ///
    /// # Errors
    /// When it breaks the dialect.
    fn read(
        &self,
        peer: &Peer<'_>,
        memory: &mut Memory,
        message: &[u8],
        out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError>;

    /// Sends `payload` so that it comes back as [`Event::Message`]. The default sends it unchanged.
    fn echo(&self, _peer: &Peer<'_>, _memory: &mut Memory, payload: &[u8], out: &mut dyn Outlet) {
        out.send(Kind::Text, payload);
    }

    /// Whether there is a way to sign in on an open connection, so that [`Adapter::echo`] has one for [`Job::SignIn`].
    fn signs_in(&self) -> bool {
        false
    }

    /// Whether the server ended a connection since its token expired. Then it comes back, with what `memory` says.
    fn expired(&self, _memory: &mut Memory, _code: u16, _reason: &str) -> bool {
        false
    }

    /// Publishes over the socket. False where the dialect has no such thing.
    fn publish(&self, memory: &mut Memory, channel: &str, payload: Payload<'_>, out: &mut dyn Outlet) -> bool;

    /// Publishes over HTTP; `None` where the dialect has no such thing.
    fn http_publish(&self, channel: &str, payload: Payload<'_>) -> Option<HttpRequest>;

    /// Whether every publication over the socket is answered by [`Event::Ack`] or [`Event::Refused`].
    fn acknowledges(&self) -> bool {
        false
    }

    /// Whether there is a way to publish over a socket.
    fn publishes_over_sockets(&self) -> bool {
        true
    }

    /// What the names of channels must begin with for publishing over a socket.
    fn socket_prefix(&self) -> &'static str {
        ""
    }

    /// Whether a connection can read only one channel, or publish to only one over its socket.
    fn one_channel_each(&self) -> bool {
        false
    }

    /// Whether a subscriber that comes back can ask for what it missed.
    fn resumes(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Naming;

    #[test]
    fn channels_go_round() {
        let naming = Naming { prefix: "c".to_owned(), channels: 3, per_connection: 2 };
        let of = |n| naming.of(n).map(|channel| naming.name(channel)).collect::<Vec<_>>();
        assert_eq!(
            (of(0), of(1), of(2)),
            (vec!["c0".into(), "c1".into()], vec!["c2".into(), "c0".into()], vec!["c1".into(), "c2".into()])
        );
    }
}
