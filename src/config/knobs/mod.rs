//! The table of all knobs: name, type, default, unit, range, and the reason for each. Its sections are in the files below.

mod bounds;
mod clients;
mod keeping;

use super::certificate::CertificateConfig;
use super::channel::ChannelRule;
use super::issuer::IssuerConfig;
use super::key::KeySettings;
use super::listener::ListenerConfig;
use super::table::{Entry, Given, Section};

pub use bounds::{AcmeConfig, LimitsConfig, LogConfig, TlsConfig};
pub use clients::{AccessConfig, HttpConfig, ServerConfig, SseConfig, WebConfig, WebSocketConfig};
pub use keeping::{ChannelsConfig, DeliveryConfig, HistoryConfig, IoConfig, RedisConfig, StoreConfig};

/// Makes [`Config`] of its sections, in the order in which they are written down.
macro_rules! config {
    ($( $section:ident: $Section:ident, )+) => {
        /// The whole configuration of a server. [`Config::default`] is what runs when nothing is set.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Config {
            $( #[doc = concat!("The section `", stringify!($section), "`.")] pub $section: $Section, )+
            /// Where to listen besides `server.listen`, and what is served there: the `[[listener]]` blocks.
            pub listeners: Vec<ListenerConfig>,
            /// How channels behave and who may use them, by their names: the `[[channel]]` blocks. The first that matches
            /// counts.
            pub channel_rules: Vec<ChannelRule>,
            /// Who may sign tokens: the `[[issuer]]` blocks.
            pub issuers: Vec<IssuerConfig>,
            /// What listeners that speak TLS show, by the names in it: the `[[certificate]]` blocks.
            pub certificates: Vec<CertificateConfig>,
            /// The keys of backends: the `[[key]]` blocks.
            pub keys: Vec<KeySettings>,
        }

        impl Config {
            /// Every section with its keys, in the order of the table.
            pub(in crate::config) const KEYS: &'static [(&'static str, &'static [&'static str])] =
                &[$( (<$Section as Section>::NAME, <$Section as Section>::KEYS), )+];

            /// Every knob as text.
            pub(in crate::config) fn entries(&self) -> Vec<Entry> {
                [$( self.$section.entries(), )+].into_iter().flatten().collect()
            }

            /// The names of the knobs whose values are others than in `other`.
            pub(in crate::config) fn differing_from(&self, other: &Config) -> Vec<&'static str> {
                [$( self.$section.differing_from(&other.$section), )+].into_iter().flatten().collect()
            }

            /// Takes the value of one knob from `other`.
            pub(in crate::config) fn take(&mut self, name: &str, other: &Config) {
                $( self.$section.take(name, &other.$section); )+
            }

            /// Sets one knob; `None` when there is no such knob.
            pub(in crate::config) fn set(
                &mut self,
                section: &str,
                key: &str,
                given: Given<'_>,
            ) -> Option<Result<(), String>> {
                match section {
                    $( <$Section as Section>::NAME => self.$section.set(key, given), )+
                    _ => None,
                }
            }
        }
    };
}

config! {
    server: ServerConfig,
    access: AccessConfig,
    http: HttpConfig,
    websocket: WebSocketConfig,
    delivery: DeliveryConfig,
    io: IoConfig,
    history: HistoryConfig,
    store: StoreConfig,
    redis: RedisConfig,
    channels: ChannelsConfig,
    limits: LimitsConfig,
    tls: TlsConfig,
    acme: AcmeConfig,
    sse: SseConfig,
    web: WebConfig,
    log: LogConfig,
}
