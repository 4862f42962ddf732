//! The way to the other nodes of a cluster, for what operators ask of all of them, and for what they answer.

use super::wake::Wake;
use crate::model::operation::Operation;
use crate::model::survey::NodeAnswer;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Operations that wait to be told: while the engine is away, and no more.
const WAITING_MAX: usize = 1024;
/// Questions that wait to be asked, and answers that wait to be given: operators are few, and ask again.
const SURVEYS_MAX: usize = 64;
/// Answers to one question that wait to be read: more nodes than that are not asked at a time.
const ANSWERS_MAX: usize = 1024;

/// See the module.
#[derive(Clone)]
pub struct Others {
    operations: Sender<Operation>,
    surveys: Sender<Survey>,
    replies: Sender<SurveyReply>,
    /// The engine's bell, once there is an engine.
    bell: Arc<OnceLock<Box<dyn Wake>>>,
}

/// Where it comes out.
#[derive(Debug, Clone)]
pub struct FromHere {
    /// What all other nodes are to do.
    pub operations: Receiver<Operation>,
    /// What they are asked.
    pub surveys: Receiver<Survey>,
    /// What one of them is answered.
    pub replies: Receiver<SurveyReply>,
}

/// A question to all other nodes.
#[derive(Debug, Clone)]
pub struct Survey {
    /// As they read it.
    pub question: Box<[u8]>,
    /// Where their answers go.
    pub answers: Sender<NodeAnswer>,
    /// Until when somebody waits for them.
    pub until: Instant,
}

/// What another node's question was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyReply {
    /// Who asked, and by which number it knows the question.
    pub to: Asker,
    /// The answer.
    pub body: Box<[u8]>,
}

/// Where the answer to a question goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The name of the node.
    pub node: Box<str>,
    /// The number of the question there.
    pub serial: u64,
}

/// What another node wants of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromThere {
    /// It is to do this.
    Do(Operation),
    /// It is to answer this question.
    Ask(Asker, Box<[u8]>),
}

/// There are too many that wait: the other nodes do not learn of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotTold;

impl Others {
    /// The way, and where what was said comes out.
    #[must_use]
    pub fn new() -> (Others, FromHere) {
        let (operations, told) = bounded(WAITING_MAX);
        let (surveys, asked) = bounded(SURVEYS_MAX);
        let (replies, replied) = bounded(SURVEYS_MAX);
        let others = Others { operations, surveys, replies, bell: Arc::default() };
        (others, FromHere { operations: told, surveys: asked, replies: replied })
    }

    /// Has this bell rung for what is said, from now on.
    pub fn ring(&self, bell: Box<dyn Wake>) {
        // There is one engine in the life of a server.
        let _ = self.bell.set(bell);
    }

    /// Has the other nodes do this too. They do it when they can be reached.
    ///
    /// # Errors
    /// As many wait as may.
    pub fn tell(&self, operation: Operation) -> Result<(), NotTold> {
        self.say(&self.operations, operation)
    }

    /// Asks the other nodes. Whoever answers in time is heard at the end that comes back.
    ///
    /// # Errors
    /// As many wait as may.
    pub fn ask(&self, question: Box<[u8]>, until: Instant) -> Result<Receiver<NodeAnswer>, NotTold> {
        let (answers, answered) = bounded(ANSWERS_MAX);
        self.say(&self.surveys, Survey { question, answers, until })?;
        Ok(answered)
    }

    /// Answers what another node has asked.
    ///
    /// # Errors
    /// As many wait as may.
    pub fn answer(&self, reply: SurveyReply) -> Result<(), NotTold> {
        self.say(&self.replies, reply)
    }

    fn say<T>(&self, way: &Sender<T>, what: T) -> Result<(), NotTold> {
        let said = match way.try_send(what) {
            // Nobody listens any more: this node ends.
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(NotTold),
        };
        if let Some(bell) = self.bell.get() {
            bell.wake();
        }
        said
    }
}
