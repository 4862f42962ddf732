//! What a node has for other nodes, and hears from them, besides what is published.

use super::control::Control;
use super::keys::Keys;
use super::surveys::Surveys;
use crate::engine::OwnFigures;
use crate::handoff::others::{FromHere, FromThere};
use crate::model::cluster::Cluster;
use arc_swap::ArcSwap;
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub struct Node {
    /// Where what is known of all of them can be read.
    pub(super) cluster: Arc<ArcSwap<Cluster>>,
    /// What operators ask of all of them.
    pub(super) control: Control,
    /// What all of them are asked, to answer an operator.
    pub(super) surveys: Surveys,
    /// What this one says of itself.
    pub(super) own: OwnFigures,
    /// How long Redis took to answer when it was asked last.
    pub(super) round_trip: Duration,
}

impl Node {
    /// One that passes on what is said here, and to `there` what other nodes want of this one.
    #[must_use]
    pub fn new(cluster: Arc<ArcSwap<Cluster>>, from_here: FromHere, there: Sender<FromThere>, own: OwnFigures) -> Node {
        let FromHere { operations, surveys, replies } = from_here;
        let control = Control::new(operations, there.clone());
        Node { cluster, control, surveys: Surveys::new(surveys, replies, there), own, round_trip: Duration::ZERO }
    }

    /// Hears what came on a feed that is no channel's. False when no node has said it.
    pub(super) fn hear(&mut self, keys: &Keys, own: &str, feed: &[u8], payload: &[u8]) -> bool {
        if feed == keys.questions() {
            return self.surveys.question(own, payload);
        }
        if feed == keys.answers(own) {
            return self.surveys.answer(payload);
        }
        // There is something new in the stream.
        self.control.is_due = true;
        true
    }
}
