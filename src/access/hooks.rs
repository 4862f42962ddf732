//! What the program that embeds the server says about connections, reads and writes: callbacks that may refuse.

use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::peer_address::PeerAddress;
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::wire::http::head::Head;
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Why a callback refuses: a sentence that the client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied(Cow<'static, str>);

impl Denied {
    /// Refuses for a reason, such as `"the auction is over"`.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Denied {
        Denied(reason.into())
    }

    /// The sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }

    fn refusal(self) -> Refusal {
        Refusal::new(Code::Forbidden, self.0)
    }
}

/// A WebSocket or an event stream that a client wants to open, as its request says.
#[derive(Debug, Clone, Copy)]
pub struct Connecting<'r> {
    path: &'r str,
    query: Option<&'r str>,
    host: Option<&'r str>,
    origin: Option<&'r str>,
    authorization: Option<&'r str>,
    address: PeerAddress,
    from_loopback: bool,
}

impl<'r> Connecting<'r> {
    fn new(head: &Head<'r>, address: PeerAddress, from_loopback: bool) -> Connecting<'r> {
        let Head { path, query, host, origin, authorization, .. } = *head;
        Connecting { path, query, host, origin, authorization, address, from_loopback }
    }

    /// The path as it was sent, percent-encoded: `/ws`, `/channels/stocks`.
    #[must_use]
    pub fn path(&self) -> &'r str {
        self.path
    }

    /// What follows the `?`, as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&'r str> {
        self.query
    }

    /// `Host`.
    #[must_use]
    pub fn host(&self) -> Option<&'r str> {
        self.host
    }

    /// `Origin`: the page that asks, if a browser asks. It was judged before.
    #[must_use]
    pub fn origin(&self) -> Option<&'r str> {
        self.origin
    }

    /// `Authorization`, as it was sent.
    #[must_use]
    pub fn authorization(&self) -> Option<&'r str> {
        self.authorization
    }

    /// Where the client is; `None` on a unix socket. It is the peer's address, unless `trusted_proxies` of the listener
    /// includes that: then what the proxy says of its client in X-Forwarded-For, Forwarded or a PROXY header.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address.ip()
    }

    /// Whether the peer is on this machine; a proxy may be. False where connections begin with a PROXY header.
    #[must_use]
    pub fn is_from_loopback(&self) -> bool {
        self.from_loopback
    }
}

/// A GET of a channel, on whatever transport.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'r> {
    channel: &'r str,
    subscribes: bool,
}

impl<'r> Reading<'r> {
    /// The channel's name, decoded.
    #[must_use]
    pub fn channel(&self) -> &'r str {
        self.channel
    }

    /// Whether it subscribes; false for an answer alone.
    #[must_use]
    pub fn subscribes(&self) -> bool {
        self.subscribes
    }
}

/// A POST to a channel, on whatever transport.
#[derive(Debug, Clone, Copy)]
pub struct Writing<'r> {
    channel: &'r str,
    event: Option<&'r str>,
    data: &'r Data,
}

impl<'r> Writing<'r> {
    /// The channel's name, decoded.
    #[must_use]
    pub fn channel(&self) -> &'r str {
        self.channel
    }

    /// The name of the kind of publication, if it has one.
    #[must_use]
    pub fn event(&self) -> Option<&'r str> {
        self.event
    }

    /// What is to be published: one valid JSON value, or bytes of [`Writing::content_type`].
    #[must_use]
    pub fn data(&self) -> &'r [u8] {
        match self.data {
            Data::Json(bytes) | Data::Binary { bytes, .. } => bytes,
        }
    }

    /// The media type of binary data; `None` for JSON.
    #[must_use]
    pub fn content_type(&self) -> Option<&'r str> {
        match self.data {
            Data::Json(_) => None,
            Data::Binary { content_type, .. } => Some(content_type),
        }
    }
}

