//! What is in a log, and whether it is what was written: looked at without changing anything.

use super::engine::folder;
use crate::config::{Config, ConfigError};
use crate::store::{Folder, Report, boot_id, check};
use std::fmt::Display;

/// Reads all of the log of a configuration, and says what is in each file.
///
/// # Errors
/// There is no folder, or it cannot be read.
pub fn check_store(config: &Config) -> Result<Report, CheckFault> {
    let folder = folder(config)?;
    let fault = |problem: &dyn Display| CheckFault::Store(format!("{}: {problem}", folder.display()));
    let files = Folder::existing(&folder).map_err(|error| fault(&error))?;
    check(&files, boot_id().as_deref()).map_err(|error| fault(&error))
}

/// Why a log could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CheckFault {
    /// Nothing says where it is.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// It cannot be read.
    #[error("the store {0}")]
    Store(String),
}
