//! How a store reaches its files: the little that it needs, so that tests can have a device that fails.

use std::io;
use std::sync::Arc;

/// A folder of files.
pub trait Files: Send + Sync {
    /// The names of the files in it.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A file for reading and writing, empty, whether there was one or not.
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// A file that exists, for reading and writing.
    ///
    /// # Errors
    /// As the system says; `NotFound` if there is none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// A file that exists, for reading only.
    ///
    /// # Errors
    /// As the system says; `NotFound` if there is none.
    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Gives a file another name, in place of one that has it.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes what was created, renamed and removed durable.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&self) -> io::Result<()>;
    /// Takes the lock of the folder until what is returned is dropped; `None` if somebody has it.
    ///
    /// # Errors
    /// As the system says.
    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>>;
}

/// A file. All positions are bytes from its beginning.
pub trait File: Send + Sync {
    /// Writes all bytes at a position.
    ///
    /// # Errors
    /// As the system says; some of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Reads at a position until the buffer is full or the file ends; how many bytes there were.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
    /// Makes what was written durable.
    ///
    /// # Errors
    /// As the system says. What was written before is then in an unknown state.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file off at a length.
    ///
    /// # Errors
    /// As the system says.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Its length.
    ///
    /// # Errors
    /// As the system says.
    fn length(&self) -> io::Result<u64>;
}

/// A lock that is held until it is dropped.
pub trait Lock: Send + Sync {}

/// Whether an error says that there is no room, which may change.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Writes a file as a whole under its name, or leaves what was there: durable when this returns.
pub(super) fn replace(files: &dyn Files, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = format!("{name}.new");
    let file = files.create(&new)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    files.rename(&new, name)?;
    files.sync()
}
