//! Tidings is a push server: backends and clients POST to a channel, and everyone who GETs it receives it at once, over
//! WebSocket, event streams and plain HTTP on one port.
//!
//! # Embedding it
//! [`Server::start`] starts it within a program, which publishes ([`Server::publish`]: with an event, an idempotency key,
//! JSON or bytes), subscribes with a callback ([`Server::subscribe`]), reads history ([`Server::history`]) and counts
//! readers ([`Server::subscribers`]). [`Hooks`] are asked before a client connects, reads or writes, and may refuse.
//!
//! | feature | what it brings |
//! |---|---|
//! | `cli` (default) | the command `tidings` with its arguments, its client, log lines and signals, `outbound` and `acme`; a program that embeds the server does without: `default-features = false` |
//! | `outbound` | calls to other servers, over TLS: the key sets of issuers (`jwks_url`) |
//! | `acme` | certificates that the server orders itself (`[acme]`) |
//! | `tokio` | `Server::asynchronous`: publications as a `Stream`, and `publish().await` |
//!
//! The rest of this page is the architecture.
//!
//! # Threads
//! ```text
//!              SO_REUSEPORT                      jobs (bounded, sticky per connection)
//!  clients ──► reactor 0..N-1 ─────────────────────────────► workers 0..M-1
//!              mio Poll, slab of connections,                  simd-json, execute, touch the hub
//!              subscriptions, outboxes, deadlines                   │
//!                    ▲        mailboxes (one per reactor, wake coalesced)
//!                    ├──────────────────────────────────────────────┘
//!                    └── insight: pages about the server ◄── errands (bounded) of reactors and workers
//!  outbound: one runtime that calls other servers (key sets, authorities), started where there is something to call
//!  control thread: sweeps the hub.  main thread: signals, drain.  hub: sharded, locked, no I/O under a lock
//! ```
//! A socket belongs to one reactor for life; only that reactor reads, writes or frees it. Small payloads are parsed where
//! they are read; those of `server.inline_parse_bytes` and more go to a worker, which runs the same function. A connection
//! has one job in the pool at a time and is not read meanwhile, so its requests are executed in the order it sent them.
//! Nothing blocks a reactor, a reactor never waits for a worker, and a worker never waits for a mailbox. A request whose
//! answer takes long or has to wait for something goes away as an errand, to a thread of [`services`], with the rest of the
//! work that it came in; it comes back answered, and its reactor executes the rest.
//!
//! # The river
//! There is one way from a publisher to a subscriber, whatever they speak:
//! ```text
//! socket → reactor::read → connection (a transport: wire::http or wire::frame over a scratch buffer)
//!        → protocol (routes plan a head; a Session hears a message) → protocol::task (payload → requests → node::work::Work)
//!        → node::execute (gate: may it?) → hub::publication::Publication (offset given, history kept)
//!        → handoff::mailbox → reactor::deliver → connection::outbox::Outbox (a shared frame, by reference)
//!        → reactor::flush → one write per connection and tick → socket
//! ```
//! A tick of a reactor has seven phases, each with a budget:
//! `wait → accept → read_ready → drain_mailbox → expire_deadlines → flush_dirty → reap_closed`. Nothing is written before
//! `flush_dirty`, nothing is freed before `reap_closed`, and no timer ever delays a flush.
//!
//! # Laws
//! 1. **Order.** All subscribers of a channel see its publications in offset order without gap or duplicate. The shard's
//!    lock is held while the offset is given *and* the deliveries are posted; before that, room is reserved in the mailbox
//!    of every interested reactor. When one has none, no offset is given and the publisher waits, unread, for at most
//!    `server.publish_wait`. A subscription posts its activation, with the replay, under the same lock.
//! 2. **Per connection** requests are executed in the order sent, and every answer comes through the mailbox of the
//!    connection's own reactor: no push before the answer to its GET, the own push before the answer to its POST, no push
//!    after the answer to an unsubscribe.
//! 3. **Honest gaps.** A reader that resumes gets everything, or is told `recovered: false` and where the channel is.
//! 4. **Encode once.** A publication is written (and compressed) at most once per encoding, a row of
//!    [`protocol::encoders`]; subscribers share the bytes, and several publications in one piece where they have nothing
//!    else to say. The hub knows no encoding.
//! 5. **Bounded.** Every queue, buffer, map and loop has a limit. All settings are in [`config`]; memory follows bytes
//!    received, never bytes announced.
//! 6. **One way out.** Bytes leave a connection only through its [`connection::outbox::Outbox`].
//! 7. **Slow consumers** are those with bytes left *after* a write attempt: over `delivery.outbox_bytes` they are closed
//!    with the reason `slow_consumer` and may resume. All outbound memory together has a budget.
//! 8. **Ids cannot lie.** What crosses a thread names a connection by node, mailbox, slot and generation.
//! 9. **Network input never panics**; a panic in one connection's work would close that connection, be counted, and
//!    poison no lock. Every refusal and every end has one name, in [`model::code`].
//! 10. **Closed by default.** Loopback, same-origin pages, publishing by direct clients of this machine alone unless more is
//!     asked for, and operators by their key: no address makes one ([`access`]).
//! 11. **Time is an argument** in protocol code, and monotonic.
//!
//! # Rooms
//! Dependencies point down only, which a test checks:
//! ```text
//! server ─► reactor  workers  services     services   threads that may block: pages about the server, calls to others
//!              └────► handoff ◄──┘         handoff    what crosses threads: letters, jobs, errands, orders
//!          connection    │                 connection transports only: HTTP, WebSocket, event stream; outbox
//!             └──► protocol                protocol   what clients speak: sessions, routes, encoders, responses
//!                     │
//!                   node                   node       what requests act on: work, gate, execution, answers
//!                  /    \
//!               hub    access              hub        state only: channels, histories, interest
//!                  \    /                  access     origins, identities, grants, operators, hooks, limits
//!                   wire                   wire       formats only: HTTP, frames, compression, JSON
//!                     │
//!                   model                  model      the words of all rooms
//! ```
//! [`wire`], [`access`], [`node`], [`protocol`] and [`connection`] know no socket, no thread and no clock; the reactor and the
//! workers do not know each other; locks are in the hub, where threads meet, and in what they count together of clients.
//! Config, metrics, journal, tls, web, client and cli stand beside them.
//!
//! A client protocol is a folder of [`protocol`], with a variant of [`protocol::Session`] if it is spoken on sockets, its
//! routes, and its rows in [`protocol::encoders`]. This server's own, with the normative text, is [`protocol::tidings`].
//!
//! The parts are shown to the command, the load generator and the tests, and hidden from everybody else: they may change
//! with any version, and what is listed below may not.

