//! Running until a signal: SIGHUP reloads, SIGUSR2 says that the server is not ready, the first of the others drains, the second
//! ends at once.

use super::Server;
use crate::handoff::order::{Drain, Order};
use crate::metrics::Phase;
use crate::reactor::Drained;
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPIPE, SIGPROF, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXFSZ,
};
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;

/// Signals whose default action would end the process at once, without a drain, although they mean something else: a
/// terminal that closed, reopened logs, a timer, a log that met the limit of file sizes. Signals of a broken
/// process (SIGQUIT, SIGABRT, SIGSEGV and the like) keep their meaning, which is a core dump.
const HARMLESS: [i32; 7] = [SIGUSR1, SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGXFSZ];

/// How a server that ran until a signal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every connection had received everything before the drain's time was over.
    Drained,
    /// This many connections were cut off at the end of the drain before they had received everything.
    CutOff(usize),
    /// A second signal asked to end at once.
    Forced,
    /// A reactor failed.
    Failed,
}

/// SIGTERM and SIGINT, and the signals that do nothing here, caught from [`Interrupts::install`] on.
pub struct Interrupts {
    signals: Signals,
    before_drain: Box<dyn FnOnce() + Send>,
}

impl Interrupts {
    /// Catches the signals that ask a server to end, and those that must not end it.
    ///
    /// # Errors
    /// Signal handlers cannot be installed.
    pub fn install() -> std::io::Result<Interrupts> {
        Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR2].iter().chain(&HARMLESS))
            .map(|signals| Interrupts { signals, before_drain: Box::new(|| ()) })
    }

    /// Has something done when a signal begins the drain.
    #[must_use]
    pub fn before_drain(self, act: impl FnOnce() + Send + 'static) -> Interrupts {
        Interrupts { before_drain: Box::new(act), ..self }
    }
}

impl Server {
    /// Runs until a signal, then drains within the configuration's `drain_timeout`; a second signal ends at once.
    ///
    /// # Errors
    /// No thread can be started to wait for signals.
    pub fn run_until(mut self, interrupts: Interrupts) -> std::io::Result<Outcome> {
        let Interrupts { mut signals, before_drain } = interrupts;
        let handle = signals.handle();
        let (sender, received) = crossbeam_channel::unbounded();
        let listening = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                if HARMLESS.contains(&signal) {
                    log_ignored(signal);
                } else if sender.send(signal).is_err() {
                    return;
                }
            }
        })?;
        let outcome = self.wait(&received, before_drain);
        // Ends `forever`, for which the join below waits.
        handle.close();
        if listening.join().is_err() {
            log::error!(event = "thread_panicked"; "the signal thread panicked");
        }
        if outcome == Outcome::Forced {
            // Its threads end with the process. To drop the server would wait for them, which a second signal forbids.
            self.operator_key.remove();
            self.running.doors(|doors| doors.remove_files());
            std::mem::forget(self);
        } else {
            self.join();
        }
        Ok(outcome)
    }

    /// The server is not ready any more, and goes on serving: load balancers send it no new clients.
    fn leave(&self) {
        log::info!(event = "leaving"; "SIGUSR2: /readyz is 503 from now on, and everything else is served; SIGTERM drains and ends");
        self.phase.reach(Phase::Leaving);
        self.inside.mailboxes.order_all(&Order::Leave);
    }

    fn reload_by_signal(&self, draining: bool) {
        if draining {
            return log_ignored(SIGHUP);
        }
        // What came of it is in the log.
        drop(self.running.reload());
    }

    fn wait(&self, signals: &crossbeam_channel::Receiver<i32>, before_drain: Box<dyn FnOnce() + Send>) -> Outcome {
        let mut before_drain = Some(before_drain);
        let (mut draining, mut drained, mut running) = (false, Drained::default(), self.reactors.len());
        let mut outcome = Outcome::Drained;
        while running > 0 {
            crossbeam_channel::select! {
                recv(signals) -> signal => {
                    if signal == Ok(SIGHUP) {
                        self.reload_by_signal(draining);
                        continue;
                    }
                    if signal == Ok(SIGUSR2) {
                        self.leave();
                        continue;
                    }
                    // An error means that the thread for signals is gone: no second one could end a drain.
                    if draining || signal.is_err() {
                        return Outcome::Forced;
                    }
                    draining = true;
                    if let Some(act) = before_drain.take() {
                        act();
                    }
                    let drain = self.running.drain();
                    let Drain { delay, timeout, .. } = drain;
                    log::info!(
                        event = "draining";
                        "draining in {delay:?}, for at most {timeout:?}; a second signal ends at once"
                    );
                    self.begin_drain(drain);
                }
                recv(self.ended) -> ended => {
                    running -= 1;
                    match ended {
                        Ok(Ok(own)) => {
                            drained.left += own.left;
                            drained.cut += own.cut;
                            drained.owed += own.owed;
                        }
                        Ok(Err(problem)) => {
                            log::error!(event = "reactor_failed"; "{problem}");
                            // The others end too: the hub still counts the interest of this one's subscribers, and
                            // publications would wait for room in a mailbox that is never emptied.
                            outcome = Outcome::Failed;
                            self.begin_drain(Drain::AT_ONCE);
                        }
                        Err(_) => return Outcome::Failed,
                    }
                }
            }
        }
        let Drained { left, cut, owed } = drained;
        log::info!(
            event = "drained", drained = left, cut, owed;
            "drained {left} connections, cut {cut}, {owed} of them before they had everything"
        );
        if outcome == Outcome::Drained && owed > 0 { Outcome::CutOff(owed) } else { outcome }
    }
}

/// Logs that a signal did nothing; not for a closed pipe or a full file, which the write's own error reports.
fn log_ignored(signal: i32) {
    if signal != SIGPIPE && signal != SIGXFSZ {
        let name = signal_name(signal).unwrap_or("a signal");
        log::info!(event = "signal_ignored", signal = name; "{name} does nothing here; SIGTERM drains and ends");
    }
}
