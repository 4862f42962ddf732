//! From options to a plan: every value read, every contradiction told.

use super::args::{Close, Publish, RunArgs};
use super::headers::header;
use crate::adapters::{Adapter, Naming, choice};
use crate::fleet::Size;
use crate::grammar::{self, BadText, Threshold};
use crate::measure::{environment, pin};
use crate::plan::percent;
use crate::plan::{Ending, Flow, Group, Opening, Payloads, Plan, Ramp, Route, Slow, Target, Task, Trust};
use crate::random::mix;
use crate::scenario::Kind;
use crate::stamp::RUN_BITS;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How many addresses of 127.0.0.0/8 connections come from on loopback: each has ports of its own.
const LOOPBACK_SOURCES: u8 = 200;
/// The most bad clients at a time.
const MISCHIEF_AT_ONCE: u64 = 256;
/// Descriptors that are not connections.
const OTHER_DESCRIPTORS: u64 = 64;

/// A run that can begin.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What it is.
    pub kind: Kind,
    /// What to do.
    pub plan: Plan,
    /// On how many threads.
    pub size: Size,
    /// What must hold.
    pub thresholds: Vec<Threshold>,
    /// What is worth knowing before.
    pub warnings: Vec<String>,
}

/// Reads the options of a run.
///
/// # Errors
/// A text for people: which option, what is wrong with it, and what it should be.
pub fn prepare(kind: Kind, args: &RunArgs) -> Result<Prepared, String> {
    let mut target = Target::parse(&args.url).map_err(|error| error.to_string())?;
    choice::known(&args.adapter).map_err(|error| error.to_string())?;
    let options = adapter_options(kind, args, &mut target)?;
    let adapter = choice::build(&args.adapter, &options).map_err(|error| error.to_string())?;
    let naming = naming(args)?;
    let groups = kind.groups(args)?;
    for group in &groups {
        check_payloads(group)?;
    }
    check_dialect(kind, args, adapter.as_ref(), &naming, &groups)?;
    let publishers: u64 =
        groups.iter().filter(|group| matches!(group.task, Task::Publish { .. })).map(|group| group.connections).sum();
    let streams = u64::from(naming.channels).max(publishers);
    let plan = Plan {
        sources: sources(args, &target)?,
        target,
        adapter: args.adapter.clone(),
        adapter_options: options,
        streams: u32::try_from(streams).map_err(|_| "--channels: more than 4,294,967,295".to_owned())?,
        naming,
        groups,
        run: (mix(args.seed ^ crate::clock::now()) & ((1 << RUN_BITS) - 1)) as u32,
        seed: args.seed,
        warmup: option("--warmup", grammar::duration(&args.warmup))?,
        duration: option("--duration", grammar::duration(&args.duration))?,
        count: args.count.as_deref().map(|text| option("--count", grammar::count(text))).transpose()?,
        drain: option("--drain", grammar::duration(&args.drain))?,
        opening: Opening {
            most_pending: option("--most-pending", grammar::count(&args.most_pending))?,
            timeout: option("--connect-timeout", grammar::duration(&args.connect_timeout))?,
        },
        ending: if args.close == Close::Rst { Ending::Rst } else { Ending::Fin },
        headers: args.header.iter().map(|text| header(text)).collect::<Result<_, _>>()?,
        tokens: tokens(args)?,
        deflate: args.deflate,
        check_every: if args.deflate { 0 } else { args.check_every },
        pin: args.pin_self.clone(),
        busy_poll: args.busy_poll,
        trust: match &args.ca {
            _ if args.insecure => Trust::Anybody,
            Some(file) => Trust::File(file.display().to_string()),
            None => Trust::System,
        },
    };
    pin::check(&args.pin_self).map_err(|error| format!("--pin-self: {error}"))?;
    let size = size(args, &plan)?;
    let (thresholds, warnings) = (thresholds(args)?, warnings(args, &plan, size));
    Ok(Prepared { kind, plan, size, thresholds, warnings })
}

/// An option's value, or its name and what is wrong with it.
pub(crate) fn option<T>(name: &str, value: Result<T, BadText>) -> Result<T, String> {
    value.map_err(|error| format!("{name}:\n{error}"))
}

