//! A publication: immutable, shared by all subscribers that receive it, and encoded at most once per encoding.

use crate::model::encoding::Encoding;
use crate::model::ids::ChannelId;
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Epoch, Position, PublicationView};
use crate::model::request::PostOptions;
use crate::sync::point;
use crate::wire::frame::SharedFrame;
use std::sync::OnceLock;

/// What a publication costs besides its data and event: itself, its counts and its places in a ring and a mailbox.
const OVERHEAD: usize = size_of::<Publication>() + 64;
/// No publication weighs less.
pub(super) const WEIGHT_MIN: usize = OVERHEAD;

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
        // Moved and not copied: what has to wait is given back.
        Draft { data: std::mem::take(&mut post.data), event: post.event.take(), time }
    }

    /// Gives back what was taken: it was not published yet.
    pub fn give_back(self, post: &mut PostOptions) {
        post.data = self.data;
        post.event = self.event;
    }

    /// What the publication will weigh.
    #[must_use]
    pub fn weight(&self) -> usize {
        weight(&self.data, self.event.as_deref())
    }
}

/// What a publication of this weighs.
#[must_use]
#[inline]
pub(crate) fn weight(data: &Data, event: Option<&str>) -> usize {
    let media_type = match data {
        Data::Json(_) => 0,
        Data::Binary { content_type, .. } => content_type.len(),
    };
    // Not what it is encoded to: that comes later, and what is freed must be what was reserved.
    OVERHEAD + data.len() + media_type + event.map_or(0, str::len)
}

/// One publication of one channel.
#[derive(Debug)]
pub struct Publication {
    channel: ChannelName,
    id: ChannelId,
    position: Position,
    draft: Draft,
    /// The encoding that most readers take: that of place 0.
    first: OnceLock<SharedFrame>,
    /// Encodings that most publications never need.
    others: OnceLock<Box<Other>>,
}

/// One of the other encodings, in the order in which they were made.
#[derive(Debug)]
struct Other {
    encoding: Encoding,
    bytes: SharedFrame,
    next: OnceLock<Box<Other>>,
}

impl Publication {
    /// Gives a draft its place.
    #[must_use]
    pub fn new(channel: ChannelName, id: ChannelId, position: Position, draft: Draft) -> Self {
        Publication { channel, id, position, draft, first: OnceLock::new(), others: OnceLock::new() }
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

    /// Whether subscribers that read binary frames receive it as one: JSON stays text for all.
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

    /// Itself in an encoding, which `make` makes unless it was made before. Two threads may both make it, and one result is
    /// dropped: neither waits for the other.
    #[inline]
    pub fn encoded(&self, encoding: Encoding, make: impl FnOnce(&Publication) -> SharedFrame) -> SharedFrame {
        if encoding.place() > 0 {
            return self.encoded_otherwise(encoding, make);
        }
        if let Some(bytes) = self.first.get() {
            return bytes.clone();
        }
        let made = make(self);
        point();
        // Not `get_or_init`, in which a reactor would sleep while another one encodes.
        match self.first.set(made.clone()) {
            Ok(()) => made,
            // Another thread was first. Its bytes are taken, so that all readers share one allocation.
            Err(_) => self.first.get().cloned().unwrap_or(made),
        }
    }

    fn encoded_otherwise(&self, encoding: Encoding, make: impl FnOnce(&Publication) -> SharedFrame) -> SharedFrame {
        // A list that only grows is walked without a lock: what was made stays where it is.
        let mut place = &self.others;
        while let Some(other) = place.get() {
            if other.encoding == encoding {
                return other.bytes.clone();
            }
            place = &other.next;
        }
        let bytes = make(self);
        point();
        let mut made = Box::new(Other { encoding, bytes: bytes.clone(), next: OnceLock::new() });
        while let Err(back) = place.set(made) {
            let other = place.get().expect("what cannot be set is set");
            if other.encoding == encoding {
                return other.bytes.clone();
            }
            // Another thread made another encoding meanwhile: this one comes after it.
            (made, place) = (back, &other.next);
        }
        bytes
    }

    /// Whether an encoding was made.
    #[cfg(test)]
    pub(crate) fn is_made(&self, encoding: Encoding) -> bool {
        let others = std::iter::successors(self.others.get(), |other| other.next.get());
        let place = encoding.place();
        if place == 0 { self.first.get().is_some() } else { others.into_iter().any(|other| other.encoding == encoding) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Other, Publication};
    use crate::model::encoding::Encoding;
    use crate::model::ids::ChannelId;
    use crate::model::publication::{Data, Epoch, Position};
    use crate::wire::frame::SharedFrame;
    use bytes::Bytes;
    use std::sync::{Arc, Barrier};

    fn publication(data: Data) -> Publication {
        let position = Position { epoch: Epoch::from_random(1), offset: 44 };
        let draft = Draft { data, event: Some("tick".into()), time: None };
        Publication::new("stocks".try_into().expect("a name"), ChannelId(1), position, draft)
    }

    /// An encoding that is its row's number.
    fn numbered(publication: &Publication, row: u8) -> SharedFrame {
        publication.encoded(Encoding::of_row(row), |_| [row][..].into())
    }

    #[test]
    fn what_every_publication_takes_is_small() {
        assert_eq!((size_of::<Publication>(), size_of::<Other>()), (168, 40));
    }

    #[test]
    fn every_encoding_is_made_once_and_shared() {
        let publication = publication(Data::Json(Bytes::from_static(b"1.10")));
        assert!((0..10).all(|row| !publication.is_made(Encoding::of_row(row))));
        for row in [3, 0, 9, 7] {
            let made = numbered(&publication, row);
            assert_eq!(made[..], [row]);
            assert!(publication.is_made(Encoding::of_row(row)));
            for again in [3, 0, 9, 7] {
                let bytes = publication.encoded(Encoding::of_row(again), |_| [again][..].into());
                assert!(again != row || SharedFrame::ptr_eq(&bytes, &made));
            }
        }
        assert!([1, 2, 4, 5, 6, 8].into_iter().all(|row| !publication.is_made(Encoding::of_row(row))));
        assert!(!publication.is_made(Encoding::of_row(3).deflated()));
    }

    #[test]
    fn threads_that_race_to_encode_end_with_one_shared_result() {
        for _ in 0..100 {
            let publication = Arc::new(publication(Data::Json(Bytes::from_static(b"{}"))));
            let barrier = Barrier::new(4);
            let made: Vec<Vec<SharedFrame>> = std::thread::scope(|scope| {
                let race = |thread: u8| {
                    barrier.wait();
                    let mut made: Vec<SharedFrame> =
                        (0..6).map(|turn| numbered(&publication, (turn + thread) % 6)).collect();
                    made.sort();
                    made
                };
                let threads = [0, 1, 2, 3].map(|thread| scope.spawn(move || race(thread)));
                threads.map(|thread| thread.join().expect("it does not panic")).into()
            });
            for row in 0..6 {
                assert_eq!(made[0][row][..], [row as u8]);
                assert!(made.iter().all(|one| SharedFrame::ptr_eq(&one[row], &made[0][row])));
            }
        }
    }

    #[test]
    fn the_weight_counts_data_event_and_overhead() {
        let (small, large) = (Data::Json(Bytes::from_static(b"1")), Data::Json(Bytes::from(vec![b'1'; 1001])));
        assert_eq!(publication(large).weight() - publication(small.clone()).weight(), 1000);
        assert!(publication(small).weight() > 100);
    }
}
