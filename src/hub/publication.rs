//! A publication: immutable, shared by everybody it is delivered to, and encoded at most once per encoding.

use super::encode;
use crate::model::ids::ChannelId;
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Epoch, Position, PublicationView};
use crate::model::request::PostOptions;
use crate::sync::point;
use crate::wire::deflate::Codec;
use crate::wire::frame::{Opcode, SharedFrame};
use std::sync::OnceLock;

/// What a publication costs besides its data and event: itself, its counts and its places in a ring and a mailbox.
const OVERHEAD: usize = size_of::<Publication>() + 64;

/// What is to be published, before it has a place in its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What is published.
    pub data: Data,
    /// A name for the kind of publication.
    pub event: Option<Box<str>>,
    /// Milliseconds since 1970.
    pub time: Option<u64>,
}

impl Draft {
    /// Takes the draft that a POST asks for; `time` when publications are stamped.
    #[must_use]
    pub fn take_from(post: &mut PostOptions, time: Option<u64>) -> Draft {
        Draft { data: std::mem::take(&mut post.data), event: post.event.take(), time }
    }

    /// Gives back what was taken: nothing came of it yet.
    pub fn give_back(self, post: &mut PostOptions) {
        post.data = self.data;
        post.event = self.event;
    }

    /// What the publication will weigh.
    #[must_use]
    pub fn weight(&self) -> usize {
        let media_type = match &self.data {
            Data::Json(_) => 0,
            Data::Binary { content_type, .. } => content_type.len(),
        };
        OVERHEAD + self.data.len() + media_type + self.event.as_deref().map_or(0, str::len)
    }
}

/// One publication of one channel.
#[derive(Debug)]
pub struct Publication {
    channel: ChannelName,
    id: ChannelId,
    position: Position,
    draft: Draft,
    text: OnceLock<SharedFrame>,
    /// Made when the first of them is needed.
    others: OnceLock<Box<Encodings>>,
}

/// The encodings that most publications are never asked for.
#[derive(Debug, Default)]
struct Encodings {
    binary: OnceLock<SharedFrame>,
    text_deflated: OnceLock<SharedFrame>,
    binary_deflated: OnceLock<SharedFrame>,
    event_stream: OnceLock<SharedFrame>,
}

impl Publication {
    /// Gives a draft its place.
    #[must_use]
    pub fn new(channel: ChannelName, id: ChannelId, position: Position, draft: Draft) -> Self {
        Publication { channel, id, position, draft, text: OnceLock::new(), others: OnceLock::new() }
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// The channel's id.
    #[must_use]
    pub fn channel_id(&self) -> ChannelId {
        self.id
    }

    /// Where it stands in its channel.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// 1, 2, 3 … within the epoch.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.position.offset
    }

    /// The continuity its offset counts in.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.position.epoch
    }

    /// What was published.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.draft.data
    }

    /// Whether subscribers that read binary frames get it as one: JSON stays text for everybody.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        matches!(self.draft.data, Data::Binary { .. })
    }

    /// What encoders see.
    #[must_use]
    pub fn view(&self) -> PublicationView<'_> {
        PublicationView {
            channel: &self.channel,
            offset: self.position.offset,
            event: self.draft.event.as_deref(),
            time: self.draft.time,
            data: &self.draft.data,
        }
    }

    /// Bytes it is accounted with, in histories and mailboxes: data, event and a fixed overhead.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.draft.weight()
    }

    /// The push as a complete text frame.
    pub fn text_frame(&self) -> SharedFrame {
        once(&self.text, || encode::text_frame(&self.view()))
    }

    /// The push as a complete binary frame; for JSON, which stays text, the text frame.
    pub fn binary_frame(&self) -> SharedFrame {
        if !self.is_binary() {
            return self.text_frame();
        }
        once(&self.others().binary, || encode::binary_frame(&self.view()))
    }

    /// The text frame, compressed by itself with the largest window; as it is when that is not worth it.
    pub fn text_frame_deflated(&self, codec: &mut Codec) -> SharedFrame {
        once(&self.others().text_deflated, || encode::deflated(&self.text_frame(), Opcode::Text, codec))
    }

    /// The binary frame, compressed in the same way.
    pub fn binary_frame_deflated(&self, codec: &mut Codec) -> SharedFrame {
        if !self.is_binary() {
            return self.text_frame_deflated(codec);
        }
        once(&self.others().binary_deflated, || encode::deflated(&self.binary_frame(), Opcode::Binary, codec))
    }

    /// The push as an event-stream block in one HTTP chunk.
    pub fn event_stream(&self) -> SharedFrame {
        once(&self.others().event_stream, || encode::event_stream(self.position.epoch, &self.view()))
    }

    /// Whether its text frame, its binary frame and its event-stream block were made.
    #[cfg(test)]
    pub(crate) fn encodings_made(&self) -> [bool; 3] {
        let others = self.others.get();
        let is_made =
            |cell: fn(&Encodings) -> &OnceLock<SharedFrame>| others.is_some_and(|all| cell(all).get().is_some());
        [self.text.get().is_some(), is_made(|all| &all.binary), is_made(|all| &all.event_stream)]
    }

    fn others(&self) -> &Encodings {
        if let Some(others) = self.others.get() {
            return others;
        }
        // Two threads may both make it, and one is dropped; the first to be set is everybody's.
        let _ = self.others.set(Box::default());
        self.others.get().expect("it was set above, by this thread or another")
    }
}

