//! The groups of connections that each scenario has.

use super::{mixed, values};
use crate::cli::{Publish, RunArgs};
use crate::grammar;
use crate::plan::{Group, Route, Task};
use crate::scenario::Kind;
use std::time::Duration;

/// The maximum number of attacking clients at a time.
const ATTACKS_AT_ONCE: u64 = 256;

/// The connections of a scenario.
///
/// # Errors
/// A text for people: which option is wrong, and why.
pub(super) fn groups(kind: Kind, args: &RunArgs) -> Result<Vec<Group>, String> {
    if kind == Kind::Mixed {
        return mixed::groups(args);
    }
    let (connections, opening) = values::connections(args)?;
    if connections == 0 {
        return Err("--connections: at least 1".to_owned());
    }
    let task = match kind {
        // As many bytes as the stamp has, which is the id of a request then.
        Kind::Auth => Task::Echo { flow: values::flow(args)?, payloads: values::payloads(args, "20")? },
        Kind::Echo | Kind::Hostile => Task::Echo { flow: values::flow(args)?, payloads: values::payloads(args, "20")? },
        Kind::Storm => Task::Handshake,
        Kind::Idle => Task::Idle,
        _ => Task::Subscribe,
    };
    let mut main = Group { opening, signs_in: kind == Kind::Auth, ..group(kind.name(), connections, task) };
    match kind {
        Kind::Churn => main.lifetime = Some(values::option("--lifetime", grammar::duration(&args.lifetime))?),
        Kind::Slow => main.slow = Some(values::slow(args)?),
        Kind::Reconnect => {
            let after = values::option("--cut-after", grammar::duration(&args.cut_after))?;
            main.outage = Some((after, values::option("--jitter", grammar::duration(&args.jitter))?));
        }
        // A push server has mostly idle connections that read a channel.
        Kind::Idle if args.adapter != "raw" => main.task = Task::Subscribe,
        _ => {}
    }
    let mut groups = vec![main];
    match kind {
        Kind::Hostile => groups.push(attackers(args)?),
        Kind::Fanout | Kind::Churn | Kind::Slow | Kind::Reconnect | Kind::Soak => groups.push(publishers(args)?),
        _ => {}
    }
    Ok(groups)
}

/// A group of connections that is opened before traffic begins.
fn group(name: &str, connections: u64, task: Task) -> Group {
    Group {
        name: name.to_owned(),
        connections,
        task,
        signs_in: false,
        opening: None,
        start: Duration::ZERO,
        slow: None,
        lifetime: None,
        outage: None,
    }
}

/// The publishers of a run.
fn publishers(args: &RunArgs) -> Result<Group, String> {
    let connections = values::option("--publishers", grammar::count(&args.publishers))?;
    if connections == 0 {
        return Err("--publishers: at least 1".to_owned());
    }
    let route = match args.publish {
        Publish::Socket => Route::Socket,
        Publish::Http => Route::Http { pipeline: args.pipeline },
    };
    Ok(group(
        "publishers",
        connections,
        Task::Publish { flow: values::flow(args)?, payloads: values::payloads(args, "128")?, route },
    ))
}

/// The bad clients of a run.
fn attackers(args: &RunArgs) -> Result<Group, String> {
    let rate = values::option("--attack-rate", grammar::rate(&args.attack_rate))?;
    Ok(group("attackers", ATTACKS_AT_ONCE, Task::Attack { rate }))
}
