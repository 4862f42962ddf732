//! A small blocking client of one connection: connect, ask, wait for the next push.
//!
//! It serves the command line and tests; it has no thread and reconnects only when its caller does.

mod backoff;
mod endpoint;
mod error;
mod http;
mod message;
mod stream;
mod tls;
mod token;

pub use backoff::Backoff;
pub use endpoint::Endpoint;
pub use error::ClientError;
pub use http::{ask, health};
pub use message::{Members, Request, query};

pub use crate::tls::Trust;

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use stream::Stream;
use token::{Token, Tokens};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{ClientRequestBuilder, HandshakeError, Message, WebSocket};

/// The largest message accepted from a server, so that a wrong address cannot fill the memory.
const MESSAGE_BYTES: usize = 64 << 20;
/// The read buffer: pushes are small, and a client has one connection.
const READ_BUFFER_BYTES: usize = 16 << 10;

/// The longest time after which a server may ask to be left: none takes a day to end.
const ADVICE_MS_MAX: u64 = 86_400_000;

/// One connection that speaks `tidings.v1`.
#[derive(Debug)]
pub struct Client {
    socket: WebSocket<Stream>,
    pushes: VecDeque<Members>,
    next_id: u64,
    /// Where another token comes from when the one in use expires.
    tokens: Option<Tokens>,
    /// The one in use.
    token: Option<Token>,
    /// The AUTH that waits for its answer.
    refresh: Option<u64>,
    /// When to connect again, as the server says that ends soon.
    advised: Option<Instant>,
}

