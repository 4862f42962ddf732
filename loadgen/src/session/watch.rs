//! Looks at the server, the kernel and this program while a run goes on.

use super::live::Live;
use crate::cli::RunArgs;
use crate::clock::{self, Nanos, SECOND};
use crate::fleet::{Collector, Hooks, Sample};
use crate::measure::kernel::Snapshot;
use crate::measure::process::{Usage, usage};
use crate::measure::{metrics, operator, pin};
use crate::plan::Target;
use crate::prepare::Prepared;
use std::collections::BTreeMap;

/// What was seen at one moment.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) at: Nanos,
    pub(super) server: Option<Usage>,
}

/// What was seen over a run.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) pid: Option<u32>,
    metrics: Option<metrics::Page>,
    /// Before the first connection, with all connections open, and in the end.
    pub(super) server_before: Option<Usage>,
    pub(super) server_opened: Option<Usage>,
    pub(super) server_last: Option<Usage>,
    /// Where counting began and ended.
    pub(super) began: Option<Look>,
    pub(super) ended: Option<Look>,
    /// About once a second.
    pub(super) looks: Vec<Look>,
    /// Connections and the server's memory while they were opened.
    pub(super) growth: Vec<(f64, f64)>,
    pub(super) self_before: Option<Usage>,
    pub(super) self_opened: Option<Usage>,
    pub(super) most_connections: u64,
    pub(super) kernel_before: Snapshot,
    pub(super) kernel_opened: Option<Snapshot>,
    pub(super) kernel_after: Option<Snapshot>,
    pub(super) metrics_before: Option<BTreeMap<String, f64>>,
    pub(super) metrics_after: Option<BTreeMap<String, f64>>,
    pub(super) notes: Vec<String>,
    pub(super) started_unix_ms: u64,
    live: Live,
}

impl Watch {
    pub(super) fn new(prepared: &Prepared, args: &RunArgs) -> Result<Watch, String> {
        if let Some(pid) = args.pid {
            usage(pid, false).ok_or_else(|| format!("--pid: there is no process {pid}"))?;
            if !args.pin_server.is_empty() {
                pin::process(pid, &args.pin_server).map_err(|error| format!("--pin-server: {error}"))?;
            }
        }
        Ok(Watch {
            pid: args.pid,
            metrics: page(args)?,
            server_before: None,
            server_opened: None,
            server_last: None,
            began: None,
            ended: None,
            looks: Vec::new(),
            growth: Vec::new(),
            self_before: None,
            self_opened: None,
            most_connections: 0,
            kernel_before: Snapshot::take(),
            kernel_opened: None,
            kernel_after: None,
            metrics_before: None,
            metrics_after: None,
            notes: prepared.warnings.clone(),
            started_unix_ms: 0,
            live: Live::new(prepared, args.output.quiet),
        })
    }

    fn server(&self, detail: bool) -> Option<Usage> {
        self.pid.and_then(|pid| usage(pid, detail))
    }

    fn look_now(&self) -> Look {
        Look { at: clock::now(), server: self.server(false) }
    }

    /// The server's own numbers now. What cannot be had is noted once.
    fn scrape(&mut self) -> Option<BTreeMap<String, f64>> {
        match self.metrics.as_ref()?.scrape() {
            Ok(numbers) => Some(numbers),
            Err(error) => {
                let note = format!("--metrics-url: {error}");
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
                None
            }
        }
    }

    /// Whether the server's process, which is watched, was gone when counting ended.
    pub(super) fn is_server_gone(&self) -> bool {
        self.pid.is_some() && self.ended.as_ref().is_some_and(|look| look.server.is_none())
    }

    /// A look at most once a second, or twice while connections are opened.
    fn is_due(&self, interval: Nanos) -> bool {
        self.looks.last().is_none_or(|last| clock::now() - last.at >= interval)
    }
}

/// The requested page of metrics, with the key that opens it.
fn page(args: &RunArgs) -> Result<Option<metrics::Page>, String> {
    let Some(url) = &args.metrics_url else { return Ok(None) };
    let target = Target::parse(url).map_err(|error| format!("--metrics-url: {error}"))?;
    let variable = std::env::var(operator::VARIABLE).ok();
    let key = operator::key(args.operator_key_file.as_deref(), variable, &target).map_err(|error| error.to_string())?;
    metrics::Page::at(target, key).map(Some).map_err(|error| format!("--metrics-url: {error}"))
}

impl Hooks for Watch {
    fn look(&mut self, collector: &Collector, sample: Sample) {
        let connections = collector.connections();
        self.most_connections = self.most_connections.max(connections);
        match sample {
            Sample::Before => {
                self.server_before = self.server(true);
                self.self_before = usage(std::process::id(), true);
                self.metrics_before = self.scrape();
            }
            Sample::Opening if self.is_due(SECOND / 2) => {
                let server = self.server(true);
                let memory = server.as_ref().and_then(|usage| usage.pss).or(server.as_ref().map(|usage| usage.rss));
                self.growth.extend(memory.map(|memory| (connections as f64, memory as f64)));
                self.looks.push(Look { at: clock::now(), server });
            }
            Sample::Opened => {
                self.server_opened = self.server(true);
                let memory = self.server_opened.as_ref().map(|usage| usage.pss.unwrap_or(usage.rss));
                self.growth.extend(memory.map(|memory| (connections as f64, memory as f64)));
                self.self_opened = usage(std::process::id(), true);
                self.kernel_opened = Some(Snapshot::take());
            }
            Sample::CountingBegan => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                self.started_unix_ms = now.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
                let look = self.look_now();
                self.looks.push(look.clone());
                self.began = Some(look);
            }
            Sample::CountingEnded => {
                let look = self.look_now();
                self.looks.push(look.clone());
                self.ended = Some(look);
                self.server_last = self.server(true);
                self.metrics_after = self.scrape();
            }
            Sample::Running(..) if self.is_due(SECOND) => self.looks.push(self.look_now()),
            Sample::After => self.kernel_after = Some(Snapshot::take()),
            _ => {}
        }
        self.live.show(collector, sample, connections, self.looks.last().and_then(|look| look.server.as_ref()));
    }
}
