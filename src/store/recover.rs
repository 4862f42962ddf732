//! Reads a store that was found: all its records, or the indexes of segments that are old enough.

use super::body::{Key, Named};
use super::error::{Damage, OpenError};
use super::files::Files;
use super::index::{self, Index};
use super::number::ChannelNo;
use super::options::Options;
use super::record::{KEYED, Kind, View};
use super::repair::Repair;
use super::scan::{self, Later, Met, Scan};
use super::sealing::Sealing;
use super::segment::{self, HEADER, Place, Segment};
use super::state::State;
use super::survey::Survey;
use super::window::Window;
use std::io;
use std::sync::Arc;

/// Bytes after which progress is reported.
const REPORTED: u64 = 8 * 1024 * 1024;
/// Bytes that are read at once where the names of channels are looked for, which are often close to each other.
const NAMES: usize = 32 * 1024;

/// An idempotency key that still counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// Its channel.
    pub channel: ChannelNo,
    /// The epoch and the offset of the publication that was published with it.
    pub epoch: String,
    /// See `epoch`.
    pub offset: u64,
    /// The key.
    pub key: Vec<u8>,
    /// What shows whether the same was published under it.
    pub fingerprint: u128,
    /// Until when it counts, in milliseconds since 1970.
    pub expires: u64,
}

/// A recovery, and what it found.
pub(super) struct Recovery<'a> {
    files: &'a dyn Files,
    options: &'a Options,
    now: u64,
    survey: &'a Survey,
    progress: &'a mut dyn FnMut(u64, u64),
    read: u64,
    reported: u64,
    pub(super) state: State,
    pub(super) repairs: Vec<Repair>,
    pub(super) damaged: Vec<Damage>,
    pub(super) torn: u64,
    pub(super) publications: u64,
    pub(super) indexes_rebuilt: u32,
    pub(super) keys: Vec<KnownKey>,
    /// The greatest generation that anything speaks of.
    pub(super) generation: u32,
    /// Whether there are channels whose names are not yet known.
    pending: bool,
}

/// Whether recovery goes on after a segment.
#[derive(PartialEq, Eq)]
enum Then {
    Next,
    /// The rest of the log was never safe.
    Stop,
}

impl<'a> Recovery<'a> {
    pub(super) fn new(
        files: &'a dyn Files,
        options: &'a Options,
        now: u64,
        survey: &'a Survey,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Recovery<'a> {
        Recovery {
            files,
            options,
            now,
            survey,
            progress,
            read: 0,
            reported: 0,
            state: State::new(options.channels_max),
            repairs: Vec::new(),
            damaged: Vec::new(),
            torn: 0,
            publications: 0,
            indexes_rebuilt: 0,
            keys: Vec::new(),
            generation: 0,
            pending: false,
        }
    }

    /// Reads everything. Nothing is changed but indexes, which are made where they are missing.
    pub(super) fn run(&mut self) -> Result<(), OpenError> {
        self.damaged.extend(self.survey.damage.clone());
        let mut verified: u64 = self.survey.bytes();
        for at in 0..self.survey.segments.len() {
            // The newest bytes are checked as a whole.
            let check = verified <= self.options.verify_bytes;
            verified -= self.survey.segments[at].length;
            if self.segment(at, check)? == Then::Stop {
                break;
            }
        }
        self.missing_end()?;
        self.resolve()?;
        self.state.channels.settle();
        (self.progress)(self.read, self.survey.bytes());
        Ok(())
    }

    /// Whether segments are missing after the last one.
    fn missing_end(&mut self) -> Result<(), OpenError> {
        let last = self.survey.segments.last().map_or(0, |last| last.number);
        match self.survey.meta.as_ref().map_or(0, |meta| meta.end.segment) {
            end if end > last => {
                self.accept(Damage { file: segment::file_name(end), at: 0, what: "the file is missing" })
            }
            _ => Ok(()),
        }
    }

    fn segment(&mut self, at: usize, check: bool) -> Result<Then, OpenError> {
        let found = &self.survey.segments[at];
        let number = found.number;
        let previous = at.checked_sub(1).map(|at| self.survey.segments[at].number);
        if previous.is_some_and(|previous| previous + 1 != number) {
            let missing = previous.map_or(0, |previous| previous + 1);
            let place = Place { segment: missing, at: 0 };
            let damage = Damage { file: segment::file_name(missing), at: 0, what: "the file is missing" };
            if self.judge(at, place, damage)? == Then::Stop {
                return Ok(Then::Stop);
            }
        }
        if let Some(what) = self.survey.fault(at) {
            if self.judge(at, Place { segment: number, at: 0 }, found.damage(0, what))? == Then::Stop {
                return Ok(Then::Stop);
            }
            self.repairs.push(Repair::Header { number });
        }
        self.generation = self.generation.max(found.header.map_or(0, |header| header.generation));
        let is_last = at + 1 == self.survey.segments.len();
        let expected = self.survey.expected(at);
        let segment = Arc::new(Segment::new(number, found.file.clone(), self.survey.salt(), expected));
        // After damage, what indexes say of older segments is no longer so.
        let index = if is_last || !self.damaged.is_empty() { None } else { self.index(&segment, expected, check)? };
        let skips = |index: &Index| !check && index.header.keys_expire <= self.now && found.length == expected;
        match index {
            Some((index, bytes)) if skips(&index) => self.take(&segment, index, &bytes).map(|()| Then::Next),
            index => self.scan(at, &segment, expected, index.map(|(index, _)| index)),
        }
    }

    fn index(&self, segment: &Segment, length: u64, check: bool) -> Result<Option<(Index, Vec<u8>)>, OpenError> {
        let name = segment::index_name(segment.number);
        let opened = self.files.open(&name).and_then(|file| Index::open(file, segment.number, length, segment.salt));
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Ok(Some((index, _))) if check && !index.is_whole().map_err(OpenError::io(format!("read {name}")))? => {
                Ok(None)
            }
            opened => opened.map_err(OpenError::io(format!("read {name}"))),
        }
    }

