//! Why a fleet does not start, and why a run has no result.

use crate::adapters::choice::BadChoice;
use crate::engine::BeginError;
use std::io;

/// Why the threads of a run do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system starts no further process, or does not say which program this is.
    #[error("a process cannot be started: {0}")]
    Process(#[source] io::Error),
    /// The system starts no further thread.
    #[error("a thread cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// A thread panicked first; standard error says why.
    #[error("a thread ended before it began")]
    Ended,
    /// There is no such dialect, or it has no such option.
    #[error(transparent)]
    Adapter(#[from] BadChoice),
    /// A thread has not what it needs.
    #[error(transparent)]
    Begin(#[from] BeginError),
}

/// Why a child of a fleet does nothing.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its standard input ended, or began with something else.
    #[error("no plan")]
    NoPlan,
    /// Its standard input cannot be read.
    #[error("{0}")]
    Input(#[from] io::Error),
    /// Its first line is no order.
    #[error("{0}")]
    Order(#[from] serde_json::Error),
    /// Its threads do not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The threads did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A thread broke, in the words of its report.
    #[error("{0}")]
    Failed(String),
}
