//! The two threads beside the pump that wait for files: one syncs, one reads.

use super::reading::Task;
use crate::engine::Event;
use crate::engine::bell::Bell;
use crate::handoff::mailbox::Wake as _;
use crate::model::code::Code;
use crate::store::{Reader, Synced, Syncing};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Reads that wait for their thread: half a second's work.
const READS_MAX: usize = 1024;

/// What one of them has done.
pub(super) enum Done {
    /// A read.
    Read(Event),
    /// A sync, and how long it took.
    Synced(Synced, Duration),
}

/// See the module.
pub(super) struct Helpers {
    reads: Sender<Task>,
    syncs: Sender<Syncing>,
    done: Receiver<Done>,
    /// Reads that are not done.
    reading: Cell<usize>,
    threads: Vec<JoinHandle<()>>,
}

impl Helpers {
    /// Starts them. They ring when they have done something.
    pub(super) fn start(reader: Reader, bell: &Bell) -> io::Result<Helpers> {
        let (reads, to_read) = bounded::<Task>(READS_MAX);
        // One sync at a time.
        let (syncs, to_sync) = bounded::<Syncing>(1);
        // Bounded by what was sent to them.
        let (is_done, done) = unbounded();
        let start =
            |name: &str, work: Box<dyn FnOnce() + Send>| std::thread::Builder::new().name(name.to_owned()).spawn(work);
        let (own, ring) = (is_done.clone(), bell.clone());
        let read = start(
            "store-read",
            Box::new(move || {
                for task in &to_read {
                    let id = task.id;
                    // A panic ends this read, and no other (law 9).
                    let read = catch_unwind(AssertUnwindSafe(|| task.perform(&reader)));
                    let read = read.unwrap_or_else(|_| Event::Refused(id, Code::InternalError.into()));
                    let sent = own.send(Done::Read(read));
                    ring.wake();
                    if sent.is_err() {
                        return;
                    }
                }
            }),
        )?;
        let ring = bell.clone();
        let sync = start(
            "store-sync",
            Box::new(move || {
                for syncing in &to_sync {
                    let began = Instant::now();
                    let synced = syncing.run();
                    let sent = is_done.send(Done::Synced(synced, began.elapsed()));
                    ring.wake();
                    if sent.is_err() {
                        return;
                    }
                }
            }),
        )?;
        Ok(Helpers { reads, syncs, done, reading: Cell::new(0), threads: vec![read, sync] })
    }

    /// Has something read.
    ///
    /// # Errors
    /// The task itself: as many wait as may.
    pub(super) fn read(&self, task: Task) -> Result<(), Task> {
        let sent = self.reads.try_send(task).map_err(crossbeam_channel::TrySendError::into_inner);
        if sent.is_ok() {
            self.reading.set(self.reading.get() + 1);
        }
        sent
    }

    /// Has the log synced. False when the thread has ended.
    pub(super) fn sync(&self, syncing: Syncing) -> bool {
        self.syncs.try_send(syncing).is_ok()
    }

    /// What was done, if something was.
    pub(super) fn next_done(&self) -> Option<Done> {
        let done = self.done.try_recv().ok()?;
        if matches!(done, Done::Read(_)) {
            self.reading.set(self.reading.get() - 1);
        }
        Some(done)
    }

    /// Whether a read is not done.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.get() > 0
    }

    /// Ends both, after what they have begun.
    pub(super) fn end(self) {
        let Helpers { reads, syncs, threads, .. } = self;
        drop((reads, syncs));
        for thread in threads {
            if thread.join().is_err() {
                log::error!(event = "thread_panicked"; "a thread of the store panicked");
            }
        }
    }
}
