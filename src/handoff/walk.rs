//! Walks: what an operator asks of the connections of all reactors, or does to them, and what each reactor answers.

use crate::access::Identity;
use crate::model::glob::Glob;
use crate::model::ids::{ChannelId, ConnId, MailboxId};
use crate::model::operation::Whom;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::model::transport::Transport;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::time::Instant;

/// One walk over the connections of every reactor.
#[derive(Debug)]
pub struct Walk {
    /// Over which.
    pub chosen: Chosen,
    /// What is done with each.
    pub act: Act,
    answers: Sender<Walked>,
}

/// Which connections are meant: all that is said must hold.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Whose, but for the connection's name.
    pub whom: Whom,
    /// This one.
    pub connection: Option<ConnId>,
    /// Those that are subscribed to this channel.
    pub channel: Option<ChannelId>,
    /// Those that speak this.
    pub transport: Option<Transport>,
    /// Those after this one, in the order of mailboxes and slots.
    pub after: Option<ConnId>,
}

/// What is done with a connection.
#[derive(Debug, Clone)]
pub enum Act {
    /// It is listed, with so many others at most.
    List(usize),
    /// It ends, and its client is told this.
    End(Refusal),
    /// Its subscriptions to channels of this pattern end, and its client is told this.
    Unsubscribe(Glob, Refusal),
}

/// What a reactor has to say after a walk.
#[derive(Debug)]
pub struct Walked {
    /// The reactor's mailbox.
    pub by: MailboxId,
    /// What was listed.
    pub seen: Vec<Seen>,
    /// Connections that were ended, or subscriptions.
    pub count: usize,
    /// The latest end of the tokens of connections that were ended, in seconds since 1970; `None` when one has no end.
    pub until: Option<u64>,
}

/// One connection as its reactor sees it.
#[derive(Debug)]
pub struct Seen {
    /// Its name among threads.
    pub id: ConnId,
    /// Who its client is; `None` over HTTP, where each request says it anew.
    pub identity: Option<Arc<Identity>>,
    /// Where its client is.
    pub address: PeerAddress,
    /// Which of the server's listeners it came in by.
    pub listener: u8,
    /// What it speaks.
    pub transport: Transport,
    /// When it was accepted, in seconds since 1970.
    pub since: u32,
    /// Bytes that came from its client, and bytes that its client has received, where the kernel counts them.
    pub transferred: Option<(u64, u64)>,
    /// Bytes that wait for it.
    pub lag: usize,
    /// Channels that it is subscribed to.
    pub subscriptions: usize,
}

/// Where the answers of all reactors come.
#[derive(Debug)]
pub struct Answers {
    receiver: Receiver<Walked>,
    reactors: usize,
}

impl Walk {
    /// A walk over the connections of this many reactors, and where they answer.
    #[must_use]
    pub fn new(chosen: Chosen, act: Act, reactors: usize) -> (Arc<Walk>, Answers) {
        // Each answers once, so that none ever finds it full.
        let (answers, receiver) = bounded(reactors);
        (Arc::new(Walk { chosen, act, answers }), Answers { receiver, reactors })
    }

    /// Takes the answer of a reactor.
    pub fn answer(&self, walked: Walked) {
        // Fails when whoever asked has given up waiting: what was to be done is done all the same.
        drop(self.answers.try_send(walked));
    }
}

impl Answers {
    /// Waits for all answers until a moment: those that came, in the order of the reactors, and the numbers of the reactors
    /// that are missing.
    #[must_use]
    pub fn wait(self, until: Instant) -> (Vec<Walked>, Vec<usize>) {
        let mut came = Vec::with_capacity(self.reactors);
        while came.len() < self.reactors {
            // An error is the end of the time, or of the last reactor that had not answered.
            let Ok(walked) = self.receiver.recv_deadline(until) else { break };
            came.push(walked);
        }
        came.sort_by_key(|walked: &Walked| walked.by);
        let has_answered = |reactor: &usize| came.iter().any(|walked| walked.by.0 as usize == *reactor);
        let missing = (0..self.reactors).filter(|reactor| !has_answered(reactor)).collect();
        (came, missing)
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Chosen, Walk, Walked};
    use crate::model::ids::MailboxId;
    use std::time::{Duration, Instant};

    fn walked(by: u32) -> Walked {
        Walked { by: MailboxId(by), seen: Vec::new(), count: 1, until: None }
    }

    #[test]
    fn answers_come_in_the_order_of_reactors_and_those_that_are_missing_are_named() {
        let (walk, answers) = Walk::new(Chosen::default(), Act::List(1), 4);
        [2, 0].into_iter().for_each(|by| walk.answer(walked(by)));
        let (came, missing) = answers.wait(Instant::now() + Duration::from_millis(1));
        assert_eq!((came.iter().map(|walked| walked.by.0).collect::<Vec<_>>(), missing), (vec![0, 2], vec![1, 3]));
        walk.answer(walked(1));
    }

    #[test]
    fn nobody_waits_for_reactors_that_have_ended() {
        let (walk, answers) = Walk::new(Chosen::default(), Act::List(1), 2);
        walk.answer(walked(1));
        drop(walk);
        let (came, missing) = answers.wait(Instant::now() + Duration::from_secs(3600));
        assert_eq!((came.len(), missing), (1, vec![0]));
    }
}
