//! The key with which a server shows its metrics to its operator: given, or where Tidings leaves it at its start.

use crate::plan::Target;
use std::path::{Path, PathBuf};

/// The variable that holds a key.
pub const VARIABLE: &str = "TIDINGS_OPERATOR_KEY";
/// No key is longer, in bytes.
const MOST: u64 = 4096;

/// A key, and where it is from.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub secret: String,
    /// In words.
    pub from: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key from {}", self.from)
    }
}

/// Why there is no key, though one was given.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("--operator-key-file: {}: {}", .0.display(), .1)]
    File(PathBuf, #[source] std::io::Error),
    /// The file holds something else.
    #[error("--operator-key-file: {} holds no key: one line of visible ASCII", .0.display())]
    NoKeyIn(PathBuf),
    /// The variable holds something else, which is not shown: it may be a secret.
    #[error("{VARIABLE} is no key: one line of visible ASCII")]
    Variable,
}

/// The key that was given; without one, for a server on this machine, the one that it has left in its file.
///
/// # Errors
/// The file that was named cannot be read, or holds no key.
pub fn key(file: Option<&Path>, variable: Option<String>, target: &Target) -> Result<Option<Key>, KeyError> {
    if let Some(path) = file {
        let secret = read(path).map_err(|error| KeyError::File(path.to_owned(), error))?;
        let secret = secret.ok_or_else(|| KeyError::NoKeyIn(path.to_owned()))?;
        return Ok(Some(Key { secret, from: format!("--operator-key-file {}", path.display()) }));
    }
    if let Some(text) = variable.filter(|text| !text.trim().is_empty()) {
        let secret = clean(&text).ok_or(KeyError::Variable)?;
        return Ok(Some(Key { secret, from: VARIABLE.to_owned() }));
    }
    let Some(port) = target.addresses.first().map(std::net::SocketAddr::port).filter(|_| target.is_loopback()) else {
        return Ok(None);
    };
    let found = places(port).into_iter().find_map(|path| Some((read(&path).ok()??, path)));
    Ok(found.map(|(secret, path)| Key { secret, from: path.display().to_string() }))
}

/// Where a server on this port leaves its key.
fn places(port: u16) -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    let runtime = runtime.map(|folder| PathBuf::from(folder).join("tidings"));
    let user = rustix::process::geteuid().as_raw();
    let folders = runtime.into_iter().chain([PathBuf::from(format!("/tmp/tidings-{user}"))]);
    folders.map(|folder| folder.join(format!("operator-{port}"))).collect()
}

fn read(path: &Path) -> std::io::Result<Option<String>> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST).read_to_string(&mut text)?;
    Ok(clean(&text))
}

/// A key without the space around it; nothing if a header field cannot contain it.
fn clean(text: &str) -> Option<String> {
    let key = text.trim();
    (!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic())).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Target, key};

    fn target(url: &str) -> Target {
        Target::parse(url).expect("a target")
    }

    #[test]
    fn a_key_is_taken_from_the_option_first_and_then_from_the_variable() {
        let path = std::env::temp_dir().join(format!("tidings-loadgen-{}-key", std::process::id()));
        let here = target("http://127.0.0.1:1/metrics");
        std::fs::write(&path, "of-the-file\n").expect("a file");
        let of_file = key(Some(&path), Some("other".to_owned()), &here).expect("a key").expect("one");
        assert_eq!(of_file.secret, "of-the-file");
        assert!(!format!("{of_file:?}").contains("of-the-file"), "a secret is not shown");
        let of_variable = key(None, Some(" of-the-variable ".to_owned()), &here).expect("a key").expect("one");
        assert_eq!((of_variable.secret.as_str(), of_variable.from.as_str()), ("of-the-variable", super::VARIABLE));
        for wrong in ["", "two words", "a\nb"] {
            std::fs::write(&path, wrong).expect("a file");
            assert!(
                key(Some(&path), None, &here).expect_err("no key").to_string().contains("holds no key"),
                "{wrong:?}"
            );
        }
        std::fs::remove_file(&path).expect("it was there");
        assert!(key(Some(&path), None, &here).expect_err("no file").to_string().contains("--operator-key-file: /"));
        assert!(key(None, Some("a b".to_owned()), &here).expect_err("no key").to_string().contains(super::VARIABLE));
    }

    #[test]
    fn what_lies_on_this_machine_is_for_servers_on_this_machine() {
        let port = 1;
        let path = super::places(port).pop().expect("a place");
        assert!(path.to_string_lossy().ends_with("/operator-1"), "{path:?}");
        assert!(matches!(key(None, None, &target("http://192.0.2.1:1/metrics")), Ok(None)));
    }
}
