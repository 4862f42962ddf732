//! What stands in a channel's history in Redis, and comes on its feed: the same bytes.
//!
//! ```text
//! POSITION ' ' '1' ticket[16] time[8] length(exclude)[1] exclude entry     a publication
//! POSITION ' ' 'C'                                                         its history up to there was emptied
//! ```
//! The script that gives a publication its position puts it in front; everything after it is the publisher's node's.

use crate::engine::packed;
use crate::hub::publication::Draft;
use crate::model::publication::Position;

/// Characters of a ticket: by it a publication is found again whose answer was lost.
pub(super) const TICKET_CHARS: usize = 16;
const PUBLICATION: u8 = b'1';
const CLEARED: u8 = b'C';
const TIME_BYTES: usize = 8;

/// A message as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'m> {
    pub(super) place: Position,
    pub(super) what: Kind<'m>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'m> {
    Publication {
        /// When it was published, in milliseconds since 1970.
        at_ms: u64,
        /// The public name of the connection that does not want it; only the node that gave it can tell whose it is.
        exclude: Option<&'m str>,
        draft: Draft,
    },
    Cleared,
}

/// Writes what follows the position of a publication.
pub(super) fn write_publication(out: &mut Vec<u8>, ticket: &str, at_ms: u64, exclude: Option<&str>, draft: &Draft) {
    debug_assert_eq!(ticket.len(), TICKET_CHARS);
    out.push(PUBLICATION);
    out.extend_from_slice(ticket.as_bytes());
    out.extend_from_slice(&at_ms.to_le_bytes());
    let exclude = exclude.unwrap_or_default();
    out.push(u8::try_from(exclude.len()).expect("the name of a connection is short"));
    out.extend_from_slice(exclude.as_bytes());
    packed::write(draft, out);
}

/// Reads a message; `None` for bytes that no version of this server has written.
pub(super) fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let end = bytes.iter().take(64).position(|byte| *byte == b' ')?;
    let place = Position::parse(std::str::from_utf8(&bytes[..end]).ok()?)?;
    let (kind, rest) = bytes[end + 1..].split_first()?;
    let what = match *kind {
        PUBLICATION => {
            let rest = rest.get(TICKET_CHARS..)?;
            let (time, rest) = rest.split_first_chunk::<TIME_BYTES>()?;
            let (length, rest) = rest.split_first()?;
            let (exclude, entry) = rest.split_at_checked(usize::from(*length))?;
            let exclude = std::str::from_utf8(exclude).ok()?;
            let exclude = (!exclude.is_empty()).then_some(exclude);
            let draft = packed::read(entry).ok()?;
            Kind::Publication { at_ms: u64::from_le_bytes(*time), exclude, draft }
        }
        CLEARED if rest.is_empty() => Kind::Cleared,
        _ => return None,
    };
    Some(Message { place, what })
}

#[cfg(test)]
mod tests {
    use super::{Kind, Message, read, write_publication};
    use crate::hub::publication::Draft;
    use crate::model::publication::{Data, Epoch, Position};
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    const TICKET: &str = "0123456789abcdef";

    fn draft(data: &[u8]) -> Draft {
        Draft { data: Data::Json(data.to_vec().into()), event: Some("tick".into()), time: Some(7) }
    }

    fn placed(place: Position, body: &[u8]) -> Vec<u8> {
        [place.to_string().as_bytes(), b" ", body].concat()
    }

    #[test]
    fn a_message_stays_what_it_was_written_as() {
        // Histories of older versions hold these bytes.
        let mut body = Vec::new();
        let plain = Draft { data: Data::Json(b"{}".to_vec().into()), event: None, time: None };
        write_publication(&mut body, TICKET, 5, Some("name"), &plain);
        assert_eq!(body, b"10123456789abcdef\x05\0\0\0\0\0\0\0\x04name1\0{}");
    }

    #[test]
    fn what_nobody_has_written_is_none() {
        let place = Position { epoch: Epoch::of_generation(1, 2), offset: 3 };
        assert_eq!(read(&placed(place, b"C")), Some(Message { place, what: Kind::Cleared }));
        for body in [&b""[..], b"Cx", b"2abc", b"1short", b"10123456789abcdef\0\0\0\0\0\0\0\0\xff", b"X"] {
            assert_eq!(read(&placed(place, body)), None, "{body:?}");
        }
        assert_eq!((read(b""), read(b" 1"), read(b"nonsense C")), (None, None, None));
    }

    proptest! {
        #[test]
        fn every_publication_is_read_as_it_was_written(
            data in vec(any::<u8>(), 0..300), at_ms in any::<u64>(), exclude in proptest::option::of("[a-zA-Z0-9_-]{1,27}"),
        ) {
            let place = Position { epoch: Epoch::of_generation(1, 2), offset: 3 };
            let mut body = Vec::new();
            write_publication(&mut body, TICKET, at_ms, exclude.as_deref(), &draft(&data));
            let what = Kind::Publication { at_ms, exclude: exclude.as_deref(), draft: draft(&data) };
            let bytes = placed(place, &body);
            prop_assert_eq!(read(&bytes), Some(Message { place, what }));
        }

        #[test]
        fn any_bytes_are_a_message_or_not(bytes in vec(any::<u8>(), 0..200)) {
            let place = Position { epoch: Epoch::of_generation(1, 2), offset: 3 };
            for bytes in [bytes.clone(), placed(place, &bytes), placed(place, &[b"1", &bytes[..]].concat())] {
                let _ = read(&bytes);
            }
        }
    }
}
