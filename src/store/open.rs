//! Opens a store: lock, META, recovery, repairs, and the report on it.

use super::chores::Chores;
use super::error::{Damage, OpenError};
use super::files::Files;
use super::handle::Store;
use super::meta::Meta;
use super::options::Options;
use super::record::{self, Head, Kind};
use super::recover::{KnownKey, Recovery};
use super::repair;
use super::segment::{self, HEADER, Header, Place, Segment};
use super::state::{Shared, State};
use super::survey::Survey;
use std::io;
use std::sync::Arc;

/// The file whose lock the process that has the store open holds.
const LOCK: &str = "LOCK";

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Rises each time that something acknowledged may be gone.
    pub generation: u32,
    /// There was no store: it is new.
    pub first: bool,
    /// It was closed in order.
    pub clean: bool,
    /// The system runs since it was opened before, as far as that is known.
    pub same_boot: bool,
    /// What was written and not synced may be gone; what was synced is there, unless something is damaged.
    pub may_have_lost: bool,
    /// Bytes of interrupted writes that were cut off, and are kept aside in files that end in `.torn`.
    pub torn_bytes: u64,
    /// What was damaged and is gone, where that was accepted. Then even what was synced may be gone.
    pub damaged: Vec<Damage>,
    /// Channels.
    pub channels: u32,
    /// Publications that are kept.
    pub publications: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Segments.
    pub segments: u32,
    /// Segments whose indexes had to be made again.
    pub indexes_rebuilt: u32,
    /// Idempotency keys that still count, oldest first.
    pub keys: Vec<KnownKey>,
}

impl Store {
    /// Opens the store in a folder, or makes one. `progress` receives how many bytes of how many were read.
    ///
    /// # Errors
    /// Somebody has it open, it is damaged where it was safe, it is of another version, or the system failed.
    pub fn open(
        files: Arc<dyn Files>,
        options: Options,
        now: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Store, Recovered), OpenError> {
        let lock = files.lock(LOCK).map_err(OpenError::io("lock the folder"))?.ok_or(OpenError::Locked)?;
        let survey =
            Survey::new(files.as_ref(), |name| files.open(name), options.boot.as_deref(), options.accept_loss)?;
        let (recovered, state, meta) = {
            let mut recovery = Recovery::new(files.as_ref(), &options, now, &survey, progress);
            recovery.run()?;
            let meta = meta_after(&options, &survey, &recovery);
            for repair in &recovery.repairs {
                repair::make(files.as_ref(), &meta, now, repair).map_err(OpenError::io("repair the end of the log"))?;
            }
            if !recovery.repairs.is_empty() {
                files.sync().map_err(OpenError::io("sync the folder"))?;
            }
            (report(&survey, &mut recovery, &meta), recovery.state, meta)
        };
        if recovered.first {
            // Segments without it would be damage.
            meta.write(files.as_ref()).map_err(OpenError::io("write META"))?;
        }
        tidy(files.as_ref(), &state).map_err(OpenError::io("tidy the folder"))?;
        let store = begin(files, options, meta, state, lock, now).map_err(OpenError::io("begin the log"))?;
        let bytes = store.stats().bytes;
        Ok((store, Recovered { bytes, ..recovered }))
    }
}

/// What the store says of itself from now on.
fn meta_after(options: &Options, survey: &Survey, recovery: &Recovery<'_>) -> Meta {
    let boot = options.boot.clone().unwrap_or_default();
    let (clean, synced_only, end) = (false, options.synced_only, Place::default());
    match &survey.meta {
        None => Meta { generation: 1, salt: fold(options.random), boot, clean, synced_only, end },
        Some(old) => {
            let lost = !recovery.damaged.is_empty() || may_have_lost(survey);
            let generation = old.generation.max(recovery.generation) + u32::from(lost);
            Meta { generation, salt: old.salt, boot, clean, synced_only, end }
        }
    }
}

fn may_have_lost(survey: &Survey) -> bool {
    survey.meta.as_ref().is_some_and(|meta| !meta.clean && !survey.same_boot && !meta.synced_only)
}

fn fold(random: u64) -> u32 {
    (random ^ (random >> 32)) as u32
}

fn report(survey: &Survey, recovery: &mut Recovery<'_>, meta: &Meta) -> Recovered {
    Recovered {
        generation: meta.generation,
        first: survey.meta.is_none(),
        clean: survey.meta.as_ref().is_none_or(|meta| meta.clean),
        same_boot: survey.same_boot,
        may_have_lost: may_have_lost(survey),
        torn_bytes: recovery.torn,
        damaged: std::mem::take(&mut recovery.damaged),
        channels: recovery.state.channels.count(),
        publications: recovery.publications,
        bytes: 0,
        segments: recovery.state.segments.len() as u32,
        indexes_rebuilt: recovery.indexes_rebuilt,
        keys: std::mem::take(&mut recovery.keys),
    }
}

/// Removes what belongs to nothing: files that were to replace others, and indexes without their segment.
fn tidy(files: &dyn Files, state: &State) -> io::Result<()> {
    let is_full =
        |number| super::state::segment(&state.segments, number).is_some_and(|segment| segment.index.get().is_some());
    for name in files.list()? {
        let is_left = name == "META.new" || segment::indexed_by(&name).is_some_and(|number| !is_full(number));
        if is_left {
            files.remove(&name)?;
        }
    }
    Ok(())
}

/// The store goes on at the end of its newest segment.
fn begin(
    files: Arc<dyn Files>,
    options: Options,
    meta: Meta,
    mut state: State,
    lock: Box<dyn super::files::Lock>,
    now: u64,
) -> io::Result<Store> {
    // What was recovered will be served: it must not vanish later.
    for segment in state.segments.iter().filter(|segment| segment.index.get().is_none()) {
        segment.file.sync()?;
    }
    let goes_on = state.segments.last().filter(|segment| segment.index.get().is_none()).cloned();
    let active = match goes_on {
        Some(segment) => segment,
        None => {
            let (number, previous) = state.segments.last().map_or((1, 0), |last| (last.number + 1, last.length()));
            let segment = create(files.as_ref(), &meta, (number, previous), now)?;
            state.begin(segment.clone());
            segment
        }
    };
    let mut opened = Vec::new();
    let head = Head { kind: Kind::Opened, flags: 0, channel: 0, offset: u64::from(meta.generation), at: now };
    record::encode(&mut opened, active.length(), active.salt, &head, &[]);
    active.file.write_at(&opened, active.length())?;
    active.file.sync()?;
    active.set_length(active.length() + opened.len() as u64);
    let end = Place { segment: active.number, at: active.length() };
    let meta = Meta { end, ..meta };
    meta.write(files.as_ref())?;
    Ok(Store {
        files,
        options,
        meta,
        shared: Arc::new(Shared::new(state)),
        active,
        length: end.at,
        buffer: Vec::new(),
        appended: end,
        synced: end,
        unsynced: Vec::new(),
        changes: 0,
        changes_synced: 0,
        broken: None,
        chores: Chores::default(),
        _lock: lock,
    })
}

fn create(files: &dyn Files, meta: &Meta, (number, previous): (u32, u64), now: u64) -> io::Result<Arc<Segment>> {
    let Meta { salt, generation, .. } = *meta;
    let file = files.create(&segment::file_name(number))?;
    file.write_at(&Header { number, salt, generation, created: now, previous }.encode(), 0)?;
    Ok(Arc::new(Segment::new(number, file, salt, HEADER)))
}
