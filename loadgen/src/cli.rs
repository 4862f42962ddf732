//! Verbs and options. Values are in the grammar of [`crate::grammar`].

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tidings-loadgen echo ws://127.0.0.1:8080 -c 100 -R 20k -d 10s
  tidings-loadgen echo ws://127.0.0.1:9001/echo --adapter raw -c 100 --closed --depth 16 --pid $(pidof server)
  tidings-loadgen fanout ws://127.0.0.1:8080 -c 1k -R 20 -s 128 --threshold 'delivery.p99<50ms,lost==0'
  tidings-loadgen storm ws://127.0.0.1:8080 -c 200 -d 10s
  tidings-loadgen idle ws://127.0.0.1:8080 -c 15k --pid $(pidof tidings)
  tidings-loadgen find fanout ws://127.0.0.1:8080 -c 1k --slo 'p99<50ms,lost==0' --max rate:1..10k
  tidings-loadgen compare before.json after.json
  tidings-loadgen auth ws://127.0.0.1:8080 -c 1k --connect-rate 500 -R 1k --token-file tokens.txt
  tidings-loadgen doctor

Values: counts 10k 1.5M, rates 5k or 300/m, durations 250us 10ms 30s 1h30m, sizes 128 16KiB, ramps 0:10k/30s.
Exit: 0 done, 1 failed, 2 usage, 3 the measurement is INVALID (unless --force), 99 a threshold was missed, 130 interrupted.";

/// Measures WebSocket servers: latency at every receiver, loss and order, the server's cost per message, and whether
/// the figures can be trusted.
#[derive(Debug, Parser)]
#[command(name = "tidings-loadgen", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Messages that come back: latency and throughput of a connection's round trips.
    Echo(RunArgs),
    /// Publications to many receivers: latency at every receiver, first, median and last; lost, duplicated, reordered.
    Fanout(RunArgs),
    /// Connections opened and ended one after the other: handshakes per second and how long one takes.
    Storm(RunArgs),
    /// Idle connections: bytes of the server, and of the kernel, for each.
    Idle(RunArgs),
    /// Connections that live for a while and are replaced, with publications meanwhile.
    Churn(RunArgs),
    /// A share of the receivers reads slowly or not at all: how does that affect the other ones?
    Slow(RunArgs),
    /// All receivers are cut off at once and reconnect: how long does it take, and what did they miss?
    Reconnect(RunArgs),
    /// Groups of connections from a TOML file.
    Mixed(RunArgs),
    /// Publications for a long time: do memory, descriptors or latency grow?
    Soak(RunArgs),
    /// Malformed handshakes and frames at a rate, while well-behaved echoes are measured.
    Hostile(RunArgs),
    /// Connections that sign in with an AUTH, at a rate again and again, and with their next token when one expires.
    Auth(RunArgs),
    /// The highest rate, or the largest number of connections, that meets an objective.
    Find(FindArgs),
    /// Two results side by side: what changed more than by chance?
    Compare(CompareArgs),
    /// Results as one HTML page.
    Report(ReportArgs),
    /// What this machine can measure, and what limits it.
    Doctor,
}

