//! The folder with the account's key and the certificate: for its owner alone, and never a file of which only a part is written.

use crate::tls::certificates::Certificate;
use crate::tls::{Validity, provider};
use instant_acme::AccountCredentials;
use serde_json::{Value, json};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What the line of a certificate's file begins with that says where it is from. What stands outside of its blocks is no PEM.
const FROM: &str = "From ";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store(PathBuf);

/// A certificate that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) names: Vec<String>,
    pub(super) validity: Validity,
    /// The directory of the authority that it is from.
    pub(super) from: String,
}

impl Store {
    /// The one in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made, or nothing can be written there: the end of a sentence.
    pub fn open(folder: &Path) -> Result<Store, String> {
        let store = Store(folder.to_owned());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let written = made.and_then(|()| store.write("probe", b"").and_then(|()| fs::remove_file(store.path("probe"))));
        written.map(|()| store).map_err(|error| format!("nothing can be written to {}: {error}", folder.display()))
    }

    /// The file with the certificate, those that lead to one that clients trust, and its key.
    #[must_use]
    pub fn certificate_in(folder: &Path) -> PathBuf {
        folder.join("certificate.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Lets one process order at a time, for as long as what this returns lives; `None` while another one does.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let file = options().truncate(false).open(self.path("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The certificate that is kept, if there is one.
    pub(super) fn certificate(&self) -> Result<Option<Kept>, String> {
        let path = Store::certificate_in(&self.0);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let from = text.lines().find_map(|line| line.strip_prefix(FROM)).unwrap_or_default().to_owned();
        let read = Certificate::read(&path, &path, &provider()).map_err(|bad| bad.to_string())?;
        let names = read.names().to_vec();
        Ok(read.validity().map(|validity| Kept { names, validity, from }))
    }

    /// Keeps a new certificate in place of the one before, once it is clear that it can be used.
    pub(super) fn keep(&self, chain: &str, key: &str, from: &str, domains: &[String]) -> Result<Kept, String> {
        // By a folder of its own it is judged as it will be read.
        let trial = Store(self.path(&format!("trial-{:016x}", rand::random::<u64>())));
        DirBuilder::new().recursive(true).mode(0o700).create(&trial.0).map_err(|error| error.to_string())?;
        let text = format!("{FROM}{from}\n{chain}\n{key}");
        let judged = trial.judge(&text, domains);
        drop(fs::remove_dir_all(&trial.0));
        let kept = judged?;
        self.write("certificate.pem", text.as_bytes()).map_err(|error| error.to_string())?;
        Ok(kept)
    }

    fn judge(&self, text: &str, domains: &[String]) -> Result<Kept, String> {
        self.write("certificate.pem", text.as_bytes()).map_err(|error| error.to_string())?;
        let kept = self.certificate()?.ok_or("it does not say how long it is valid")?;
        match domains.iter().find(|name| !kept.names.contains(name)) {
            Some(name) => Err(format!("it is not for {name}")),
            None => Ok(kept),
        }
    }

    /// The account with an authority, and where the authority reaches its owner.
    pub(super) fn account(&self, directory: &str) -> Result<Option<(AccountCredentials, String)>, String> {
        let path = self.path(&account_file(directory));
        let bad = |error: String| format!("{}: {error}; remove it to have another account made", path.display());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad(error.to_string())),
        };
        let mut value: Value = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        let email = value["email"].as_str().unwrap_or_default().to_owned();
        let credentials = serde_json::from_value(value["account"].take()).map_err(|error| bad(error.to_string()))?;
        Ok(Some((credentials, email)))
    }

    /// Keeps an account.
    pub(super) fn keep_account(&self, directory: &str, account: &AccountCredentials, email: &str) -> io::Result<()> {
        let value = json!({ "email": email, "account": account });
        self.write(&account_file(directory), format!("{value:#}\n").as_bytes())
    }

