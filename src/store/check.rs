//! Reads all of a store that may be damaged, and says what is wrong where. It changes nothing.

use super::error::{Damage, OpenError};
use super::files::Files;
use super::index::Index;
use super::record::Kind;
use super::scan::{self, Later, Met, Scan};
use super::segment::{self, HEADER, Place};
use super::survey::{Found, Survey};
use std::io;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Records that are whole.
    pub records: u64,
    /// Publications among them.
    pub publications: u64,
    /// What is wrong with it.
    pub damage: Vec<Damage>,
    /// Bytes at its end of a write that was interrupted: the next start cuts them off.
    pub torn_bytes: u64,
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What it says of itself: its generation, and whether it was closed in order. `None` if that is damaged.
    pub meta: Option<(u32, bool)>,
    /// Its files, oldest first.
    pub files: Vec<FileReport>,
}

impl Report {
    /// Whether nothing is damaged. What was interrupted is no damage.
    pub fn is_whole(&self) -> bool {
        self.files.iter().all(|file| file.damage.is_empty())
    }
}

/// Reads the store in a folder.
///
/// # Errors
/// There is none, it is of another version, or the system failed.
pub fn check(files: &dyn Files, boot: Option<&str>) -> Result<Report, OpenError> {
    let survey = Survey::new(files, |name| files.open_to_read(name), boot, true)?;
    let Some(meta) = &survey.meta else {
        let error = io::Error::new(io::ErrorKind::NotFound, "there is no store in this folder");
        return Err(OpenError::io("check")(error));
    };
    let known = survey.damage.is_none().then_some((meta.generation, meta.clean));
    let mut report = Report { meta: known, files: Vec::new() };
    report.files.extend(survey.damage.clone().map(of_meta));
    let mut torn = false;
    for at in 0..survey.segments.len() {
        let file = segment(&survey, at, torn).map_err(OpenError::io(segment::file_name(survey.segments[at].number)))?;
        torn |= file.torn_bytes > 0;
        report.files.push(file);
        report.files.extend(index(files, &survey, at)?);
    }
    let last = survey.segments.last().map_or(0, |last| last.number);
    if meta.end.segment > last {
        report.files.push(missing(meta.end.segment));
    }
    Ok(report)
}

fn of_meta(damage: Damage) -> FileReport {
    FileReport { damage: vec![damage], ..empty(super::meta::NAME.to_owned(), 0) }
}

fn missing(number: u32) -> FileReport {
    let name = segment::file_name(number);
    let damage = Damage { file: name.clone(), at: 0, what: "the file is missing" };
    FileReport { damage: vec![damage], ..empty(name, 0) }
}

fn empty(name: String, bytes: u64) -> FileReport {
    FileReport { name, bytes, records: 0, publications: 0, damage: Vec::new(), torn_bytes: 0 }
}

/// Reads a segment; `torn` says that one before it was, so that it was never safe.
fn segment(survey: &Survey, at: usize, torn: bool) -> io::Result<FileReport> {
    let found: &Found = &survey.segments[at];
    let mut report = empty(segment::file_name(found.number), found.length);
    if torn {
        report.torn_bytes = found.length;
        return Ok(report);
    }
    let previous = at.checked_sub(1).map(|at| survey.segments[at].number + 1);
    if previous.is_some_and(|number| number != found.number) {
        report.damage.push(found.damage(0, "the file before it is missing"));
    }
    if let Some(what) = survey.fault(at) {
        if !survey.was_safe(at, Place { segment: found.number, at: 0 })? {
            report.torn_bytes = found.length;
            return Ok(report);
        }
        report.damage.push(found.damage(0, what));
    }
    let salt = segment::salt(survey.salt(), found.number);
    let expected = survey.expected(at);
    let mut scan = Scan::new(found.file.as_ref(), salt, HEADER.min(expected), expected.min(found.length));
    loop {
        let (place, what) = match scan.next()? {
            Met::Record(view) => {
                report.records += 1;
                report.publications += u64::from(view.kind == Kind::Publication);
                continue;
            }
            Met::End if found.length >= expected => return Ok(report),
            Met::End => (found.length, "the file was cut short"),
            Met::Invalid(place) => (place, "a record is damaged"),
        };
        if !survey.was_safe(at, Place { segment: found.number, at: place })? {
            report.torn_bytes = found.length - place;
            return Ok(report);
        }
        report.damage.push(found.damage(place, what));
        match scan::later(found.file.as_ref(), salt, place, found.length)? {
            Later::Record(next) => scan.skip_to(next),
            Later::Nothing | Later::Unknown => return Ok(report),
        }
    }
}

fn index(files: &dyn Files, survey: &Survey, at: usize) -> Result<Option<FileReport>, OpenError> {
    let number = survey.segments[at].number;
    let name = segment::index_name(number);
    let Ok(file) = files.open_to_read(&name) else { return Ok(None) };
    let mut report = empty(name.clone(), file.length().map_err(OpenError::io(name.clone()))?);
    let salt = segment::salt(survey.salt(), number);
    let opened = Index::open(file, number, survey.expected(at), salt).map_err(OpenError::io(name.clone()))?;
    let is_whole = match opened {
        Some((index, _)) => index.is_whole().map_err(OpenError::io(name.clone()))?,
        None => false,
    };
    if !is_whole {
        report.damage.push(Damage {
            file: name,
            at: 0,
            what: "the index is damaged; it is made again at the next start",
        });
    }
    Ok(Some(report))
}
