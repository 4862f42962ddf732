//! All threads of a run, in this process and in others: their orders, and their reports.

mod child;
mod collector;
mod error;
mod run;
mod threads;

pub use child::{CHILD_ARGUMENT, serve};
pub use collector::{Collected, Collector, SeriesWindow};
pub use error::{RunError, ServeError, StartError};
pub use run::{Hooks, Sample, run};
pub use threads::Threads;

use self::child::Child;
use crate::message::{Order, Report};
use crate::plan::Plan;
use crossbeam_channel::{Receiver, unbounded};

/// How many threads there are, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Processes. One is this one; more are children of it, which do all the work.
    pub processes: u64,
    /// Threads of each.
    pub threads: u64,
}

/// The threads of a run.
#[derive(Debug)]
pub struct Fleet {
    parts: Parts,
    reports: Receiver<(u64, Report)>,
    /// How many threads there are.
    pub threads: u64,
}

#[derive(Debug)]
enum Parts {
    Here(Threads),
    Elsewhere(Vec<Child>),
}

impl Fleet {
    /// Starts the threads; they begin to open connections.
    ///
    /// # Errors
    /// A thread or a process cannot be started.
    pub fn start(plan: &Plan, size: Size) -> Result<Fleet, StartError> {
        let (sender, reports) = unbounded();
        let total = size.processes * size.threads;
        let parts = if size.processes == 1 {
            Parts::Here(Threads::start(plan, 0, size.threads, total, &sender)?)
        } else {
            let children =
                (0..size.processes).map(|child| Child::start(plan, child * size.threads, size.threads, total, &sender));
            Parts::Elsewhere(children.collect::<Result<_, _>>()?)
        };
        Ok(Fleet { parts, reports, threads: total })
    }

    /// Tells all threads.
    pub fn order(&mut self, order: &Order) {
        match &mut self.parts {
            Parts::Here(threads) => threads.order(order),
            Parts::Elsewhere(children) => children.iter_mut().for_each(|child| child.order(order)),
        }
    }

    /// The processes of the fleet.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        match &self.parts {
            Parts::Here(_) => vec![std::process::id()],
            Parts::Elsewhere(children) => children.iter().map(Child::pid).collect(),
        }
    }
}