    /// What the index of a segment says, instead of the segment.
    fn take(&mut self, segment: &Arc<Segment>, index: Index, bytes: &[u8]) -> Result<(), OpenError> {
        let (number, header) = (segment.number, index.header);
        let (slots, values) = index::parts(&header, bytes);
        slots.for_each(|slot| self.state.apply_slot(number, &slot));
        self.publications += u64::from(header.places);
        self.pending = true;
        self.advance(segment.length());
        let _ = segment.index.set(index);
        self.state.begin(segment.clone());
        let mut window = Window::default();
        for place in values {
            let read = window.record(segment, u64::from(place), NAMES).map_err(OpenError::io("read a value"))?;
            match read.filter(|view| view.kind == Kind::Value) {
                Some(view) => drop(self.state.apply(&view)),
                None => self.accept(segment.damage(u64::from(place), "a record is damaged"))?,
            }
        }
        self.state.growing.pop_back();
        Ok(())
    }

    /// Reads all records of a segment.
    fn scan(
        &mut self,
        at: usize,
        segment: &Arc<Segment>,
        expected: u64,
        index: Option<Index>,
    ) -> Result<Then, OpenError> {
        let found = &self.survey.segments[at];
        let number = found.number;
        // Named only when it is needed: this is asked for each record.
        let failed = move |error| OpenError::io(format!("read {}", segment::file_name(number)))(error);
        // Records are compared with what was known before them, names and epochs included.
        self.resolve()?;
        self.state.begin(segment.clone());
        let mut scan = Scan::new(found.file.as_ref(), segment.salt, HEADER.min(expected), expected.min(found.length));
        let mut whole = true;
        loop {
            let (place, what) = match scan.next().map_err(failed)? {
                Met::Record(view) => {
                    self.apply(&view);
                    self.advance(view.size() as u64);
                    continue;
                }
                Met::End if found.length >= expected => break,
                Met::End => (found.length, "the file was cut short"),
                Met::Invalid(place) => (place, "a record is damaged"),
            };
            whole = false;
            if self.judge(at, Place { segment: found.number, at: place }, found.damage(place, what))? == Then::Stop {
                segment.set_length(place);
                return Ok(Then::Stop);
            }
            let end = expected.min(found.length);
            let later = if place < end {
                scan::later(found.file.as_ref(), segment.salt, place, end).map_err(failed)?
            } else {
                Later::Nothing
            };
            match later {
                Later::Record(next) => {
                    self.repairs.push(Repair::Hole { number: found.number, from: place, to: next });
                    scan.skip_to(next);
                }
                _ if at + 1 < self.survey.segments.len() => {
                    self.repairs.push(Repair::Hole { number: found.number, from: place, to: expected });
                    break;
                }
                _ => {
                    self.repairs.push(Repair::Cut { number: found.number, at: place });
                    segment.set_length(place);
                    break;
                }
            }
        }
        if at + 1 < self.survey.segments.len() {
            self.seal(segment, index.filter(|_| whole));
        }
        Ok(Then::Next)
    }

