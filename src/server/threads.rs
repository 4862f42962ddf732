//! Starts the threads of a server, each with its name.

use super::Ended;
use super::parts::SharedParts;
use super::secured::Secured;
use crate::handoff::job::{Job, JobRoom};
use crate::handoff::others::FromThere;
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

/// The thread that does what other nodes want of this one, where there may be some.
///
/// # Errors
/// The system has no thread.
pub(super) fn spawn_cluster(
    shared: &SharedParts,
    from_there: Option<Receiver<FromThere>>,
    reload: Reload,
) -> std::io::Result<Option<JoinHandle<()>>> {
    let Some((from_elsewhere, from_there)) = shared.elsewhere(reload).zip(from_there) else { return Ok(None) };
    let work = move || from_elsewhere.run(from_there, || wall_ms(SystemTime::now()) / 1000);
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
