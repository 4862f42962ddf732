//! What one thread counts and times, in windows of a second that are handed over whole.

use crate::clock::{self, Nanos, SECOND};
use crate::message::{Counts, Distribution, Phase, Series, WindowReport};
use std::collections::BTreeMap;

/// How many different error texts are counted separately; the rest is counted together.
const ERROR_TEXTS: usize = 50;

/// Counts and times of one thread.
#[derive(Debug)]
pub(super) struct Recorder {
    /// What is counted in the current window.
    pub(super) counts: Counts,
    /// By series: there are several records per message, and a tree would cost more than they do.
    distributions: [Option<Box<Distribution>>; Series::ALL.len()],
    /// Errors of the whole run by their text.
    pub(super) errors: BTreeMap<String, u64>,
    /// Which times count: of messages that were meant to leave in this span.
    counted: (Nanos, Nanos),
    phase: Phase,
    begin: Nanos,
    cpu: Nanos,
    /// Of that CPU time, what went into asking for events that were not there.
    idled: Nanos,
}

impl Recorder {
    /// Begins at a time, before there is traffic.
    pub(super) fn new(now: Nanos) -> Recorder {
        Recorder {
            counts: Counts::default(),
            distributions: Default::default(),
            errors: BTreeMap::new(),
            counted: (Nanos::MAX, Nanos::MAX),
            phase: Phase::Opening,
            begin: now,
            cpu: clock::thread_cpu(),
            idled: 0,
        }
    }

    /// Says which messages count, once traffic is about to begin.
    pub(super) fn count_between(&mut self, begin: Nanos, end: Nanos) {
        self.counted = (begin, end);
    }

    /// No message that is meant to leave from now on counts.
    pub(super) fn count_until(&mut self, end: Nanos) {
        self.counted.1 = self.counted.1.min(end);
    }

    /// Takes note of a latency of a message that was meant to leave at `intended`.
    pub(super) fn time(&mut self, series: Series, intended: Nanos, latency: Nanos) {
        if (self.counted.0..self.counted.1).contains(&intended) {
            self.time_anyway(series, latency);
        }
    }

    /// Takes note of a latency in whatever phase it is.
    pub(super) fn time_anyway(&mut self, series: Series, latency: Nanos) {
        self.distributions[series as usize].get_or_insert_default().record(latency);
    }

    /// Counts an error.
    pub(super) fn error(&mut self, text: &str) {
        self.counts.errors += 1;
        // Texts come from the server, which may make each of them new.
        let known = self.errors.contains_key(text) || self.errors.len() < ERROR_TEXTS;
        let text = if known { text } else { "further errors of other kinds" };
        *self.errors.entry(text.to_owned()).or_default() += 1;
    }

    /// When the current window has to end at the latest: at whole seconds since counting began, which are the same on
    /// all threads, and where the phase changes.
    pub(super) fn window_end(&self) -> Nanos {
        let (origin, last) = self.counted;
        match self.phase {
            Phase::Opening => self.begin + SECOND,
            Phase::Warmup if self.begin < origin => origin - (origin - self.begin - 1) / SECOND * SECOND,
            Phase::Warmup | Phase::Measure | Phase::Drain => {
                let next = origin + (self.begin.saturating_sub(origin) / SECOND + 1) * SECOND;
                if self.begin < last { next.min(last) } else { next }
            }
        }
    }

    /// Takes note of time in which there was nothing to do but ask.
    pub(super) fn idle(&mut self, time: Nanos) {
        self.idled += time;
    }

    fn take_distributions(&mut self) -> BTreeMap<Series, Distribution> {
        let taken = Series::ALL.into_iter().map(|series| (series, self.distributions[series as usize].take()));
        taken.filter_map(|(series, distribution)| Some((series, *distribution?))).collect()
    }

    /// Ends the current window and begins the next, in the phase that it is by now.
    pub(super) fn turn(&mut self, now: Nanos, connections: u64, traffic: bool) -> WindowReport {
        let cpu = clock::thread_cpu();
        let report = WindowReport {
            phase: self.phase,
            begin: self.begin,
            end: now,
            connections,
            counts: std::mem::take(&mut self.counts),
            distributions: self.take_distributions(),
            cpu: (cpu - self.cpu).saturating_sub(std::mem::take(&mut self.idled)),
        };
        (self.begin, self.cpu) = (now, cpu);
        self.phase = match self.counted {
            _ if !traffic => Phase::Opening,
            (begin, _) if now < begin => Phase::Warmup,
            (_, end) if now < end => Phase::Measure,
            _ => Phase::Drain,
        };
        report
    }
}

#[cfg(test)]
mod tests {
    use super::{Recorder, SECOND};
    use crate::message::{Phase, Series};

    #[test]
    fn only_what_was_meant_to_leave_while_it_counts_is_timed() {
        let mut recorder = Recorder::new(0);
        recorder.count_between(2 * SECOND, 4 * SECOND);
        assert_eq!(recorder.turn(SECOND, 0, true).phase, Phase::Opening);
        for (intended, latency) in [(SECOND, 1), (2 * SECOND, 2), (4 * SECOND - 1, 3), (4 * SECOND, 4)] {
            recorder.time(Series::Response, intended, latency * 1_000_000);
        }
        let report = recorder.turn(2 * SECOND, 0, true);
        assert_eq!((report.phase, report.distributions[&Series::Response].count()), (Phase::Warmup, 2));
        assert_eq!(recorder.turn(3 * SECOND, 0, true).phase, Phase::Measure);
        assert_eq!(recorder.window_end(), 4 * SECOND);
        recorder.turn(3 * SECOND + SECOND / 3, 0, true);
        assert_eq!(recorder.window_end(), 4 * SECOND, "a window that began late is shorter");
        assert_eq!(recorder.turn(4 * SECOND, 0, true).phase, Phase::Measure);
        assert_eq!(recorder.turn(5 * SECOND, 0, true).phase, Phase::Drain);
    }

    #[test]
    fn errors_of_too_many_kinds_are_counted_together() {
        let mut recorder = Recorder::new(0);
        (0..1000).for_each(|n| recorder.error(&format!("error {n}")));
        assert_eq!(
            (recorder.counts.errors, recorder.errors.len(), recorder.errors.values().sum::<u64>()),
            (1000, 51, 1000)
        );
    }
}
