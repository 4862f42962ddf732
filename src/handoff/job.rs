//! Jobs for the worker pool: a payload to parse and execute, or a token to verify, with the id of the connection that waits.

use super::refused::Refused;
use crate::access::Verification;
use crate::model::ids::ConnId;
use crate::node::answer::Reply;
use crate::node::gate::Limited;
use crate::protocol::task::RawWork;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Something on its way to a worker.
#[derive(Debug)]
pub enum Job {
    /// A payload to parse and execute. Its buffer travels back with [`super::mailbox::Returned`].
    Work {
        /// The connection that sent it.
        to: ConnId,
        /// The payload and how to read it.
        raw: RawWork<Vec<u8>>,
        /// How what it asks is limited, if it is.
        limited: Option<Limited>,
    },
    /// A token to verify.
    Verify(Box<ToVerify>),
}

/// A token on its way to a worker.
#[derive(Debug)]
pub struct ToVerify {
    /// The connection that presented it.
    pub to: ConnId,
    /// The listener that it came in by, whose connections share what is found out.
    pub listener: u8,
    /// What is to be verified.
    pub verification: Box<Verification>,
    /// The answer that waits for it; none where a head does.
    pub then: Option<Box<Reply>>,
}

impl Job {
    /// The connection that waits for it.
    #[must_use]
    pub fn to(&self) -> ConnId {
        match self {
            Job::Work { to, .. } => *to,
            Job::Verify(job) => job.to,
        }
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Job::Work { raw, .. } => raw.payload.len(),
            Job::Verify(job) => job.verification.token().len(),
        }
    }
}

/// The workers' queues: bounded in jobs and in bytes, one per worker so that a connection's jobs stay in order.
///
/// When the last holder drops it, the workers end.
pub struct JobQueues {
    senders: Vec<Sender<Job>>,
    room: Arc<JobRoom>,
}

/// The bytes in each queue, which the workers share.
pub struct JobRoom {
    bytes: Vec<AtomicUsize>,
    bytes_max: usize,
    refused: Refused,
}

impl JobQueues {
    /// One queue per worker, and the workers' reading sides.
    #[must_use]
    pub fn new(
        workers: usize,
        jobs_max: usize,
        bytes_max: usize,
    ) -> (Arc<JobQueues>, Arc<JobRoom>, Vec<Receiver<Job>>) {
        let (senders, receivers) = (0..workers).map(|_| crossbeam_channel::bounded(jobs_max)).unzip();
        let bytes = (0..workers).map(|_| AtomicUsize::new(0)).collect();
        let room = Arc::new(JobRoom { bytes, bytes_max, refused: Refused::none() });
        (Arc::new(JobQueues { senders, room: Arc::clone(&room) }), room, receivers)
    }

    /// How many more jobs there is room for, in all queues together.
    #[must_use]
    pub fn free_places(&self) -> usize {
        let free = |sender: &Sender<Job>| sender.capacity().unwrap_or(0).saturating_sub(sender.len());
        self.senders.iter().map(free).sum()
    }

    /// Hands a job to the worker of its connection. Without room the job comes back, and the next worker that frees room
    /// wakes the reactors that wait.
    ///
    /// # Errors
    /// The job itself, untouched.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        // The same worker for a connection each time. With the mailbox, since every reactor numbers its slots from 0.
        let to = job.to();
        let worker = (to.slot as usize ^ to.mailbox.0 as usize) % self.senders.len();
        let Err(job) = self.try_submit(worker, job) else { return Ok(()) };
        // Noted before the second try: room that comes free in between is either found by it or announced.
        self.room.refused.note();
        self.try_submit(worker, job)
    }

    /// Hands a token to the first worker that has room: its connection does nothing else meanwhile, so that no order is to be
    /// kept. Nobody is woken for one that comes back.
    ///
    /// # Errors
    /// The token itself, untouched.
    pub fn submit_token(&self, job: Box<ToVerify>) -> Result<(), Box<ToVerify>> {
        let (first, workers) = (job.to.slot as usize, self.senders.len());
        let mut job = Job::Verify(job);
        for number in 0..workers {
            match self.try_submit((first + number) % workers, job) {
                Ok(()) => return Ok(()),
                Err(refused) => job = refused,
            }
        }
        match job {
            Job::Verify(job) => Err(job),
            Job::Work { .. } => unreachable!("it was made a token above"),
        }
    }

    fn try_submit(&self, worker: usize, job: Job) -> Result<(), Job> {
        let (room, bytes) = (&self.room, job.bytes());
        // Counted before it fits, so a job may be refused because of another that is refused as well: its reactor tries
        // it again 100 ms later even if no worker announces room.
        let before = room.bytes[worker].fetch_add(bytes, Ordering::AcqRel);
        // One job always fits into an empty queue, whatever its size.
        let sent = if before > 0 && before + bytes > room.bytes_max {
            Err(job)
        } else {
            self.senders[worker].try_send(job).map_err(TrySendError::into_inner)
        };
        if sent.is_err() {
            room.bytes[worker].fetch_sub(bytes, Ordering::AcqRel);
        }
        sent
    }
}

impl JobRoom {
    /// Bytes of the jobs in all queues.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.bytes.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }

    /// A worker took a job of `bytes`: true when a job had been refused and the reactors that wait should be woken.
    #[must_use]
    pub fn took(&self, worker: usize, bytes: usize) -> bool {
        // Before the flag is read. Of two changes of one counter the later sees the earlier, so either `submit` finds
        // this room in its second try, or this thread finds its flag: AcqRel is enough.
        self.bytes[worker].fetch_sub(bytes, Ordering::AcqRel);
        self.refused.take()
    }
}
