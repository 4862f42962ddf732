//! TLS between the client and a server: the handshake.

use super::error::{ClientError, is_timeout};
use crate::tls::{Trust, client_config, distrust, roots};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;

/// A session on a connection.
pub(super) type Session = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands with the server of this name or address.
pub(super) fn shake(host: &str, address: &str, trust: &Trust, tcp: TcpStream) -> Result<Session, ClientError> {
    let untrusted = |problem| ClientError::Untrusted { address: address.to_owned(), problem };
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|_| untrusted(format!("a certificate cannot have the name {host:?}")))?;
    let config = client_config(roots(trust).map_err(untrusted)?);
    let session = ClientConnection::new(Arc::new(config), name);
    let mut stream = StreamOwned::new(session.map_err(|error| untrusted(error.to_string()))?, tcp);
    // Here and not with the first write, so that a certificate that is not trusted gets an error of its own.
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| problem(&error, address))?;
    }
    Ok(stream)
}

/// Why a handshake failed: for its certificate, for not being TLS, or for the connection.
fn problem(error: &io::Error, address: &str) -> ClientError {
    let address = address.to_owned();
    if is_timeout(error) {
        return ClientError::TimedOut;
    }
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return ClientError::Lost(format!("{error}, while TLS was begun"));
    };
    match (distrust(tls), tls) {
        (Some(problem), _) => ClientError::Untrusted { address, problem },
        (None, rustls::Error::InvalidMessage(_)) => {
            ClientError::NoTls { address, problem: "its answer is not TLS".to_owned() }
        }
        (None, error) => ClientError::NoTls { address, problem: error.to_string() },
    }
}

#[cfg(test)]
mod tests;
