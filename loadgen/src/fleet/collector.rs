//! Puts together what the threads report.

use crate::clock::{Nanos, SECOND};
use crate::message::{
    Counts, Distribution, Gather, Ledger, OFFSET_UNIT, Phase, Report, Series, SpreadReport, WindowReport,
};
use crate::plan::Plan;
use std::collections::{BTreeMap, HashMap};

/// Everything that the threads reported.
#[derive(Debug, Default)]
pub struct Collected {
    /// What was counted, by part of the run.
    pub counts: BTreeMap<Phase, Counts>,
    /// What was timed and counts.
    pub distributions: BTreeMap<Series, Distribution>,
    /// Seconds since counting began, and what happened in each.
    pub windows: BTreeMap<i64, SeriesWindow>,
    /// What became of all messages.
    pub ledger: Ledger,
    /// Usable connections, by thread.
    pub connections: BTreeMap<u64, u64>,
    /// CPU time and length of what was measured, by thread.
    pub busy: BTreeMap<u64, (Nanos, Nanos)>,
    /// Publications in each sequence.
    pub published: Vec<u64>,
    /// Groups none of whose connections could be opened: their places among the groups of the plan.
    pub unopened: Vec<usize>,
    /// What went wrong with threads.
    pub failures: Vec<String>,
}

/// What all threads did in a second.
#[derive(Debug, Clone, Default)]
pub struct SeriesWindow {
    /// In which part of the run.
    pub phase: Option<Phase>,
    /// Its length.
    pub length: Nanos,
    /// Usable connections at its end, by thread.
    pub connections: BTreeMap<u64, u64>,
    /// What was counted.
    pub counts: Counts,
    /// What was timed.
    pub distributions: BTreeMap<Series, Distribution>,
    /// The share of it that the busiest thread was on a CPU.
    pub busiest: f64,
}

/// Puts together what the threads report.
pub struct Collector {
    threads: u64,
    opened: u64,
    /// Connections of the groups that are opened before traffic begins, that are open.
    open_in: Vec<u64>,
    /// Which of the groups that is, and how many connections each of all groups has; bad clients have none.
    groups: Vec<(bool, u64)>,
    sent: u64,
    done: u64,
    counted: Option<(Nanos, Nanos)>,
    receivers: Box<dyn Fn(u32) -> u64 + Send>,
    spreads: HashMap<(u32, u64), SpreadReport>,
    /// What there is so far.
    pub collected: Collected,
}

impl Collector {
    /// For the threads of a plan.
    #[must_use]
    pub fn new(plan: &Plan, threads: u64) -> Collector {
        let (naming, readers) = (plan.naming.clone(), plan.receivers_in_all());
        let receivers = move |stream: u32| naming.receivers_of(stream, readers);
        Collector {
            threads,
            opened: 0,
            open_in: vec![0; plan.groups.len()],
            groups: plan.groups.iter().map(|group| (group.is_early(), group.wanted())).collect(),
            sent: 0,
            done: 0,
            counted: None,
            receivers: Box::new(receivers),
            spreads: HashMap::new(),
            collected: Collected { published: vec![0; plan.streams as usize], ..Collected::default() },
        }
    }

    /// Says which messages count.
    pub fn count_between(&mut self, begin: Nanos, end: Nanos) {
        self.counted = Some((begin, end));
    }

    /// Takes a report in.
    pub fn take(&mut self, thread: u64, report: Report) {
        match report {
            Report::Opened(open) => {
                self.opened += 1;
                self.open_in.iter_mut().zip(open).for_each(|(sum, part)| *sum += part);
            }
            Report::Window(window) => self.window(thread, &window),
            Report::Spread(spread) => self.spread(spread),
            Report::Sent(published) => {
                self.sent += 1;
                self.collected.published.iter_mut().zip(published).for_each(|(sum, part)| *sum += part);
            }
            Report::Done(ledger) => {
                self.done += 1;
                self.collected.ledger.gather(&ledger);
            }
            Report::Failed(text) if self.done < self.threads => self.collected.failures.push(text),
            // When all are done, a process that ends is what is expected.
            Report::Failed(_) => {}
        }
    }

    /// Whether all connections that traffic waits for are decided.
    #[must_use]
    pub fn all_opened(&self) -> bool {
        self.opened >= self.threads
    }

    /// The groups of those that traffic waits for none of whose connections could be opened: there is no point in traffic.
    #[must_use]
    pub fn unopened(&self) -> Vec<usize> {
        let groups = self.groups.iter().zip(&self.open_in).enumerate();
        let none = groups.filter(|(_, ((is_early, wanted), open))| *is_early && *wanted > 0 && **open == 0);
        none.map(|(place, _)| place).collect()
    }

