//! Work that a worker sends away.

use super::Worker;
use crate::access::Identities;
use crate::config::Config;
use crate::connection::env::Limits;
use crate::handoff::errand::Errands;
use crate::handoff::job::{Job, JobQueues};
use crate::handoff::mailbox::{Inbox, Letter, MailboxLimits, Mailboxes, Outcome, Wake};
use crate::handoff::postman::Postman;
use crate::hub::{Hub, HubLimits, RandomSource};
use crate::model::ids::{ConnId, MailboxId};
use crate::model::request::{Page, Request, Verb};
use crate::model::ticket::Ticket;
use crate::protocol::task::{RawWork, Task};
use crate::wire::json::JsonScratch;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Instant;

struct Awake;

impl Wake for Awake {
    fn wake(&self) {}
}

fn worker(errands: Errands) -> (Worker, Inbox) {
    let limits = MailboxLimits { entries: 2, bytes: 1024 };
    let (mailboxes, mut inboxes) = Mailboxes::new(vec![Box::new(Awake)], limits, 1 << 20);
    let (_, room, mut queues) = JobQueues::new(1, 1, 1024);
    let worker = Worker {
        index: 0,
        jobs: queues.remove(0),
        room,
        hub: Arc::new(Hub::new(HubLimits::default(), RandomSource::seeded(7))),
        rules: Arc::default(),
        mailboxes,
        counters: Arc::default(),
        limits: Arc::new(ArcSwap::from_pointee(Limits::new(&Config::default()))),
        errands,
    };
    (worker, inboxes.remove(0))
}

/// A job that asks for a page, in a buffer of a given size.
fn perform(worker: &Worker, slot: u32, payload: usize) {
    let item = Ok(Request { id: None, verb: Verb::Inspect(Page::Metrics) });
    let raw = RawWork {
        task: Task::Request(Box::new((Ticket::default(), item))),
        payload: vec![0; payload],
        identity: Identities::default().operator,
    };
    let job = Job::Work { to: ConnId::here(MailboxId(0), slot, 0), raw, limited: None };
    let postman = Postman::new(Arc::clone(&worker.mailboxes), None);
    worker.perform(job, &postman, &mut JsonScratch::default(), Instant::now(), 0);
}

#[test]
fn a_worker_sends_work_away_with_its_buffer_and_gives_it_back_where_there_is_no_room() {
    let (errands, queue) = Errands::new(1);
    let (worker, inbox) = worker(errands);
    perform(&worker, 1, 7);
    assert!(inbox.next().is_none(), "it comes back from its errand, not from here");
    perform(&worker, 2, 8);
    let Some(Letter::Returned(returned)) = inbox.next() else { panic!("the second has no room") };
    assert_eq!((returned.to.slot, returned.buffer.len()), (2, 8));
    let Outcome::Blocked(work) = returned.outcome else { panic!("{returned:?}") };
    assert!(matches!(work.errand(), Some(Verb::Inspect(Page::Metrics))) && work.remaining() == 1);
    let errand = queue.next().expect("the first");
    assert_eq!((errand.work.to.slot, errand.buffer.len()), (1, 7));
    assert!(queue.took(&errand), "somebody waits");
    assert!(queue.next().is_none());
}
