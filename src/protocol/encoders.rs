//! The table of encoders: a row for each way in which some protocol writes a publication, made at most once and shared.

use super::tidings::encode;
use crate::hub::publication::Publication;
use crate::model::encoding::Encoding;
use crate::wire::deflate::{Codec, WINDOW_BITS_MAX};
use crate::wire::frame::{Opcode, SharedFrame, payload_of, write_deflated};

/// A push as a text frame: what most readers take, so that a publication has a place of its own for it.
pub const TEXT: Encoding = Encoding::of_row(0);
/// A push as a binary frame, for readers that subscribed in one. JSON stays text for all readers.
pub const BINARY: Encoding = Encoding::of_row(1);
/// A push as an event-stream block in one HTTP chunk.
pub const EVENT_STREAM: Encoding = Encoding::of_row(2);

/// A way to write a publication.
struct Row {
    write: fn(&Publication) -> SharedFrame,
    /// What kind of frame that is; `None` for what is not a frame and is never compressed.
    frame: Option<Opcode>,
    /// Where JSON is written as by another row.
    json_as: Option<Encoding>,
}

const ROWS: [Row; 3] = [
    Row { write: encode::text_frame, frame: Some(Opcode::Text), json_as: None },
    Row { write: encode::binary_frame, frame: Some(Opcode::Binary), json_as: Some(TEXT) },
    Row { write: encode::event_stream, frame: None, json_as: None },
];

/// Whether what is written in an encoding is a frame of a WebSocket.
#[must_use]
pub fn is_frame(encoding: Encoding) -> bool {
    ROWS[encoding.row()].frame.is_some()
}

/// A publication in an encoding: made here if this is the first to ask. What is not worth compressing is, compressed,
/// the plain frame. Compression has the largest window and begins anew with each publication.
#[inline]
pub fn encoded(publication: &Publication, encoding: Encoding, codec: &mut Codec) -> SharedFrame {
    // What most readers take has a place of its own in a publication: no row and no list is looked through for it.
    if encoding == TEXT {
        return publication.encoded(TEXT, encode::text_frame);
    }
    encoded_otherwise(publication, encoding, codec)
}

fn encoded_otherwise(publication: &Publication, encoding: Encoding, codec: &mut Codec) -> SharedFrame {
    let row = &ROWS[encoding.row()];
    // Before anything is made: for JSON the readers of binary frames share the text frame of the others.
    if let Some(other) = row.json_as.filter(|_| !publication.is_binary()) {
        return encoded(publication, if encoding.is_deflated() { other.deflated() } else { other }, codec);
    }
    let plain = |publication: &Publication| publication.encoded(encoding.plain(), row.write);
    let (true, Some(opcode)) = (encoding.is_deflated(), row.frame) else { return plain(publication) };
    let frame = plain(publication);
    // Not kept as an encoding of its own, which would be one more allocation for the same bytes.
    if !codec.takes(payload_of(&frame).len()) {
        return frame;
    }
    publication.encoded(encoding, |_| deflated(&frame, opcode, codec))
}

/// A frame, compressed for all readers that agreed to that; unchanged when it would not become smaller.
fn deflated(plain: &SharedFrame, opcode: Opcode, codec: &mut Codec) -> SharedFrame {
    match codec.deflate(WINDOW_BITS_MAX, payload_of(plain)) {
        // Kept for this encoding all the same, so that the next reader does not try to compress it again.
        None => plain.clone(),
        Some(packed) => {
            let mut out = Vec::with_capacity(packed.len() + 10);
            write_deflated(&mut out, opcode, packed);
            out.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BINARY, EVENT_STREAM, ROWS, TEXT, encoded, is_frame};
    use crate::hub::publication::{Draft, Publication};
    use crate::model::encoding::Encoding;
    use crate::model::ids::ChannelId;
    use crate::model::publication::{Data, Epoch, Position};
    use crate::wire::deflate::{Codec, Tuning};
    use crate::wire::frame::{SharedFrame, is_deflated};
    use bytes::Bytes;

    const ALL: [Encoding; 6] =
        [TEXT, TEXT.deflated(), BINARY, BINARY.deflated(), EVENT_STREAM, EVENT_STREAM.deflated()];

    fn publication(data: Data) -> Publication {
        let position = Position { epoch: Epoch::from_random(1), offset: 44 };
        Publication::new(
            "stocks".try_into().expect("a name"),
            ChannelId(1),
            position,
            Draft { data, event: None, time: None },
        )
    }

    fn json() -> Publication {
        publication(Data::Json(Bytes::from_static(b"1.10")))
    }

    fn image() -> Publication {
        publication(Data::Binary { bytes: Bytes::from(vec![0; 100]), content_type: "image/png".into() })
    }

    fn codec(least_bytes: usize) -> Codec {
        Codec::new(Tuning { level: 1, least_bytes, most_bytes: 1000 })
    }

    fn is_same(one: &SharedFrame, other: &SharedFrame) -> bool {
        SharedFrame::ptr_eq(one, other)
    }

    #[test]
    fn every_encoding_is_made_once_and_shared() {
        assert!(
            ALL.iter().enumerate().all(|(place, encoding)| encoding.place() == place) && ALL.len() == 2 * ROWS.len()
        );
        for publication in [json(), image()] {
            let mut codec = codec(1);
            for encoding in ALL {
                let once = encoded(&publication, encoding, &mut codec);
                assert!(is_same(&once, &encoded(&publication, encoding, &mut codec)), "{encoding:?}");
                assert_eq!(is_frame(encoding), once[0] & 0x80 != 0, "{encoding:?}");
            }
            assert!(codec.compressions() <= 2, "once for each kind of frame");
        }
    }

    #[test]
    fn json_stays_text_for_readers_of_binary_frames_and_is_not_re_encoded() {
        let (json, mut codec) = (json(), codec(1));
        let text = encoded(&json, TEXT, &mut codec);
        assert!(is_same(&encoded(&json, BINARY, &mut codec), &text));
        assert!(text[0] == 0x81 && text.ends_with(b",\"data\":1.10}"));
        let packed = encoded(&json, TEXT.deflated(), &mut codec);
        assert!(is_same(&encoded(&json, BINARY.deflated(), &mut codec), &packed));
        let binary = encoded(&image(), BINARY, &mut codec);
        assert!(binary[0] == 0x82 && binary.ends_with(b"}\n\0\0\0\0") || binary.ends_with(&[0; 100]));
    }

    #[test]
    fn what_is_not_worth_it_is_the_plain_frame_and_blocks_are_never_compressed() {
        let (image, mut codec) = (image(), codec(1000));
        for encoding in [TEXT, BINARY] {
            let plain = encoded(&image, encoding, &mut codec);
            assert!(is_same(&encoded(&image, encoding.deflated(), &mut codec), &plain));
        }
        assert_eq!(codec.compressions(), 0);
        let mut eager = self::codec(1);
        assert!(is_deflated(&encoded(&image, TEXT.deflated(), &mut eager)));
        let block = encoded(&image, EVENT_STREAM, &mut eager);
        assert!(is_same(&encoded(&image, EVENT_STREAM.deflated(), &mut eager), &block));
        assert_eq!(eager.compressions(), 1);
    }
}
