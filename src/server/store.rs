//! What is in a log, and whether it is what was written: looked at without changing anything.

use super::engine::folder;
use crate::config::Config;
use crate::store::{Folder, Report, check};
use std::io;

/// Reads all of the log of a configuration, and says what is in each file; `progress` is told how far it has come, in bytes.
///
/// # Errors
/// There is no folder, or it cannot be read.
pub fn check_store(config: &Config, progress: &mut dyn FnMut(u64, u64)) -> io::Result<Report> {
    let folder = folder(config).map_err(|error| io::Error::other(error.to_string()))?;
    // Asked first, since a folder that is not there would be made.
    if !folder.is_dir() {
        return Err(io::Error::other(format!("there is no store in {}", folder.display())));
    }
    check(&Folder::new(folder)?, progress)
}
