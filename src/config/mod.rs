//! Every knob and limit in one place: default, unit, range and reason, and the relations between limits.
//!
//! `knobs/` is a single table; the fields of [`Config`], their defaults, the parser of the configuration file
//! and the text of `tidings serve --print-config` all come from it. To add a knob, add a row there.

mod acme;
mod blocks;
mod certificate;
mod certificates;
mod channel;
#[cfg(test)]
mod channel_tests;
mod channels;
mod check;
mod choice;
mod describe;
mod domain;
mod error;
mod forms;
mod issuer;
mod issuer_forms;
#[cfg(test)]
mod issuer_tests;
mod issuers;
mod key;
#[cfg(test)]
mod key_tests;
mod keys;
mod kind;
mod knobs;
mod listener;
#[cfg(test)]
mod listener_tests;
mod listeners;
mod names;
mod networks;
mod parse;
mod place;
mod ranges;
mod rate;
mod redis;
#[cfg(test)]
mod redis_tests;
mod redis_url;
mod reload;
mod secret;
mod settings;
#[cfg(test)]
mod settings_tests;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod units;

pub use certificate::CertificateConfig;
pub use channel::ChannelRule;
pub use choice::{AcmeChallenge, Durability, EchoFor, EngineKind, FlushPath, LogFormat, LogLevel, TlsVersion};
pub use describe::{Knob, knobs};
pub use error::ConfigError;
pub use issuer::{ClaimNames, IssuerConfig};
pub use key::{KeySecretFrom, KeySettings};
pub use knobs::{
    AccessConfig, AcmeConfig, ChannelsConfig, Config, DeliveryConfig, HistoryConfig, HttpConfig, IoConfig,
    LimitsConfig, LogConfig, RedisConfig, ServerConfig, SseConfig, StoreConfig, TlsConfig, WebConfig, WebSocketConfig,
};
pub use listener::{ListenAt, ListenerConfig};
pub use rate::{CONNECTION_BYTES, CONNECTION_PUBLICATIONS, CONNECTION_REQUESTS, ConnectionRate, Counted, Rate};
pub use redis::RedisTarget;
pub use redis_url::{BadRedisUrl, RedisPlace, RedisUrl};
pub use reload::{Next, at_start};
pub use settings::{Settings, Source};
pub use text::parse_address;

impl ServerConfig {
    /// How many reactors to start: what was asked for, or one for each core available to the process.
    #[must_use]
    pub fn reactor_count(&self) -> usize {
        if self.reactors == 0 { cores() } else { self.reactors }
    }

    /// How many workers to start: what was asked for, or one for every two cores available to the process.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        // Half of a single core would be no worker, and every job needs a queue.
        if self.workers == 0 { (cores() / 2).max(1) } else { self.workers }
    }
}

/// The cores available to the process; one when the system does not tell.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
