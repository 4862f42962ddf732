//! The same for programs that run on tokio: publications as a stream, and waiting that holds no thread.

use super::error::Error;
use super::inside::{Inside, Seat};
use super::message::Message;
use super::publication::{History, Publication, Replay};
use crate::handoff::mailbox::{Letter, Wake};
use crate::hub::post::Delivery;
use crate::model::code::Code;
use crate::model::publication::Position;
use crate::server::Server;
use futures_core::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A running [`Server`] as asynchronous programs use it. A clone is cheap; it does not keep the server running.
///
/// ```
/// use tidings::{Config, Server};
///
/// # let mut config = Config::default();
/// # config.server.listen = vec!["127.0.0.1:0".parse()?];
/// let server = Server::start(config)?;
/// let news = server.asynchronous();
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let mut publications = news.subscribe("news")?;
/// news.publish("news", r#"{"tick":1}"#).await?;
/// let first = publications.next().await.expect("the subscription goes on");
/// assert_eq!((first.offset(), first.data()), (1, &br#"{"tick":1}"#[..]));
/// # Ok::<(), tidings::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AsyncServer(Inside);

impl Server {
    /// The way in for programs that run on tokio.
    #[must_use]
    pub fn asynchronous(&self) -> AsyncServer {
        AsyncServer(self.inside.clone())
    }
}

impl AsyncServer {
    /// As [`Server::publish`]. While subscribers' mailboxes are full it waits on a thread of tokio's blocking pool, for at
    /// most `server.publish_wait`; otherwise it returns at once. A publication that has begun to wait is published even if
    /// this future is dropped.
    ///
    /// # Errors
    /// As [`Server::publish`].
    ///
    /// # Panics
    /// Outside a tokio runtime, when it has to wait.
    pub async fn publish(&self, channel: &str, message: impl Into<Message>) -> Result<Position, Error> {
        let work = self.0.posting(channel, message.into().checked()?)?;
        match self.0.try_publish(work) {
            Ok(published) => published,
            Err(work) => {
                // To a thread that may block, since room is waited for with a condition variable.
                let inside = self.0.clone();
                let waited = tokio::task::spawn_blocking(move || inside.publish(*work)).await;
                waited.unwrap_or_else(|error| Err(Error::new(Code::Busy, error.to_string())))
            }
        }
    }

    /// As [`Server::history`].
    ///
    /// # Errors
    /// As [`Server::history`].
    pub fn history(&self, channel: &str, replay: Replay) -> Result<History, Error> {
        self.0.history(channel, replay)
    }

    /// As [`Server::subscribers`].
    #[must_use]
    pub fn subscribers(&self, channel: &str) -> u64 {
        self.0.hub.subscribers(channel)
    }

    /// The publications of a channel from here on. Needs no tokio runtime.
    ///
    /// # Errors
    /// A bad name, or a limit.
    pub fn subscribe(&self, channel: &str) -> Result<Publications, Error> {
        self.subscribe_after(channel, Replay::standard())
    }

    /// The same after a replay: no publication is missing or repeated between the two.
    ///
    /// # Errors
    /// As [`AsyncServer::subscribe`].
    pub fn subscribe_after(&self, channel: &str, replay: Replay) -> Result<Publications, Error> {
        let waker = Arc::new(TaskWaker::default());
        let (seat, history) = Seat::take(&self.0, channel, replay, Some(Box::new(Arc::clone(&waker))))?;
        let History { position, recovered, publications } = history;
        Ok(Publications { position, recovered, replayed: publications.into(), seat, waker })
    }
}

/// A subscription as a stream of publications, in order. One that is not read fills its mailbox and makes publishers wait
/// (law 7, `reliable`); dropping it ends it.
pub struct Publications {
    /// Where the channel was when the subscription began.
    pub position: Position,
    /// With [`Replay::since`]: whether the replay joins that position without a hole.
    pub recovered: Option<bool>,
    replayed: VecDeque<Publication>,
    seat: Seat,
    waker: Arc<TaskWaker>,
}

impl Publications {
    /// The next publication. Cancel-safe: a future that is dropped has taken nothing.
    pub async fn next(&mut self) -> Option<Publication> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Publications {
    type Item = Publication;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Publication>> {
        if let Some(publication) = self.replayed.pop_front() {
            return Poll::Ready(Some(publication));
        }
        // Both before the mailbox is read: a letter that comes after the last read wakes this task. The waker first: in
        // the other order a wake between them could find that of another task, and be the last.
        self.waker.set(context.waker());
        self.seat.begin_drain();
        while let Some(letter) = self.seat.inbox.next() {
            let Letter::Delivery(delivery) = letter else { continue };
            // Given back when it is taken out: what the program does with it delays no publisher.
            self.seat.free(delivery.weight());
            if let Delivery::Publication { publication, .. } = delivery {
                return Poll::Ready(Some(Publication::new(publication)));
            }
        }
        Poll::Pending
    }
}

impl Drop for Publications {
    fn drop(&mut self) {
        self.seat.leave();
    }
}

/// The task that waits for the next letter.
#[derive(Default)]
struct TaskWaker(Mutex<Option<Waker>>);

impl TaskWaker {
    fn set(&self, waker: &Waker) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A task mostly polls with the same waker, and a clone of it counts references.
        if !own.as_ref().is_some_and(|own| own.will_wake(waker)) {
            *own = Some(waker.clone());
        }
    }
}

impl Wake for Arc<TaskWaker> {
    fn wake(&self) {
        // Taken out before it is woken: a waker may poll the task at once, and that locks this again.
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