/// Options of a run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The server: ws://, wss://, http:// or https://, host, port, and an optional path.
    pub url: String,
    /// The dialect: see `--adapter-option help`.
    #[arg(long, default_value = "tidings")]
    pub adapter: String,
    /// An option of the dialect, name=value; `help` lists them.
    #[arg(long, value_name = "NAME=VALUE")]
    pub adapter_option: Vec<String>,

    /// Connections; in scenarios with publishers, those of the receivers.
    #[arg(short, long, default_value = "100", help_heading = "Load")]
    pub connections: String,
    /// Messages (echo) or publications per second, or a ramp. Without it and without --closed: 100.
    #[arg(short = 'R', long, help_heading = "Load")]
    pub rate: Option<String>,
    /// As fast as they come back, instead of by a schedule: for saturation.
    #[arg(long, conflicts_with = "rate", help_heading = "Load")]
    pub closed: bool,
    /// With --closed: messages in progress per connection, or publications in progress at all.
    #[arg(long, default_value = "1", requires = "closed", help_heading = "Load")]
    pub depth: u32,
    /// How long to measure.
    #[arg(short, long, default_value = "10s", help_heading = "Load")]
    pub duration: String,
    /// The maximum number of messages or publications.
    #[arg(short = 'n', long, help_heading = "Load")]
    pub count: Option<String>,
    /// How long messages are sent before measuring begins.
    #[arg(long, default_value = "1s", help_heading = "Load")]
    pub warmup: String,
    /// How long to wait at the end for what is in progress.
    #[arg(long, default_value = "5s", help_heading = "Load")]
    pub drain: String,
    /// Bytes per message: 128, 128..1KiB, or 128:90%,16KiB:10%.
    #[arg(short, long, help_heading = "Load")]
    pub size: Option<String>,
    /// A text with {stamp} in it as the message; several are used in turn.
    #[arg(long, conflicts_with = "size", help_heading = "Load")]
    pub template: Vec<String>,
    /// The same from files.
    #[arg(long, value_name = "FILE", conflicts_with = "size", help_heading = "Load")]
    pub payload_file: Vec<PathBuf>,
    /// The seed of everything random.
    #[arg(long, default_value = "1", help_heading = "Load")]
    pub seed: u64,

    /// Channels.
    #[arg(long, default_value = "1", help_heading = "Publications")]
    pub channels: String,
    /// Channels that each receiver reads.
    #[arg(long, default_value = "1", help_heading = "Publications")]
    pub subs_per_conn: u32,
    /// The prefix of the channels' names.
    #[arg(long, default_value = "load-", help_heading = "Publications")]
    pub channel_prefix: String,
    /// Connections that publish.
    #[arg(long, default_value = "1", help_heading = "Publications")]
    pub publishers: String,
    /// How they publish.
    #[arg(long, value_enum, default_value = "socket", help_heading = "Publications")]
    pub publish: Publish,
    /// Requests of a publisher over HTTP that may wait for their answers.
    #[arg(long, default_value = "1", help_heading = "Publications")]
    pub pipeline: u32,

    /// Connections opened per second, or a ramp of that.
    #[arg(long, help_heading = "Connections")]
    pub connect_rate: Option<String>,
    /// How many connections there are over time, such as 0:10k/30s: sets -c and --connect-rate.
    #[arg(long, conflicts_with = "connect_rate", help_heading = "Connections")]
    pub ramp: Option<String>,
    /// The maximum number of connections being opened at a time.
    #[arg(long, default_value = "256", help_heading = "Connections")]
    pub most_pending: String,
    /// How long opening one may take.
    #[arg(long, default_value = "10s", help_heading = "Connections")]
    pub connect_timeout: String,
    /// How long a connection lives on average (churn).
    #[arg(long, default_value = "5s", help_heading = "Connections")]
    pub lifetime: String,
    /// The share of the receivers that read slowly (slow).
    #[arg(long, default_value = "5%", help_heading = "Connections")]
    pub slow: String,
    /// What a slow receiver reads per second; 0: nothing.
    #[arg(long, default_value = "0", help_heading = "Connections")]
    pub read_rate: String,
    /// When all are cut off, from the beginning of traffic (reconnect).
    #[arg(long, default_value = "3s", help_heading = "Connections")]
    pub cut_after: String,
    /// They reconnect after a random part of this (reconnect).
    #[arg(long, default_value = "1s", help_heading = "Connections")]
    pub jitter: String,
    /// Malformed handshakes and frames per second (hostile).
    #[arg(long, default_value = "1k", help_heading = "Connections")]
    pub attack_rate: String,
    /// Source addresses: 10.0.0.0/24, or a list. On loopback many are used automatically.
    #[arg(long, value_name = "CIDR", help_heading = "Connections")]
    pub source_ip: Vec<String>,
    /// How connections are ended: a Close frame, or a reset.
    #[arg(long, value_enum, default_value = "fin", help_heading = "Connections")]
    pub close: Close,
    /// A header field of every request, instead of this program's own of that name; with no value, neither is sent.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", help_heading = "Connections")]
    pub header: Vec<String>,
    /// A file with a token per line, used by connections in turn. Several on a line, with spaces between them, are one
    /// connection's: it goes on with the next one when the server says that one expires, and comes back with it after that.
    #[arg(long, value_name = "FILE", help_heading = "Connections")]
    pub token_file: Option<PathBuf>,
    /// Offer permessage-deflate, and compress what is sent where that is agreed to: on every connection, or on those that
    /// only read.
    #[arg(long, value_enum, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "all",
        help_heading = "Connections")]
    pub deflate: Option<Offer>,
    /// Trust these certificates (PEM) instead of the machine's.
    #[arg(long, value_name = "FILE", help_heading = "Connections")]
    pub ca: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long, conflicts_with = "ca", help_heading = "Connections")]
    pub insecure: bool,
    /// Take no TLS tickets: every handshake is a full one. Without it, connections after the first few resume.
    #[arg(long, help_heading = "Connections")]
    pub full_handshakes: bool,
    /// Offer this key exchange of TLS alone; without it all, of which a server takes the one that it prefers.
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Connections")]
    pub key_exchange: Option<KeyExchange>,

    /// The server's process: its CPU time, memory and descriptors, with its children's.
    #[arg(long, help_heading = "Measuring")]
    pub pid: Option<u32>,
    /// A page of Prometheus metrics, read before and after.
    #[arg(long, value_name = "URL", help_heading = "Measuring")]
    pub metrics_url: Option<String>,
    /// The file with the key for the server's metrics. Without it TIDINGS_OPERATOR_KEY, or the key that a Tidings on this
    /// machine has left.
    #[arg(long, value_name = "FILE", requires = "metrics_url", help_heading = "Measuring")]
    pub operator_key_file: Option<PathBuf>,
    /// Pin the server to these CPUs.
    #[arg(long, value_name = "CPUS", value_delimiter = ',', requires = "pid", help_heading = "Measuring")]
    pub pin_server: Vec<usize>,
    /// Pin this program's threads to these CPUs, in turn.
    #[arg(long, value_name = "CPUS", value_delimiter = ',', help_heading = "Measuring")]
    pub pin_self: Vec<usize>,
    /// Poll for events instead of sleeping, so that the server does not pay for waking this program: needs CPUs of its own.
    #[arg(long, help_heading = "Measuring")]
    pub busy_poll: bool,
    /// Threads of each process; without it, one per CPU of --pin-self or of the machine.
    #[arg(short, long, help_heading = "Measuring")]
    pub threads: Option<u64>,
    /// Processes: the descriptors of one are limited.
    #[arg(long, default_value = "1", help_heading = "Measuring")]
    pub processes: u64,
    /// One of this many connections is read by tungstenite's client instead of our decoder; 0: none.
    #[arg(long, default_value = "100", help_heading = "Measuring")]
    pub check_every: u64,
    /// What must hold: delivery.p99<50ms, lost==0, cpu_us_per_msg<6 … May be repeated, or with commas.
    #[arg(long, value_name = "METRIC<VALUE", help_heading = "Measuring")]
    pub threshold: Vec<String>,
    /// Exit with 0 although the measurement is INVALID.
    #[arg(long, help_heading = "Measuring")]
    pub force: bool,

    #[command(flatten)]
    /// Where results go.
    pub output: OutputArgs,

    /// The scenario's file (mixed).
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    pub scenario: Option<PathBuf>,
}

