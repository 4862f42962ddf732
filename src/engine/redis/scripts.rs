//! The scripts that this server has Redis run, and the commands that run them.

use super::link::{Link, LinkFault};
use crate::wire::resp::{Reply, write_head, write_part};

/// Says which generation the data is of.
pub(super) const GREET: &str = concat!(include_str!("scripts/promotion.lua"), include_str!("scripts/greet.lua"));
const PUBLISH: &str = concat!(include_str!("scripts/meta.lua"), include_str!("scripts/publish.lua"));
const ATTACH: &str = concat!(include_str!("scripts/meta.lua"), include_str!("scripts/attach.lua"));
const READ: &str = concat!(include_str!("scripts/meta.lua"), include_str!("scripts/read.lua"));
const KEEP: &str = concat!(include_str!("scripts/promotion.lua"), include_str!("scripts/keep.lua"));
const ROSTER: &str = include_str!("scripts/roster.lua");
const CLEAR: &str = concat!(include_str!("scripts/meta.lua"), include_str!("scripts/clear.lua"));

/// By what a server that has loaded it knows a script.
pub(super) type Sha = Box<[u8]>;

/// The scripts of a server.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    pub(super) publish: Sha,
    pub(super) attach: Sha,
    pub(super) read: Sha,
    pub(super) clear: Sha,
    pub(super) keep: Sha,
    pub(super) roster: Sha,
}

impl Scripts {
    /// Has a server load them.
    pub(super) fn load(link: &mut Link) -> Result<Scripts, LinkFault> {
        let mut load = |script: &str| {
            let sha = link.ask(&[b"SCRIPT", b"LOAD", script.as_bytes()], |reply| match reply {
                Reply::Bytes(sha) => Some(Sha::from(sha)),
                _ => None,
            })?;
            sha.ok_or_else(|| LinkFault::Refused("SCRIPT LOAD was answered with something else".to_owned()))
        };
        let (publish, attach, read) = (load(PUBLISH)?, load(ATTACH)?, load(READ)?);
        Ok(Scripts { publish, attach, read, clear: load(CLEAR)?, keep: load(KEEP)?, roster: load(ROSTER)? })
    }
}

/// Writes the command that runs a script.
pub(super) fn write_run(out: &mut Vec<u8>, sha: &Sha, keys: &[&[u8]], arguments: &[&[u8]]) {
    write_head(out, 3 + keys.len() + arguments.len());
    write_part(out, b"EVALSHA");
    write_part(out, sha);
    write_part(out, keys.len().to_string().as_bytes());
    keys.iter().chain(arguments).for_each(|part| write_part(out, part));
}
