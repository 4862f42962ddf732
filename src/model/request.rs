//! What a client can request, over whatever protocol: the one request type that every transport is parsed into.

use super::name::ChannelName;
use super::operation::Operation;
use super::publication::{Data, Position};
use super::refusal::Refusal;

/// The id that a client gave its request: repeated in the answer.
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
    /// Repeated in the answer; without one a POST or DELETE that succeeds is silent on the socket.
    pub id: Option<RequestId>,
    /// What is requested.
    pub verb: Verb,
}

/// What is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// GET `/channels/{name}`.
    Get {
        /// The channel.
        channel: ChannelName,
        /// Which part of it.
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
    /// A page about the server.
    Inspect(Page),
    /// What an operator asks about clients, or does to them.
    Operate(Box<Operation>),
}

/// A page about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// GET `/metrics`.
    Metrics,
    /// GET `/channels`.
    Channels,
    /// GET `/cluster`.
    Cluster,
}

/// Where a reader wants to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After this position.
    Position(Position),
    /// The text that was sent is not a position: the answer has `recovered: false`.
    Unreadable,
}

/// Options of a GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetOptions {
    /// Replay everything after this position.
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
    /// What few ask for: so all others have one word more.
    pub rare: Option<Box<RareOptions>>,
}

/// Options of a POST that few have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RareOptions {
    /// Do not deliver to the connection with this public name (`?exclude=` over HTTP).
    pub exclude: Option<Box<str>>,
    /// Publish only if the channel is at this position (`If-Match` over HTTP).
    pub if_match: Option<Position>,
}

impl PostOptions {
    /// Those of a publication of which nothing is said but what it is.
    #[must_use]
    pub fn of(data: Data) -> PostOptions {
        PostOptions { data, event: None, key: None, exclude_self: false, rare: None }
    }

    /// The name of the connection that is not to receive it.
    #[must_use]
    pub fn exclude(&self) -> Option<&str> {
        self.rare.as_ref()?.exclude.as_deref()
    }

    /// The position that it is to follow.
    #[must_use]
    pub fn if_match(&self) -> Option<&Position> {
        self.rare.as_ref()?.if_match.as_ref()
    }
}

impl RareOptions {
    /// These, if they say anything.
    #[must_use]
    pub fn boxed(self) -> Option<Box<RareOptions>> {
        (self != RareOptions::default()).then(|| Box::new(self))
    }
}

/// One item of a frame: a request, or why it is refused (with the id, if that could be read).
pub type Item = Result<Request, RefusedItem>;

/// An item that is not a valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedItem {
    /// The id, when it could be read.
    pub id: Option<RequestId>,
    /// What was wrong.
    pub refusal: Refusal,
}