/// Where results go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// A name for this run.
    #[arg(long)]
    pub label: Option<String>,
    /// The whole result.
    #[arg(short = 'o', long = "json", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A line per second.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Every latency as an HdrHistogram log.
    #[arg(long, value_name = "FILE")]
    pub hdr: Option<PathBuf>,
    /// A page to look at, in one file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Further percentiles to report.
    #[arg(long, value_delimiter = ',', default_values_t = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99])]
    pub percentiles: Vec<f64>,
    /// No live view, no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

/// How publications reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Publish {
    /// Over a socket.
    Socket,
    /// As HTTP requests.
    Http,
}

/// Which connections offer permessage-deflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Offer {
    /// Those that read what is published.
    Readers,
    /// All.
    All,
}

/// A key exchange of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyExchange {
    /// Curve25519.
    X25519,
    /// The same with ML-KEM-768, which a quantum computer would not break.
    X25519mlkem768,
    /// The curve P-256.
    Secp256r1,
}

/// How connections are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Close {
    /// With a Close frame.
    Fin,
    /// With a reset: no TIME_WAIT is left.
    Rst,
}

/// Options of `find`.
#[derive(Debug, Args)]
pub struct FindArgs {
    /// What to repeat: echo, fanout or idle.
    #[arg(value_parser = ["echo", "fanout", "storm", "idle"])]
    pub scenario_name: String,
    /// The run.
    #[command(flatten)]
    pub run: RunArgs,
    /// What must hold.
    #[arg(long)]
    pub slo: String,
    /// What to raise, and between which numbers: rate:1k..100k or connections:100..19k.
    #[arg(long, default_value = "rate:10..100k")]
    pub max: String,
    /// The precision, in percent.
    #[arg(long, default_value = "5")]
    pub precision: f64,
}

/// Options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The result to compare with.
    pub before: PathBuf,
    /// The result to compare.
    pub after: PathBuf,
    /// Exit with 99 when one of these grew by more: p99>5%.
    #[arg(long, value_name = "MEASURE>PERCENT")]
    pub fail_if: Vec<String>,
    /// Print a table in Markdown.
    #[arg(long)]
    pub markdown: bool,
}

/// Options of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Results (`--json` of runs).
    #[arg(required = true)]
    pub results: Vec<PathBuf>,
    /// Where the page goes; without it, to standard output.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
