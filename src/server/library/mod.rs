//! The server as a library: what its own program publishes, reads and subscribes to, from any thread.

#[cfg(feature = "tokio")]
mod asynchronous;
mod away;
mod error;
mod inside;
mod message;
mod publication;
mod subscription;

#[cfg(feature = "tokio")]
pub use asynchronous::{AsyncServer, Publications};
pub(crate) use away::EngineWay;
pub use error::Error;
pub(crate) use inside::Inside;
pub use message::Message;
pub use publication::{History, Publication, Replay};
pub use subscription::Subscription;

use super::Server;
use crate::handoff::postman::Postman;
use crate::model::code::Code;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use std::sync::Arc;

impl Server {
    /// Publishes a message, or one JSON value given as text. Blocks for at most `server.publish_wait` while subscribers'
    /// mailboxes are full; with the engine `disk` also until the publication is kept. No [`Hooks`](crate::access::Hooks) are asked.
    ///
    /// ```
    /// # use tidings::{Config, Server, Message};
    /// # let mut config = Config::default();
    /// # config.server.listen = vec!["127.0.0.1:0".parse().unwrap()];
    /// # let server = Server::start(config)?;
    /// server.publish("stocks", r#"{"TIDE":101.25}"#)?;
    /// let once = Message::json(r#"{"TIDE":101.5}"#).event("price").key("trade-8");
    /// let position = server.publish("stocks", once.clone())?;
    /// assert_eq!(server.publish("stocks", once)?, position, "it was published once");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A bad name, data that is not JSON, a key that was used for other data, a limit, or 503 `busy` after the wait; with the
    /// engine `disk` what a full or failed disk refuses.
    pub fn publish(&self, channel: &str, message: impl Into<Message>) -> Result<Position, Error> {
        let post = message.into().checked()?;
        self.inside.publish(self.inside.posting(channel, post)?)
    }

    /// Reads a channel's history. Blocks only while it waits for the lock of the channel's shard; with the engine `disk` also
    /// while publications are read that are not in memory.
    ///
    /// ```
    /// # use tidings::{Config, Server, Replay};
    /// # let mut config = Config::default();
    /// # config.server.listen = vec!["127.0.0.1:0".parse().unwrap()];
    /// # let server = Server::start(config)?;
    /// for price in [101, 102, 103] {
    ///     server.publish("stocks", price.to_string())?;
    /// }
    /// let history = server.history("stocks", Replay::last(2))?;
    /// let prices = history.publications.iter().map(|publication| publication.json::<u32>());
    /// assert_eq!(prices.collect::<Result<Vec<_>, _>>()?, [102, 103]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A bad name, or a limit.
    pub fn history(&self, channel: &str, replay: Replay) -> Result<History, Error> {
        self.inside.history(channel, replay)
    }

    /// How many subscriptions a channel has at the moment: of sockets, event streams, and of this program.
    #[must_use]
    pub fn subscribers(&self, channel: &str) -> u64 {
        self.inside.hub.subscribers(channel)
    }

    /// Calls `callback` for each publication from here on, in order, on a thread of its own. A callback that is slower
    /// than its publishers fills this subscription's mailbox and makes them wait (law 7, `reliable`).
    ///
    /// # Errors
    /// A bad name, a limit, or no thread.
    pub fn subscribe(
        &self,
        channel: &str,
        callback: impl FnMut(&Publication) + Send + 'static,
    ) -> Result<Subscription, Error> {
        self.subscribe_after(channel, Replay::standard(), callback)
    }

    /// The same after a replay: no publication is missing or repeated between the replay and what follows.
    ///
    /// # Errors
    /// As [`Server::subscribe`].
    pub fn subscribe_after(
        &self,
        channel: &str,
        replay: Replay,
        callback: impl FnMut(&Publication) + Send + 'static,
    ) -> Result<Subscription, Error> {
        Subscription::begin(&self.inside, channel, replay, callback)
    }

    /// Ends a channel's continuity: its history is dropped, a new epoch begins at offset 0, and every subscriber receives
    /// a reset. `None` for a channel that does not exist. Blocks as [`Server::publish`] does.
    ///
    /// # Errors
    /// 503 `busy` after the wait; 501 `not_with_this_engine` with the engine `disk`.
    pub fn reset_channel(&self, channel: &str) -> Result<Option<Position>, Error> {
        let inside = &self.inside;
        if inside.engine.is_some() {
            return Err(Refusal::from(Code::NotWithThisEngine).into());
        }
        let postman = Postman::new(Arc::clone(&inside.mailboxes), None);
        inside.when_there_is_room(|now| inside.hub.reset(channel, &postman, now).ok()).ok_or_else(|| {
            let message = "subscribers cannot take more at the moment; the channel was not reset, try again";
            Error::new(Code::Busy, message)
        })
    }
}
