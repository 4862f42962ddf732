//! The way of a program's requests to the engine and back: by a mailbox that the caller reads while it waits.

use super::error::Error;
use crate::engine::bell::Bell;
use crate::handoff::errand::{Errand, Errands};
use crate::handoff::mailbox::{Inbox, Letter, Outcome};
use crate::model::code::Code;
use crate::node::answer::Answer;
use crate::node::work::Work;

/// See the module.
#[derive(Clone)]
pub(crate) struct EngineWay {
    errands: Errands,
    bell: Bell,
}

/// What became of a work that went away.
pub(super) enum Back {
    /// It was answered.
    Answered(Answer),
    /// It is to be executed again.
    Again(Box<Work>),
    /// The engine's queue is full.
    NoRoom(Box<Work>),
    /// The engine ends.
    Never,
}

impl EngineWay {
    /// By this queue, to the pump that hears this bell.
    pub(crate) fn new(errands: Errands, bell: Bell) -> EngineWay {
        EngineWay { errands, bell }
    }

    /// Sends a work away that is to be answered by this mailbox, and waits for it.
    pub(super) fn send(&self, work: Box<Work>, inbox: &Inbox) -> Back {
        if let Err(Errand { work, .. }) = self.errands.send(Errand { work, buffer: Vec::new() }) {
            return Back::NoRoom(work);
        }
        // Asked after it was sent: what is in the queue before the pump is told to end is answered.
        if self.bell.is_over() {
            return Back::Never;
        }
        let mut answer = None;
        for letter in inbox.receiver.iter() {
            match letter {
                Letter::Reply(reply) => answer = Some(reply.answer),
                Letter::Returned(returned) => {
                    return match (answer, returned.outcome) {
                        (Some(answer), _) => Back::Answered(answer),
                        (None, Outcome::Answered(work) | Outcome::Blocked(work) | Outcome::Fetched(work)) => {
                            Back::Again(work)
                        }
                        (None, _) => Back::Never,
                    };
                }
                Letter::Delivery(_) | Letter::Order(_) => {}
            }
        }
        Back::Never
    }
}

/// What a caller is told whose request did not come back.
pub(super) fn ended() -> Error {
    Error::new(Code::OutcomeUnknown, "the server ends; it is not known whether this was carried out")
}
