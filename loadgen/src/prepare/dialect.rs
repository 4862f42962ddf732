//! The options of a dialect, and what a dialect cannot do.

use crate::adapters::{Adapter, Naming, choice};
use crate::cli::{Publish, RunArgs};
use crate::percent;
use crate::plan::{Group, Route, Target, Task};
use crate::scenario::Kind;
use std::collections::BTreeMap;

pub(super) fn options(kind: Kind, args: &RunArgs, target: &mut Target) -> Result<BTreeMap<String, String>, String> {
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
    // A path may have characters that a request cannot; the placeholder of the channel's name is left unchanged.
    for (_, path) in options.iter_mut().filter(|(name, _)| name.ends_with("path")) {
        *path = percent::path(path).replace("%7Bchannel%7D", "{channel}");
    }
    Ok(options)
}

/// What a dialect cannot do.
pub(super) fn check(
    kind: Kind,
    args: &RunArgs,
    adapter: &dyn Adapter,
    naming: &Naming,
    groups: &[Group],
) -> Result<(), String> {
    if kind == Kind::Auth {
        check_signing_in(args, adapter)?;
    }
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

fn check_signing_in(args: &RunArgs, adapter: &dyn Adapter) -> Result<(), String> {
    if !adapter.signs_in() {
        return Err(format!("--adapter: with {} nobody signs in on an open connection: use tidings", args.adapter));
    }
    if args.token_file.is_none() {
        return Err("auth needs tokens: --token-file FILE, with a line for each connection, used in turn".to_owned());
    }
    if args.size.is_some() || !args.template.is_empty() || !args.payload_file.is_empty() {
        return Err("--size: what auth sends is a token; leave --size, --template and --payload-file out".to_owned());
    }
    Ok(())
}
