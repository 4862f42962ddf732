//! The files of a store in a folder of this system.

use super::files::{File, Files, Lock};
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

/// Permissions: what clients published is for the server alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A folder of this system.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A folder, which is made if there is none.
    ///
    /// # Errors
    /// As the system says.
    pub fn create(path: impl Into<PathBuf>) -> io::Result<Folder> {
        let path = path.into();
        fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&path)?;
        Ok(Folder { path })
    }

    /// A folder that exists.
    ///
    /// # Errors
    /// As the system says.
    pub fn existing(path: impl Into<PathBuf>) -> io::Result<Folder> {
        let path = path.into();
        fs::read_dir(&path)?;
        Ok(Folder { path })
    }

    fn with(&self, name: &str, options: &mut OpenOptions) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(OnDisk(options.read(true).mode(FILE_MODE).open(self.path.join(name))?)))
    }
}

impl Files for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.with(name, OpenOptions::new().write(true).create(true).truncate(true))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.with(name, OpenOptions::new().write(true))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.with(name, &mut OpenOptions::new())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }

    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(self.path.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Held { _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A lock is held as long as its file is open.
struct Held {
    _file: fs::File,
}

impl Lock for Held {}

struct OnDisk(fs::File);

impl File for OnDisk {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, at)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], at + read as u64) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// What names this run of the system, where it has such a name.
pub fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let name = text.trim();
    (!name.is_empty() && name.len() <= 64).then(|| name.to_owned())
}
