//! The table of all knobs: name, type, default, unit, range, and the reason for each.

use super::certificate::CertificateConfig;
use super::channel::ChannelRule;
use super::choice::{AcmeChallenge, Durability, EchoFor, EngineKind, FlushPath, LogFormat, LogLevel, TlsVersion};
use super::forms::{ANSWER, CHANNEL, DIRECTORY, DOMAIN, EMAIL, EXTERNAL, HOST, ORIGIN, PATH, TOKEN};
use super::issuer::IssuerConfig;
use super::key::KeySettings;
use super::kind::{Bytes, DAY, Flag, GIB, HOUR, KIB, Kind, MIB, MINUTE, SECOND};
use super::listener::ListenerConfig;
use super::networks::Networks;
use super::ranges::{CAP, MILLISECOND, OF_BYTES, PIECES, TIB, bytes, count, time};
use super::rate::{AutoRate, CONNECTION_BYTES, CONNECTION_PUBLICATIONS, CONNECTION_REQUESTS, ConnectionRate, Rate};
use super::secret::{OPERATOR_KEY, SIGN_SECRETS};
use super::table::{Entry, Given, joined, knobs};
use super::text::Addresses;
use crate::model::network::Network;
use crate::model::operator_key::OperatorKey;
use crate::model::sign_secrets::SignSecrets;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

