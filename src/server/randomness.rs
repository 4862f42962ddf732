//! Random bytes of the system, whose failure is an error that says what is missing: the system's own names a file at most.

use rand::TryRng as _;
use rand::rngs::SysRng;

/// The system gives no random bytes: `getrandom(2)` is refused or not found, and its files are not there either.
#[derive(Debug, thiserror::Error)]
#[error(
    "the system gives no random bytes, which keys, epochs and the names of connections are made of: {0}; a static binary in a \
     folder of its own needs /dev/urandom and /dev/random there"
)]
pub struct NoRandomness(String);

/// Fills `bytes` with random ones.
///
/// # Errors
/// The system gives none.
pub fn random_bytes(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    SysRng.try_fill_bytes(bytes).map_err(|error| NoRandomness(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{NoRandomness, random_bytes};
    use crate::server::StartError;

    /// It was "there is no operator key: No such file or directory", and nothing about a key was wrong.
    #[test]
    fn a_system_without_random_bytes_is_said_to_have_none() {
        let missing = std::io::Error::from_raw_os_error(2).to_string();
        let said = StartError::NoRandomness(NoRandomness(missing)).to_string();
        assert!(said.starts_with("the system gives no random bytes") && said.contains("/dev/urandom"), "{said}");
        assert!(said.contains("No such file") && !said.contains("operator key"), "{said}");
        let mut bytes = [0; 32];
        random_bytes(&mut bytes).expect("this system gives some");
        assert_ne!(bytes, [0; 32]);
    }
}
