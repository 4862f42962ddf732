//! Every reason a peer is refused or closed: WebSocket close code, HTTP status and metric label in one table.

/// Why the server refused or ended something.
///
/// One value answers three questions: which close code a WebSocket peer reads (RFC 6455 section 7.4 and the IANA
/// registry), which status an HTTP peer reads (RFC 9110), and under which label it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The peer said goodbye (a Close frame, or the end of its stream after a complete exchange).
    PeerClosed,
    /// The peer's stream ended, or the socket failed, in the middle of something.
    PeerVanished,
    /// An HTTP exchange ended as both sides meant it to.
    HttpDone,
    /// The server is shutting down.
    ServerShutdown,
    /// A frame that RFC 6455 forbids: reserved bits, unknown opcode, no mask, bad fragmentation, bad length, bad close.
    ProtocolError,
    /// A kind of message that this endpoint does not take.
    UnsupportedData,
    /// Text that is not UTF-8.
    InvalidUtf8,
    /// A compressed message that is not DEFLATE data.
    InvalidDeflate,
    /// A message, or the frame that announces it, is larger than the limit.
    MessageTooBig,
    /// More fragments in one message than the limit.
    TooManyFragments,
    /// The peer read too slowly: its outbox was over the limit after a write attempt.
    SlowConsumer,
    /// The server's budget for outbound memory is spent.
    OutboundBudget,
    /// No answer to a ping within its deadline.
    PingTimeout,
    /// A message or frame began and did not end in time.
    MessageTimeout,
    /// The closing handshake did not finish in time.
    CloseTimeout,
    /// A request head did not arrive in time.
    HeadTimeout,
    /// A request body did not arrive in time.
    BodyTimeout,
    /// A kept-alive HTTP connection sent nothing more.
    IdleTimeout,
    /// The request is not HTTP as RFC 9112 defines it.
    BadRequest,
    /// The Origin is not allowed.
    OriginNotAllowed,
    /// What is asked for is for operators, and nobody said who asks.
    OperatorNeeded,
    /// What is asked for needs a right that this peer has not.
    Forbidden,
    /// More subscriptions than one connection may have.
    TooManyRequests,
    /// The same idempotency key with another body.
    Conflict,
    /// A total limit is reached, or a queue stayed full: the request may be repeated later.
    Overloaded,
    /// The Host is none of this server's.
    MisdirectedRequest,
    /// No such route.
    NotFound,
    /// The route exists, the method does not.
    MethodNotAllowed,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The request target is longer than the limit.
    UriTooLong,
    /// The media type of the body cannot be published.
    UnsupportedMediaType,
    /// A WebSocket handshake was needed, or had the wrong version.
    UpgradeRequired,
    /// The head is larger than the limit, or has too many fields.
    HeadTooLarge,
    /// Another major version of HTTP.
    VersionNotSupported,
    /// No room for another connection.
    TooManyConnections,
    /// The work of this connection panicked; it was contained.
    InternalError,
}

impl Reason {
    /// All reasons, in the order of their metric index.
    pub const ALL: [Reason; 36] = [
        Reason::PeerClosed,
        Reason::PeerVanished,
        Reason::HttpDone,
        Reason::ServerShutdown,
        Reason::ProtocolError,
        Reason::UnsupportedData,
        Reason::InvalidUtf8,
        Reason::InvalidDeflate,
        Reason::MessageTooBig,
        Reason::TooManyFragments,
        Reason::SlowConsumer,
        Reason::OutboundBudget,
        Reason::PingTimeout,
        Reason::MessageTimeout,
        Reason::CloseTimeout,
        Reason::HeadTimeout,
        Reason::BodyTimeout,
        Reason::IdleTimeout,
        Reason::BadRequest,
        Reason::OriginNotAllowed,
        Reason::OperatorNeeded,
        Reason::Forbidden,
        Reason::TooManyRequests,
        Reason::Conflict,
        Reason::Overloaded,
        Reason::MisdirectedRequest,
        Reason::NotFound,
        Reason::MethodNotAllowed,
        Reason::BodyTooLarge,
        Reason::UriTooLong,
        Reason::UnsupportedMediaType,
        Reason::UpgradeRequired,
        Reason::HeadTooLarge,
        Reason::VersionNotSupported,
        Reason::TooManyConnections,
        Reason::InternalError,
    ];

    /// The close code a WebSocket peer is sent.
    #[must_use]
    pub const fn websocket_code(self) -> u16 {
        match self {
            Reason::PeerClosed | Reason::HttpDone => 1000,
            Reason::ServerShutdown => 1012,
            Reason::ProtocolError => 1002,
            Reason::UnsupportedData => 1003,
            Reason::InvalidUtf8 | Reason::InvalidDeflate => 1007,
            Reason::MessageTooBig => 1009,
            Reason::TooManyFragments
            | Reason::Conflict
            | Reason::SlowConsumer
            | Reason::BadRequest
            | Reason::MethodNotAllowed
            | Reason::BodyTooLarge
            | Reason::UriTooLong
            | Reason::UnsupportedMediaType
            | Reason::UpgradeRequired
            | Reason::HeadTooLarge
            | Reason::VersionNotSupported => 1008,
            // What policy refuses: 4000 and the status, so that a page's script can tell them apart.
            Reason::OperatorNeeded => 4401,
            Reason::OriginNotAllowed | Reason::Forbidden => 4403,
            Reason::NotFound => 4404,
            Reason::MisdirectedRequest => 4421,
            Reason::TooManyRequests => 4429,
            Reason::OutboundBudget | Reason::Overloaded | Reason::TooManyConnections => 1013,
            Reason::PeerVanished
            | Reason::PingTimeout
            | Reason::MessageTimeout
            | Reason::CloseTimeout
            | Reason::HeadTimeout
            | Reason::BodyTimeout
            | Reason::IdleTimeout => 1001,
            Reason::InternalError => 1011,
        }
    }

