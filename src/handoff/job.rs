//! Jobs for the worker pool: a payload to parse and execute, with the id of the connection that waits for it.

use super::refused::Refused;
use crate::model::ids::ConnId;
use crate::node::gate::Limited;
use crate::protocol::task::RawWork;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One payload on its way to a worker. Its buffer travels back with [`super::mailbox::Returned`].
#[derive(Debug)]
pub struct Job {
    /// The connection that sent it.
    pub to: ConnId,
    /// The payload and how to read it.
    pub raw: RawWork<Vec<u8>>,
    /// How what it asks is limited, if it is.
    pub limited: Option<Limited>,
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

    /// Hands a job to the worker of its connection. Without room the job comes back, and the next worker that frees room
    /// wakes the reactors that wait.
    ///
    /// # Errors
    /// The job itself, untouched.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        // The same worker for a connection each time. With the mailbox, since every reactor numbers its slots from 0.
        let worker = (job.to.slot as usize ^ job.to.mailbox.0 as usize) % self.senders.len();
        let Err(job) = self.try_submit(worker, job) else { return Ok(()) };
        // Noted before the second try: room that comes free in between is either found by it or announced.
        self.room.refused.note();
        self.try_submit(worker, job)
    }

    fn try_submit(&self, worker: usize, job: Job) -> Result<(), Job> {
        let (room, bytes) = (&self.room, job.raw.payload.len());
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
