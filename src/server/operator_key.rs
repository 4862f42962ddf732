//! The operators' key of a running server: given, read from a file, or made at the start and left where operators find it.

use super::randomness::random_bytes;
use crate::access::Operators;
use crate::config::ServerConfig;
use crate::journal;
use crate::model::operator_key::OperatorKey;
use data_encoding::BASE64URL_NOPAD;
use nix::libc;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Random bytes of a generated key: too many to be guessed.
const RANDOM_BYTES: usize = 32;
/// Bits of a mode that let anybody but the owner in.
const OTHERS: u32 = 0o077;

/// The key with the files that hold it, which are removed when this is dropped.
#[derive(Debug)]
pub(super) struct HeldKey {
    pub(super) key: OperatorKey,
    /// Where operators find it: the end of a sentence that begins with "the key".
    pub(super) place: String,
    files: Vec<PathBuf>,
}

/// Reads the file that the configuration names, if it names one and the key is to come from it.
///
/// # Errors
/// It cannot be read or holds no key: which file, and why.
pub(super) fn check_file(server: &ServerConfig) -> Result<(), String> {
    if server.operator_key.is_some() || server.operator_key_file.is_empty() {
        return Ok(());
    }
    read(&server.operator_key_file).map(drop).map_err(|error| format!("there is no operator key: {error}"))
}

impl HeldKey {
    /// Takes the key that the configuration gives, or makes one; a key that was made is left in the configuration's folder,
    /// if it names one, in a file for each address.
    ///
    /// # Errors
    /// The key file cannot be read or holds no key, or the system gives no random bytes.
    pub(super) fn take(server: &ServerConfig, addresses: &[SocketAddr]) -> io::Result<HeldKey> {
        if let Some(key) = &server.operator_key {
            let place =
                "is the one that this server was started with (TIDINGS_OPERATOR_KEY, or the operator_key of a program)";
            return Ok(HeldKey { key: key.clone(), place: place.to_owned(), files: Vec::new() });
        }
        if !server.operator_key_file.is_empty() {
            let key = read(&server.operator_key_file)?;
            let place = format!("is in the file {} (--operator-key-file)", server.operator_key_file);
            return Ok(HeldKey { key, place, files: Vec::new() });
        }
        let mut held = HeldKey { key: made()?, place: String::new(), files: Vec::new() };
        held.leave(&server.operator_key_folder, addresses);
        Ok(held)
    }

    /// What requests are judged by.
    pub(super) fn operators(&self) -> Operators {
        Operators::new(self.key.clone(), self.place.clone())
    }

    /// A server that cannot leave its key serves all the same, and logs it: its operators can choose a key themselves.
    fn leave(&mut self, folder: &str, addresses: &[SocketAddr]) {
        const CHOOSE: &str =
            "start the server with --operator-key-file, TIDINGS_OPERATOR_KEY or a program's operator_key";
        if folder.is_empty() {
            self.place = format!("of this server is in no file: {CHOOSE} to choose one");
            return;
        }
        if addresses.is_empty() {
            self.place = format!("of this server is in no file, since the server has no port: {CHOOSE} to choose one");
            return;
        }
        for address in addresses {
            let file = Path::new(folder).join(format!("operator-{}", name_in_files(*address)));
            // One for all addresses of a port, and one for 127.0.0.1 alone, share a file.
            if self.files.contains(&file) {
                continue;
            }
            if let Err(error) = private_folder(Path::new(folder)).and_then(|()| write(&file, &self.key)) {
                log::warn!(target: journal::TARGET, event = "operator_key_not_left"; "the operator key cannot be left in {}: {error}; {CHOOSE} to choose one", file.display());
                self.place = format!("could not be left in {}: {CHOOSE} to choose one", file.display());
                return;
            }
            self.files.push(file);
        }
        let names: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        self.place = format!("is in the file {}", names.join(" and in "));
    }

    /// Removes the files. If another server took the same port since and put its own key there, that stays.
    pub(super) fn remove(&mut self) {
        for file in self.files.drain(..) {
            if fs::read_to_string(&file).is_ok_and(|text| self.key.is(text.trim())) {
                // A failure is ignored: a key without its server opens nothing.
                let _ = fs::remove_file(&file);
            }
        }
    }
}

impl Drop for HeldKey {
    fn drop(&mut self) {
        self.remove();
    }
}

fn read(file: &str) -> io::Result<OperatorKey> {
    let text = fs::read_to_string(file).map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?;
    OperatorKey::parse(&text).map_err(|error| io::Error::other(format!("{file}: {error}")))
}

fn made() -> io::Result<OperatorKey> {
    let mut bytes = [0; RANDOM_BYTES];
    random_bytes(&mut bytes).map_err(io::Error::other)?;
    OperatorKey::parse(&BASE64URL_NOPAD.encode(&bytes)).map_err(io::Error::other)
}

/// Makes the folder, or takes one that only we can write to: elsewhere another user could put a key of their own.
fn private_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", folder.display()))),
    }
    // Of a link itself and not of its target: in /tmp another user may have put one in our way.
    let found = fs::symlink_metadata(folder)?;
    let own = fs::metadata("/proc/self").map(|process| process.uid())?;
    let problem = if !found.is_dir() {
        "is not a folder"
    } else if found.uid() != own {
        "belongs to another user"
    } else if found.mode() & OTHERS != 0 {
        "is accessible to other users: chmod 700 it"
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!("{} {problem}", folder.display())))
}

/// Writes the key file. The file of a killed server is replaced: the port is ours now.
fn write(file: &Path, key: &OperatorKey) -> io::Result<()> {
    // Removed and not truncated: who has the old file open does not read the new key.
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    // The mode is given with the creation: set afterwards, the file could be opened before.
    options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    writeln!(options.open(file)?, "{}", key.reveal())
}

/// By what files of a server are named: its port, with the address before it where another server may have the same
/// port at 127.0.0.1, which is what clients and proxies on the same machine ask.
#[must_use]
pub fn name_in_files(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    if ip.is_unspecified() || ip == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return port.to_string();
    }
    format!("{ip}-{port}")
}

/// Where `tidings serve` leaves a key that it made, and where its operators' programs look for it.
#[must_use]
pub fn operator_key_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        // A relative path is to be ignored (XDG Base Directory Specification).
        Some(runtime) if runtime.is_absolute() => runtime.join("tidings"),
        _ => {
            let own = fs::metadata("/proc/self").map_or(0, |process| process.uid());
            PathBuf::from(format!("/tmp/tidings-{own}"))
        }
    }
}