knobs! {
    /// The process: where it listens, how many threads it has, who may connect.
    server: ServerConfig {
        /// Where to listen for clients; listener blocks can say more, and replace this default. Loopback unless you set it, so
        /// that nothing is open to a network by accident.
        listen: Vec<SocketAddr> = vec![(Ipv4Addr::LOCALHOST, 8080).into()], Addresses;
        /// The proxies in front of server.listen: only from these addresses do X-Forwarded-For and Forwarded say where a client
        /// is. None, since whoever is believed can take any address. A listener block has its own.
        trusted_proxies: Vec<Network> = Vec::new(), Networks;
        /// Whether server.listen speaks TLS, with the certificates of the certificate blocks and of tls.chain. A listener block has
        /// its own.
        tls: bool = false, Flag;
        /// Leaves a new connection with the kernel until its first bytes have come (TCP_DEFER_ACCEPT), which makes a
        /// handshake cheaper. One that sends nothing is accepted a second later, and its timeouts begin then.
        defer_accept: bool = true, Flag;
        /// Threads that own sockets. 0 means one for each core available to the process, since each uses a core when busy.
        reactors: usize = 0, count("threads", 0, 1024);
        /// Threads that parse large JSON, and check signatures of tokens while many clients connect. 0 means one for every two
        /// cores: they are busy only when messages are large, or in a storm of reconnects.
        workers: usize = 0, count("threads", 0, 1024);
        /// Messages shorter than this are parsed where they are read, since handing them to a worker costs more than parsing
        /// them; larger ones go to the workers, so that they delay no other connection. 0 sends everything to the
        /// workers, "inf" nothing. The default is the break-even that the benchmark hand_off measured, rounded down.
        inline_parse_bytes: usize = 16 * KIB, Bytes { min: 0, max: GIB, or_inf: true };
        /// How long a stopping server goes on as before while /readyz is 503, so that load balancers send it no new clients.
        /// As long as yours take to notice; 0 without a load balancer.
        drain_delay: Duration = Duration::ZERO, time(Duration::ZERO, HOUR);
        /// The time over which a stopping server closes its connections, evenly, so that they do not all come back at once;
        /// sockets are told beforehand when to come back. 10 s suits thousands of browsers.
        drain_spread: Duration = Duration::ZERO, time(Duration::ZERO, HOUR);
        /// How long a stopping server waits, after drain_delay, for what is queued to reach its readers and for
        /// connections to end. After it, they are cut off; those that ignore their Close are cut off a second after the last
        /// that did not.
        drain_timeout: Duration = 30 * SECOND, time(Duration::ZERO, HOUR);
        /// How long a publisher waits for room in the mailboxes before it receives 503 with Retry-After.
        publish_wait: Duration = SECOND, time(Duration::ZERO, MINUTE);
        /// Web origins whose pages may read and publish, besides the server's own: what browsers send, names below one as in
        /// https://*.example.com, null and file:// for pages that were opened as files, * for every page. Anything else is
        /// 403.
        allow_origin: Vec<String> = Vec::new(), ORIGIN;
        /// Host names under which the server may be reached, besides localhost: a defence against DNS rebinding. Without it a
        /// loopback listener answers to localhost alone; once a name is set, no listener answers to any other.
        allow_host: Vec<String> = Vec::new(), HOST;
        /// Lets everyone who reaches the server publish, also through a proxy. Without it a server that listens outside loopback
        /// does not start, and on loopback only clients that come directly may publish.
        allow_anonymous_publish: bool = false, Flag;
        /// A key that makes its holder an operator, who sees /metrics and the list of channels and may empty histories. It
        /// is never shown here. An address never makes an operator.
        operator_key: Option<OperatorKey> = None, OPERATOR_KEY;
        /// A file with the operators' key, for servers started by a service manager: the key does not change at each start.
        operator_key_file: String = String::new(), PATH;
        /// The folder, private to this user, in which a key that was made at the start is written as operator-PORT. If it is
        /// empty, tidings serve takes $XDG_RUNTIME_DIR/tidings or /tmp/tidings-UID, and a server in a program leaves no file.
        operator_key_folder: String = String::new(), PATH;
        /// The path of a unix socket at which the next server (tidings serve --takeover) asks this one for its listening sockets. If
        /// it is empty, tidings serve takes handover-PORT in the folder of operator_key_folder, and a server in a program hands
        /// nothing over.
        handover: String = String::new(), PATH;
        /// Connections in the whole process. 0 means as many as there are file descriptors.
        connections: usize = 0, count("connections", 0, 100_000_000);
        /// Where positions are given and histories are kept: "memory", which is gone when the process ends, or "disk", a log in
        /// store.folder from which the next start goes on. Memory, since much that is pushed is worth nothing a minute later, and
        /// nothing has to be cleaned up.
        engine: EngineKind = EngineKind::Memory, EngineKind::WORDS;
    }

    /// Who is let in.
    access: AccessConfig {
        /// Tokens, users and keys that operators have revoked and that are kept, about 100 bytes each with a name of 36. When so
        /// many are kept and none is over, another revocation is refused with 507: none is ever dropped before its end.
        revocations: usize = 100_000, count("revocations", 0, 10_000_000);
    }

    /// HTTP requests: how large and how slow they may be.
    http: HttpConfig {
        /// Lets pages of allowed origins send cookies and the like with what they fetch. Not together with the origins *, null
        /// and file://, which any page can have.
        allow_credentials: bool = false, Flag;
        /// A request head. Enough for large cookies; a client that sends more receives 431.
        head_bytes: usize = 16 * KIB, bytes(KIB, MIB);
        /// Fields in a head. Browsers send about 20, proxies add some; more is refused with 431.
        headers: usize = 100, count("header fields", 8, 1000);
        /// The request target. A channel name of 255 bytes, percent-encoded, with its options fits many times; more is
        /// refused with 414.
        target_bytes: usize = 8 * KIB, bytes(KIB, MIB);
        /// From the first byte of a head to its last, so that a slow sender holds no connection for long: 408.
        head_timeout: Duration = 10 * SECOND, time(MILLISECOND, HOUR);
        /// A request body. Larger ones are refused with 413; upload them in pieces over the socket.
        body_bytes: usize = MIB, bytes(KIB, GIB);
        /// From the end of a head to the end of its body, besides the time that http.body_rate adds: 408. A refused body is
        /// still read for at most this long, so that its sender gets to read why.
        body_timeout: Duration = 30 * SECOND, time(MILLISECOND, HOUR);
        /// Bytes of a body that give it another second, so that a large one on a slow line has enough time and a dripping one
        /// does not. 1 KiB: the slowest mobile lines manage more.
        body_rate: usize = KIB, bytes(1, GIB);
        /// A kept-alive connection without a request. Longer than the usual 60 s of proxies, so that they close first.
        idle_timeout: Duration = 75 * SECOND, time(MILLISECOND, DAY);
    }

    /// WebSocket connections.
    websocket: WebSocketConfig {
        /// A message from a client. Chat, prices and forms are far smaller; a larger one is closed with 1009.
        message_bytes: usize = 64 * KIB, bytes(128, GIB);
        /// Fragments of one message, so that empty fragments cannot continue for ever.
        fragments: usize = 131_072, count("fragments", 1, 1 << 30);
        /// Whether permessage-deflate is agreed to when a client offers it, as browsers do. A publication is compressed
        /// once for all its readers, and idle connections hold no compression state.
        deflate: bool = true, Flag;
        /// How hard to compress, 1 to 9. 1, since level 6 takes three times as long for a third less.
        deflate_level: usize = 1, count("zlib levels", 1, 9);
        /// Messages of fewer bytes are sent uncompressed: they hardly get smaller.
        deflate_min_bytes: usize = 256, bytes(1, GIB);
        /// Messages of more bytes are sent uncompressed: compressing them would keep other connections waiting.
        deflate_max_bytes: usize = MIB, bytes(1, GIB);
        /// Lets both sides keep their window from message to message, for clients that offer it. Smaller messages, but
        /// about 430 KiB for each such connection, and each message is compressed for each reader.
        deflate_takeover: bool = false, Flag;
        /// The smallest window, in bits, that a client may ask the server to compress with. Below 15, messages to
        /// clients that do ask are compressed for each of them.
        deflate_window_bits: usize = 15, count("bits", 9, 15);
        /// Memory for windows that are kept, in all connections together. Connections beyond it keep none.
        deflate_memory_bytes: usize = 64 * MIB, bytes(0, TIB);
        /// Whether channels accept binary messages. Without them a binary message is closed with 1003.
        binary: bool = true, Flag;
        /// Who may use /echo, which sends every message back: "auto" means operators and, in open mode, clients that come
        /// directly from this machine; "on" everyone who may connect, at a cost to all others; "off" no one.
        echo: EchoFor = EchoFor::Auto, EchoFor::WORDS;
        /// A message on /echo, which is for trying out and measuring larger ones than channels take. The reply is as large and
        /// waits in memory; for the 16 MiB of conformance suites raise it.
        echo_message_bytes: usize = MIB, bytes(128, GIB);
        /// Silence after which the server pings: shorter than the 30 to 60 s after which middleboxes forget a stream. Each
        /// connection is pinged up to a quarter of it earlier, so that connections of the same moment are not pinged together.
        ping_idle: Duration = 25 * SECOND, time(MILLISECOND, DAY);
        /// How long the answer to a ping may take before the connection counts as gone.
        pong_wait: Duration = 10 * SECOND, time(MILLISECOND, HOUR);
        /// How long the peer may take to answer a Close before the connection is cut.
        close_wait: Duration = 5 * SECOND, time(MILLISECOND, HOUR);
        /// Sockets of each reactor that were refused (a foreign origin, for example) and have a second to read why, since no
        /// page can read a handshake that failed. More than these are refused by a status.
        refused_sockets: usize = 256, count("sockets", 0, 1 << 20);
        /// From the first byte of a message or frame to its last, starting again for each 64 KiB that have come, so that a large
        /// message has more time and a dripping one holds no connection for ever.
        message_timeout: Duration = 30 * SECOND, time(MILLISECOND, HOUR);
        /// From the first byte of a message to its last, however steadily it comes, so that the memory for it is not held
        /// for hours where large messages are taken.
        message_deadline: Duration = 5 * MINUTE, time(MILLISECOND, DAY);
        /// Subprotocols that are accepted besides tidings.v1, and change nothing. The defaults are two that tutorials offer.
        subprotocols: Vec<String> = vec!["chat".to_owned(), "superchat".to_owned()], TOKEN;
        /// The answer to the plain text frame GET, as a well-known tutorial expects it.
        plain_get_text: String = "服务器收到GET请求".to_owned(), ANSWER;
        /// The answer to a plain JSON frame, as the same tutorial expects it.
        plain_post_text: String = "服务器收到POST请求,并返回数据".to_owned(), ANSWER;
        /// The channel to which plain JSON frames are published.
        plain_channel: String = "inbox".to_owned(), CHANNEL;
    }

    /// What is on its way to readers and workers: every queue and buffer.
    delivery: DeliveryConfig {
        /// Bytes that wait for one connection. A reader with more left after a write attempt is too slow and closed; it
        /// resumes.
        outbox_bytes: usize = MIB, bytes(4 * KIB, GIB);
        /// Bytes that wait in all outboxes and mailboxes together: the memory that slow readers can take in all.
        outbound_total_bytes: usize = GIB, bytes(4 * KIB, 16 * TIB);
        /// Publications that wait for one reactor. When full, publishers wait.
        mailbox_entries: usize = 4096, count("publications", 2, 1 << 24);
        /// Bytes of the publications that wait for one reactor. When full, publishers wait.
        mailbox_bytes: usize = 16 * MIB, bytes(4 * KIB, TIB);
        /// Messages that wait for one worker. When full, the connections that sent them are not read.
        worker_queue_jobs: usize = 256, count("messages", 1, 1 << 20);
        /// Bytes of the messages that wait for one worker. When full, the connections that sent them are not read.
        worker_queue_bytes: usize = 16 * MIB, bytes(4 * KIB, TIB);
        /// Requests that wait for a page about the server, which one thread makes. When full, the connections that sent
        /// them wait for room as publications do. Half a second's work where there are many channels.
        service_queue: usize = 256, count("requests", 1, 1 << 20);
    }

    /// How bytes reach sockets.
    io: IoConfig {
        /// How the bytes of connections are written at the end of a tick. "uring" hands a publication for many readers to the
        /// kernel in one call, which saves CPU; "writev" makes a call for each. "auto" uses io_uring where the kernel has
        /// it.
        flush: FlushPath = FlushPath::Auto, FlushPath::WORDS;
    }

    /// What a channel keeps, so that readers that lost their connection miss nothing.
    history: HistoryConfig {
        /// Publications that one channel keeps.
        count: usize = 1000, count("publications", 0, 10_000_000);
        /// Bytes that one channel keeps.
        bytes: usize = MIB, bytes(0, TIB);
        /// How long a publication is kept. A reader that was away longer loads its page again anyway.
        age: Duration = HOUR, time(SECOND, 365 * DAY);
        /// Bytes that all channels keep together. A publication that needs more replaces the oldest of its own channel, or is
        /// delivered and not kept.
        total_bytes: usize = GIB, bytes(0, 16 * TIB);
        /// Publications that a resume replays. A reader that missed more receives recovered: false, and may page.
        replay_count: usize = 300, count("publications", 0, 1_000_000);
        /// Bytes that a resume replays. At most a quarter of delivery.outbox_bytes, so that a replay alone makes no
        /// reader a slow one.
        replay_bytes: usize = 256 * KIB, bytes(0, GIB);
        /// Publications in a snapshot whose request gives no number.
        snapshot_count: usize = 100, count("publications", 0, 1_000_000);
        /// How long the position of a forgotten channel is kept, so that readers of a quiet channel can still resume.
        position_ttl: Duration = DAY, time(SECOND, 365 * DAY);
        /// Positions of forgotten channels that are kept, about 100 bytes each.
        positions: usize = 100_000, count("positions", 0, 1 << 30);
        /// Idempotency keys that one channel keeps.
        idempotency_keys: usize = 1000, count("keys per channel", 0, 1_000_000);
        /// How long an idempotency key is kept: longer than clients retry.
        idempotency_ttl: Duration = 5 * MINUTE, time(SECOND, 30 * DAY);
        /// Stamps each publication with the time (milliseconds since 1970). Off, since it adds 21 bytes to each.
        stamp_time: bool = false, Flag;
        /// With the engine "disk", what a publication outlives from its answer and its delivery on: "written" the end of the process,
        /// "synced" the end of the machine too, such as a power failure, which makes it wait for the disk. What was written is
        /// synced a second later in any case.
        durability: Durability = Durability::Written, Durability::WORDS;
    }

    /// The log of the engine "disk".
    store: StoreConfig {
        /// The folder of the log, for this server alone. It is made. None: store in the state folder that systemd gives, or else
        /// tidings/store in that of the user.
        folder: String = String::new(), PATH;
        /// Bytes that the log may have. When it has more, its oldest segment goes, whatever is in it: older publications cannot be
        /// read then. Histories that are to be kept have to fit.
        total_bytes: usize = 10 * GIB, bytes(4 * MIB, 16 * TIB);
        /// Bytes of one file of the log. Small ones are dropped in small steps, large ones leave fewer files.
        segment_bytes: usize = 64 * MIB, bytes(MIB, GIB);
        /// Opens a log that is damaged, without what is damaged: its readers are told that something is gone. For one start, as
        /// tidings serve --accept-loss, once you have seen what is damaged (tidings store check).
        accept_loss: bool = false, Flag;
        /// Requests that wait for the log. When full, publishers wait as for mailboxes.
        queue: usize = 4096, count("requests", 1, 1 << 20);
        /// Bytes of the requests that wait for the log. When full, publishers wait as for mailboxes.
        queue_bytes: usize = 8 * MIB, bytes(4 * KIB, TIB);
    }

    /// How many channels there may be, and who may read them by a signed address.
    channels: ChannelsConfig {
        /// Channels in all. A request that needs one more is refused with 503.
        total: usize = 1_000_000, count("channels", 1, 1 << 30);
        /// Channels that one connection subscribes to.
        per_connection: usize = 1000, count("channels", 1, 1_000_000);
        /// How long a channel without readers and without history is kept.
        idle_forget: Duration = MINUTE, time(MILLISECOND, 30 * DAY);
        /// Lets whoever has an address with ?sig= and ?exp= read its channel until then: the secret that the app signs with, which
        /// makes such addresses without asking this server. Two of them, on lines of their own, count at once, so that one
        /// can take the place of the other. None: such addresses are refused.
        sign_secret: Option<SignSecrets> = None, SIGN_SECRETS;
        /// A file with it. It is read at the start, and when the rules change.
        sign_secret_file: String = String::new(), PATH;
    }

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

    /// Event streams (text/event-stream).
    sse: SseConfig {
        /// Silence after which a comment is sent, so that proxies with 30 s timeouts keep the stream open.
        comment: Duration = 15 * SECOND, time(MILLISECOND, HOUR);
        /// How long a browser is asked to wait before it connects again.
        retry: Duration = 2 * SECOND, time(Duration::ZERO, HOUR);
    }

    /// The pages that the server contains.
    web: WebConfig {
        /// Whether the console, its demos and the tutorial page are served. Without them they are 404; the browser client
        /// (/tidings.js) and everything else stays.
        console: bool = true, Flag;
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
