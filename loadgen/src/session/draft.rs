//! What a result is made of: the plan, what the threads reported, and what was seen.

use super::watch::Watch;
use crate::cli::RunArgs;
use crate::clock;
use crate::fleet::Collected;
use crate::message::{Counts, Phase};
use crate::plan::{Flow, Plan, Task};
use crate::prepare::Prepared;
use crate::scenario::Kind;

/// What a result is made of.
pub(super) struct Draft<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) args: &'a RunArgs,
    pub(super) collected: Collected,
    pub(super) watch: Watch,
}

impl Draft<'_> {
    pub(super) fn plan_of(&self) -> &Plan {
        &self.prepared.plan
    }

    /// What was counted while it measured.
    pub(super) fn counted(&self) -> Counts {
        self.collected.counts.get(&Phase::Measure).copied().unwrap_or_default()
    }

    /// How long it counted: the time of the threads, which end together.
    pub(super) fn seconds(&self) -> f64 {
        clock::seconds(self.collected.busy.values().map(|(_, time)| *time).max().unwrap_or(0))
    }

    pub(super) fn is_short(&self) -> bool {
        let ended = self.plan_of().count.is_none() && self.collected.unopened.is_empty();
        ended && self.seconds() < self.plan_of().duration.as_secs_f64() - 0.5
    }

    pub(super) fn is_closed(&self) -> bool {
        self.plan_of().groups.iter().any(|group| {
            matches!(
                group.task,
                Task::Echo { flow: Flow::Closed { .. }, .. } | Task::Publish { flow: Flow::Closed { .. }, .. }
            )
        })
    }

    /// What arrived while it measured, each message once; of a storm, the connections.
    pub(super) fn answered(&self) -> u64 {
        let counted = self.counted();
        if self.prepared.kind == Kind::Storm { counted.opened } else { counted.answered }
    }

    /// What the server did while it measured: messages delivered or echoed, or else connections opened.
    pub(super) fn work(&self, counted: &Counts) -> u64 {
        if self.prepared.kind == Kind::Storm { counted.opened } else { counted.received }
    }
}
