//! Threads in another process: this program again, with orders and reports as lines of JSON over pipes. The
//! descriptors of a process are limited, so that very many connections take several.

use super::error::{ServeError, StartError};
use super::threads::Threads;
use crate::message::{Order, Report};
use crate::plan::Plan;
use crossbeam_channel::{Sender, unbounded};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// The argument that makes this program a child.
pub const CHILD_ARGUMENT: &str = "--child-of-a-fleet";

/// What a child receives, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ChildOrder {
    /// The first line: what to do.
    Begin {
        /// The whole plan.
        plan: Box<Plan>,
        /// The number of its first thread.
        first: u64,
        /// How many threads it has.
        count: u64,
        /// How many there are in all.
        total: u64,
    },
    /// For all its threads.
    All(Order),
}

/// A process with some of the threads.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    orders: std::process::ChildStdin,
}

impl Child {
    pub(super) fn start(
        plan: &Plan,
        first: u64,
        count: u64,
        total: u64,
        reports: &Sender<(u64, Report)>,
    ) -> Result<Child, StartError> {
        let program = std::env::current_exe().map_err(StartError::Process)?;
        let mut command = Command::new(program);
        command.arg(CHILD_ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(StartError::Process)?;
        let orders = process.stdin.take().expect("it is piped");
        let output = process.stdout.take().expect("it is piped");
        let (sender, pid) = (reports.clone(), process.id());
        std::thread::spawn(move || {
            let mut over = 0;
            for line in BufReader::new(output).lines() {
                let report = line
                    .map_err(|error| error.to_string())
                    .and_then(|line| serde_json::from_str(&line).map_err(|error| error.to_string()));
                over += u64::from(matches!(report, Ok((_, Report::Done(_)))));
                // Whoever collects may have ended.
                let _ = sender
                    .send(report.unwrap_or_else(|error| (first, Report::Failed(format!("process {pid}: {error}")))));
            }
            if over < count {
                let _ = sender.send((first, Report::Failed(format!("process {pid} has ended too early"))));
            }
        });
        let mut child = Child { process, orders };
        child.tell(&ChildOrder::Begin { plan: Box::new(plan.clone()), first, count, total });
        Ok(child)
    }

    pub(super) fn order(&mut self, order: &Order) {
        self.tell(&ChildOrder::All(order.clone()));
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn tell(&mut self, order: &ChildOrder) {
        let line = serde_json::to_string(order).expect("plans and orders are JSON");
        // That a child has died is reported by the thread that reads from it.
        let _ = writeln!(self.orders, "{line}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        // Waited for, or it would stay as a zombie until this process ends.
        let _ = self.process.wait();
    }
}

/// What a child does: reads its plan from standard input, runs, and writes its reports to standard output.
///
/// # Errors
/// What it receives is no plan, or it cannot begin.
pub fn serve() -> Result<(), ServeError> {
    let mut lines = std::io::stdin().lock().lines();
    let first_line = lines.next().ok_or(ServeError::NoPlan)??;
    let order = serde_json::from_str(&first_line)?;
    let ChildOrder::Begin { plan, first, count, total } = order else { return Err(ServeError::NoPlan) };
    let (sender, reports) = unbounded();
    let writer = std::thread::spawn(move || {
        let mut done = 0;
        for report in reports {
            done += u64::from(matches!(report, (_, Report::Done(_) | Report::Failed(_))));
            let line = serde_json::to_string(&report).expect("reports are JSON");
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() || done == count {
                break;
            }
        }
        // The parent closes its end when it has everything; the orders that are still read until then mean nothing.
        std::process::exit(0);
    });
    let threads = Threads::start(&plan, first, count, total, &sender)?;
    for line in lines {
        let Ok(line) = line else { break };
        if let Ok(ChildOrder::All(order)) = serde_json::from_str(&line) {
            threads.order(&order);
        }
    }
    // A failed write means that the parent is gone, so there is nowhere to report it.
    drop(writer);
    Ok(())
}
