//! Running until a signal: SIGHUP reloads, SIGUSR2 says that the server is not ready, the first of the others drains, the second
//! ends at once.

use super::Server;
use super::bound::HeldSocket;
use super::doors::Doors;
use super::handover::{Desk, Line};
use crate::handoff::order::{Drain, Order};
use crate::metrics::Phase;
use crate::reactor::Drained;
use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;
use std::sync::Arc;
use std::time::Duration;

/// Signals whose default action would end the process at once, without a drain, although they mean something else: a
/// terminal that closed, reopened logs, a timer, a log that met the limit of file sizes. Signals of a broken
/// process (SIGQUIT, SIGABRT, SIGSEGV and the like) keep their meaning, which is a core dump. SIGPIPE is none of them, since a Rust
/// program ignores it from its start: a handler of it that wrote to a pipe which nobody reads any more would never come to an end.
const HARMLESS: [i32; 6] = [SIGUSR1, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGXFSZ];

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

/// Done when a drain begins.
type Begin = Box<dyn FnOnce() + Send>;

/// SIGTERM and SIGINT, and the signals that do nothing here, caught from [`Interrupts::install`] on.
pub struct Interrupts {
    signals: Signals,
    before_drain: Begin,
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
        let (mut desk, handed_over) = self.open_desk();
        let outcome = self.wait(&received, (handed_over, &mut desk), before_drain);
        // Its file goes.
        drop(desk);
        // Ends `forever`, for which the join below waits.
        handle.close();
        if listening.join().is_err() {
            log::error!(event = "thread_panicked"; "the signal thread panicked");
        }
        // Takes the handlers away: nobody reads what they write any more.
        drop(handle);
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

    /// Answers the server that is to take this one's place, on a thread that ends with the process.
    fn open_desk(&self) -> (Option<HeldSocket>, Receiver<Line>) {
        let path = self.running.handover();
        let opened = path.map(|path| Desk::open(&path).map_err(|error| (path, error)));
        let (desk, file) = match opened {
            Some(Ok(opened)) => opened,
            Some(Err((path, error))) => {
                let path = path.display();
                log::warn!(event = "no_handover"; "no other server can take this one's place at {path}: {error}");
                self.running.change_doors(Doors::keep_nothing);
                return (None, crossbeam_channel::never());
            }
            None => return (None, crossbeam_channel::never()),
        };
        let (sender, handed_over) = crossbeam_channel::bounded(1);
        // Not held: the thread waits for as long as the process lives.
        let running = Arc::downgrade(&self.running);
        let sockets = move || running.upgrade().map_or_else(|| Ok(Vec::new()), |running| running.doors(Doors::sockets));
        let answer = move || {
            let line = desk.serve(sockets);
            // Closed before the other server opens its own.
            drop(desk);
            // Fails when the server ends, and with it this one's wait.
            drop(sender.send(line));
        };
        match std::thread::Builder::new().name("handover".to_owned()).spawn(answer) {
            Ok(_) => (Some(file), handed_over),
            Err(_) => (None, crossbeam_channel::never()),
        }
    }

    /// Another server accepts on the same sockets: this one stops to, and drains.
    fn hand_over(&self, line: &Line) {
        log::info!(event = "handed_over"; "another server has the listening sockets and accepts; this one drains");
        self.running.change_doors(Doors::leave_files);
        self.begin_drain(Drain { delay: Duration::ZERO, hands_over: true, ..self.running.drain() });
        line.say_draining();
    }

    /// Does what a signal asks for; true when the server is to end at once. `begin` is gone once it drains.
    fn obey(&self, signal: Option<i32>, begin: &mut Option<Begin>) -> bool {
        match signal {
            Some(SIGHUP) if begin.is_none() => log_ignored(SIGHUP),
            // What came of it is in the log.
            Some(SIGHUP) => drop(self.running.reload()),
            Some(SIGUSR2) => self.leave(),
            // None means that the thread for signals is gone: no second one could end a drain.
            _ => match signal.and(begin.take()) {
                Some(begin) => {
                    begin();
                    let drain = self.running.drain();
                    let Drain { delay, timeout, .. } = drain;
                    log::info!(
                        event = "draining";
                        "draining in {delay:?}, for at most {timeout:?}; a second signal ends at once"
                    );
                    self.begin_drain(drain);
                }
                None => return true,
            },
        }
        false
    }

    fn wait(
        &self,
        signals: &Receiver<i32>,
        (mut handed_over, desk): (Receiver<Line>, &mut Option<HeldSocket>),
        begin: Begin,
    ) -> Outcome {
        let (mut begin, mut drained, mut running) = (Some(begin), Drained::default(), self.reactors.len());
        let mut outcome = Outcome::Drained;
        while running > 0 {
            crossbeam_channel::select! {
                recv(signals) -> signal => {
                    if self.obey(signal.ok(), &mut begin) {
                        return Outcome::Forced;
                    }
                }
                recv(handed_over) -> line => {
                    // Once: its other end is gone now.
                    handed_over = crossbeam_channel::never();
                    if let Ok(line) = line && let Some(begin) = begin.take() {
                        begin();
                        // The other server makes its own there.
                        desk.take().into_iter().for_each(std::mem::forget);
                        self.hand_over(&line);
                    }
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

/// Logs that a signal did nothing; not for a full file, which the error of the write reports.
fn log_ignored(signal: i32) {
    if signal != SIGXFSZ {
        let name = signal_name(signal).unwrap_or("a signal");
        log::info!(event = "signal_ignored", signal = name; "{name} does nothing here; SIGTERM drains and ends");
    }
}
