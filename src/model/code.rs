//! Every code under which something is refused or ended: HTTP status, WebSocket close code, label, message, all in one table.

/// Where a code occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Only as the end of a connection.
    End,
    /// Only as the answer to a request, after which its connection goes on.
    Request,
    /// Both: what is refused before a socket or a stream begins ends the connection.
    Both,
    /// Only by callers of the library.
    Library,
}

/// Makes the enum and the functions that read its rows: where a code occurs, label, HTTP status, close code, the message
/// where there is no more precise one, and what would allow it (settings, or words; empty where nothing would).
macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident: $scope:ident, $label:literal, $status:literal, $close:literal, $message:literal, $allow:literal;)+) => {
        /// Why the server refused or ended something: one name on every transport.
        ///
        /// One value says which close code a WebSocket peer reads (RFC 6455 section 7.4 and the IANA registry; what policy
        /// refuses has 4000 and the status, so that a page's script can tell them apart), which status an HTTP peer reads
        /// (RFC 9110), and under which label it is answered, counted and logged.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])+ $name,)+
        }

        impl Code {
            /// All codes, in the order of their index.
            pub const ALL: [Code; [$($status),+].len()] = [$(Code::$name),+];

            const fn scope(self) -> Scope {
                match self { $(Code::$name => Scope::$scope,)+ }
            }

            /// The name for programs, in answers, metrics and logs; a closed peer reads it as the reason text.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Code::$name => $label,)+ }
            }

            /// The status that an HTTP peer receives; on the socket, that of an answer.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Code::$name => $status,)+ }
            }

            /// The close code that a WebSocket peer receives.
            #[must_use]
            pub const fn websocket_code(self) -> u16 {
                match self { $(Code::$name => $close,)+ }
            }

            /// A sentence for people, where nothing more precise can be said.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Code::$name => $message,)+ }
            }

            /// What would allow it: settings (`section.key`) or words, separated by `, `; empty where nothing would.
            #[must_use]
            pub const fn allowed_by(self) -> &'static str {
                match self { $(Code::$name => $allow,)+ }
            }
        }
    };
}

