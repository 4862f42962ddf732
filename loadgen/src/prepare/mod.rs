//! From options to a plan: every value read, every contradiction reported.

mod dialect;
mod groups;
mod headers;
mod mixed;
mod sources;
mod values;

pub(crate) use sources::sources;
pub(crate) use values::option;

use self::headers::header;
use crate::adapters::{Naming, choice};
use crate::cli::{self, Close, Offer, RunArgs};
use crate::fleet::Size;
use crate::grammar::{self, Threshold};
use crate::measure::{environment, pin};
use crate::plan::{Deflate, Ending, Flow, Group, KeyExchange, Opening, Plan, Target, Task, Trust};
use crate::random::mix;
use crate::scenario::Kind;
use crate::stamp::RUN_BITS;

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
    let options = dialect::options(kind, args, &mut target)?;
    let adapter = choice::build(&args.adapter, &options).map_err(|error| error.to_string())?;
    let naming = naming(args)?;
    let groups = groups::groups(kind, args)?;
    for group in &groups {
        check_payloads(group)?;
    }
    dialect::check(kind, args, adapter.as_ref(), &naming, &groups)?;
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
        deflate: match args.deflate {
            None => Deflate::Nowhere,
            Some(Offer::Readers) => Deflate::Readers,
            Some(Offer::All) => Deflate::Everywhere,
        },
        check_every: if args.deflate.is_some() { 0 } else { args.check_every },
        pin: args.pin_self.clone(),
        busy_poll: args.busy_poll,
        trust: match &args.ca {
            _ if args.insecure => Trust::Anybody,
            Some(file) => Trust::File(file.display().to_string()),
            None => Trust::System,
        },
        resumes: !args.full_handshakes,
        key_exchange: args.key_exchange.map(|name| match name {
            cli::KeyExchange::X25519 => KeyExchange::X25519,
            cli::KeyExchange::X25519mlkem768 => KeyExchange::X25519MlKem768,
            cli::KeyExchange::Secp256r1 => KeyExchange::Secp256r1,
        }),
    };
    pin::check(&args.pin_self).map_err(|error| format!("--pin-self: {error}"))?;
    let size = size(args, &plan)?;
    let (thresholds, warnings) = (thresholds(args)?, warnings(args, &plan, size));
    Ok(Prepared { kind, plan, size, thresholds, warnings })
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
            "--channel-prefix: it may not contain {wrong:?}: no space, quotation mark, backslash or control character"
        ));
    }
    // Names differ from seed to seed, so that a run does not receive what is left of another.
    Ok(Naming { prefix: args.channel_prefix.clone(), channels, per_connection: args.subs_per_conn })
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
    if args.deflate.is_some() {
        warnings.push("tungstenite has no permessage-deflate: no connection is checked by it in this run".to_owned());
    }
    warnings
}

fn check_payloads(group: &Group) -> Result<(), String> {
    let checked = match &group.task {
        Task::Echo { payloads, .. } => payloads.check(false),
        Task::Publish { payloads, .. } => payloads.check(true),
        _ => Ok(()),
    };
    checked.map_err(|error| format!("{}: {error}", group.name))
}