/// What is in the cell, or what `make` makes. Two threads may both make it: nobody waits for an encoding, and one result
/// is dropped.
fn once(cell: &OnceLock<SharedFrame>, make: impl FnOnce() -> SharedFrame) -> SharedFrame {
    if let Some(bytes) = cell.get() {
        return bytes.clone();
    }
    let made = make();
    point();
    match cell.set(made.clone()) {
        Ok(()) => made,
        Err(_) => cell.get().cloned().unwrap_or(made),
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Publication};
    use crate::model::ids::ChannelId;
    use crate::model::publication::{Data, Epoch, Position};
    use crate::wire::deflate::{Codec, Tuning};
    use bytes::Bytes;
    use std::sync::{Arc, Barrier};

    fn publication(data: Data) -> Publication {
        let position = Position { epoch: Epoch::from_random(1), offset: 44 };
        let draft = Draft { data, event: Some("tick".into()), time: None };
        Publication::new("stocks".try_into().expect("a name"), ChannelId(1), position, draft)
    }

    #[test]
    fn every_encoding_is_made_once_and_shared() {
        let image = Data::Binary { bytes: Bytes::from_static(b"\xff\0"), content_type: "image/png".into() };
        for publication in [publication(Data::Json(Bytes::from_static(b"1.10"))), publication(image)] {
            for encoding in [Publication::text_frame, Publication::binary_frame, Publication::event_stream] {
                assert_eq!(encoding(&publication).as_ptr(), encoding(&publication).as_ptr());
            }
            let mut codec = Codec::new(Tuning { level: 1, least_bytes: 1, most_bytes: 1000 });
            for encoding in [Publication::text_frame_deflated, Publication::binary_frame_deflated] {
                assert_eq!(encoding(&publication, &mut codec).as_ptr(), encoding(&publication, &mut codec).as_ptr());
            }
            assert!(codec.compressions() <= 2, "once for each kind of frame");
        }
    }

    #[test]
    fn json_stays_text_for_readers_of_binary_frames_and_is_not_re_encoded() {
        let json = publication(Data::Json(Bytes::from_static(b"1.10")));
        assert_eq!(json.binary_frame().as_ptr(), json.text_frame().as_ptr());
        assert!(json.text_frame().ends_with(b",\"data\":1.10}"));
        assert_eq!(json.text_frame()[0], 0x81);
        let bytes =
            publication(Data::Binary { bytes: Bytes::from_static(b"\xff\0"), content_type: "image/png".into() });
        assert_eq!(bytes.binary_frame()[0], 0x82);
        assert!(bytes.binary_frame().ends_with(b"}\n\xff\0"));
    }

    #[test]
    fn threads_that_race_to_encode_end_with_one_shared_result() {
        let publication = Arc::new(publication(Data::Json(Bytes::from_static(b"{}"))));
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    assert_eq!(publication.text_frame().as_ptr(), publication.text_frame().as_ptr());
                });
            }
        });
    }

    #[test]
    fn the_weight_counts_data_event_and_overhead() {
        let (small, large) = (Data::Json(Bytes::from_static(b"1")), Data::Json(Bytes::from(vec![b'1'; 1001])));
        assert_eq!(publication(large).weight() - publication(small.clone()).weight(), 1000);
        assert!(publication(small).weight() > 100);
    }
}