    fn apply(&mut self, view: &View<'_>) {
        if view.kind == Kind::Opened {
            self.generation = self.generation.max(u32::try_from(view.offset).unwrap_or(0));
        }
        if !self.state.apply(view) || view.kind != Kind::Publication {
            return;
        }
        self.publications += 1;
        let key = (view.flags & KEYED != 0).then(|| Key::split(view.body)).flatten();
        let Some((key, _)) = key.filter(|(key, _)| key.expires > self.now) else { return };
        let Some(channel) = self.state.channels.get(view.channel) else { return };
        self.keys.push(KnownKey {
            channel: ChannelNo::new(view.channel),
            epoch: String::from_utf8_lossy(channel.epoch()).into_owned(),
            offset: view.offset,
            key: key.key.to_vec(),
            fingerprint: key.fingerprint,
            expires: key.expires,
        });
    }

    /// Gives a full segment its index: the one that was found, else a new one. Where that cannot be written, it is made later.
    fn seal(&mut self, segment: &Arc<Segment>, index: Option<Index>) {
        if let Some(index) = index {
            let _ = segment.index.set(index);
            self.state.growing.pop_back();
            return;
        }
        self.indexes_rebuilt += 1;
        let Some((number, growing)) = self.state.growing.back() else { return };
        let made =
            segment.file.sync().and_then(|()| self.files.create(&segment::index_name(*number))).and_then(|file| {
                let mut sealing = Sealing::new(file, *number, segment.length(), segment.salt, growing);
                while !sealing.gather(growing) {}
                while !sealing.write()? {}
                sealing.written().map_or(Ok(()), |file| file.sync())?;
                sealing.finish()
            });
        if let Ok(index) = made {
            let _ = segment.index.set(index);
            self.state.growing.pop_back();
        }
    }

    /// What is at a place is not what should be there: the end of what was ever safe, or damage.
    fn judge(&mut self, at: usize, place: Place, damage: Damage) -> Result<Then, OpenError> {
        let file = damage.file.clone();
        if self.survey.was_safe(at, place).map_err(OpenError::io(format!("read {file}")))? {
            self.accept(damage)?;
            return Ok(Then::Next);
        }
        for found in self.survey.segments[at..].iter().rev() {
            let from = if found.number == place.segment { place.at } else { 0 };
            self.torn += found.length.saturating_sub(from);
            self.repairs.push(Repair::Cut { number: found.number, at: from });
        }
        Ok(Then::Stop)
    }

    fn accept(&mut self, damage: Damage) -> Result<(), OpenError> {
        if !self.options.accept_loss {
            return Err(OpenError::Damaged(damage));
        }
        self.damaged.push(damage);
        Ok(())
    }

    /// Reads the names of channels of which only an index was read.
    fn resolve(&mut self) -> Result<(), OpenError> {
        if !std::mem::take(&mut self.pending) {
            return Ok(());
        }
        // In the order in which they are written.
        let pending =
            |number| self.state.channels.still_pending(number).map(|channel| (channel.home, channel.slot, number));
        let mut pending: Vec<(u32, u32, u32)> = (1..=self.state.channels.greatest()).filter_map(pending).collect();
        pending.sort_unstable();
        let segments = self.state.segments.clone();
        let mut window = Window::default();
        for (home, place, number) in pending {
            let Some(segment) = super::state::segment(&segments, home) else { continue };
            let Some(channel) = self.state.channels.still_pending(number) else { continue };
            let place = u64::from(place);
            let view = window.record(segment, place, NAMES).map_err(OpenError::io("read a name"))?;
            let is_it = |view: &View<'_>| matches!(view.kind, Kind::Name | Kind::Reset) && view.channel == number;
            match view.filter(is_it).and_then(|view| Named::parse(view.body)) {
                // The number may have had another name in a segment whose records were read.
                Some(named) => self.state.channels.set(number, named.name, named.epoch).resume(&channel),
                None => {
                    self.state.channels.remove(number);
                    self.accept(segment.damage(place, "a record is damaged"))?;
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        self.read += bytes;
        if self.read - self.reported >= REPORTED {
            self.reported = self.read;
            (self.progress)(self.read, self.survey.bytes());
        }
    }
}
