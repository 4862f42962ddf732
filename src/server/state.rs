//! Where a server keeps what outlives it, when no setting says so.

use std::path::{Path, PathBuf};

/// The folder that is set, or else the one of this name in the state folder that systemd gives, or in that of the user.
pub(super) fn folder(set: &str, name: &str) -> Option<PathBuf> {
    if !set.is_empty() {
        return Some(PathBuf::from(set));
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| value.starts_with('/'));
    // Of several that systemd makes, the first.
    let of_service = variable("STATE_DIRECTORY").and_then(|all| all.split(':').next().map(PathBuf::from));
    let of_user = || {
        let home = || variable("HOME").map(|home| Path::new(&home).join(".local/state"));
        variable("XDG_STATE_HOME").map(PathBuf::from).or_else(home).map(|state| state.join("tidings"))
    };
    of_service.or_else(of_user).map(|state| state.join(name))
}
