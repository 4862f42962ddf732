//! A device in memory: it is full, fails, or loses power as it is told.

use super::Random;
use crate::store::{File, Files, Lock};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes that a device writes as a whole.
const SECTOR: usize = 512;

/// What was done to a file since it was synced.
#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    since: Vec<Change>,
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Truncate(length) => bytes.resize(*length as usize, 0),
            Change::Write(at, written) => {
                let end = *at as usize + written.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*at as usize..end].copy_from_slice(written);
            }
        }
    }
}

/// What fails.
#[derive(Clone, Default)]
pub(super) struct Faults {
    /// Bytes that there is room for.
    pub(super) room: Option<u64>,
    /// Writes after which all fail.
    pub(super) writes: Option<u32>,
    /// Syncs fail.
    pub(super) sync: bool,
    /// Reads fail.
    pub(super) read: bool,
}

type Named = BTreeMap<String, Arc<Mutex<Content>>>;

#[derive(Default)]
struct Inner {
    names: Named,
    durable: Named,
    faults: Faults,
    locked: Arc<AtomicBool>,
}

/// The device; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no test failed while it held it")
    }

    pub(super) fn files(&self) -> Arc<dyn Files> {
        Arc::new(self.clone())
    }

    pub(super) fn faults(&self, faults: Faults) {
        self.inner().faults = faults;
    }

    /// The device as a process that starts later finds it: everything is there that was written.
    pub(super) fn copy(&self) -> Disk {
        let inner = self.inner();
        let names = inner.names.iter().map(|(name, content)| {
            let now = content.lock().expect("whole").now.clone();
            (name.clone(), Arc::new(Mutex::new(Content { durable: now.clone(), now, since: Vec::new() })))
        });
        let names: Named = names.collect();
        Disk(Arc::new(Mutex::new(Inner { durable: names.clone(), names, ..Inner::default() })))
    }

    /// The device after its power failed: of what was not synced some is there, in pieces, and some is not.
    pub(super) fn after_power_failure(&self, random: &mut Random) -> Disk {
        let inner = self.inner();
        let keeps_names = random.below(2) == 0;
        let names = if keeps_names { &inner.names } else { &inner.durable };
        let names = names.iter().map(|(name, content)| {
            let content = content.lock().expect("whole");
            let mut bytes = content.durable.clone();
            let kind = random.below(3);
            let stop = random.below(content.since.len() as u64 + 1) as usize;
            for (at, change) in content.since.iter().enumerate() {
                match (kind, change) {
                    // Some of the first ones, the last of them in part.
                    (0, _) if at < stop => change.apply(&mut bytes),
                    (0, Change::Write(place, written)) if at == stop => {
                        let most = random.below(written.len() as u64 + 1) as usize;
                        Change::Write(*place, written[..most].to_vec()).apply(&mut bytes);
                    }
                    (0, _) => {}
                    // Some sectors of each; the file is as long as if all were there.
                    (1, Change::Write(place, written)) => {
                        let end = *place as usize + written.len();
                        bytes.resize(bytes.len().max(end), 0);
                        let mut at = *place as usize;
                        while at < end {
                            let next = end.min((at / SECTOR + 1) * SECTOR);
                            if random.below(3) > 0 {
                                bytes[at..next].copy_from_slice(&written[at - *place as usize..next - *place as usize]);
                            }
                            at = next;
                        }
                    }
                    (_, change) if kind == 1 => change.apply(&mut bytes),
                    // Nothing.
                    _ => {}
                }
            }
            let content = Content { durable: bytes.clone(), now: bytes, since: Vec::new() };
            (name.clone(), Arc::new(Mutex::new(content)))
        });
        let names: Named = names.collect();
        Disk(Arc::new(Mutex::new(Inner { durable: names.clone(), names, ..Inner::default() })))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.inner().names.keys().cloned().collect()
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        self.inner().names[name].lock().expect("whole").now.clone()
    }

    /// Changes a file after the fact.
    pub(super) fn edit(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        edit(&mut self.inner().names[name].lock().expect("whole").now);
    }

    pub(super) fn remove_now(&self, name: &str) {
        self.inner().names.remove(name);
    }

    fn check(&self, is_write: bool) -> io::Result<()> {
        let faults = &mut self.inner().faults;
        match &mut faults.writes {
            Some(0) if is_write => Err(io::Error::from_raw_os_error(5)),
            Some(left) if is_write => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.check(true)?;
        if self.inner().faults.room == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let content = Arc::new(Mutex::new(Content::default()));
        self.inner().names.insert(name.to_owned(), content.clone());
        Ok(Arc::new(Handle { disk: self.clone(), content }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let content = self.inner().names.get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Handle { disk: self.clone(), content }))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check(true)?;
        let mut inner = self.inner();
        let content = inner.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        inner.names.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.check(true)?;
        self.inner().names.remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.faults.sync {
            return Err(io::Error::from_raw_os_error(5));
        }
        inner.durable = inner.names.clone();
        Ok(())
    }

    fn lock(&self, _name: &str) -> io::Result<Option<Box<dyn Lock>>> {
        let locked = self.inner().locked.clone();
        let is_free = !locked.swap(true, Ordering::SeqCst);
        Ok(is_free.then(|| Box::new(Held(locked)) as Box<dyn Lock>))
    }
}

struct Held(Arc<AtomicBool>);

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

struct Handle {
    disk: Disk,
    content: Arc<Mutex<Content>>,
}

impl Handle {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("no test failed while it held it")
    }
}

impl File for Handle {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.disk.check(true)?;
        let room = self.disk.inner().faults.room;
        let mut content = self.content();
        let grows = (at + bytes.len() as u64).saturating_sub(content.now.len() as u64);
        let fits = room.map_or(grows, |room| room.min(grows));
        // What fits is written all the same.
        let written = bytes.len() - (grows - fits) as usize;
        let change = Change::Write(at, bytes[..written].to_vec());
        change.apply(&mut content.now);
        content.since.push(change);
        if let Some(room) = &mut self.disk.inner().faults.room {
            *room -= fits;
        }
        if written < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        if self.disk.inner().faults.read {
            return Err(io::Error::from_raw_os_error(5));
        }
        let content = self.content();
        let there = content.now.get(at as usize..).unwrap_or_default();
        let read = there.len().min(buffer.len());
        buffer[..read].copy_from_slice(&there[..read]);
        Ok(read)
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.inner().faults.sync {
            return Err(io::Error::from_raw_os_error(5));
        }
        let mut content = self.content();
        content.durable = content.now.clone();
        content.since.clear();
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.check(true)?;
        let mut content = self.content();
        let old = content.now.len() as u64;
        content.now.resize(length as usize, 0);
        content.since.push(Change::Truncate(length));
        if let Some(room) = &mut self.disk.inner().faults.room {
            *room += old.saturating_sub(length);
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.content().now.len() as u64)
    }
}
