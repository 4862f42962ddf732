//! What files a store has, before any of their records is read; and whether a place in them was ever safe on the device.

use super::error::{Damage, OpenError};
use super::files::{File, Files};
use super::meta::Meta;
use super::record::Kind;
use super::scan::{self, Later, Met, Scan};
use super::segment::{self, HEADER, Header, Place};
use std::io;
use std::sync::Arc;

/// A segment that was found.
pub(super) struct Found {
    pub(super) number: u32,
    pub(super) file: Arc<dyn File>,
    /// The length of its file.
    pub(super) length: u64,
    pub(super) header: Option<Header>,
}

impl Found {
    pub(super) fn damage(&self, at: u64, what: &'static str) -> Damage {
        Damage { file: segment::file_name(self.number), at, what }
    }
}

/// All that was found.
pub(super) struct Survey {
    pub(super) segments: Vec<Found>,
    /// What the store says of itself; `None` if there is no store.
    pub(super) meta: Option<Meta>,
    /// What was wrong with the file that says it.
    pub(super) damage: Option<Damage>,
    /// Whether the process that had it open ended without the system ending, so that everything written is there.
    pub(super) same_boot: bool,
}

impl Survey {
    /// Looks at the files of a folder.
    pub(super) fn new(
        files: &dyn Files,
        open: impl Fn(&str) -> io::Result<Arc<dyn File>>,
        boot: Option<&str>,
        accept_loss: bool,
    ) -> Result<Survey, OpenError> {
        let mut numbers: Vec<u32> = files
            .list()
            .map_err(OpenError::io("list the folder"))?
            .iter()
            .filter_map(|name| segment::number_of(name))
            .collect();
        numbers.sort_unstable();
        let mut segments = Vec::with_capacity(numbers.len());
        for number in numbers {
            let name = segment::file_name(number);
            let found = open(&name).and_then(|file| found(number, file));
            segments.push(found.map_err(OpenError::io(format!("open {name}")))?);
        }
        let missing = || super::meta::damage("it is missing, and there are segments");
        let mut damage = None;
        let meta = match Meta::read(files) {
            Ok(Some(meta)) => Some(meta),
            Ok(None) if segments.is_empty() => None,
            // Without it, it is not known what a store with segments should hold.
            read @ (Ok(None) | Err(OpenError::Damaged(_))) if accept_loss => {
                damage = Some(if let Err(OpenError::Damaged(found)) = read { found } else { missing() });
                let salt = segments.iter().find_map(|segment| segment.header).map_or(0, |header| header.salt);
                let (boot, end) = (String::new(), Place::default());
                Some(Meta { generation: 0, salt, boot, clean: false, synced_only: false, end })
            }
            Ok(None) => return Err(OpenError::Damaged(missing())),
            Err(error) => return Err(error),
        };
        let same_boot = meta.as_ref().zip(boot).is_some_and(|(meta, boot)| meta.boot == boot);
        Ok(Survey { segments, meta, damage, same_boot })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    pub(super) fn salt(&self) -> u32 {
        self.meta.as_ref().map_or(0, |meta| meta.salt)
    }

    /// The length that a segment had when the next one was begun, or that it has at least.
    pub(super) fn expected(&self, at: usize) -> u64 {
        let found = &self.segments[at];
        let next = self.segments.get(at + 1).filter(|next| next.number == found.number + 1);
        let durable = self.meta.as_ref().filter(|meta| meta.end.segment == found.number).map_or(0, |meta| meta.end.at);
        next.and_then(|next| next.header).map_or(found.length.max(durable), |header| header.previous)
    }

    /// Why the beginning of a segment is not what it should be, if it is not.
    pub(super) fn fault(&self, at: usize) -> Option<&'static str> {
        let Found { number, header, .. } = self.segments[at];
        match header {
            None => Some("the header is damaged"),
            Some(header) if header.number != number => Some("this is another segment"),
            Some(header) if header.salt != self.salt() => Some("this is a segment of another store"),
            Some(_) => None,
        }
    }

    /// Whether what was at a place is known to have been safe: then that it is no longer there is damage, else the end of a
    /// write that was interrupted.
    pub(super) fn was_safe(&self, at: usize, place: Place) -> io::Result<bool> {
        let Some(meta) = &self.meta else { return Ok(false) };
        if meta.clean || meta.end > place {
            return Ok(true);
        }
        let mut from = place.at;
        for found in &self.segments[at.min(self.segments.len())..] {
            let salt = segment::salt(meta.salt, found.number);
            if from == 0 {
                from = HEADER;
                // A segment is begun after all before it was written.
                if found.number > place.segment && self.same_boot && found.header.is_some() {
                    return Ok(true);
                }
                if Scan::new(found.file.as_ref(), salt, HEADER, found.length).proves(place)? {
                    return Ok(true);
                }
            }
            loop {
                match scan::later(found.file.as_ref(), salt, from, found.length)? {
                    Later::Nothing => break,
                    // A process writes one byte after the other.
                    Later::Record(_) if self.same_boot => return Ok(true),
                    Later::Unknown => return Ok(true),
                    Later::Record(next) => {
                        let mut scan = Scan::new(found.file.as_ref(), salt, next, found.length);
                        if scan.proves(place)? {
                            return Ok(true);
                        }
                        from = scan.place();
                    }
                }
            }
            from = 0;
        }
        Ok(false)
    }
}

impl Scan<'_> {
    /// Whether one of the next records, up to one that is none, says that everything before a later place was durable.
    fn proves(&mut self, place: Place) -> io::Result<bool> {
        while let Met::Record(view) = self.next()? {
            let marked = Place { segment: u32::try_from(view.offset).unwrap_or(u32::MAX), at: view.at };
            if view.kind == Kind::Mark && marked > place {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn found(number: u32, file: Arc<dyn File>) -> io::Result<Found> {
    let length = file.length()?;
    let mut bytes = [0; HEADER as usize];
    let read = file.read_at(&mut bytes, 0)?;
    Ok(Found { number, file, length, header: Header::parse(&bytes[..read]) })
}
