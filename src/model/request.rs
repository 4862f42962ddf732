//! What a client can ask for, whatever it speaks: the one request type that every transport is parsed into.

use super::name::ChannelName;
use super::publication::{Data, Position};
use super::refusal::Refusal;

/// The id a client gave its request: echoed in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestId {
    /// An integer below 2^53.
    Number(u64),
    /// At most 64 bytes of text.
    Text(Box<str>),
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Echoed in the answer; without one a POST or DELETE that succeeds is silent on the socket.
    pub id: Option<RequestId>,
    /// What is asked.
    pub verb: Verb,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// GET `/channels/{name}`.
    Get {
        /// The channel.
        channel: ChannelName,
        /// How much of it.
        options: GetOptions,
    },
    /// POST `/channels/{name}`.
    Post {
        /// The channel.
        channel: ChannelName,
        /// What and how.
        post: PostOptions,
    },
    /// AUTH: sign in on this connection.
    Auth {
        /// What the client presents.
        token: Box<str>,
    },
    /// DELETE `/channels/{name}`: empty the history.
    DeleteHistory {
        /// The channel.
        channel: ChannelName,
    },
    /// DELETE `/subscriptions/{name}`.
    Unsubscribe {
        /// The channel.
        channel: ChannelName,
    },
    /// GET `/livez`.
    Livez,
    /// GET `/limits`.
    Limits,
}

/// Where a reader wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Behind this position.
    Position(Position),
    /// What was given names no position: the answer says `recovered: false`.
    Unreadable,
}

/// Options of a GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetOptions {
    /// Replay everything behind this position.
    pub since: Option<Since>,
    /// Replay the newest `last`.
    pub last: Option<u32>,
    /// Answer without subscribing.
    pub once: bool,
    /// At most this many publications in the answer.
    pub limit: Option<u32>,
}

/// Options of a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostOptions {
    /// What is published.
    pub data: Data,
    /// A name for the kind of publication, at most 200 bytes.
    pub event: Option<Box<str>>,
    /// The idempotency key, at most 200 bytes.
    pub key: Option<Box<str>>,
    /// Do not deliver to the connection that publishes.
    pub exclude_self: bool,
    /// Do not deliver to the connection with this public name (`?exclude=` over HTTP).
    pub exclude: Option<Box<str>>,
}

/// One item of a frame: a request, or why it is none (with the id, when that much could be read).
pub type Item = Result<Request, RefusedItem>;

/// An item that is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedItem {
    /// The id, when it could be read.
    pub id: Option<RequestId>,
    /// What was wrong.
    pub refusal: Refusal,
}
