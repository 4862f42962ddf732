//! Publications as bytes, and bytes as publications again: the entry that every engine keeps.

use crate::hub::publication::Draft;
use crate::model::publication::Data;
use crate::wire::entry::{Entry, EntryFault};
use bytes::Bytes;

/// Writes a publication after what is in `out`.
pub(super) fn write(draft: &Draft, out: &mut Vec<u8>) {
    let (data, content_type) = match &draft.data {
        Data::Json(json) => (json, None),
        Data::Binary { bytes, content_type } => (bytes, Some(&**content_type)),
    };
    Entry { data, content_type, event: draft.event.as_deref(), time: draft.time }.write(out);
}

/// Reads one that has all of `bytes` to itself.
///
/// # Errors
/// They are none.
pub(super) fn read(bytes: &[u8]) -> Result<Draft, EntryFault> {
    let Entry { data, content_type, event, time } = Entry::read(bytes)?;
    let bytes = Bytes::copy_from_slice(data);
    let data = match content_type {
        None => Data::Json(bytes),
        Some(content_type) => Data::Binary { bytes, content_type: content_type.into() },
    };
    Ok(Draft { data, event: event.map(Into::into), time })
}
