//! Knobs whose value is one of a few words.

use super::kind::Kind;
use super::text::quoted;
use std::str::FromStr;
use toml::de::DeValue;

/// How the bytes of connections reach their sockets at the end of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushPath {
    /// One `send(2)` or `writev(2)` for each connection.
    Writev,
    /// One `io_uring_enter(2)` for a publication's many readers; as [`FlushPath::Writev`], with a warning, where there is none.
    Uring,
    /// io_uring where the kernel has it.
    Auto,
}

/// Where positions are given and histories are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// In the memory of this process, and gone with it.
    Memory,
    /// In a log in `store.folder` too.
    Disk,
    /// In a Redis or Valkey that several servers share.
    Redis,
}

/// What a publication has outlived when it is answered and delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process: the system has it.
    Written,
    /// The end of the machine: the disk has it.
    Synced,
}

impl EngineKind {
    /// The words for it.
    pub(super) const WORDS: OneOf<EngineKind> =
        OneOf(&[("memory", EngineKind::Memory), ("disk", EngineKind::Disk), ("redis", EngineKind::Redis)]);
}

impl Durability {
    /// The words for it.
    pub(super) const WORDS: OneOf<Durability> =
        OneOf(&[("written", Durability::Written), ("synced", Durability::Synced)]);

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Durability::Written => "written",
            Durability::Synced => "synced",
        }
    }
}

/// Who may use `/echo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoFor {
    /// Operators, and in open mode clients that come directly from this machine.
    Auto,
    /// Everyone who may connect.
    On,
    /// No one.
    Off,
}

/// What is logged: this level and the more important ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What must never happen.
    Error,
    /// What an operator should act on.
    Warn,
    /// What was refused, and which connections were faulty.
    Info,
    /// Peers that went away, and what libraries warn of.
    Debug,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, level, event, a sentence, and fields as `name=value`.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// The oldest version of TLS that listeners speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsVersion {
    /// The words for it.
    pub(super) const WORDS: OneOf<TlsVersion> = OneOf(&[("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)]);
}

/// How a certificate authority finds out that a name leads to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// By a TLS connection to port 443 (RFC 8737).
    TlsAlpn01,
    /// By plain HTTP at port 80 (RFC 8555 section 8.3).
    Http01,
}

impl AcmeChallenge {
    /// The words for it.
    pub(super) const WORDS: OneOf<AcmeChallenge> =
        OneOf(&[("tls-alpn-01", AcmeChallenge::TlsAlpn01), ("http-01", AcmeChallenge::Http01)]);
}

impl EchoFor {
    /// The words for it.
    pub(super) const WORDS: OneOf<EchoFor> =
        OneOf(&[("auto", EchoFor::Auto), ("on", EchoFor::On), ("off", EchoFor::Off)]);
}

/// One of these words.
pub(super) struct OneOf<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl FlushPath {
    /// The words for it.
    pub(super) const WORDS: OneOf<FlushPath> =
        OneOf(&[("writev", FlushPath::Writev), ("uring", FlushPath::Uring), ("auto", FlushPath::Auto)]);
}

impl LogLevel {
    /// The words for it.
    pub(super) const WORDS: OneOf<LogLevel> = OneOf(&[
        ("off", LogLevel::Off),
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
    ]);
}

impl LogFormat {
    /// The words for it.
    pub(super) const WORDS: OneOf<LogFormat> = OneOf(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(text: &str) -> Result<EngineKind, String> {
        EngineKind::WORDS.parse(text)
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<LogLevel, String> {
        LogLevel::WORDS.parse(text)
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<LogFormat, String> {
        LogFormat::WORDS.parse(text)
    }
}

impl<T: Copy + PartialEq> OneOf<T> {
    /// The value of a word.
    fn parse(&self, text: &str) -> Result<T, String> {
        let known = self.0.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        known.ok_or_else(|| format!("must be {}, not {}", self.expected(), quoted(text)))
    }
}

impl<T: Copy + PartialEq> Kind<T> for OneOf<T> {
    fn expected(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(word, _)| quoted(word)).collect();
        format!("one of {}", words.join(", "))
    }

    fn unit(&self) -> String {
        self.expected()
    }

    fn read(&self, value: &DeValue<'_>) -> Option<T> {
        self.parse(value.as_str()?).ok()
    }

    fn write(&self, value: &T) -> String {
        quoted(self.0.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word))
    }

    fn check(&self, _: &T) -> Result<(), String> {
        Ok(())
    }
}
