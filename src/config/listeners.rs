//! All listeners of a configuration, and whether they are compatible.

use super::knobs::Config;
use super::listener::{ListenAt, ListenerConfig};
use crate::model::serves::Serves;
use std::net::SocketAddr;

/// How many listeners there may be at most: a connection names its own by a byte.
const LISTENERS_MAX: usize = 255;

impl Config {
    /// All listeners: those of `server.listen`, which serve clients, and then the `[[listener]]` blocks.
    #[must_use]
    pub fn all_listeners(&self) -> Vec<ListenerConfig> {
        let clients = |address: &SocketAddr| ListenerConfig {
            trusted_proxies: self.server.trusted_proxies.clone(),
            tls: self.server.tls,
            ..ListenerConfig::new(ListenAt::Address(*address), Serves::CLIENTS)
        };
        self.server.listen.iter().map(clients).chain(self.listeners.iter().cloned()).collect()
    }

    /// What is wrong with the listeners. What is wrong with a block names it by its number, from 1.
    pub(super) fn listener_problems(&self) -> Vec<String> {
        let all = self.all_listeners();
        let mut problems = Vec::new();
        if all.is_empty() {
            problems.push(
                "there is nowhere to listen: \"server.listen\" is empty, and there is no [[listener]]".to_owned(),
            );
        }
        // It would be believed to hold for the blocks.
        if self.server.listen.is_empty() && !self.server.trusted_proxies.is_empty() {
            problems.push(
                "\"server.trusted_proxies\" is for \"server.listen\", which is empty; each [[listener]] has trusted_proxies of its own"
                    .to_owned(),
            );
        }
        if all.len() > LISTENERS_MAX {
            problems.push(format!("there are {} listeners, and at most {LISTENERS_MAX} are possible", all.len()));
        }
        for (index, listener) in self.listeners.iter().enumerate() {
            let before = &all[..self.server.listen.len() + index];
            let twice = || before.iter().any(|other| listener.takes_the_place_of(other));
            let twice = || twice().then(|| format!("{} is listened on already", listener.at));
            problems.extend(
                listener.problem().or_else(twice).map(|problem| format!("[[listener]] {}: {problem}", index + 1)),
            );
        }
        problems
    }
}
