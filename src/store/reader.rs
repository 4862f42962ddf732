//! Reads pages of channels, on any thread, while the store goes on: what is given out is what was written, or nothing is.

use super::body::Key;
use super::error::ReadError;
use super::index::NoAnswer;
use super::locate::{Part, Source, Want, locate};
use super::record::{HEADER, KEYED, Kind};
use super::state::Shared;
use super::window::Window;
use std::sync::Arc;

/// Publications of a page, at most.
const COUNT: usize = 4096;
/// Bytes that are read at once where publications of a channel are close to each other, and between two that are.
const WINDOW: usize = 64 * 1024;
const CLOSE: u32 = 4096;
/// Bytes that are read where only one is wanted: most are smaller.
const ONE: usize = 512;
/// Publications that are read before it is looked whether the page is full, where the newest are wanted.
const BLOCK: usize = 16;

/// A publication that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its offset.
    pub offset: u64,
    /// When it was made, in milliseconds since 1970.
    pub at: u64,
    /// What readers receive.
    pub body: Vec<u8>,
}

/// A page of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The channel's epoch.
    pub epoch: String,
    /// The offset of its last publication.
    pub last: u64,
    /// What was asked for, in the order of offsets and without holes.
    pub publications: Vec<Kept>,
    /// Whether there are more in the direction that was asked for.
    pub more: bool,
}

/// Reads a store that another thread may own.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Reader {
        Reader { shared }
    }

    /// The oldest publications after an offset, as many as fit in `bytes` of bodies, but one at least. Where the first one
    /// is not the next after that offset, those between are gone. `None`: there is no such channel.
    ///
    /// # Errors
    /// What is there is damaged, or was not read.
    pub fn after(&self, name: &str, after: u64, count: usize, bytes: usize) -> Result<Option<Page>, ReadError> {
        let count = count.clamp(1, COUNT) as u64;
        let mut found = None;
        // What is older than all that is kept begins with the oldest, which may be dropped meanwhile.
        let mut from = after.saturating_add(1);
        for _ in 0..3 {
            found = locate(&self.shared, name, Want::From(from, count))?;
            match found.as_ref().map(|found| found.oldest) {
                Some(Some(oldest)) if oldest > from => from = oldest,
                _ => break,
            }
        }
        let Some(found) = found else { return Ok(None) };
        let mut publications = Vec::new();
        let mut left = bytes;
        'parts: for part in found.parts.iter().rev() {
            let places = places(part)?;
            let mut window = Window::default();
            for at in 0..places.len() {
                let kept = publication(&mut window, part, part.first + at as u64, found.channel, &places[at..])?;
                if kept.body.len() > left && !publications.is_empty() {
                    break 'parts;
                }
                left = left.saturating_sub(kept.body.len());
                publications.push(kept);
            }
        }
        let more = publications.last().is_some_and(|newest: &Kept| newest.offset < found.last);
        Ok(Some(Page { epoch: found.epoch, last: found.last, publications, more }))
    }

    /// The newest publications before an offset, as many as fit in `bytes` of bodies, but one at least; before `u64::MAX`
    /// are the newest of all. `None`: there is no such channel.
    ///
    /// # Errors
    /// What is there is damaged, or was not read.
    pub fn before(&self, name: &str, before: u64, count: usize, bytes: usize) -> Result<Option<Page>, ReadError> {
        let count = count.clamp(1, COUNT) as u64;
        let Some(found) = locate(&self.shared, name, Want::Before(before, count))? else { return Ok(None) };
        // Newest first, until the page is full.
        let mut publications: Vec<Kept> = Vec::new();
        let mut left = bytes;
        let mut full = false;
        'parts: for part in &found.parts {
            let places = places(part)?;
            let mut end = places.len();
            while end > 0 {
                let start = end.saturating_sub(BLOCK);
                let mut window = Window::default();
                let mut block = Vec::with_capacity(BLOCK);
                for at in start..end {
                    let offset = part.first + at as u64;
                    block.push(publication(&mut window, part, offset, found.channel, &places[at..end])?);
                }
                for kept in block.into_iter().rev() {
                    if kept.body.len() > left && !publications.is_empty() {
                        full = true;
                        break 'parts;
                    }
                    left = left.saturating_sub(kept.body.len());
                    publications.push(kept);
                }
                end = start;
            }
        }
        publications.reverse();
        Ok(Some(Page { epoch: found.epoch, last: found.last, publications, more: full || found.older }))
    }
}

/// Where the publications of a part begin.
fn places(part: &Part) -> Result<Vec<u32>, ReadError> {
    match part.source {
        Source::Places(ref places) => Ok(places.clone()),
        Source::Index { start, count } => {
            let index = part.segment.index.get();
            let places = index.map_or(Err(NoAnswer::Damaged), |index| index.places(start, count));
            places.map_err(|why| match why {
                NoAnswer::Damaged => ReadError::Damaged(super::locate::damaged_index(&part.segment)),
                NoAnswer::Io(error) => ReadError::Io(error),
            })
        }
    }
}

/// The publication with an offset, which has to begin at the first of these places. The others will be wanted, too.
fn publication(window: &mut Window, part: &Part, offset: u64, channel: u32, places: &[u32]) -> Result<Kept, ReadError> {
    let segment = part.segment.as_ref();
    let place = places.first().map_or(0, |place| u64::from(*place));
    let view = window.record(segment, place, span(places))?;
    let view = view.filter(|view| (view.kind, view.channel, view.offset) == (Kind::Publication, channel, offset));
    let Some(view) = view else { return Err(ReadError::Damaged(segment.damage(place, "a record is damaged"))) };
    let body = if view.flags & KEYED == 0 { Some(view.body) } else { Key::split(view.body).map(|(_, body)| body) };
    let body = body.ok_or_else(|| ReadError::Damaged(segment.damage(place, "a record is damaged")))?;
    Ok(Kept { offset, at: view.at, body: body.to_vec() })
}

/// How many bytes to read for the first of these, and the next ones if they are close.
fn span(places: &[u32]) -> usize {
    let close = |pair: &&[u32]| pair[1].saturating_sub(pair[0]) <= CLOSE;
    let near = places.windows(2).take_while(close).take(WINDOW / HEADER).map(|pair| (pair[1] - pair[0]) as usize);
    (near.sum::<usize>() + ONE).min(WINDOW)
}
