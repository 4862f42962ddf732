//! Listeners that are bound, and the files of unix sockets, which are removed in the end.

use crate::config::ListenerConfig;
use crate::reactor::Listening;
use std::fs::{self, Permissions};
use std::io::Result;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A listener that is bound.
pub(super) struct Bound {
    /// As it was configured, with the port that was really taken.
    pub(super) listener: ListenerConfig,
    /// Its sockets: as many as there are reactors, fewer, or more that were taken over.
    pub(super) sockets: Vec<Listening>,
    pub(super) file: Option<HeldSocket>,
}

/// The file of a unix socket, which is removed when this is dropped.
pub(super) struct HeldSocket {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl HeldSocket {
    /// The one that is at a path now.
    pub(super) fn of(path: &Path) -> Result<HeldSocket> {
        let file = fs::symlink_metadata(path)?;
        Ok(HeldSocket { path: path.to_owned(), device: file.dev(), inode: file.ino() })
    }

    /// Removes the file. If another server has put its own socket there since, that stays.
    pub(super) fn remove(&self) {
        let ours = |file: fs::Metadata| (file.dev(), file.ino()) == (self.device, self.inode);
        // By device and inode, since the path alone does not say whose socket it is.
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            // A failure is ignored: the next server removes the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for HeldSocket {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Gives the file of a socket that listens already another mode. A server that runs goes on where that fails.
pub(super) fn change_mode(path: &Path, mode: u32) {
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode)) {
        log::error!(event = "mode_not_changed"; "the mode of {} cannot be changed to {mode:04o}: {error}", path.display());
    }
}
