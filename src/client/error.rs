//! What can go wrong between a client and its server, and whether trying again can help.

use std::io::{self, ErrorKind};
use tungstenite::protocol::CloseFrame;

/// Why the client could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be read, or its scheme is not supported.
    #[error("{0}")]
    BadUrl(String),
    /// A token with characters that a field cannot have. The error does not repeat it: it may be a secret.
    #[error("a token consists of visible ASCII characters, without spaces")]
    BadToken,
    /// What should have given a token did not.
    #[error("there is no token: {0}")]
    NoToken(String),
    /// No server answers there.
    #[error("no server answers at {address}: {source}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// Its certificate is not trusted, or there is nothing to check it against.
    #[error("the certificate of {address} is not trusted: {problem}")]
    Untrusted {
        /// Host and port.
        address: String,
        /// What is wrong with it, or with the certificates that it is checked against.
        problem: String,
    },
    /// TLS was requested, but the server does not speak it.
    #[error("no TLS with {address}: {problem}")]
    NoTls {
        /// Host and port.
        address: String,
        /// What is wrong.
        problem: String,
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
    #[error("closed by the server with {code}{}{reason}", if reason.is_empty() { "" } else { " " })]
    Closed {
        /// The close code; 1005 when it gave none.
        code: u16,
        /// The reason text: a name, and after a `:` maybe a sentence. See [`ClientError::label`].
        reason: String,
    },
    /// The server ends soon, and the time has come to connect again that it gave this client.
    #[error("the server ends, and has asked to be left")]
    Leaving,
    /// The connection broke, or the other side does not speak WebSocket.
    #[error("connection lost: {0}")]
    Lost(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The server sent something that the protocol does not have.
    #[error("not an answer of Tidings: {0}")]
    Unexpected(String),
}

impl ClientError {
    /// Whether a retry may succeed: after all errors but a refusal of the request itself and a wrong address.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            ClientError::BadUrl(_)
            | ClientError::BadToken
            | ClientError::Untrusted { .. }
            | ClientError::NoTls { .. }
            | ClientError::Unexpected(_) => false,
            ClientError::Refused { status, .. } => passes(*status),
            ClientError::Closed { code, .. } => match code {
                // 1008 says that a rule was broken, but a slow reader may come back: only the label tells them apart.
                1008 => self.label() == Some("slow_consumer"),
                // What was sent breaks a rule: sent again, it breaks it again.
                1002 | 1003 | 1007 | 1009 => false,
                // A refusal that a browser could not have read as an answer to its handshake: 4000 and the status.
                4000..=4999 => passes(code - 4000),
                _ => true,
            },
            ClientError::NoToken(_)
            | ClientError::Unreachable { .. }
            | ClientError::Leaving
            | ClientError::Lost(_)
            | ClientError::TimedOut => true,
        }
    }

    /// The named reason of a Close: its text up to the first `:`, after which a sentence may follow.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        let ClientError::Closed { reason, .. } = self else { return None };
        reason.split(':').next().map(str::trim).filter(|label| !label.is_empty())
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
                let message = error_message(body).unwrap_or_else(fallback);
                ClientError::Refused { status: status.as_u16(), message }
            }
            // The socket has a timeout, so what the system calls an error here is only silence.
            tungstenite::Error::Io(error) if is_timeout(&error) => ClientError::TimedOut,
            tungstenite::Error::Io(error) => ClientError::Lost(error.to_string()),
            error => ClientError::Lost(error.to_string()),
        }
    }
}

/// The sentence for people in the JSON body of a refused handshake, which holds an error object.
pub(super) fn error_message(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body.get("error")?.get("message")?.as_str().map(str::to_owned)
}

/// Whether a refusal with this status is about the moment, not about the request.
fn passes(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

/// The error of a read timeout, which differs between systems.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::{ClientError, error_message};

    #[test]
    fn the_sentence_of_a_refused_handshake_is_in_its_error_object() {
        assert_eq!(error_message(b"{\"error\":{\"message\":\"no\"}}").as_deref(), Some("no"));
        assert_eq!(error_message(b"<html>"), None);
    }

    #[test]
    fn the_label_of_a_close_decides_whether_to_come_back() {
        let closed = |code, reason: &str| ClientError::Closed { code, reason: reason.to_owned() };
        for (code, reason) in [
            (1008, "slow_consumer"),
            (1008, "slow_consumer: 1.2 MiB waited"),
            (1001, "server_shutdown"),
            (1012, "server_shutdown"),
            (1005, ""),
            (1011, "internal_error"),
            (1013, "overloaded"),
            (4429, "too_many_requests: later"),
            (4503, "too_many_connections"),
        ] {
            assert!(closed(code, reason).is_temporary(), "{code} {reason}");
        }
        for (code, reason) in [
            (1008, "forbidden"),
            (1008, "too_many_fragments: slow_consumer"),
            (1008, ""),
            (1002, "protocol_error"),
            (1007, "invalid_utf8"),
            (1009, "message_too_big"),
            (4401, "operator_needed: the key"),
            (4403, "origin_not_allowed: pages from x"),
            (4404, "not_found: there is /ws"),
            (4421, "misdirected_request: this Host"),
            (4001, "what another server means by it"),
        ] {
            assert!(!closed(code, reason).is_temporary(), "{code} {reason}");
        }
        assert_eq!(closed(4403, "origin_not_allowed: pages: x").label(), Some("origin_not_allowed"));
        assert_eq!((closed(1005, "").label(), ClientError::TimedOut.label()), (None, None));
        assert_eq!(closed(1005, "").to_string(), "closed by the server with 1005");
    }
}
