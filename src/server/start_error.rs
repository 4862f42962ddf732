//! Why a server could not start.

use super::randomness::NoRandomness;
use crate::config::ConfigError;
use crate::engine::disk::OpenFault;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration contradicts itself.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; {}", way_out(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A unix socket cannot be opened.
    #[error("cannot listen on unix:{}: {source}; choose another path (listener.path), or stop what uses it", path.display())]
    ListenAtPath {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A socket was passed that no listener is for.
    #[error(
        "a socket was passed that listens at {at} (name {name:?}), and no listener is for it: add a [[listener]] with this \
         address or path, or with name = {name:?}"
    )]
    Given {
        /// What it is called.
        name: String,
        /// Where it listens.
        at: String,
    },
    /// The system gives no random bytes.
    #[error("{0}")]
    NoRandomness(NoRandomness),
    /// What the engine keeps cannot be read.
    #[error("{0}")]
    Store(OpenFault),
    /// The operators' key cannot be read or made.
    #[error("there is no operator key: {0}")]
    OperatorKey(std::io::Error),
    /// Threads, descriptors or memory are missing.
    #[error("cannot start, since threads, descriptors or memory are missing: {0}")]
    System(#[from] std::io::Error),
}

/// What lets a server listen that could not for this reason.
fn way_out(error: &std::io::Error) -> &'static str {
    // EMFILE, ENFILE: no other address helps.
    match error.raw_os_error() {
        Some(24 | 23) => "raise the limit of open files (ulimit -n)",
        _ => "choose another (server.listen), or stop what uses it",
    }
}
