//! Requests on their way: executed here at once, parsed by a worker, kept until there is room, or sent to an engine together.

use super::core::Core;
use crate::connection::{Hold, Payload};
use crate::handoff::job::Job;
use crate::model::ids::ConnId;
use crate::node::execute::{Progress, execute};
use crate::node::gate::{ask_hooks, limit};
use crate::node::work::Work;
use crate::protocol::task::{RawWork, Reading};

/// Requests of one connection that go to an engine together.
pub(super) struct Gathered {
    work: Box<Work>,
    /// Whether the next may become one of them.
    pub(super) takes_more: bool,
}

impl Core {
    /// Executes work for the hub, here or on a worker. Returns how many answers will come from this thread, and what the
    /// connection waits for before it is read on.
    pub(super) fn submit(&mut self, to: ConnId, raw: RawWork<Payload<'_>>) -> (usize, Hold) {
        let mut gathered = None;
        let submitted = self.submit_next(to, raw, &mut gathered);
        self.depart_alone(submitted, gathered)
    }

    /// The same for one of several requests that a connection has sent: a publication that goes to an engine stays in `gathered`,
    /// and what follows it goes with it, since an engine places many in the time of one. What is gathered is to [depart](Core::depart).
    pub(super) fn submit_next(
        &mut self,
        to: ConnId,
        raw: RawWork<Payload<'_>>,
        gathered: &mut Option<Gathered>,
    ) -> (usize, Hold) {
        if let Some(gathered) = gathered {
            return self.gather(to, raw, gathered);
        }
        let is_long = raw.payload.as_ref().len() >= self.setup.inline_parse_bytes && !raw.task.is_parsed();
        // Parsing a long payload would keep all other connections waiting.
        if is_long {
            return self.submit_to_pool(to, raw);
        }
        let work = self.parse(to, raw);
        self.submit_parsed(work, gathered)
    }

    /// However long it is: a worker would be overtaken by what is gathered, or overtake it.
    #[cold]
    fn gather(&mut self, to: ConnId, raw: RawWork<Payload<'_>>, gathered: &mut Gathered) -> (usize, Hold) {
        let work = self.parse(to, raw);
        let answers = work.remaining();
        gathered.takes_more = gathered.work.gather(work);
        (answers, Hold::No)
    }

    /// Sends what was gathered to the engine.
    #[cold]
    pub(super) fn depart(&mut self, Gathered { mut work, .. }: Gathered) {
        work.depart(self.setup.node());
        self.send_away(work);
    }

    /// Reads requests here, and refuses what limits and hooks do not let by.
    #[inline(always)]
    fn parse(&mut self, to: ConnId, raw: RawWork<Payload<'_>>) -> Work {
        // Whoever watches the count must not move it.
        if !raw.task.is_page() {
            self.setup.counters.parsed_inline.add(1);
        }
        let mut work = raw.prepare(to, &mut Reading { scratch: &mut self.json, settings: &self.setup.limits.protocol });
        if self.meter.in_force().requests() {
            self.limit(&mut work);
        }
        ask_hooks(&mut work, &self.setup.limits.hooks, &self.setup.rules.channels);
        work
    }

    #[cold]
    fn limit(&self, work: &mut Work) {
        if let Some(limited) = self.meter.limited() {
            limit(work, &self.setup.limits.limiter, &self.setup.rules.channels, limited);
        }
    }

    /// The same for what is parsed.
    #[cfg(test)]
    pub(super) fn submit_work(&mut self, work: Work) -> (usize, Hold) {
        let mut gathered = None;
        let submitted = self.submit_parsed(work, &mut gathered);
        self.depart_alone(submitted, gathered)
    }

    #[inline(always)]
    fn submit_parsed(&mut self, mut work: Work, gathered: &mut Option<Gathered>) -> (usize, Hold) {
        let answers = work.remaining();
        let hold = if work.holds_back() { Hold::Answers } else { Hold::No };
        // Almost all work is done at once: it is not moved before it is known to go on later.
        match self.execute(&mut work) {
            Progress::Done => (answers, hold),
            Progress::Away if work.gathers() => {
                *gathered = Some(Gathered { work: Box::new(work), takes_more: true });
                (answers, Hold::No)
            }
            progress => {
                self.go_on_later(Box::new(work), progress);
                (answers, Hold::Elsewhere)
            }
        }
    }

    fn depart_alone(&mut self, submitted: (usize, Hold), gathered: Option<Gathered>) -> (usize, Hold) {
        let Some(gathered) = gathered else { return submitted };
        self.depart(gathered);
        (submitted.0, Hold::Elsewhere)
    }

    /// Executes what is left of parsed work; true when it goes on later.
    pub(super) fn run(&mut self, mut work: Box<Work>) -> bool {
        let progress = self.execute(&mut work);
        self.go_on_later(work, progress);
        progress != Progress::Done
    }

    fn execute(&mut self, work: &mut Work) -> Progress {
        execute(work, self.setup.node(), &self.setup.postman, self.now, self.wall_ms)
    }

    /// Parks work that has to wait for room, and sends away what is answered elsewhere.
    #[cold]
    fn go_on_later(&mut self, work: Box<Work>, progress: Progress) {
        match progress {
            Progress::Done => {}
            Progress::Blocked => self.park_work(work),
            Progress::Away => self.send_away(work),
        }
    }

    fn submit_to_pool(&mut self, to: ConnId, raw: RawWork<Payload<'_>>) -> (usize, Hold) {
        let RawWork { task, payload, identity } = raw;
        let payload = match payload {
            Payload::Owned(bytes) => bytes,
            Payload::Borrowed(bytes) => {
                let mut buffer = self.job_buffers.pop().unwrap_or_default();
                buffer.extend_from_slice(bytes);
                buffer
            }
        };
        let raw = RawWork { task, payload, identity };
        // A full pool delays the work and drops nothing: it was read, and is answered (law 2).
        if let Err(job) = self.setup.jobs.submit(Job::Work { to, raw, limited: self.meter.limited() }) {
            self.setup.counters.pool_full.add(1);
            self.park_job(job);
        }
        // None for now: how many answers it has is known when it is parsed.
        (0, Hold::Elsewhere)
    }
}
