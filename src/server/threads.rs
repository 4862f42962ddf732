//! Starts the threads of a server, each with its name.

use super::Ended;
use super::parts::SharedParts;
use super::secured::Secured;
use crate::handoff::job::{Job, JobRoom};
use crate::model::operation::Operation;
use crate::node::answer::Answer;
use crate::node::execute::wall_ms;
use crate::reactor::Reactor;
use crate::services::Reload;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How often idle channels and old history are looked for.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

pub(super) fn spawn_reactor(index: usize, reactor: Reactor, ending: Sender<Ended>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("reactor-{index}")).spawn(move || {
        let run = std::panic::AssertUnwindSafe(|| reactor.run());
        let ended = match std::panic::catch_unwind(run) {
            Ok(Ok(drained)) => Ok(drained),
            Ok(Err(error)) => Err(format!("reactor {index} cannot wait for events: {error}")),
            Err(_) => Err(format!("reactor {index} panicked outside a connection's work")),
        };
        // Fails only when the server was dropped: no one waits for it then.
        drop(ending.send(ended));
    })
}

pub(super) fn spawn_workers(
    shared: &SharedParts,
    queues: Vec<Receiver<Job>>,
    room: &Arc<JobRoom>,
    reactor_count: usize,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let spawn = |(index, queue)| {
        let worker = shared.worker(index, queue, Arc::clone(room), reactor_count);
        std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || worker.run())
    };
    queues.into_iter().enumerate().map(spawn).collect()
}

/// The thread that does what other nodes ask of this one, where there may be some.
///
/// # Errors
/// The system has no thread.
pub(super) fn spawn_cluster(
    shared: &SharedParts,
    told: Option<Receiver<Operation>>,
    reload: Reload,
) -> std::io::Result<Option<JoinHandle<()>>> {
    let Some(told) = told else { return Ok(None) };
    let operations = shared.operations(reload, None);
    let work = move || {
        for operation in &told {
            // What it finds here is logged; whoever asked is answered by the node that was asked.
            let answer = operations.perform(&operation, wall_ms(SystemTime::now()) / 1000);
            if let Answer::Refused(refusal) = answer {
                log::warn!(event = "control_refused"; "another node asked for something that this one refuses: {}", refusal.message);
            }
        }
    };
    std::thread::Builder::new().name("cluster".to_owned()).spawn(work).map(Some)
}

pub(super) fn spawn_control(
    shared: &SharedParts,
    secured: &Arc<Secured>,
) -> std::io::Result<(Sender<()>, JoinHandle<()>)> {
    let (hub, journal, started) = (Arc::clone(&shared.hub), Arc::clone(&shared.journal), shared.started);
    let secured = Arc::clone(secured);
    // Nothing is sent on it: the wait ends early when the server drops its end.
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        while stopped.recv_timeout(SWEEP_EVERY) == Err(RecvTimeoutError::Timeout) {
            let now = Instant::now();
            hub.sweep(now);
            secured.look(now);
            journal.report(started.elapsed().as_millis() as u64);
        }
        journal.report_all();
    })?;
    Ok((stop, thread))
}
