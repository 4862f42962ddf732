//! Publications of one channel that wait behind each other in a mailbox: who has nothing else to say gets them in one piece.

use super::subscriptions::{Memberships, Subscriptions};
use crate::handoff::mailbox::Letter;
use crate::hub::post::{Answer, Delivery, Reply};
use crate::hub::publication::Publication;
use crate::model::ids::{ChannelId, ConnId};
use crate::protocol::encoders::{TEXT, encoded};
use crate::wire::deflate::Codec;
use crate::wire::frame::SharedFrame;
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
    /// Whose subscribers get it, and who of them does not.
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

    /// Whether it may still wait when `letter` has come: because it goes on with it, or because nobody can tell. An answer
    /// changes places with pushes that its connection does not get; nothing is written before both are in their outboxes.
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
            Letter::Delivery(Delivery::Reply(reply)) => {
                changes_no_subscription(reply)
                    && memberships(reply.to)
                        .is_none_or(|list| list.len() <= MEMBERSHIPS_SEEN && !subscriptions.is_member(own, list))
            }
            Letter::Delivery(Delivery::Reset { .. }) | Letter::Returned(_) | Letter::Order(_) => false,
        }
    }

    /// All of it as text, when that is at most so many bytes.
    pub(super) fn frames(&self, bytes_most: usize, codec: &mut Codec) -> Option<SharedFrame> {
        if let [only] = &self.publications[..] {
            return Some(encoded(only, TEXT, codec));
        }
        let bytes = self.publications.iter().map(|publication| encoded(publication, TEXT, codec).len()).sum();
        if bytes > bytes_most {
            return None;
        }
        let mut joined = Vec::with_capacity(bytes);
        self.publications.iter().for_each(|publication| joined.extend_from_slice(&encoded(publication, TEXT, codec)));
        Some(joined.into())
    }
}

fn changes_no_subscription(reply: &Reply) -> bool {
    !matches!(reply.answer, Answer::Channel { live: true, .. } | Answer::Unsubscribe { .. })
}
