//! The settings of how much clients may do, of certificates, and of the log.

use crate::config::choice::{AcmeChallenge, LogFormat, LogLevel, TlsVersion};
use crate::config::forms::{DIRECTORY, DOMAIN, EMAIL, EXTERNAL, PATH};
use crate::config::kind::{DAY, Flag, Kind, SECOND};
use crate::config::ranges::{CAP, OF_BYTES, PIECES, count, time};
use crate::config::rate::{
    AutoRate, CONNECTION_BYTES, CONNECTION_PUBLICATIONS, CONNECTION_REQUESTS, ConnectionRate, Rate,
};
use crate::config::table::{Entry, Given, Section, joined, sections};
use std::time::Duration;

sections! {
    /// How much one connection, user, key or address may do: so many in a time, as in "100/s" or "1000/m burst 200", where the
    /// burst is what may come at once after a pause (without one, what one period allows). What is too much is refused with 429
    /// and the time to wait; bytes are not refused but read later. Operators have no limits.
    limits: LimitsConfig {
        /// Requests of one connection of an anonymous client or a user. Game clients send 60 times a second, and a page that comes
        /// back subscribes to a thousand channels at once. "auto" is no limit in open mode, so that a first try meets none.
        connection_requests: ConnectionRate = ConnectionRate::Auto, AutoRate(CONNECTION_REQUESTS);
        /// Publications of one connection of an anonymous client or a user: 60 positions a second, and what was written offline
        /// at once. "auto" as above.
        connection_publications: ConnectionRate = ConnectionRate::Auto, AutoRate(CONNECTION_PUBLICATIONS);
        /// Bytes from one connection of an anonymous client or a user. What comes faster is read later. "auto" as above.
        connection_bytes: ConnectionRate = ConnectionRate::Auto, AutoRate(CONNECTION_BYTES);
        /// Sockets and event streams that a user has open. Off, since only you know how many tabs and devices yours have.
        user_connections: usize = 0, CAP;
        /// Sockets and event streams that a user opens. Off: all pages of a user come back together after a restart.
        user_new_connections: Option<Rate> = None, PIECES;
        /// Requests of a user on all connections. Off, since each of them has its own limit.
        user_requests: Option<Rate> = None, PIECES;
        /// Publications of a user on all connections. Off, since each of them has its own limit.
        user_publications: Option<Rate> = None, PIECES;
        /// Bytes from a user on all connections. Off, since each of them has its own limit.
        user_bytes: Option<Rate> = None, OF_BYTES;
        /// Sockets and event streams that a key has open. Off: keys are for backends that you run.
        key_connections: usize = 0, CAP;
        /// Sockets and event streams that a key opens. Off: keys are for backends that you run.
        key_new_connections: Option<Rate> = None, PIECES;
        /// Requests with a key. Off: keys are for backends that you run.
        key_requests: Option<Rate> = None, PIECES;
        /// Publications with a key. Off: keys are for backends that you run.
        key_publications: Option<Rate> = None, PIECES;
        /// Bytes sent with a key. Off: keys are for backends that you run.
        key_bytes: Option<Rate> = None, OF_BYTES;
        /// Connections that an address has open, IPv6 addresses by their /64. Off, since a company or a mobile network may have
        /// one address for thousands. Limits by address never hold for loopback, unix sockets and trusted proxies.
        address_connections: usize = 0, CAP;
        /// Connections that an address opens. Off for the same reason; "20/s burst 200" stops the simplest floods.
        address_new_connections: Option<Rate> = None, PIECES;
        /// Requests of anonymous clients and users of an address. Off for the same reason.
        address_requests: Option<Rate> = None, PIECES;
        /// Publications of anonymous clients and users of an address. Off for the same reason.
        address_publications: Option<Rate> = None, PIECES;
        /// Bytes from anonymous clients and users of an address. Off for the same reason.
        address_bytes: Option<Rate> = None, OF_BYTES;
        /// Connections, users, keys and addresses whose rates are remembered, each for as long as its burst takes to come back. It
        /// takes 16 bytes each; beyond it the one that is idle for longest is forgotten. Enough for as many that are busy at the
        /// same moment.
        tracked: usize = 100_000, count("rates", 1000, 1 << 26);
    }

    /// What listeners need that speak TLS: https:// and wss://.
    tls: TlsConfig {
        /// A certificate with those that lead to one that clients trust (PEM, the server's own first), for whoever asks for no other
        /// name. Certificate blocks add more. None: there are only those.
        chain: String = String::new(), PATH;
        /// The private key of the first of them (PEM, not encrypted).
        key: String = String::new(), PATH;
        /// The oldest version that is spoken. 1.2, since libraries of ten years ago speak no later one, and it is safe as it is
        /// spoken here.
        oldest: TlsVersion = TlsVersion::Tls12, TlsVersion::WORDS;
        /// Handshakes in progress on each reactor: a connection beyond them is closed at once. Each holds 4 KB and may take
        /// http.head_timeout. Most take milliseconds, so that this many are clients that do not go on, or a storm that no second
        /// is long enough for.
        handshakes: usize = 10_000, count("handshakes", 1, 10_000_000);
        /// A file with keys of tickets, by which clients skip a part of the handshake when they come back: one on a line, of which
        /// the first makes tickets and all open them. For servers that share their clients. None: keys of the server's own.
        ticket_keys: String = String::new(), PATH;
        /// How often the files of certificates and ticket keys are looked at: what two looks found changed in the same way is read.
        /// 0 s: never.
        watch: Duration = 10 * SECOND, time(Duration::ZERO, DAY);
    }

    /// A certificate that the server orders from an authority by itself (ACME, RFC 8555), and renews.
    acme: AcmeConfig {
        /// The names that it is for, each of which leads to this server in DNS. None: nothing is ordered.
        domains: Vec<String> = Vec::new(), DOMAIN;
        /// Where the authority reaches you when it has to revoke certificates. None: it is told nothing.
        email: String = String::new(), EMAIL;
        /// Where the authority says what it can do. Let's Encrypt has one for trials, the same at acme-staging-v02, whose certificates nobody
        /// trusts and whose limits are wide.
        directory: String = "https://acme-v02.api.letsencrypt.org/directory".to_owned(), DIRECTORY;
        /// Whether you agree to the authority's terms of service. It makes an account for nobody else.
        accept_terms: bool = false, Flag;
        /// Where the account's key and the certificate are kept, for the server's user alone. None: acme in the state folder that
        /// systemd gives, or else tidings/acme in that of the user.
        folder: String = String::new(), PATH;
        /// How the authority finds out that the names lead here: it opens a TLS connection to port 443 of each, or asks at port 80
        /// by plain HTTP.
        challenge: AcmeChallenge = AcmeChallenge::TlsAlpn01, AcmeChallenge::WORDS;
        /// A file with the certificates (PEM) that an authority of your own is trusted by. None: those that this system trusts.
        ca_file: String = String::new(), PATH;
        /// The name of an account that you have with the authority already, where it wants one.
        external_account: String = String::new(), EXTERNAL;
        /// A file with the key that the authority gave you for it (base64url).
        external_key_file: String = String::new(), PATH;
        /// How long before its end the certificate is renewed, an hour after it was issued at the earliest. 0 s: when two thirds of
        /// its time are over.
        renew_before: Duration = Duration::ZERO, time(Duration::ZERO, 3650 * DAY);
    }

    /// What the command tidings writes to standard error. A program that embeds the server installs a logger of its own.
    log: LogConfig {
        /// What is logged: this level and the more important ones. At info those are refusals with their peer, and faulty
        /// connections, at most one line a second of each kind.
        level: LogLevel = LogLevel::Info, LogLevel::WORDS;
        /// The form of the lines: text for people, or json, one object a line, for programs that collect them.
        format: LogFormat = LogFormat::Text, LogFormat::WORDS;
    }
}
