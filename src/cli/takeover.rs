//! `tidings serve --takeover`: this server takes the place of one that runs.

use super::Misconfigured;
use std::error::Error;
use std::path::Path;
use tidings::Config;
use tidings::config::EngineKind;
use tidings::journal;
use tidings::server::{GivenSocket, Takeover};

/// The server that runs, if there is one, and its listening sockets.
pub(crate) type Before = (Option<Takeover>, Vec<GivenSocket>);

/// Asks the server that runs for its listening sockets.
///
/// # Errors
/// Nothing says where it is, or it does not answer as it should.
pub(crate) fn ask(config: &Config) -> Result<Before, Box<dyn Error>> {
    if config.server.engine == EngineKind::Disk {
        let text = "--takeover is for a server that keeps its histories in memory: two servers cannot append to one log. Stop the one \
             that runs and start this one, which goes on where it was; clients come back and resume";
        return Err(Misconfigured(text.to_owned()).into());
    }
    let path = &config.server.handover;
    if path.is_empty() {
        let text =
            "to take a server's place, both need the same path as server.handover, since server.listen names no port";
        return Err(Misconfigured(text.to_owned()).into());
    }
    match Takeover::ask(Path::new(path)) {
        Ok(Some((before, sockets))) => Ok((Some(before), sockets)),
        Ok(None) => {
            log::info!(target: journal::TARGET, event = "nobody_before"; "no server is at {path}; this one starts as usual");
            Ok((None, Vec::new()))
        }
        Err(error) => Err(format!("the server at {path} does not hand over: {error}").into()),
    }
}

/// This server accepts; until the other one has heard of it, both do.
pub(crate) fn accepting(before: Takeover) {
    match before.accepting() {
        Ok(()) => log::info!(
            target: journal::TARGET, event = "takeover"; "this server has the sockets of the one before, which drains"
        ),
        Err(error) => log::warn!(
            target: journal::TARGET, event = "takeover"; "the server before did not say that it drains: {error}"
        ),
    }
}