type Callback<Subject> = Option<Arc<Subject>>;
type OnConnect = dyn Fn(Connecting<'_>) -> Result<(), Denied> + Send + Sync;
type OnRead = dyn Fn(Reading<'_>) -> Result<(), Denied> + Send + Sync;
type OnWrite = dyn Fn(Writing<'_>) -> Result<(), Denied> + Send + Sync;

/// Callbacks that are asked before something happens, and may refuse it: then the client gets 403 with the reason, on a
/// socket too; a browser's page whose socket is refused gets a Close with code 4403 and the reason (it could read nothing
/// else). What the configuration forbids is refused before they are asked, and the program's own calls are not asked about.
///
/// They run on the threads that serve all connections: **a callback must return at once**. It may look something up in
/// memory; while it waits for a lock, a file or a network, thousands of others wait for it. One that panics ends the
/// connection that it was asked about, and nothing else. Callbacks that are not set cost nothing.
///
/// ```
/// use tidings::{Config, Denied, Hooks, Server};
///
/// # let mut config = Config::default();
/// # config.server.listen = vec!["127.0.0.1:0".parse().unwrap()];
/// let hooks = Hooks::default()
///     .on_connect(|connecting| match connecting.query() {
///         Some("ticket=17") => Ok(()),
///         _ => Err(Denied::new("get a ticket first")),
///     })
///     .on_write(|writing| match writing.channel().starts_with("chat:") {
///         true => Ok(()),
///         false => Err(Denied::new("only chats take messages")),
///     });
/// let server = Server::start_with(config, hooks)?;
/// # Ok::<(), tidings::StartError>(())
/// ```
#[derive(Clone, Default)]
pub struct Hooks {
    connect: Callback<OnConnect>,
    read: Callback<OnRead>,
    write: Callback<OnWrite>,
}

impl Hooks {
    /// Asked before a WebSocket or an event stream is opened.
    #[must_use]
    pub fn on_connect(self, callback: impl Fn(Connecting<'_>) -> Result<(), Denied> + Send + Sync + 'static) -> Hooks {
        Hooks { connect: Some(Arc::new(callback)), ..self }
    }

    /// Asked before a channel is read or subscribed to.
    #[must_use]
    pub fn on_read(self, callback: impl Fn(Reading<'_>) -> Result<(), Denied> + Send + Sync + 'static) -> Hooks {
        Hooks { read: Some(Arc::new(callback)), ..self }
    }

    /// Asked before something is published by a client that may publish.
    #[must_use]
    pub fn on_write(self, callback: impl Fn(Writing<'_>) -> Result<(), Denied> + Send + Sync + 'static) -> Hooks {
        Hooks { write: Some(Arc::new(callback)), ..self }
    }

    /// Whether requests have to be asked about at all.
    #[inline]
    pub(crate) fn judge_requests(&self) -> bool {
        self.read.is_some() || self.write.is_some()
    }

    pub(crate) fn may_connect(
        &self,
        head: &Head<'_>,
        address: PeerAddress,
        from_loopback: bool,
    ) -> Result<(), Cow<'static, str>> {
        let Some(callback) = &self.connect else { return Ok(()) };
        callback(Connecting::new(head, address, from_loopback)).map_err(|denied| denied.0)
    }

    pub(crate) fn may_read(&self, channel: &ChannelName, subscribes: bool) -> Result<(), Refusal> {
        let Some(callback) = &self.read else { return Ok(()) };
        callback(Reading { channel, subscribes }).map_err(Denied::refusal)
    }

    pub(crate) fn may_write(&self, channel: &str, event: Option<&str>, data: &Data) -> Result<(), Refusal> {
        let Some(callback) = &self.write else { return Ok(()) };
        callback(Writing { channel, event, data }).map_err(Denied::refusal)
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_set = |name: bool| if name { "set" } else { "none" };
        f.debug_struct("Hooks")
            .field("connect", &is_set(self.connect.is_some()))
            .field("read", &is_set(self.read.is_some()))
            .field("write", &is_set(self.write.is_some()))
            .finish()
    }
}