fn adapter_options(kind: Kind, args: &RunArgs, target: &mut Target) -> Result<BTreeMap<String, String>, String> {
    let mut options = BTreeMap::new();
    for text in &args.adapter_option {
        if text == "help" {
            return Err(choice::help());
        }
        let (name, value) =
            text.split_once('=').ok_or_else(|| format!("--adapter-option: `{text}` is not name=value"))?;
        options.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    // The path of the URL is where messages go in the first place.
    if let Some(path) = target.path.take() {
        let adapter = &args.adapter;
        match choice::path_option(adapter, kind.publishes()) {
            // The root is no channel, and a server that has paths of its own is at its root.
            Some("subscribe_path") | None if path == "/" && adapter != "raw" => {}
            Some(name) => drop(options.entry(name.to_owned()).or_insert(path)),
            None => {
                return Err(format!(
                    "the adapter {adapter} has paths of its own: leave `{path}` out, or choose another with --adapter (raw for a bare server)"
                ));
            }
        }
    }
    // What is typed may not all stand in a request; the place of a channel's name stays.
    for (_, path) in options.iter_mut().filter(|(name, _)| name.ends_with("path")) {
        *path = percent::path(path).replace("%7Bchannel%7D", "{channel}");
    }
    Ok(options)
}

fn naming(args: &RunArgs) -> Result<Naming, String> {
    let channels = option("--channels", grammar::count(&args.channels))?;
    let channels = u32::try_from(channels).ok().filter(|channels| *channels > 0 && *channels < 1 << 24);
    let channels = channels.ok_or("--channels: from 1 to 16,777,215")?;
    if args.subs_per_conn == 0 || args.subs_per_conn > channels {
        return Err(format!("--subs-per-conn: from 1 to the number of channels, which is {channels}"));
    }
    if let Some(wrong) =
        args.channel_prefix.chars().find(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\\'))
    {
        return Err(format!(
            "--channel-prefix: {wrong:?} may not stand in it: no space, quotation mark, backslash or control character"
        ));
    }
    // Names differ from seed to seed, so that a run does not hear what is left of another.
    Ok(Naming { prefix: args.channel_prefix.clone(), channels, per_connection: args.subs_per_conn })
}

/// What a dialect cannot do.
fn check_dialect(
    kind: Kind,
    args: &RunArgs,
    adapter: &dyn Adapter,
    naming: &Naming,
    groups: &[Group],
) -> Result<(), String> {
    if adapter.one_channel_each() && naming.per_connection > 1 {
        return Err(format!("--subs-per-conn: with {} a connection reads one channel", args.adapter));
    }
    if !adapter.publishes_over_sockets() && args.publish == Publish::Socket && kind.publishes() {
        return Err(format!("--publish: {} has no publishing over sockets: use --publish http", args.adapter));
    }
    let sockets = groups.iter().find_map(|group| match group.task {
        Task::Publish { route: Route::Socket, .. } => Some(group.connections),
        _ => None,
    });
    let prefix = adapter.socket_prefix();
    if sockets.is_some() && !naming.prefix.starts_with(prefix) {
        let adapter = &args.adapter;
        return Err(format!(
            "--channel-prefix: with {adapter} clients publish to channels that begin with `{prefix}`: use --channel-prefix {prefix}load-, or --publish http"
        ));
    }
    let channels = u64::from(naming.channels);
    if adapter.one_channel_each() && sockets.is_some_and(|sockets| sockets < channels) {
        let adapter = &args.adapter;
        return Err(format!(
            "--publishers: with {adapter} a socket publishes to one channel: use {channels}, or --publish http"
        ));
    }
    Ok(())
}

fn check_payloads(group: &Group) -> Result<(), String> {
    let checked = match &group.task {
        Task::Echo { payloads, .. } => payloads.check(false),
        Task::Publish { payloads, .. } => payloads.check(true),
        _ => Ok(()),
    };
    checked.map_err(|error| format!("{}: {error}", group.name))
}

fn size(args: &RunArgs, plan: &Plan) -> Result<Size, String> {
    if args.processes == 0 {
        return Err("--processes: at least 1".to_owned());
    }
    let cpus = if args.pin_self.is_empty() { pin::allowed().len() } else { args.pin_self.len() };
    let threads = args.threads.unwrap_or_else(|| (cpus as u64).div_ceil(args.processes)).max(1);
    let size = Size { processes: args.processes, threads };
    let closed = plan.groups.iter().find_map(|group| match &group.task {
        Task::Publish { flow: Flow::Closed { .. }, .. } => Some(group.connections),
        _ => None,
    });
    match closed {
        Some(_) if args.processes > 1 => {
            Err("--closed publications are counted in one process: leave --processes out".to_owned())
        }
        Some(publishers) if publishers > 1 && threads > 1 => {
            Err("--closed publications of several publishers need one thread: use -t 1".to_owned())
        }
        _ => Ok(size),
    }
}

/// The addresses that connections come from: those that were asked for, and on loopback many, each with ports of its own.
pub(crate) fn sources(args: &RunArgs, target: &Target) -> Result<Vec<IpAddr>, String> {
    if args.source_ip.is_empty() {
        let is_loopback = target.addresses.iter().all(|address| address.ip().is_loopback() && address.is_ipv4());
        return Ok(if is_loopback {
            (1..=LOOPBACK_SOURCES).map(|last| IpAddr::from([127, 0, 9, last])).collect()
        } else {
            Vec::new()
        });
    }
    let mut sources = Vec::new();
    for text in args.source_ip.iter().flat_map(|list| list.split(',')) {
        sources.extend(range(text.trim())?);
    }
    Ok(sources)
}

/// The addresses of a range such as 10.0.0.0/24; at most 65,536 of them.
fn range(text: &str) -> Result<Vec<IpAddr>, String> {
    let wrong =
        || format!("--source-ip: `{text}` is no address and no range such as 10.0.0.0/24 (at most 65,536 addresses)");
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits: u32 = bits.map_or(Ok(width), str::parse).map_err(|_| wrong())?;
    let free = width.checked_sub(bits).filter(|free| *free <= 16).ok_or_else(wrong)?;
    let count = 1_u128 << free;
    Ok(match address {
        IpAddr::V4(address) => {
            let first = u32::from(address) >> free << free;
            (0..count).map(|step| IpAddr::V4((first + u32::try_from(step).unwrap_or(0)).into())).collect()
        }
        IpAddr::V6(address) => {
            let first = u128::from(address) & !(count - 1);
            (0..count).map(|step| IpAddr::V6((first + step).into())).collect()
        }
    })
}

fn tokens(args: &RunArgs) -> Result<Vec<String>, String> {
    let Some(path) = &args.token_file else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).map_err(|error| format!("--token-file: {}: {error}", path.display()))?;
    let tokens: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if tokens.is_empty() { Err(format!("--token-file: {} has no line", path.display())) } else { Ok(tokens) }
}

fn thresholds(args: &RunArgs) -> Result<Vec<Threshold>, String> {
    let lists: Vec<Vec<Threshold>> =
        args.threshold.iter().map(|text| option("--threshold", grammar::thresholds(text))).collect::<Result<_, _>>()?;
    Ok(lists.into_iter().flatten().collect())
}

fn warnings(args: &RunArgs, plan: &Plan, size: Size) -> Vec<String> {
    let mut warnings = Vec::new();
    let connections: u64 = plan.groups.iter().map(|group| group.connections).sum();
    let descriptors = environment::descriptors().saturating_sub(OTHER_DESCRIPTORS);
    if connections.div_ceil(size.processes) > descriptors {
        let processes = connections.div_ceil(descriptors.max(1));
        warnings.push(format!(
            "a process may hold {descriptors} connections here, and {connections} were asked for: use --processes {processes}"
        ));
    }
    if args.deflate {
        warnings.push("tungstenite has no permessage-deflate: no connection is checked by it in this run".to_owned());
    }
    warnings
}

/// What the messages of a run consist of.
pub(crate) fn payloads(args: &RunArgs, default: &str) -> Result<Payloads, String> {
    let mut templates = args.template.clone();
    for path in &args.payload_file {
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("--payload-file: {}: {error}", path.display()))?;
        templates.push(text.trim_end().to_owned());
    }
    if templates.is_empty() {
        return option("--size", grammar::sizes(args.size.as_deref().unwrap_or(default))).map(Payloads::Sizes);
    }
    Ok(Payloads::Templates(templates))
}

