//! What protocol code is lent: its settings, and what holds for the listener that a client came in by.

use crate::access::AccessPolicy;
use crate::config::{Config, EchoFor};
use crate::hub::names::Names;
use crate::model::name::ChannelName;

/// Settings and texts of the protocols. Their defaults and reasons are in `config`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of a message on `/ws` and `/channels/{name}`.
    pub message_bytes: usize,
    /// Bytes of an HTTP body.
    pub body_bytes: usize,
    /// Whether binary messages are taken there.
    pub binary: bool,
    /// Who may use `/echo`.
    pub echo: EchoFor,
    /// Answer to the text `GET`.
    pub plain_get_text: String,
    /// Answer to a plain POST.
    pub plain_post_text: String,
    /// Where plain frames are published.
    pub plain_channel: ChannelName,
    /// Whether the console, its demos and the tutorial page are served.
    pub console: bool,
}

impl Settings {
    /// Takes them out of a configuration.
    ///
    /// # Panics
    /// The configuration was not checked, and its plain channel has no valid name.
    #[must_use]
    pub fn new(config: &Config) -> Settings {
        let websocket = &config.websocket;
        Settings {
            message_bytes: websocket.message_bytes,
            body_bytes: config.http.body_bytes,
            binary: websocket.binary,
            echo: websocket.echo,
            plain_get_text: websocket.plain_get_text.clone(),
            plain_post_text: websocket.plain_post_text.clone(),
            plain_channel: ChannelName::new(&websocket.plain_channel)
                .expect("a configuration is checked before it is used"),
            console: config.web.console,
        }
    }
}

/// What is lent for one call.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Settings and texts.
    pub settings: &'a Settings,
    /// Law 10 for this listener.
    pub policy: &'a AccessPolicy,
    /// The public names of connections.
    pub names: &'a Names,
    /// Whether the server will soon shut down: it still does everything, but should get no new clients.
    pub leaving: bool,
    /// Whether its engine is away.
    pub away: bool,
}
