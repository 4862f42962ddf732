//! The settings of what is on its way, of what is kept, and of where.

use crate::config::choice::{Durability, FlushPath};
use crate::config::forms::{LABEL, PATH, PREFIX, USER};
use crate::config::kind::{DAY, Flag, GIB, HOUR, KIB, Kind, MIB, MINUTE, SECOND};
use crate::config::ranges::{MILLISECOND, TIB, bytes, count, time};
use crate::config::redis_url::{RedisUrl, Sentinels, Url};
use crate::config::secret::SIGN_SECRETS;
use crate::config::table::{Entry, Given, Section, joined, sections};
use crate::model::host_port::HostPort;
use crate::model::sign_secrets::SignSecrets;
use std::time::Duration;

sections! {
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
        /// Bytes that all channels keep together in memory. A publication that needs more replaces the oldest of its own channel,
        /// or is delivered and not kept there: by the engines "disk" and "redis" it is read from where it is.
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

    /// The Redis or Valkey of the engine "redis", which all nodes of a cluster share.
    redis: RedisConfig {
        /// Where it is: redis://host:port/database, rediss:// for the same over TLS, or unix:///path/of/a/socket?database=2. A user and a
        /// password may stand in it, percent-encoded, as in redis://user:password@host; on the command line they may not.
        url: RedisUrl = RedisUrl::default(), Url;
        /// A file whose first line is the password, so that it stands in no file that others read. It is read at the start.
        password_file: String = String::new(), PATH;
        /// The user that nodes sign in as (ACL). Empty: the one of the url, or else Redis's default user.
        user: String = String::new(), USER;
        /// The Sentinels that know where the primary is, each as host:port. With them the url's host is not used, but its
        /// scheme, database, user and password are. Name all of them: each attempt to connect asks one that answers.
        sentinels: Vec<HostPort> = Vec::new(), Sentinels;
        /// What the Sentinels call the primary. The default is that of their example file.
        primary: String = "mymaster".to_owned(), LABEL;
        /// A file whose first line is the password of the Sentinels, which have one of their own. Empty: they have none.
        sentinel_password_file: String = String::new(), PATH;
        /// A file with certificates (PEM) to trust for rediss:// besides those that this system trusts.
        ca_file: String = String::new(), PATH;
        /// What the names of all keys and channels in Redis begin with, so that two clusters, or another program, can share one
        /// Redis. All nodes of a cluster need the same one.
        prefix: String = "td".to_owned(), PREFIX;
        /// Your word that a restart or a failover of Redis loses nothing that it answered. Without it readers are told after each
        /// that publications may be missing (recovered: false), since a Redis that comes back with less would otherwise give the same
        /// position twice. True with appendfsync = "always", or where you restart it in an orderly way alone.
        keeps_data: bool = false, Flag;
        /// How many replicas must have a publication before it is answered (WAIT). With fewer within a second the answer is 503
        /// outcome_unknown, though readers may have received it. 0: the answer of the primary is enough, and what it has not copied
        /// is gone when a replica takes its place.
        replicas: usize = 0, count("replicas", 0, 64);
        /// Requests that wait for Redis. When full, publishers wait as for mailboxes.
        queue: usize = 4096, count("requests", 1, 1 << 20);
        /// Bytes of the requests that wait for Redis. When full, publishers wait as for mailboxes.
        queue_bytes: usize = 8 * MIB, bytes(4 * KIB, TIB);
        /// How long a channel stays attached that nobody reads here any more: readers that come back within it, as on a reload
        /// of a page, cost Redis nothing.
        linger: Duration = 10 * SECOND, time(Duration::ZERO, HOUR);
        /// How long Redis may be away before /readyz is 503, so that a load balancer does not take all nodes out of service
        /// for a failover that takes seconds.
        ready_grace: Duration = 10 * SECOND, time(Duration::ZERO, HOUR);
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
}