    /// The status an HTTP peer is sent.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Reason::PeerClosed | Reason::PeerVanished | Reason::HttpDone => 200,
            Reason::ProtocolError
            | Reason::UnsupportedData
            | Reason::InvalidUtf8
            | Reason::InvalidDeflate
            | Reason::TooManyFragments
            | Reason::BadRequest => 400,
            Reason::OperatorNeeded => 401,
            Reason::OriginNotAllowed | Reason::Forbidden => 403,
            Reason::Conflict => 409,
            Reason::TooManyRequests => 429,
            Reason::NotFound => 404,
            Reason::MethodNotAllowed => 405,
            Reason::PingTimeout
            | Reason::MessageTimeout
            | Reason::CloseTimeout
            | Reason::HeadTimeout
            | Reason::BodyTimeout
            | Reason::IdleTimeout => 408,
            Reason::MessageTooBig | Reason::BodyTooLarge => 413,
            Reason::UriTooLong => 414,
            Reason::UnsupportedMediaType => 415,
            Reason::MisdirectedRequest => 421,
            Reason::UpgradeRequired => 426,
            Reason::HeadTooLarge => 431,
            Reason::InternalError => 500,
            Reason::ServerShutdown
            | Reason::SlowConsumer
            | Reason::OutboundBudget
            | Reason::Overloaded
            | Reason::TooManyConnections => 503,
            Reason::VersionNotSupported => 505,
        }
    }

    /// The name under which it is counted, and which a closed peer reads as the reason text.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Reason::PeerClosed => "peer_closed",
            Reason::PeerVanished => "peer_vanished",
            Reason::HttpDone => "http_done",
            Reason::ServerShutdown => "server_shutdown",
            Reason::ProtocolError => "protocol_error",
            Reason::UnsupportedData => "unsupported_data",
            Reason::InvalidUtf8 => "invalid_utf8",
            Reason::InvalidDeflate => "invalid_deflate",
            Reason::MessageTooBig => "message_too_big",
            Reason::TooManyFragments => "too_many_fragments",
            Reason::SlowConsumer => "slow_consumer",
            Reason::OutboundBudget => "outbound_budget",
            Reason::PingTimeout => "ping_timeout",
            Reason::MessageTimeout => "message_timeout",
            Reason::CloseTimeout => "close_timeout",
            Reason::HeadTimeout => "head_timeout",
            Reason::BodyTimeout => "body_timeout",
            Reason::IdleTimeout => "idle_timeout",
            Reason::BadRequest => "bad_request",
            Reason::OriginNotAllowed => "origin_not_allowed",
            Reason::OperatorNeeded => "operator_needed",
            Reason::Forbidden => "forbidden",
            Reason::TooManyRequests => "too_many_requests",
            Reason::Conflict => "conflict",
            Reason::Overloaded => "overloaded",
            Reason::MisdirectedRequest => "misdirected_request",
            Reason::NotFound => "not_found",
            Reason::MethodNotAllowed => "method_not_allowed",
            Reason::BodyTooLarge => "body_too_large",
            Reason::UriTooLong => "uri_too_long",
            Reason::UnsupportedMediaType => "unsupported_media_type",
            Reason::UpgradeRequired => "upgrade_required",
            Reason::HeadTooLarge => "head_too_large",
            Reason::VersionNotSupported => "version_not_supported",
            Reason::TooManyConnections => "too_many_connections",
            Reason::InternalError => "internal_error",
        }
    }

    /// Whether a connection can end for this: what is only answered cannot.
    #[must_use]
    pub const fn ends(self) -> bool {
        !matches!(self, Reason::Conflict)
    }

    /// Whether a request or a frame can be refused for this: what only ends a connection cannot.
    #[must_use]
    pub const fn refuses(self) -> bool {
        !matches!(
            self,
            Reason::PeerClosed
                | Reason::PeerVanished
                | Reason::HttpDone
                | Reason::SlowConsumer
                | Reason::OutboundBudget
                | Reason::PingTimeout
                | Reason::CloseTimeout
                | Reason::IdleTimeout
        )
    }

    /// The place of this reason in [`Reason::ALL`], for counters kept in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;
    use std::collections::HashSet;
    use tungstenite::protocol::frame::coding::CloseCode;

    #[test]
    fn every_reason_stands_at_its_index_under_a_label_of_its_own() {
        let mut labels = HashSet::new();
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index, "{reason:?}");
            assert!(labels.insert(reason.label()), "{reason:?} shares its label");
            assert!(reason.label().len() <= 123, "a close reason is at most 123 bytes");
        }
    }

    #[test]
    fn every_close_code_may_be_sent_and_every_status_exists() {
        for reason in Reason::ALL {
            assert!(CloseCode::from(reason.websocket_code()).is_allowed(), "{reason:?}");
            assert!((200..600).contains(&reason.http_status()), "{reason:?}");
        }
    }
}
