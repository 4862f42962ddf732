//! The scenarios: what each claims, and which latency it is about.

use crate::message::Series;
use crate::plan::{Group, Task};
use crate::verdict::Claim;

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages that come back.
    Echo,
    /// Publications to many.
    Fanout,
    /// Connections opened and ended.
    Storm,
    /// Connections that are there.
    Idle,
    /// Connections that are replaced.
    Churn,
    /// Some receivers read badly.
    Slow,
    /// All receivers are cut and come back.
    Reconnect,
    /// Groups out of a file.
    Mixed,
    /// Publications for long.
    Soak,
    /// Bad clients beside good ones.
    Hostile,
    /// Connections that sign in, again and again.
    Auth,
}

impl Kind {
    /// Its verb.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Echo => "echo",
            Kind::Fanout => "fanout",
            Kind::Storm => "storm",
            Kind::Idle => "idle",
            Kind::Churn => "churn",
            Kind::Slow => "slow",
            Kind::Reconnect => "reconnect",
            Kind::Mixed => "mixed",
            Kind::Soak => "soak",
            Kind::Hostile => "hostile",
            Kind::Auth => "auth",
        }
    }

    /// The latency that it is about, with these groups.
    #[must_use]
    pub fn primary(self, groups: &[Group]) -> Series {
        let any = |is: fn(&Task) -> bool| groups.iter().any(|group| is(&group.task));
        match self {
            Kind::Mixed if any(|task| matches!(task, Task::Publish { .. })) => Series::Delivery,
            Kind::Mixed if any(|task| matches!(task, Task::Echo { .. })) => Series::Response,
            Kind::Mixed => Series::Open,
            Kind::Echo | Kind::Hostile | Kind::Auth => Series::Response,
            Kind::Storm | Kind::Idle => Series::Open,
            Kind::Reconnect => Series::Recovery,
            Kind::Fanout | Kind::Churn | Kind::Slow | Kind::Soak => Series::Delivery,
        }
    }

    /// What its result claims, in the order of importance.
    #[must_use]
    pub fn claims(self, closed: bool, watched: bool, groups: &[Group]) -> Vec<Claim> {
        let mut claims = match self {
            // Groups that are only there, or only come and go.
            Kind::Mixed if self.primary(groups) == Series::Open => vec![Claim::Connections],
            Kind::Echo | Kind::Fanout | Kind::Mixed | Kind::Hostile | Kind::Auth if closed => {
                vec![Claim::Throughput, Claim::Latency, Claim::Delivery]
            }
            Kind::Echo | Kind::Fanout | Kind::Mixed | Kind::Hostile | Kind::Auth => {
                vec![Claim::Latency, Claim::Throughput, Claim::Delivery]
            }
            Kind::Slow | Kind::Soak => vec![Claim::Latency, Claim::Delivery],
            Kind::Storm => vec![Claim::Connections, Claim::Latency],
            Kind::Idle if watched => return vec![Claim::Memory, Claim::Connections],
            Kind::Idle => vec![Claim::Connections],
            Kind::Churn | Kind::Reconnect => vec![Claim::Connections, Claim::Delivery],
        };
        if watched {
            claims.push(Claim::CpuPerMessage);
        }
        claims
    }

    /// Whether it has publishers of its own.
    #[must_use]
    pub fn publishes(self) -> bool {
        matches!(self, Kind::Fanout | Kind::Churn | Kind::Slow | Kind::Reconnect | Kind::Soak)
    }
}