// Hidden: what the command, the load generator, tests and benchmarks need of the parts. It changes with any version.
#[doc(hidden)]
pub mod access;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod client;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod connection;
#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod handoff;
#[doc(hidden)]
pub mod hub;
#[doc(hidden)]
pub mod journal;
#[doc(hidden)]
pub mod metrics;
#[doc(hidden)]
pub mod model;
#[cfg(all(test, shuttle))]
mod models;
#[doc(hidden)]
pub mod node;
#[doc(hidden)]
pub mod protocol;
#[doc(hidden)]
pub mod reactor;
#[doc(hidden)]
pub mod server;
#[doc(hidden)]
pub mod services;
#[cfg(test)]
mod simulation;
#[doc(hidden)]
pub mod store;
mod sync;
#[doc(hidden)]
pub mod tls;
#[doc(hidden)]
pub mod web;
#[doc(hidden)]
pub mod wire;
#[doc(hidden)]
pub mod workers;

pub use access::{Connecting, Denied, Hooks, Reading, Writing};
pub use config::{
    AccessConfig, ChannelsConfig, ClaimNames, Config, ConfigError, ConnectionRate, Counted, DeliveryConfig, Durability,
    EchoFor, EngineKind, FlushPath, HistoryConfig, HttpConfig, IoConfig, IssuerConfig, LimitsConfig, ListenAt,
    ListenerConfig, LogConfig, LogFormat, LogLevel, Rate, RedisConfig, RedisUrl, ServerConfig, SseConfig, StoreConfig,
    WebConfig, WebSocketConfig,
};
pub use model::algorithm::Algorithm;
pub use model::network::Network;
pub use model::operator_key::OperatorKey;
pub use model::publication::{Epoch, Position};
pub use model::reloaded::Reloaded;
pub use model::serves::Serves;
pub use model::signing_secret::SigningSecret;
#[cfg(feature = "tokio")]
pub use server::{AsyncServer, Publications};
pub use server::{ConfigSource, Error, History, Message, Publication, Replay, Server, StartError, Subscription};