/// When messages leave.
pub(crate) fn flow(args: &RunArgs) -> Result<Flow, String> {
    if args.closed {
        return if args.depth > 0 {
            Ok(Flow::Closed { depth: args.depth })
        } else {
            Err("--depth: at least 1".to_owned())
        };
    }
    option("--rate", grammar::ramp(args.rate.as_deref().unwrap_or("100"))).map(Flow::Open)
}

/// How many connections, and when each is opened.
pub(crate) fn connections(args: &RunArgs) -> Result<(u64, Option<Ramp>), String> {
    if let Some(text) = &args.ramp {
        let ramp = option("--ramp", grammar::ramp(text))?;
        return ramp.slope_of().map(|opening| (ramp.last() as u64, Some(opening))).ok_or_else(|| {
            "--ramp: connections are only opened by it, so it may not go down; from:to/over, such as 0:10k/30s"
                .to_owned()
        });
    }
    let opening = args.connect_rate.as_deref().map(|text| option("--connect-rate", grammar::ramp(text))).transpose()?;
    Ok((option("--connections", grammar::count(&args.connections))?, opening))
}

/// A group of connections that is opened before traffic begins.
pub(crate) fn group(name: &str, connections: u64, task: Task) -> Group {
    let (opening, slow, lifetime, outage) = (None, None, None, None);
    Group { name: name.to_owned(), connections, task, opening, start: Duration::ZERO, slow, lifetime, outage }
}

/// The publishers of a run.
pub(crate) fn publishers(args: &RunArgs) -> Result<Group, String> {
    let connections = option("--publishers", grammar::count(&args.publishers))?;
    if connections == 0 {
        return Err("--publishers: at least 1".to_owned());
    }
    let route = match args.publish {
        Publish::Socket => Route::Socket,
        Publish::Http => Route::Http { pipeline: args.pipeline },
    };
    Ok(group("publishers", connections, Task::Publish { flow: flow(args)?, payloads: payloads(args, "128")?, route }))
}

/// The slow readers of a run.
pub(crate) fn slow(args: &RunArgs) -> Result<Slow, String> {
    let share = option("--slow", grammar::share(&args.slow))?;
    Ok(Slow { share: share.min(1.0), bytes_per_second: option("--read-rate", grammar::size(&args.read_rate))? as u64 })
}

/// The bad clients of a run.
pub(crate) fn mischief(args: &RunArgs) -> Result<Group, String> {
    let rate = option("--mischief-rate", grammar::rate(&args.mischief_rate))?;
    Ok(group("mischief", MISCHIEF_AT_ONCE, Task::Mischief { rate }))
}
