//! How the log is opened: what was recovered is told, and what may be lost.

use super::batch::Batch;
use super::epochs::Epochs;
use super::fresh::Fresh;
use super::helpers::Helpers;
use super::keys::{Keys, Known};
use super::waiting::Waiting;
use super::{Disk, SYNC_EVERY, UPKEEP_EVERY};
use crate::config::{Config, Durability};
use crate::engine::bell::Bell;
use crate::engine::{Health, Rules};
use crate::hub::Hub;
use crate::metrics::engine::EngineFigures;
use crate::store::{self, Folder, Options, Record, Recovered, Store, StoreError};
use arc_swap::ArcSwap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the engine keeps values of its own.
const SPACE: u8 = 0;
/// The generation in which anything may have been lost.
const FLOOR: &[u8] = b"floor";
/// Bytes of one write at most.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// What is around the data of a publication in an entry: its media type, event, key and time at their longest.
const AROUND_BYTES: usize = 2048;
/// How often the progress of a recovery is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Bytes in a MiB, for people.
const MIB: u64 = 1024 * 1024;

/// Why the log was not opened: for people.
#[derive(Debug)]
pub struct OpenFault(String);

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenFault {}

impl Disk {
    /// Opens the log in a folder, which is made, and recovers what is in it.
    ///
    /// # Errors
    /// Another process has it open, it is damaged, it is of another version, or the system does not let it be read.
    pub fn open(
        folder: &Path,
        config: &Config,
        rules: Arc<ArcSwap<Rules>>,
        hub: Arc<Hub>,
        bell: &Bell,
        figures: Arc<EngineFigures>,
    ) -> Result<Disk, OpenFault> {
        let fault = |problem: &dyn fmt::Display| OpenFault(format!("the store {}: {problem}", folder.display()));
        let files = Folder::create(folder).map_err(|error| fault(&error))?;
        let options = options(config);
        let (synced_only, began) = (options.synced_only, Instant::now());
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let (mut store, recovered) =
            Store::open(Arc::new(files), options, now_ms, &mut progress()).map_err(|error| fault(&error))?;
        tell(folder, &recovered, began.elapsed());
        let epochs = epochs(&mut store, &recovered, now_ms).map_err(|error| fault(&error))?;
        let mut keys = Keys::new(config.history.idempotency_keys);
        for key in recovered.keys {
            // Of the epoch before, nothing is repeated.
            let is_current = store.state(key.channel).is_some_and(|state| *state.epoch == *key.epoch);
            if let Some(text) = std::str::from_utf8(&key.key).ok().filter(|_| is_current) {
                let known = Known { fingerprint: key.fingerprint, offset: key.offset, expires_ms: key.expires };
                keys.remember(key.channel, text, known);
            }
        }
        let helpers = Helpers::start(store.reader(), bell).map_err(|error| fault(&error))?;
        let started = Instant::now();
        Ok(Disk {
            store,
            epochs,
            keys,
            fresh: Fresh::new(config.history.positions),
            rules,
            hub,
            synced_only,
            keys_last_ms: config.history.idempotency_ttl.as_millis() as u64,
            entry_bytes_max: entry_bytes_max(config),
            batch_bytes_max: BATCH_BYTES.min(config.store.segment_bytes / 4),
            orders: Vec::new(),
            batch: Batch::default(),
            unlogged: Vec::new(),
            waiting: Waiting::default(),
            helpers,
            figures,
            health: Health::Up,
            is_syncing: false,
            sync_at: started + SYNC_EVERY,
            upkeep_at: started + UPKEEP_EVERY,
        })
    }
}

fn options(config: &Config) -> Options {
    let rules = || config.channel_rules.iter().filter_map(|rule| rule.durability);
    Options {
        segment_bytes: config.store.segment_bytes as u64,
        bytes_max: config.store.total_bytes as u64,
        channels_max: u32::try_from(config.channels.total).unwrap_or(u32::MAX),
        forget_after: config.history.position_ttl.as_millis() as u64,
        // With the head of a record and its key: the entry is asked first, so that no batch is refused for one of it.
        record_bytes_max: u32::try_from(entry_bytes_max(config) + AROUND_BYTES / 2).unwrap_or(u32::MAX),
        boot: store::boot_id(),
        random: rand::random(),
        accept_loss: config.store.accept_loss,
        // A rule that is changed later holds as well: see `Disk::synced_only`.
        synced_only: config.history.durability == Durability::Synced && rules().all(|own| own == Durability::Synced),
        ..Options::default()
    }
}

/// A program may publish more at once than clients may, up to what fits into a segment.
fn entry_bytes_max(config: &Config) -> usize {
    (config.store.segment_bytes - AROUND_BYTES.min(config.store.segment_bytes)).min(u32::MAX as usize / 2)
}

/// What is shown of epochs. What was opened without what is damaged must show none of before again.
fn epochs(store: &mut Store, recovered: &Recovered, now_ms: u64) -> Result<Epochs, StoreError> {
    let kept = store.value(SPACE, FLOOR).and_then(|value| value.try_into().ok()).map_or(0, u32::from_le_bytes);
    let generation = recovered.generation;
    if recovered.damaged.is_empty() {
        return Ok(Epochs { generation, floor: kept });
    }
    let value = generation.to_le_bytes();
    store.append(&[Record::Value { space: SPACE, key: FLOOR, value: Some(&value) }], now_ms)?;
    store.sync()?;
    Ok(Epochs { generation, floor: generation })
}

/// Tells how far a recovery has come, if it takes long.
fn progress() -> impl FnMut(u64, u64) {
    let mut last = Instant::now();
    move |read, total| {
        if last.elapsed() >= PROGRESS_EVERY {
            last = Instant::now();
            log::info!(event = "store_recovers", read_mib = read / MIB, total_mib = total / MIB; "the store is being read");
        }
    }
}

/// Tells what was found, and how long that took.
fn tell(folder: &Path, recovered: &Recovered, took: Duration) {
    let shown = folder.display();
    for damage in &recovered.damaged {
        log::error!(event = "store_damaged"; "{shown}: opened without what is damaged: {damage}");
    }
    if recovered.torn_bytes > 0 {
        log::warn!(
            event = "store_torn", bytes = recovered.torn_bytes;
            "{shown}: the last write had not ended; what of it was there was acknowledged to nobody and is kept aside"
        );
    }
    if recovered.may_have_lost {
        log::warn!(
            event = "store_may_have_lost";
            "{shown}: the machine ended before what was last written was synced: up to a second of it may be gone. Channels that \
             answer when they have written have a new epoch, and their readers are told once"
        );
    }
    log::info!(
        event = "store_opened", channels = recovered.channels, publications = recovered.publications,
        bytes = recovered.bytes, segments = recovered.segments, generation = recovered.generation,
        clean = recovered.clean, took_ms = took.as_millis() as u64;
        "{shown}: the store is open"
    );
}
