//! What is changed in the files of a store before it is used: the end of an interrupted write is cut off, and damage whose
//! loss was accepted becomes a hole. What is taken out is kept aside.

use super::files::Files;
use super::meta::Meta;
use super::record::{self, HEADER, Head, Kind};
use super::segment;
use std::io;

/// Bytes that are copied at once.
const CHUNK: u64 = 1024 * 1024;

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Repair {
    /// A segment ends here; one that would be empty goes aside as a whole.
    Cut { number: u32, at: u64 },
    /// What is between two places is no record.
    Hole { number: u32, from: u64, to: u64 },
    /// The header is written anew.
    Header { number: u32 },
}

/// Makes a change. It may be made again if it is interrupted.
pub(super) fn make(files: &dyn Files, meta: &Meta, now: u64, repair: &Repair) -> io::Result<()> {
    let Meta { salt, generation, .. } = *meta;
    match *repair {
        Repair::Cut { number, at } if at < segment::HEADER => {
            let name = segment::file_name(number);
            files.rename(&name, &format!("{name}.torn"))
        }
        Repair::Cut { number, at } => {
            let name = segment::file_name(number);
            let file = files.open(&name)?;
            copy(files, &name, at, file.length()?, &format!("{name}.torn"))?;
            file.truncate(at)?;
            file.sync()
        }
        Repair::Hole { number, from, to } => {
            let name = segment::file_name(number);
            copy(files, &name, from, to, &format!("{name}.damaged-{from}"))?;
            let file = files.open(&name)?;
            let mut body = vec![0; usize::try_from(to - from).unwrap_or(0).saturating_sub(HEADER)];
            file.read_at(&mut body, from + HEADER as u64)?;
            let mut bytes = Vec::new();
            let head = Head { kind: Kind::Hole, flags: 0, channel: 0, offset: 0, at: now };
            record::encode(&mut bytes, from, segment::salt(salt, number), &head, &[&body]);
            file.write_at(&bytes, from)?;
            file.sync()
        }
        Repair::Header { number } => {
            let name = segment::file_name(number);
            copy(files, &name, 0, segment::HEADER, &format!("{name}.damaged-0"))?;
            let file = files.open(&name)?;
            let previous =
                number.checked_sub(1).and_then(|before| files.open_to_read(&segment::file_name(before)).ok());
            let previous = previous.map_or(Ok(0), |file| file.length())?;
            file.write_at(&segment::Header { number, salt, generation, created: now, previous }.encode(), 0)?;
            file.sync()
        }
    }
}

/// Keeps a part of a file aside.
fn copy(files: &dyn Files, from: &str, start: u64, end: u64, to: &str) -> io::Result<()> {
    let (from, to) = (files.open_to_read(from)?, files.create(to)?);
    let mut at = start;
    while at < end {
        let mut bytes = vec![0; (end - at).min(CHUNK) as usize];
        let read = from.read_at(&mut bytes, at)?;
        if read == 0 {
            break;
        }
        to.write_at(&bytes[..read], at - start)?;
        at += read as u64;
    }
    to.sync()
}