    /// The authority does not know it.
    pub(super) fn forget_account(&self, directory: &str) -> io::Result<()> {
        fs::remove_file(self.path(&account_file(directory)))
    }

    /// Writes a whole file or none, for its owner alone.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // By no number of a process: servers in containers share their folder, and may all be the first.
        let part = self.path(&format!("{name}.{:016x}.part", rand::random::<u64>()));
        let mut file = options().create_new(true).open(&part)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let renamed = written.and_then(|()| fs::rename(&part, self.path(name)));
        if renamed.is_err() {
            drop(fs::remove_file(&part));
        }
        renamed
    }
}

/// For a file that its owner alone may read.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// One for each authority, so that a change to another and back makes no new one.
fn account_file(directory: &str) -> String {
    let place = directory.strip_prefix("https://").unwrap_or(directory);
    let name: String = place.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    format!("account-{}.json", &name[..name.len().min(200)])
}

#[cfg(test)]
mod tests {
    use super::{Store, account_file};
    use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            Folder(std::env::temp_dir().join(format!("tidings-acme-{name}-{}", std::process::id())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn pair(name: &str) -> (String, String) {
        let CertifiedKey { cert, signing_key }: CertifiedKey<KeyPair> =
            generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_is_kept_for_its_owner_alone_and_only_if_it_is_the_one_that_was_ordered() {
        let folder = Folder::new("kept");
        let store = Store::open(&folder.0.join("a/b")).expect("a folder");
        assert_eq!(store.certificate(), Ok(None));
        let (chain, key) = pair("a.example");
        let domains = ["a.example".to_owned()];
        let kept = store.keep(&chain, &key, "https://ca.example/dir", &domains).expect("a pair");
        assert_eq!((&kept.names[..], kept.from.as_str()), (&domains[..], "https://ca.example/dir"));
        assert_eq!(store.certificate(), Ok(Some(kept.clone())));
        let mode = |path: &str| fs::metadata(store.path(path)).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode("certificate.pem"), mode(".")), (0o600, 0o700));
        let (_, other) = pair("a.example");
        let wrong = store.keep(&chain, &other, "x", &domains).expect_err("another key");
        assert!(wrong.contains("not the key of the certificate"), "{wrong}");
        let wrong = store.keep(&chain, &key, "x", &["b.example".to_owned()]).expect_err("another name");
        assert_eq!(wrong, "it is not for b.example");
        assert_eq!(store.certificate(), Ok(Some(kept)), "what was there stays");
        let files: Vec<_> = fs::read_dir(&store.0).expect("a folder").flatten().map(|file| file.file_name()).collect();
        assert_eq!(files, ["certificate.pem"], "nothing else is left");
        fs::write(store.path("certificate.pem"), "nothing").expect("a file");
        assert!(store.certificate().expect_err("no certificate").contains("no certificate (PEM)"));
    }

    #[test]
    fn one_process_orders_at_a_time() {
        let folder = Folder::new("locked");
        let store = Store::open(&folder.0).expect("a folder");
        let held = store.lock().expect("a file").expect("free");
        assert!(store.lock().expect("a file").is_none());
        drop(held);
        assert!(store.lock().expect("a file").is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_named() {
        let folder = Folder::new("file");
        fs::write(&folder.0, "").expect("a file");
        let problem = Store::open(&folder.0.join("below")).expect_err("a file is no folder");
        assert!(problem.starts_with("nothing can be written to ") && problem.contains("below: "), "{problem}");
        fs::remove_file(&folder.0).expect("it was made");
    }

    #[test]
    fn every_authority_has_an_account_of_its_own() {
        assert_eq!(
            account_file("https://acme-v02.api.letsencrypt.org/directory"),
            "account-acme-v02.api.letsencrypt.org-directory.json"
        );
        assert_eq!(account_file("https://127.0.0.1:14000/dir"), "account-127.0.0.1-14000-dir.json");
        assert_eq!(account_file(&"ü/".repeat(400)).len(), 213);
    }
}
