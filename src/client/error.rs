//! What can go wrong between a client and its server, and whether trying again can help.

use std::io::{self, ErrorKind};
use tungstenite::protocol::CloseFrame;

/// Why the client could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be understood, or is of a kind that is not spoken.
    #[error("{0}")]
    BadUrl(String),
    /// Nobody answers there.
    #[error("no server answers at {address}: {source}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server answered a request, or the handshake, with an error.
    #[error("refused with {status}: {message}")]
    Refused {
        /// The HTTP status, on the socket too.
        status: u16,
        /// The server's sentence for people.
        message: String,
    },
    /// The server closed the connection.
    #[error("closed by the server with {code} {reason}")]
    Closed {
        /// The close code; 1005 when it gave none.
        code: u16,
        /// The named reason.
        reason: String,
    },
    /// The connection broke, or the other side does not speak WebSocket.
    #[error("connection lost: {0}")]
    Lost(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The server sent something that is not of the protocol.
    #[error("not an answer of Tidings: {0}")]
    Unexpected(String),
}

impl ClientError {
    /// Whether the same may work later: everything but a refusal of the request itself, and a wrong address.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            ClientError::BadUrl(_) | ClientError::Unexpected(_) => false,
            ClientError::Refused { status, .. } => *status == 408 || *status == 429 || *status >= 500,
            ClientError::Closed { code, .. } => !matches!(code, 1002 | 1003 | 1007 | 1008 | 1009),
            ClientError::Unreachable { .. } | ClientError::Lost(_) | ClientError::TimedOut => true,
        }
    }

    pub(super) fn closed(frame: Option<CloseFrame>) -> ClientError {
        match frame {
            Some(frame) => ClientError::Closed { code: frame.code.into(), reason: frame.reason.to_string() },
            None => ClientError::Closed { code: 1005, reason: String::new() },
        }
    }
}

impl From<tungstenite::Error> for ClientError {
    fn from(error: tungstenite::Error) -> ClientError {
        match error {
            tungstenite::Error::Http(response) => {
                let body = response.body().as_deref().unwrap_or_default();
                let status = response.status();
                let fallback = || status.canonical_reason().unwrap_or("no reason given").to_owned();
                let message = super::message::error_message(body).unwrap_or_else(fallback);
                ClientError::Refused { status: status.as_u16(), message }
            }
            tungstenite::Error::Io(error) if is_timeout(&error) => ClientError::TimedOut,
            tungstenite::Error::Io(error) => ClientError::Lost(error.to_string()),
            error => ClientError::Lost(error.to_string()),
        }
    }
}

/// What a socket with a read timeout says at its end, which differs between systems.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