impl Client {
    /// Connects and shakes hands, with TLS first where the address says so, each within `wait`.
    ///
    /// # Errors
    /// No server listens there, its certificate is not trusted, the server refuses, or no answer comes in time.
    pub fn connect(endpoint: &Endpoint, wait: Duration) -> Result<Client, ClientError> {
        let tokens = endpoint.tokens().cloned();
        // First: the server's deadline for a handshake begins with the connection.
        let token = tokens.as_ref().map(Tokens::current).transpose()?;
        let stream = Stream::connect(endpoint, wait)?;
        let mut request = ClientRequestBuilder::new(endpoint.uri()).with_sub_protocol("tidings.v1");
        if let Some(token) = &token {
            request = request.with_header("Authorization", format!("Bearer {}", token.reveal()));
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        match tungstenite::client::client_with_config(request, stream, Some(config)) {
            Ok((socket, _)) => {
                Ok(Client { socket, pushes: VecDeque::new(), next_id: 1, tokens, token, refresh: None, advised: None })
            }
            Err(HandshakeError::Failure(error)) => Err(error.into()),
            // On a blocking socket nothing but its timeout interrupts a handshake.
            Err(HandshakeError::Interrupted(_)) => Err(ClientError::TimedOut),
        }
    }

    /// The size of the message that [`Client::ask`] makes of a request, in bytes, to compare with the server's limit.
    #[must_use]
    pub fn message_bytes(&self, request: &Request) -> usize {
        request.text(self.next_id).len()
    }

    /// Sends a request and waits for its answer; pushes that come before it are kept for [`Client::next_push`].
    ///
    /// # Errors
    /// The connection ends, no answer comes in time, or the answer is an error.
    pub fn ask(&mut self, request: &Request, wait: Duration) -> Result<Members, ClientError> {
        let deadline = Instant::now() + wait;
        let id = self.send(request)?;
        loop {
            let Some(members) = self.receive(deadline)? else { return Err(ClientError::TimedOut) };
            match members.number("status") {
                // The answer is waited for, whatever the server advises.
                None if self.heeds(&members) => {}
                None => self.pushes.push_back(members),
                Some(status) if members.number("id") == Some(id) => return members.or_refusal(status),
                // An error without an id is about a frame the server could not read; there is no other frame than this.
                Some(status) if members.raw("id").is_none() && members.is_refusal() => {
                    return members.or_refusal(status);
                }
                // Not an answer to this request, such as the first message of a socket at a channel's own path.
                Some(_) => {}
            }
        }
    }

    /// The next push, or `None` when there is none within `wait`.
    ///
    /// # Errors
    /// The connection ends, or the server ends soon and the time has come that it gave this client to leave.
    pub fn next_push(&mut self, wait: Duration) -> Result<Option<Members>, ClientError> {
        let deadline = Instant::now() + wait;
        // First, whatever the time: these came before anything that is still to be read.
        if let Some(push) = self.pushes.pop_front() {
            return Ok(Some(push));
        }
        loop {
            let until = self.advised.map_or(deadline, |at| at.min(deadline));
            match self.receive(until)? {
                // An answer here belongs to a request that was given up.
                Some(members) if members.number("status").is_some() || self.heeds(&members) => {}
                None if self.advised.is_some_and(|at| at <= Instant::now()) => return Err(ClientError::Leaving),
                other => return Ok(other),
            }
        }
    }

    /// When to connect again, if the server has said: it ends soon, and spreads those that come back. After the connection has
    /// ended, too; see [`Backoff::advised`].
    #[must_use]
    pub fn reconnects_at(&self) -> Option<Instant> {
        self.advised
    }

    /// Whether this is the server's advice when to connect again, which is kept.
    fn heeds(&mut self, members: &Members) -> bool {
        let after_ms =
            members.number("after_ms").filter(|ms| *ms <= ADVICE_MS_MAX && members.raw("reconnect").is_some());
        let advised = after_ms.and_then(|after_ms| Instant::now().checked_add(Duration::from_millis(after_ms)));
        self.advised = advised.or(self.advised);
        advised.is_some()
    }

    /// Sends a request; its id.
    fn send(&mut self, request: &Request) -> Result<u64, ClientError> {
        let id = self.next_id;
        // Before anything can fail: an answer that comes too late must not have the id of the next request.
        self.next_id += 1;
        self.socket.send(Message::text(request.text(id)))?;
        Ok(id)
    }

    /// Closes the connection, without waiting for the answer.
    pub fn close(mut self) {
        // An error changes nothing: the connection ends with or without a Close.
        let _ = self.socket.close(None).and_then(|()| self.socket.flush());
        let _ = self.socket.get_mut().end();
    }

    /// The next JSON object that is not about the token in use, or `None` at the deadline.
    fn receive(&mut self, deadline: Instant) -> Result<Option<Members>, ClientError> {
        while let Some(members) = self.next_object(deadline)? {
            let status = members.number("status");
            match (status, members.number("id")) {
                (Some(status), Some(id)) if self.refresh == Some(id) => {
                    self.refresh = None;
                    members.or_refusal(status)?;
                }
                (None, _) if members.text("auth").as_deref() == Some("expiring") => self.renew()?,
                _ => return Ok(Some(members)),
            }
        }
        Ok(None)
    }

    /// Signs on with another token, if there is one.
    fn renew(&mut self) -> Result<(), ClientError> {
        // Without one the server ends the connection in time, and says why.
        let Some(Ok(token)) = self.tokens.as_ref().map(Tokens::current) else { return Ok(()) };
        if self.token.as_ref() != Some(&token) {
            self.refresh = Some(self.send(&Request::auth(token.reveal()))?);
            self.token = Some(token);
        }
        Ok(())
    }

    /// The next JSON object, or `None` at the deadline. Pings are answered on the way.
    fn next_object(&mut self, deadline: Instant) -> Result<Option<Members>, ClientError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Before the timeout is set: one of zero is an error to `set_read_timeout`.
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.get_ref().set_read_timeout(left).map_err(tungstenite::Error::Io)?;
            match self.socket.read() {
                Ok(Message::Text(text)) => return text.parse().map(Some),
                Ok(Message::Close(frame)) => return Err(ClientError::closed(frame)),
                Ok(_) => {}
                // The deadline is looked at above. What has come of a message is kept by the socket for the next read.
                Err(tungstenite::Error::Io(error)) if error::is_timeout(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