codes! {
    /// The peer said goodbye (a Close frame, or the end of its stream after a complete exchange).
    PeerClosed: End, "peer_closed", 200, 1000, "The peer ended the connection.", "";
    /// The peer's stream ended, or the socket failed, in the middle of a message or request.
    PeerVanished: End, "peer_vanished", 200, 1001, "The peer disconnected in the middle of a message or request.", "";
    /// An HTTP exchange ended as both sides meant it to.
    HttpDone: End, "http_done", 200, 1000, "The exchange is complete.", "";
    /// The server is shutting down.
    ServerShutdown: Both, "server_shutdown", 503, 1012, "This server is shutting down; come back in a moment.", "";
    /// A frame that RFC 6455 forbids: reserved bits, unknown opcode, no mask, bad fragmentation, bad length, bad close.
    ProtocolError: Both, "protocol_error", 400, 1002, "This is not a frame that RFC 6455 allows.", "";
    /// A kind of message that this endpoint does not accept.
    UnsupportedData: Both, "unsupported_data", 400, 1003, "This endpoint does not accept messages of this kind.", "websocket.binary";
    /// Text that is not UTF-8.
    InvalidUtf8: Both, "invalid_utf8", 400, 1007, "This text is not UTF-8.", "";
    /// A compressed message that is not DEFLATE data.
    InvalidDeflate: Both, "invalid_deflate", 400, 1007, "This compressed message is not DEFLATE data.", "";
    /// A message, or the frame that announces it, is larger than the limit.
    MessageTooBig: Both, "message_too_big", 413, 1009, "This message is larger than the limit.", "websocket.message_bytes";
    /// More fragments in one message than the limit.
    TooManyFragments: Both, "too_many_fragments", 400, 1008, "This message has more fragments than the limit.", "websocket.fragments";
    /// The peer read too slowly: its outbox was over the limit after a write attempt.
    SlowConsumer: End, "slow_consumer", 503, 1008, "More bytes wait for this reader than the limit allows.", "delivery.outbox_bytes";
    /// The server's budget for outbound memory is spent.
    OutboundBudget: End, "outbound_budget", 503, 1013, "Slow readers use all of the memory that the server has for them.", "delivery.outbound_total_bytes";
    /// No answer to a ping within its deadline.
    PingTimeout: End, "ping_timeout", 408, 1001, "No answer to a ping came in time.", "websocket.pong_wait";
    /// A message or frame began and did not end in time.
    MessageTimeout: Both, "message_timeout", 408, 1001, "The message did not end in time.", "websocket.message_timeout, websocket.message_deadline";
    /// The closing handshake did not finish in time.
    CloseTimeout: End, "close_timeout", 408, 1001, "The closing handshake did not finish in time.", "websocket.close_wait";
    /// A request head did not arrive in time.
    HeadTimeout: Both, "head_timeout", 408, 1001, "The request's head did not arrive in time.", "http.head_timeout";
    /// A request body did not arrive in time.
    BodyTimeout: Both, "body_timeout", 408, 1001, "The body did not arrive in time.", "http.body_timeout, http.body_rate";
    /// A kept-alive HTTP connection sent nothing more.
    IdleTimeout: End, "idle_timeout", 408, 1001, "No further request came in time.", "http.idle_timeout";
    /// The request is not HTTP as RFC 9112 defines it, or a member of it is missing or has the wrong type or size.
    BadRequest: Both, "bad_request", 400, 1008, "This is not a valid request.", "";
    /// A connection that has to begin with a PROXY header and does not, or whose peer no such header is taken from.
    ProxyHeader: Both, "proxy_header", 400, 1008, "This listener takes connections of trusted proxies, each of which begins with a PROXY header.", "a [[listener]] without proxy_protocol";
    /// Plain HTTP where TLS is spoken.
    TlsNeeded: Both, "tls_needed", 400, 1008, "This address speaks TLS: use https:// or wss://.", "a [[listener]] without tls";
    /// A TLS handshake that failed, or a record that is not what the session allows.
    TlsFailed: End, "tls_failed", 400, 1008, "The TLS session failed.", "";
    /// Not JSON, or not UTF-8.
    BadJson: Request, "bad_json", 400, 1008, "This is not JSON.", "";
    /// Arrays and objects are nested too deeply.
    TooDeep: Request, "too_deep", 400, 1008, "Arrays and objects are nested too deeply.", "";
    /// A plain frame where every frame is a request.
    NotARequest: Request, "not_a_request", 400, 1008, "Every frame must be a request here.", "another subprotocol than tidings.v1";
    /// A member that this request does not have.
    UnknownMember: Request, "unknown_member", 400, 1008, "This request has no such member.", "";
    /// The same member more than once.
    DuplicateMember: Request, "duplicate_member", 400, 1008, "A member appears more than once.", "";
    /// Not a channel's name.
    BadChannel: Both, "bad_channel", 400, 1008, "This is not a channel's name.", "";
    /// A name in the query of a URL that this request does not have.
    UnknownOption: Both, "unknown_option", 400, 1008, "This request has no such option.", "";
    /// `exclude` does not have the form of a connection's name.
    BadExclude: Request, "bad_exclude", 400, 1008, "exclude names no connection; give the `connection` from the answer to a GET.", "";
    /// An event's name that is reserved for the server.
    BadEvent: Request, "bad_event", 400, 1008, "This event's name is reserved for the server.", "";
    /// An array with requests and values that are none.
    MixedBatch: Request, "mixed_batch", 400, 1008, "This array holds requests and values that are none.", "";
    /// More requests in a batch than the limit.
    BatchTooLarge: Request, "batch_too_large", 400, 1008, "This batch holds too many requests.", "several batches";
    /// The Origin is not allowed.
    OriginNotAllowed: Both, "origin_not_allowed", 403, 4403, "Pages of this origin are not allowed.", "server.allow_origin";
    /// For operators, and the request carries no credentials.
    OperatorNeeded: Both, "operator_needed", 401, 4401, "This is for operators.", "an operator's key";
    /// The rule for this channel lets in users or keys, and the request carries no credentials.
    TokenNeeded: Both, "token_needed", 401, 4401, "Sign in to do this with this channel.", "a token, a key, a [[channel]] rule";
    /// A token or a key that proves nothing.
    TokenInvalid: Both, "token_invalid", 401, 4401, "What was presented is no valid token or key.", "a valid token or key";
    /// A token whose time is over.
    TokenExpired: Both, "token_expired", 401, 4401, "This token has expired.", "a new token";
    /// A token or a key that an operator has revoked.
    TokenRevoked: Both, "token_revoked", 401, 4401, "This token or key was revoked.", "a token that was made after that, another key";
    /// The keys of the token's issuer were never loaded.
    KeysUnavailable: Both, "keys_unavailable", 503, 1013, "The keys of this token's issuer have not been loaded yet; try again in a moment.", "time";
    /// A key that is none of this server's.
    KeyInvalid: Both, "key_invalid", 401, 4401, "This is no key of this server: it was mistyped, or is no longer among the [[key]] blocks of its configuration.", "a [[key]]";
    /// A key that does not count where it comes from.
    KeyNetwork: Both, "key_network", 403, 4403, "This key may not be used from this address.", "the networks of its [[key]]";
    /// A signed address whose signature is wrong.
    SignatureInvalid: Both, "signature_invalid", 403, 4403, "This signature is not that of this channel's name and exp with the secret of this server (channels.sign_secret).", "channels.sign_secret";
    /// A signed address whose time is over.
    SignatureExpired: Both, "signature_expired", 403, 4403, "This signed address is no longer valid; ask the app for a new one.", "a new signature";
    /// Not open to this peer.
    Forbidden: Both, "forbidden", 403, 4403, "This is not open to this connection.", "";
    /// This connection may only read.
    PublishingNotAllowed: Request, "publishing_not_allowed", 403, 4403, "This connection may read but not publish: without a key, only clients may publish that come \
    directly, over HTTP/1.1, from this machine to a loopback Host, without a field that proxies add. Send an operator key, or \
    start the server with --allow-anonymous-publish to let everyone who reaches it publish.", "server.allow_anonymous_publish, an operator's key";
    /// For operators, and the credentials that were sent are not their key.
    AdminOnly: Request, "admin_only", 403, 4403, "This is for operators, and the key that was sent is not theirs.", "an operator's key";
    /// An operator ended the connection.
    Disconnected: End, "disconnected", 403, 4403, "An operator ended this connection.", "";
    /// An operator ended a subscription.
    Unsubscribed: Both, "unsubscribed", 403, 4403, "An operator ended this subscription.", "";
    /// More subscriptions than one connection may have.
    TooManySubscriptions: Both, "too_many_subscriptions", 429, 4429, "This connection has reached its maximum number of subscriptions.", "channels.per_connection";
    /// More requests than a connection, user, key or address may send for now.
    TooManyRequests: Both, "too_many_requests", 429, 4429, "More requests came than are allowed for now.", "limits.connection_requests, \
    limits.user_requests, limits.key_requests, limits.address_requests";
    /// More publications than a connection, user, key or address may send for now, or a channel's rule allows.
    TooManyPublications: Request, "too_many_publications", 429, 4429, "More publications came than are allowed for now.",
    "limits.connection_publications, limits.user_publications, limits.key_publications, limits.address_publications, the channel's rule";
    /// So many bytes more than a connection, user, key or address may send that reading them later would take too long.
    TooManyBytes: Both, "too_many_bytes", 429, 4429, "More bytes came than are allowed for now.", "limits.connection_bytes, limits.user_bytes, \
    limits.key_bytes, limits.address_bytes";
    /// More connections than a user, key or address may open for now.
    TooManyNewConnections: Both, "too_many_new_connections", 429, 4429, "More connections were opened than are allowed for now.",
    "limits.user_new_connections, limits.key_new_connections, limits.address_new_connections";
    /// An address has as many connections as it may.
    TooManyConnectionsOfAddress: Both, "too_many_connections_of_address", 429, 4429, "This address has as many connections as it may.",
    "limits.address_connections";
    /// A user has as many connections as it may.
    TooManyConnectionsOfUser: Both, "too_many_connections_of_user", 429, 4429, "This user has as many connections as it may.", "limits.user_connections";
    /// A key has as many connections as it may.
    TooManyConnectionsOfKey: Both, "too_many_connections_of_key", 429, 4429, "This key has as many connections as it may.", "limits.key_connections";
    /// The same idempotency key with another body.
    KeyReused: Request, "key_reused", 409, 1008, "This idempotency key was used on this channel with another body; use a new key for a new publication.", "another key";
    /// A publication that was to follow a position, and the channel is elsewhere.
    Moved: Request, "moved", 412, 1008, "The channel is not at the position that if_match (If-Match) names, so nothing was published; read what came since, and publish after that.", "a publication after the channel's present position";
    /// A mailbox or a queue stayed full: nothing was done.
    Busy: Both, "busy", 503, 1013, "The subscribers cannot take more at the moment; nothing was published. Try again later \
    (delivery.mailbox_bytes and mailbox_entries say how much may wait, server.publish_wait for how long).", "delivery.mailbox_bytes, delivery.mailbox_entries, server.publish_wait";
    /// What keeps the histories cannot be reached, or has failed: nothing was done.
    EngineUnavailable: Both, "engine_unavailable", 503, 1013, "What keeps the histories of this server is not available; nothing was published. Try again later.", "time, an operator";
    /// What keeps the histories did not say whether it has taken a publication.
    OutcomeUnknown: Request, "outcome_unknown", 503, 1013, "It is not known whether this was published; with an idempotency key it can be sent again safely.", "an idempotency key";
    /// The store has no room: nothing was published.
    StoreFull: Request, "store_full", 507, 1013, "The disk of this server is full; nothing was published. Try again later.", "room on the disk of store.folder";
    /// The engine of this server does not do this.
    NotWithThisEngine: Request, "not_with_this_engine", 501, 1008, "The engine of this server cannot do this.", "server.engine";
    /// The maximum number of channels exists, and this one would be new.
    ChannelsFull: Both, "channels_full", 503, 1013, "The server has reached its maximum number of channels (channels.total); try again later.", "channels.total";
    /// A configuration that was read again and cannot take the place of the one in force.
    ConfigRefused: Request, "config_refused", 422, 1008, "The configuration was refused, and nothing changed.", "a configuration without mistakes";
    /// As many revocations are kept as may be.
    RevocationsFull: Request, "revocations_full", 507, 1013, "As many revocations are kept as there may be (access.revocations), and none of them is over; \
    nothing was revoked. Take some back, or give revocations an end (until).", "access.revocations, an end (until) for revocations, taking some back";
    /// The Host is not one of this server's.
    MisdirectedRequest: Both, "misdirected_request", 421, 4421, "This Host is not one of this server's.", "server.allow_host";
    /// No such route.
    NotFound: Both, "not_found", 404, 4404, "There is nothing at this path.", "";
    /// No such channel, so it has no history.
    UnknownChannel: Request, "unknown_channel", 404, 4404, "There is no such channel, so it has no history to empty.", "";
    /// No such subscription.
    NotSubscribed: Request, "not_subscribed", 404, 4404, "This connection is not subscribed to this channel.", "";
    /// The route exists, the method does not.
    MethodNotAllowed: Both, "method_not_allowed", 405, 1008, "This path does not take this method.", "";
    /// The body is larger than the limit.
    BodyTooLarge: Both, "body_too_large", 413, 1008, "The body is larger than the limit.", "http.body_bytes";
    /// The data of a publication has more bytes than the rule for its channel allows.
    PublicationTooLarge: Request, "publication_too_large", 413, 1009, "This publication is larger than the rule for its channel allows.", "a [[channel]] rule";
    /// The request target is longer than the limit.
    UriTooLong: Both, "uri_too_long", 414, 1008, "The request target is longer than the limit.", "http.target_bytes";
    /// The media type of the body cannot be published.
    UnsupportedMediaType: Both, "unsupported_media_type", 415, 1008, "A body of this media type cannot be published.", "";
    /// A body with a Content-Encoding.
    UnsupportedEncoding: Request, "unsupported_encoding", 415, 1008, "A body must be sent without a Content-Encoding.", "";
    /// A WebSocket handshake was needed, or had the wrong version.
    UpgradeRequired: Both, "upgrade_required", 426, 1008, "A WebSocket handshake of version 13 is needed.", "";
    /// The head is larger than the limit, or has too many fields.
    HeadTooLarge: Both, "head_too_large", 431, 1008, "The request's head is larger than the limit.", "http.head_bytes, http.headers";
    /// Another major version of HTTP.
    VersionNotSupported: Both, "version_not_supported", 505, 1008, "This server speaks HTTP/1.1.", "";
    /// No room for another connection.
    TooManyConnections: Both, "too_many_connections", 503, 1013, "This server has reached its maximum number of connections (server.connections); try again later.", "server.connections";
    /// The work of this connection panicked; the server goes on.
    InternalError: Both, "internal_error", 500, 1011, "The server failed while it handled this request, which may or may not have been carried out.", "";
    /// A publication that is read as JSON and is not JSON.
    NotJson: Library, "not_json", 415, 1008, "This publication is not JSON.", "";
    /// A thread for a subscription of the library could not be started.
    NoThread: Library, "no_thread", 503, 1013, "A thread could not be started.", "";
}

