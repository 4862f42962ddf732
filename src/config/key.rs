//! `[[key]]`: a backend's key: its name, the hash of its secret, what its holder may do, and where it may come from.

use super::text::quoted;
use crate::model::api_key::KeyHash;
use crate::model::grants::Grant;
use crate::model::network::Network;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Bytes of a key's name. It stands in logs and messages.
const NAME_BYTES_MAX: usize = 64;

/// How the secret of a key is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySecretFrom {
    /// By its hash.
    Hash(KeyHash),
    /// It stands in this file.
    File(PathBuf),
}

/// One `[[key]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// Its name, which no other has: a secret is exchanged by a second key with a name of its own, such as `app-2026-11`.
    pub name: String,
    /// Its secret.
    pub secret: KeySecretFrom,
    /// What its holder may do.
    pub grants: Vec<Grant>,
    /// Where it may come from; empty for anywhere.
    pub networks: Vec<Network>,
}

/// Whether a text can be the name of a key.
fn is_key_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
}

impl KeySettings {
    /// As it stands in a file.
    #[must_use]
    pub fn write(&self) -> String {
        let list =
            |words: &mut dyn Iterator<Item = String>| words.map(|word| quoted(&word)).collect::<Vec<_>>().join(", ");
        let mut out = format!("[[key]]\nname = {}\n", quoted(&self.name));
        // Writing to a String cannot fail.
        let _ = match &self.secret {
            KeySecretFrom::Hash(hash) => writeln!(out, "hash = \"{hash}\""),
            KeySecretFrom::File(path) => writeln!(out, "secret_file = {}", quoted(&path.to_string_lossy())),
        };
        let grants = self.grants.iter().map(|grant| {
            let channels = list(&mut grant.channels.iter().map(|glob| glob.as_str().to_owned()));
            let may = list(&mut grant.may.iter().map(|action| action.word().to_owned()));
            format!("{{ channels = [{channels}], may = [{may}] }}")
        });
        let _ = writeln!(out, "grants = [{}]", grants.collect::<Vec<_>>().join(", "));
        if !self.networks.is_empty() {
            let _ = writeln!(out, "networks = [{}]", list(&mut self.networks.iter().map(Network::to_string)));
        }
        out
    }

    /// Whether it is a key by itself.
    ///
    /// # Errors
    /// Its name has other characters than those of one, or it allows nothing.
    pub fn check(&self) -> Result<(), String> {
        if !is_key_name(&self.name) {
            return Err(format!(
                "a key's name has 1 to {NAME_BYTES_MAX} letters, digits, - _ and ., unlike {}",
                quoted(&self.name)
            ));
        }
        // Closed by default: what it may do is not guessed.
        if self.grants.iter().all(|grant| grant.channels.is_empty() || grant.may.is_empty()) {
            return Err(format!(
                "the key {} may do nothing; give it grants = [{{ channels = [\"**\"], may = [\"read\", \"write\"] }}]",
                quoted(&self.name)
            ));
        }
        Ok(())
    }
}
