//! Publications of one channel that follow each other in a mailbox: a reader whose outbox is empty gets them as one piece,
//! which all such readers of the same encoding share.

use super::subscriptions::{Memberships, Subscriptions};
use crate::handoff::mailbox::Letter;
use crate::hub::post::Delivery;
use crate::hub::publication::Publication;
use crate::metrics::Counters;
use crate::model::encoding::Encoding;
use crate::model::ids::{ChannelId, ConnId};
use crate::node::answer::{Answer, Reply};
use crate::protocol::encoders::{TEXT, encoded, is_frame};
use crate::wire::deflate::Codec;
use crate::wire::frame::{SharedFrame, is_deflated};
use smallvec::SmallVec;
use std::sync::Arc;

/// Several parts of at most n bytes together are copied into one, in bytes: `writev(2)` costs more than the copy.
pub(crate) const GATHER_BYTES_MAX: usize = 16 * 1024;
/// Publications in one run.
const PUBLICATIONS_MAX: usize = 64;
/// Subscriptions of a connection that are looked through to let its answer pass.
const MEMBERSHIPS_SEEN: usize = 16;

/// See the module. Kept for its memory when it is empty.
#[derive(Default)]
pub(super) struct Run {
    /// The channel whose subscribers get it, and the one of them that does not.
    key: Option<(ChannelId, Option<ConnId>)>,
    publications: Vec<Arc<Publication>>,
    weight: usize,
}

impl Run {
    /// What its publications are for.
    pub(super) fn key(&self) -> Option<(ChannelId, Option<ConnId>)> {
        self.key
    }

    pub(super) fn publications(&self) -> &[Arc<Publication>] {
        &self.publications
    }

    pub(super) fn push(&mut self, channel: ChannelId, publication: Arc<Publication>, exclude: Option<ConnId>) {
        self.key = Some((channel, exclude));
        self.weight += publication.weight();
        self.publications.push(publication);
    }

    pub(super) fn clear(&mut self) {
        self.key = None;
        self.weight = 0;
        self.publications.clear();
    }

    /// Whether the run may still wait when `letter` has come: because the letter continues it, or because no client can see
    /// the difference. An answer may overtake pushes that its own connection does not get: nothing is written before both are
    /// in their outboxes.
    pub(super) fn can_wait<'a>(
        &self,
        letter: &Letter,
        subscriptions: &Subscriptions,
        memberships: impl FnOnce(ConnId) -> Option<&'a Memberships>,
    ) -> bool {
        let Some((own, _)) = self.key else { return true };
        match letter {
            Letter::Delivery(Delivery::Publication { channel, publication, exclude, .. }) => {
                self.key == Some((*channel, *exclude))
                    && self.publications.len() < PUBLICATIONS_MAX
                    && self.weight + publication.weight() <= GATHER_BYTES_MAX
            }
            Letter::Reply(reply) => {
                // One that subscribes or unsubscribes changes whom the run goes to.
                changes_no_subscription(reply)
                    && memberships(reply.to)
                        .is_none_or(|list| list.len() <= MEMBERSHIPS_SEEN && !subscriptions.is_member(own, list))
            }
            // A work that returns may end its connection with a Close, which no push may follow.
            Letter::Delivery(Delivery::Reset { .. }) | Letter::Returned(_) | Letter::Order(_) => false,
        }
    }
}

/// A run on its way: a piece for each encoding in which some reader takes it as one.
pub(super) struct Pieces<'a> {
    publications: &'a [Arc<Publication>],
    bytes_max: usize,
    /// That of the first WebSocket that takes one, found without a search, since most readers of a channel take the same.
    pub(super) first: Piece,
    others: SmallVec<[Piece; 2]>,
}

impl<'a> Pieces<'a> {
    /// None yet. None will have more than `bytes_max` bytes, but for a single publication's.
    pub(super) fn new(publications: &'a [Arc<Publication>], bytes_max: usize) -> Pieces<'a> {
        Pieces { publications, bytes_max, first: Piece::nothing(), others: SmallVec::new() }
    }

    /// The piece in an encoding: made when the first reader takes it.
    pub(super) fn of(&mut self, encoding: Encoding, codec: &mut Codec, counters: &Counters) -> &mut Piece {
        let is_known = self.first.publications > 0;
        if is_known && self.first.encoding == encoding {
            return &mut self.first;
        }
        if let Some(place) = self.others.iter().position(|piece| piece.encoding == encoding) {
            return &mut self.others[place];
        }
        let made = Piece::new(self.publications, encoding, self.bytes_max, codec, counters);
        // Never that of a stream: what is found without a search is pushed as a frame of a WebSocket.
        if !is_known && is_frame(encoding) {
            self.first = made;
            return &mut self.first;
        }
        self.others.push(made);
        self.others.last_mut().expect("it was pushed above")
    }

    /// Counts what was pushed.
    pub(super) fn count(&self, counters: &Counters) {
        self.first.count(counters);
        self.others.iter().for_each(|piece| piece.count(counters));
    }
}

/// A run in one encoding, for the readers that take it and whose outboxes are empty.
pub(super) struct Piece {
    pub(super) encoding: Encoding,
    /// `None` when it is too long for one piece.
    pub(super) bytes: Option<SharedFrame>,
    /// Readers that got it.
    pub(super) readers: u64,
    publications: u64,
    /// Of these, frames of WebSockets, and those that are compressed.
    frames: u64,
    deflated: u64,
}

impl Piece {
    /// Puts `publications` together, if that is at most `bytes_max` bytes. One alone is never too long: it is shared
    /// unchanged.
    fn new(
        publications: &[Arc<Publication>],
        encoding: Encoding,
        bytes_max: usize,
        codec: &mut Codec,
        counters: &Counters,
    ) -> Piece {
        let made = codec.compressions();
        let parts: SmallVec<[SharedFrame; 8]> =
            publications.iter().map(|publication| encoded(publication, encoding, codec)).collect();
        counters.compressions.add(codec.compressions() - made);
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let is_frame = is_frame(encoding);
        let deflated = if is_frame { parts.iter().filter(|part| is_deflated(part)).count() } else { 0 };
        Piece {
            encoding,
            readers: 0,
            publications: parts.len() as u64,
            frames: if is_frame { parts.len() as u64 } else { 0 },
            deflated: deflated as u64,
            bytes: match &parts[..] {
                [only] => Some(SharedFrame::clone(only)),
                // Kept as well, so that it is not measured again for each reader.
                _ if bytes > bytes_max => None,
                _ => Some(joined(&parts, bytes)),
            },
        }
    }

    /// What there is before any is made.
    fn nothing() -> Piece {
        Piece { encoding: TEXT, bytes: None, readers: 0, publications: 0, frames: 0, deflated: 0 }
    }

    fn count(&self, counters: &Counters) {
        counters.deliveries.add(self.readers * self.publications);
        counters.frames_out.add(self.readers * self.frames);
        counters.deflated_out.add(self.readers * self.deflated);
    }
}

fn joined(parts: &[SharedFrame], bytes: usize) -> SharedFrame {
    let mut joined = Vec::with_capacity(bytes);
    parts.iter().for_each(|part| joined.extend_from_slice(part));
    joined.into()
}

fn changes_no_subscription(reply: &Reply) -> bool {
    !matches!(reply.answer, Answer::Channel { live: true, .. } | Answer::Unsubscribe { .. })
}
