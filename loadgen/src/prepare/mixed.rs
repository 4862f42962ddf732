//! Groups of connections out of a TOML file.

use super::values;
use crate::cli::RunArgs;
use crate::grammar::{self, BadText, GroupSpec, Scenario, Value};
use crate::plan::{Flow, Group, Payloads, Ramp, Route, Slow, Task};
use toml::Spanned;

/// What a group's connections can do.
const VERBS: [&str; 5] = ["echo", "subscribe", "publish", "idle", "handshake"];

/// The groups of the file that `--scenario` names.
pub(super) fn groups(args: &RunArgs) -> Result<Vec<Group>, String> {
    let path = args.scenario.as_ref().ok_or("mixed needs the file of its scenario: --scenario FILE")?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let wrong = |error: String| format!("{}: {error}", path.display());
    let scenario = Scenario::read(&text).map_err(wrong)?;
    let groups: Result<Vec<Group>, String> = scenario.group.iter().map(|spec| File(&text).group(spec)).collect();
    let groups = groups.map_err(wrong)?;
    let publishing = groups.iter().filter(|group| matches!(group.task, Task::Publish { .. })).count();
    if publishing > 1 {
        return Err(wrong("only one group can publish: give it more connections".to_owned()));
    }
    Ok(groups)
}

/// The text of a file, for telling lines.
struct File<'a>(&'a str);

impl File<'_> {
    fn group(&self, spec: &GroupSpec) -> Result<Group, String> {
        let connections = self.value("connections", &spec.connections, grammar::count)?;
        let opening = spec.opening.as_ref().map(|value| self.value("opening", value, grammar::ramp)).transpose()?;
        let start = spec.start.as_ref().map(|value| self.text("start", value)).transpose()?.unwrap_or_default();
        let lifetime = spec.lifetime.as_ref().map(|value| self.text("lifetime", value)).transpose()?;
        let slow = spec.slow.map(|share| {
            let rate =
                spec.read_rate.as_ref().map(|value| self.value("read_rate", value, grammar::size)).transpose()?;
            Ok::<Slow, String>(Slow { share: share.clamp(0.0, 1.0), bytes_per_second: rate.unwrap_or(0) as u64 })
        });
        let slow = slow.transpose()?;
        let task = self.task(spec)?;
        Ok(Group {
            name: spec.name.clone(),
            connections,
            task,
            signs_in: false,
            opening,
            start,
            slow,
            lifetime,
            outage: None,
        })
    }

    fn task(&self, spec: &GroupSpec) -> Result<Task, String> {
        match spec.verb.get_ref().as_str() {
            "echo" => Ok(Task::Echo { flow: self.flow(spec)?, payloads: self.payloads(spec, 20)? }),
            "subscribe" => Ok(Task::Subscribe),
            "publish" => {
                let route = if spec.http { Route::Http { pipeline: 1 } } else { Route::Socket };
                Ok(Task::Publish { flow: self.flow(spec)?, payloads: self.payloads(spec, 128)?, route })
            }
            "idle" => Ok(Task::Idle),
            "handshake" => Ok(Task::Handshake),
            other => {
                let line = Scenario::line(self.0, &spec.verb.span());
                let nearest =
                    VERBS.into_iter().min_by_key(|verb| strsim::damerau_levenshtein(other, verb)).unwrap_or("echo");
                Err(format!(
                    "line {line}: there is no verb `{other}` (did you mean `{nearest}`?): there are {}",
                    VERBS.join(", ")
                ))
            }
        }
    }

    fn flow(&self, spec: &GroupSpec) -> Result<Flow, String> {
        match (&spec.rate, spec.depth) {
            (Some(_), Some(_)) => Err(format!("group `{}`: rate and depth exclude each other", spec.name)),
            (_, Some(0)) => Err(format!("group `{}`: depth is at least 1", spec.name)),
            (_, Some(depth)) => Ok(Flow::Closed { depth }),
            (Some(rate), None) => self.value("rate", rate, grammar::ramp).map(Flow::Open),
            (None, None) => Ok(Flow::Open(Ramp::constant(100.0))),
        }
    }

    fn payloads(&self, spec: &GroupSpec, default: usize) -> Result<Payloads, String> {
        let sizes = spec.size.as_ref().map(|value| self.value("size", value, grammar::sizes)).transpose()?;
        Ok(Payloads::Sizes(sizes.unwrap_or_else(|| crate::plan::Sizes::fixed(default))))
    }

    fn value<T>(
        &self,
        key: &str,
        value: &Spanned<Value>,
        read: impl Fn(&str) -> Result<T, BadText>,
    ) -> Result<T, String> {
        values::option(&format!("line {}: {key}", Scenario::line(self.0, &value.span())), read(&value.get_ref().text()))
    }

    fn text(&self, key: &str, value: &Spanned<String>) -> Result<std::time::Duration, String> {
        let line = Scenario::line(self.0, &value.span());
        values::option(&format!("line {line}: {key}"), grammar::duration(value.get_ref()))
    }
}