    /// Whether every connection of the plan was tried, and none was ever open.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        let wanted = self.groups.iter().map(|(_, wanted)| wanted).sum::<u64>();
        let mut all = Counts::default();
        self.collected.counts.values().for_each(|counts| all.gather(counts));
        all.opened == 0 && wanted > 0 && all.refused >= wanted
    }

    /// Notes that no connection was ever open, if that is so.
    pub fn give_up_hope(&mut self) {
        if self.is_hopeless() {
            let groups = self.groups.iter().enumerate().filter(|(_, (_, wanted))| *wanted > 0);
            self.collected.unopened = groups.map(|(place, _)| place).collect();
        }
    }

    /// Whether nothing is sent any more.
    #[must_use]
    pub fn all_sent(&self) -> bool {
        self.sent >= self.threads
    }

    /// Whether everything is reported.
    #[must_use]
    pub fn all_done(&self) -> bool {
        self.done >= self.threads
    }

    /// Usable connections.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.collected.connections.values().sum()
    }

    /// Ends: publications that did not reach all receivers are counted with those that they reached.
    #[must_use]
    pub fn finish(mut self) -> Collected {
        for (_, spread) in std::mem::take(&mut self.spreads) {
            self.record_spread(spread);
        }
        self.collected
    }

    fn window(&mut self, thread: u64, window: &WindowReport) {
        let collected = &mut self.collected;
        collected.connections.insert(thread, window.connections);
        collected.counts.entry(window.phase).or_default().gather(&window.counts);
        // Only what counts is in them, whatever part of the run their window began in.
        for (series, distribution) in &window.distributions {
            collected.distributions.entry(*series).or_default().merge(distribution);
        }
        let length = window.end - window.begin;
        if window.phase == Phase::Measure {
            let (cpu, time) = collected.busy.entry(thread).or_default();
            *cpu += window.cpu;
            *time += length;
        }
        let Some((origin, _)) = self.counted.filter(|_| window.phase != Phase::Opening) else { return };
        // Rounded down and not to zero: the second before counting began is -1, or second 0 would be two.
        let at = (window.begin as i64 - origin as i64).div_euclid(SECOND as i64);
        let second = collected.windows.entry(at).or_default();
        // A second in which counting ends belongs to what counts.
        second.phase = Some(second.phase.map_or(window.phase, |phase| phase.min(window.phase)));
        second.length = second.length.max(length);
        second.connections.insert(thread, window.connections);
        second.counts.gather(&window.counts);
        second.busiest = second.busiest.max(window.cpu as f64 / length.max(1) as f64);
        for (series, distribution) in &window.distributions {
            second.distributions.entry(*series).or_default().merge(distribution);
        }
    }

    fn spread(&mut self, spread: SpreadReport) {
        let expected = (self.receivers)(spread.stream);
        if self.threads == 1 || spread.offsets.len() as u64 >= expected {
            return self.record_spread(spread);
        }
        let key = (spread.stream, spread.seq);
        let whole = self.spreads.entry(key).or_insert_with(|| SpreadReport { offsets: Vec::new(), ..spread.clone() });
        whole.offsets.extend(&spread.offsets);
        if whole.offsets.len() as u64 >= expected
            && let Some(whole) = self.spreads.remove(&key)
        {
            self.record_spread(whole);
        }
    }

    /// Records the first, the median and the last receiver of a publication that counts.
    fn record_spread(&mut self, mut spread: SpreadReport) {
        let counts = self.counted.is_some_and(|(begin, end)| (begin..end).contains(&spread.intended));
        if !counts || spread.offsets.is_empty() {
            return;
        }
        let middle = (spread.offsets.len() - 1) / 2;
        let median = *spread.offsets.select_nth_unstable(middle).1;
        let first = spread.offsets.iter().min().copied().unwrap_or(median);
        let last = spread.offsets.iter().max().copied().unwrap_or(median);
        let second =
            (spread.intended as i64 - self.counted.map_or(0, |(begin, _)| begin) as i64).div_euclid(SECOND as i64);
        for (series, offset) in [(Series::First, first), (Series::Median, median), (Series::Last, last)] {
            let latency = u64::from(offset) * OFFSET_UNIT;
            self.collected.distributions.entry(series).or_default().record(latency);
            let window = self.collected.windows.entry(second).or_default();
            window.distributions.entry(series).or_default().record(latency);
        }
    }
}
