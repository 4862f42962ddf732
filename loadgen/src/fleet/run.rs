//! One run from its first connection to its last message: which orders the threads receive, and when.

use super::collector::{Collected, Collector};
use super::error::RunError;
use super::{Fleet, Size};
use crate::clock::{self, Nanos, SECOND};
use crate::message::{Order, Report};
use crate::plan::Plan;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between the order to begin and the first message: all threads have read the order by then.
const LEAD: Nanos = SECOND / 20;
/// How often the watcher is called.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Who watches a run.
pub trait Hooks {
    /// Something may have changed: called about four times a second, and where a part of the run ends.
    fn look(&mut self, collector: &Collector, sample: Sample);
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// No connection was begun yet.
    Before,
    /// Connections are opened.
    Opening,
    /// All are open; traffic is about to begin.
    Opened,
    /// Counting begins at this time and ends at the other.
    Running(Nanos, Nanos),
    /// Counting has just begun.
    CountingBegan,
    /// Counting has just ended.
    CountingEnded,
    /// The last messages are awaited.
    Draining,
    /// All is over.
    After,
}

/// Runs a plan. `interrupt` ends it early and cleanly.
///
/// # Errors
/// A thread or a process fails.
pub fn run(
    plan: &Plan,
    size: Size,
    interrupt: &Arc<AtomicBool>,
    hooks: &mut dyn Hooks,
) -> Result<(Collected, Vec<u32>), RunError> {
    let mut collector = Collector::new(plan, size.processes * size.threads);
    hooks.look(&collector, Sample::Before);
    let mut fleet = Fleet::start(plan, size)?;
    let pids = fleet.pids();
    let mut conductor = Conductor { fleet: &mut fleet, collector: &mut collector, hooks, interrupt, stopped: false };
    conductor.wait(Sample::Opening, Collector::all_opened)?;
    conductor.hooks.look(conductor.collector, Sample::Opened);
    let unopened = conductor.collector.unopened();
    if conductor.collector.all_opened() && !unopened.is_empty() {
        // What the run is about cannot happen: traffic would only prove that.
        conductor.collector.collected.unopened = unopened;
        conductor.stop();
        conductor.wait(Sample::Draining, Collector::all_sent)?;
    } else {
        let go = clock::now() + LEAD;
        let (begin, end) = plan.counted(go);
        // Before the order: the first reports after it must find which seconds count.
        conductor.collector.count_between(begin, end);
        conductor.fleet.order(&Order::Go(go));
        conductor.count(begin, end)?;
    }
    conductor.fleet.order(&Order::Settle(conductor.collector.collected.published.clone()));
    conductor.wait(Sample::Draining, Collector::all_done)?;
    conductor.hooks.look(conductor.collector, Sample::After);
    Ok((collector.finish(), pids))
}

struct Conductor<'a> {
    fleet: &'a mut Fleet,
    collector: &'a mut Collector,
    hooks: &'a mut dyn Hooks,
    interrupt: &'a AtomicBool,
    stopped: bool,
}

impl Conductor<'_> {
    /// From the order to begin to the last message that is sent.
    fn count(&mut self, begin: Nanos, end: Nanos) -> Result<(), RunError> {
        let running = Sample::Running(begin, end);
        self.wait_until(running, |collector| clock::now() >= begin || collector.is_hopeless(), Some(begin))?;
        if !self.collector.is_hopeless() {
            self.hooks.look(self.collector, Sample::CountingBegan);
        }
        let is_over = |collector: &Collector| collector.all_sent() || collector.is_hopeless();
        self.wait_until(running, |collector| clock::now() >= end || is_over(collector), Some(end))?;
        self.hooks.look(self.collector, Sample::CountingEnded);
        self.collector.give_up_hope();
        self.stop();
        self.wait(Sample::Draining, Collector::all_sent)
    }

    fn stop(&mut self) {
        if !self.stopped {
            self.stopped = true;
            self.fleet.order(&Order::Stop);
        }
    }

    fn wait(&mut self, sample: Sample, done: impl Fn(&Collector) -> bool) -> Result<(), RunError> {
        self.wait_until(sample, done, None)
    }

    /// Takes reports until it is done, or a stop is requested and this part can be cut short.
    fn wait_until(
        &mut self,
        sample: Sample,
        done: impl Fn(&Collector) -> bool,
        at: Option<Nanos>,
    ) -> Result<(), RunError> {
        let mut looked = clock::now();
        while !done(self.collector) {
            // Not while draining, which ends by itself: what was sent is still accounted for.
            if self.interrupt.load(Ordering::Relaxed) && sample != Sample::Draining {
                self.stop();
                return Ok(());
            }
            let left =
                at.map_or(LOOK_EVERY, |at| Duration::from_nanos(at.saturating_sub(clock::now())).min(LOOK_EVERY));
            if let Ok((thread, report)) = self.fleet.reports.recv_timeout(left) {
                if let Report::Failed(text) = &report
                    && !self.collector.all_done()
                {
                    return Err(RunError::Failed(text.clone()));
                }
                self.collector.take(thread, report);
            }
            if clock::now() - looked >= clock::of(LOOK_EVERY) {
                looked = clock::now();
                self.hooks.look(self.collector, sample);
            }
        }
        Ok(())
    }
}
