//! The settings of the process and of what its clients speak.

use crate::config::choice::{EchoFor, EngineKind};
use crate::config::forms::{ANSWER, CHANNEL, HOST, ORIGIN, PATH, TOKEN};
use crate::config::kind::{Bytes, DAY, Flag, GIB, HOUR, KIB, Kind, MIB, MINUTE, SECOND};
use crate::config::networks::Networks;
use crate::config::ranges::{MILLISECOND, TIB, bytes, count, time};
use crate::config::secret::OPERATOR_KEY;
use crate::config::table::{Entry, Given, Section, joined, sections};
use crate::config::text::Addresses;
use crate::model::network::Network;
use crate::model::operator_key::OperatorKey;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

sections! {
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
        /// The folder, private to this user, in which a key that was made at the start is written as operator-PORT, or as
        /// operator-ADDRESS-PORT where the server listens at one address other than 127.0.0.1. If it is empty, tidings serve
        /// takes $XDG_RUNTIME_DIR/tidings or /tmp/tidings-UID, and a server in a program leaves no file.
        operator_key_folder: String = String::new(), PATH;
        /// The path of a unix socket at which the next server (tidings serve --takeover) asks this one for its listening sockets. If
        /// it is empty, tidings serve takes handover-PORT or handover-ADDRESS-PORT in the folder of operator_key_folder, and a
        /// server in a program hands nothing over.
        handover: String = String::new(), PATH;
        /// Connections in the whole process. 0 means as many as there are file descriptors.
        connections: usize = 0, count("connections", 0, 100_000_000);
        /// Where positions are given and histories are kept: "memory", which is gone when the process ends; "disk", a log in
        /// store.folder from which the next start goes on; or "redis", a Redis or Valkey that all nodes of a cluster share. Memory,
        /// since much that is pushed is worth nothing a minute later, and nothing has to be cleaned up.
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
}