impl Code {
    /// Whether a connection can end for this: what is only answered cannot.
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(self.scope(), Scope::End | Scope::Both)
    }

    /// Whether a request or a frame can be refused for this: what only ends a connection cannot.
    #[must_use]
    pub const fn refuses(self) -> bool {
        matches!(self.scope(), Scope::Request | Scope::Both)
    }

    /// Whether it refuses for lack of permission, rather than because something is wrong: its message quotes nothing that
    /// was sent but an origin or a host, and says what would allow it.
    #[must_use]
    pub const fn is_policy(self) -> bool {
        matches!(
            self,
            Code::OriginNotAllowed
                | Code::MisdirectedRequest
                | Code::Forbidden
                | Code::OperatorNeeded
                | Code::TokenNeeded
                | Code::KeyInvalid
                | Code::KeyNetwork
                | Code::SignatureInvalid
                | Code::SignatureExpired
                | Code::TokenInvalid
                | Code::TokenExpired
                | Code::TokenRevoked
                | Code::Unsubscribed
                | Code::PublishingNotAllowed
                | Code::AdminOnly
        )
    }

    /// The place of this code in [`Code::ALL`], for counters kept in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::HashSet;
    use tungstenite::protocol::frame::coding::CloseCode;

    #[test]
    fn every_code_stands_at_its_index_under_a_label_of_its_own() {
        let mut labels = HashSet::new();
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code.index(), index, "{code:?}");
            assert!(labels.insert(code.label()), "{code:?} shares its label");
            assert!(code.label().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'8'));
            assert!(code.label().len() <= 123, "a close reason is at most 123 bytes");
            assert!(code.message().ends_with('.'), "{code:?} says a sentence");
        }
    }

    #[test]
    fn every_close_code_may_be_sent_and_every_status_exists() {
        for code in Code::ALL {
            assert!(CloseCode::from(code.websocket_code()).is_allowed(), "{code:?}");
            assert!((200..600).contains(&code.http_status()), "{code:?}");
            if code.websocket_code() >= 4000 {
                assert_eq!(code.websocket_code(), 4000 + code.http_status(), "{code:?}");
            }
        }
    }
}
