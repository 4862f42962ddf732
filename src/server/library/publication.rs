//! What the program receives: publications, and what it reads of a channel.

use super::error::Error;
use crate::hub::publication;
use crate::model::code::Code;
use crate::model::publication::{Data, Epoch, Position};
use crate::model::request::{GetOptions, Since};
use serde::Deserialize;
use std::sync::Arc;

/// One publication of one channel. It is shared with all subscribers that receive it, so a clone is cheap.
#[derive(Debug, Clone)]
pub struct Publication(Arc<publication::Publication>);

impl Publication {
    pub(super) fn new(shared: Arc<publication::Publication>) -> Publication {
        Publication(shared)
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> &str {
        self.0.channel()
    }

    /// Where it stands in its channel.
    #[must_use]
    pub fn position(&self) -> Position {
        self.0.position()
    }

    /// 1, 2, 3 … within the epoch.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    /// The continuity that its offset counts in. If it differs from that of the publication before, something between the
    /// two may be missing.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.0.epoch()
    }

    /// The name of its kind, if it has one.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.0.view().event
    }

    /// When it was published, in milliseconds since 1970; `None` unless `history.stamp_time` is on.
    #[must_use]
    pub fn time(&self) -> Option<u64> {
        self.0.view().time
    }

    /// What was published, byte for byte: one JSON value, or bytes of [`Publication::content_type`].
    #[must_use]
    pub fn data(&self) -> &[u8] {
        match self.0.data() {
            Data::Json(bytes) | Data::Binary { bytes, .. } => bytes,
        }
    }

    /// The media type of binary data; `None` for JSON.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        match self.0.data() {
            Data::Json(_) => None,
            Data::Binary { content_type, .. } => Some(content_type),
        }
    }

    /// Reads its JSON as a value of this program. What `T` borrows lies in the publication.
    ///
    /// # Errors
    /// 415 `not_json` for binary data, 400 `bad_json` when it is JSON of another shape; the message names line and column.
    pub fn json<'p, T: Deserialize<'p>>(&'p self) -> Result<T, Error> {
        if let Some(content_type) = self.content_type() {
            return Err(Error::new(Code::NotJson, format!("this publication is {content_type}, not JSON")));
        }
        serde_json::from_slice(self.data()).map_err(|error| Error::new(Code::BadJson, error.to_string()))
    }
}

/// How much of a channel's history is read, or replayed before a subscription continues with new publications.
///
/// ```
/// use tidings::Replay;
///
/// let newest_ten = Replay::last(10);
/// # let _ = newest_ten;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replay(GetOptions);

impl Replay {
    /// What a client receives by default: the newest `history.snapshot_count` when history is read, nothing when a
    /// subscription begins.
    #[must_use]
    pub fn standard() -> Replay {
        Replay::default()
    }

    /// The newest `count`.
    #[must_use]
    pub fn last(count: u32) -> Replay {
        Replay(GetOptions { last: Some(count), ..GetOptions::default() })
    }

    /// Everything after a position.
    #[must_use]
    pub fn since(position: Position) -> Replay {
        Replay(GetOptions { since: Some(Since::Position(position)), ..GetOptions::default() })
    }

    /// At most `count` at a time. [`History::position`] is then that of the last one, to go on from.
    #[must_use]
    pub fn at_most(self, count: u32) -> Replay {
        Replay(GetOptions { limit: Some(count), ..self.0 })
    }

    pub(super) fn options(self, once: bool) -> GetOptions {
        GetOptions { once, ..self.0 }
    }
}

/// A part of a channel's history.
#[derive(Debug, Clone)]
pub struct History {
    /// Where the channel is; for a page of [`Replay::at_most`], where the page ends.
    pub position: Position,
    /// With [`Replay::since`]: whether the publications join that position without a hole.
    pub recovered: Option<bool>,
    /// The publications, in offset order.
    pub publications: Vec<Publication>,
}
