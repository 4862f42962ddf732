//! The threads of one process.

use super::error::StartError;
use crate::adapters;
use crate::engine::{Progress, Reports, Wake, Worker};
use crate::measure::pin;
use crate::message::{Order, Report};
use crate::plan::{Flow, Plan, Share, Task};
use crossbeam_channel::{Sender, bounded, unbounded};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Running threads, and what orders reach them by.
#[derive(Debug)]
pub struct Threads {
    threads: Vec<(Sender<Order>, Wake)>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts the threads with the numbers from `first` on, out of `total` in all processes.
    ///
    /// # Errors
    /// A thread cannot be started, or cannot begin.
    pub fn start(
        plan: &Plan,
        first: u64,
        count: u64,
        total: u64,
        reports: &Sender<(u64, Report)>,
    ) -> Result<Threads, StartError> {
        let progress = Arc::new(Progress::default());
        let mut all = Threads { threads: Vec::new(), handles: Vec::new() };
        for index in first..first + count {
            let (orders, orders_here) = unbounded();
            let (began, begins) = bounded(1);
            let (plan, share) = (plan.clone(), Share { index, of: total });
            let (reports, shared) = (Reports::new(reports.clone(), index), Arc::clone(&progress));
            let body = move || {
                pin::this_thread(&plan.pin, index);
                // A worker belongs to the thread that made it: its parts are shared without locks.
                let made = adapters::choice::build(&plan.adapter, &plan.adapter_options)
                    .map_err(StartError::from)
                    .and_then(|adapter| Ok(Worker::new(plan, share, adapter, orders_here, reports, shared)?));
                match made {
                    Ok((worker, wake)) => {
                        // Whoever waits for this has not gone away.
                        let _ = began.send(Ok(wake));
                        worker.run();
                    }
                    Err(error) => drop(began.send(Err(error))),
                }
            };
            let handle = std::thread::Builder::new().name(format!("load-{index}")).spawn(body);
            all.handles.push(handle.map_err(StartError::Thread)?);
            let wake = begins.recv().map_err(|_| StartError::Ended)??;
            all.threads.push((orders, wake));
        }
        // With one thread it looks by itself; in a closed flow the first thread publishes.
        let is_closed = |task: &Task| matches!(task, Task::Publish { flow: Flow::Closed { .. }, .. });
        if count > 1 && plan.groups.iter().any(|group| is_closed(&group.task)) {
            progress.set_publisher(Arc::clone(&all.threads[0].1));
        }
        Ok(all)
    }

    /// Tells all of them.
    pub fn order(&self, order: &Order) {
        for (orders, wake) in &self.threads {
            // One that is over needs no order any more.
            let _ = orders.send(order.clone());
            let _ = wake.wake();
        }
    }

    /// Waits until all are over.
    pub fn join(self) {
        for handle in self.handles {
            // A panic is on standard error, and the reports that are missing show it, too.
            let _ = handle.join();
        }
    }
}
