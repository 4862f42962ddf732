//! The listeners of a running server by their numbers, and which of them another configuration opens, keeps and closes.

use super::StartError;
use super::listening::{Bound, HeldSocket, Place, bind_listener};
use crate::config::{Config, ConfigError, ListenAt, ListenerConfig};
use crate::reactor::Listening;
use std::fs::{Permissions, set_permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

/// Listeners that a server may have had: a connection names its own by a byte.
const NUMBERS: usize = 256;

/// All listeners that there are or were. Connections of one that is closed may still be there, so its number stays its own.
pub(super) struct Doors(Vec<OwnDoor>);

struct OwnDoor {
    /// As it was configured, where port 0 is any port.
    place: ListenAt,
    /// With the port that was really taken.
    listener: ListenerConfig,
    /// Held so that it is removed in the end.
    file: Option<HeldSocket>,
    is_open: bool,
}

/// What another configuration makes of the doors: everything that can fail is done.
pub(super) struct Plan {
    kept: Vec<(usize, ListenerConfig)>,
    opened: Vec<(usize, ListenAt, Bound)>,
    closed: Vec<usize>,
}

/// What became of the doors.
#[derive(Default)]
pub(super) struct Turned {
    /// The sockets of those that are open now and were not before, by their number: one for each reactor.
    pub(super) sockets: Vec<(usize, Vec<Listening>)>,
    pub(super) opened: Vec<String>,
    pub(super) closed: Vec<String>,
    /// The numbers of those that are closed.
    pub(super) closed_numbers: Vec<u8>,
}

impl Doors {
    /// Those of a server that starts, in the order of its configuration, with their sockets taken out.
    pub(super) fn new(config: &Config, bound: Vec<Bound>) -> (Doors, Vec<Vec<Listening>>) {
        let places = config.all_listeners().into_iter().map(|listener| listener.at);
        let all = places.zip(bound).map(|(place, Bound { listener, sockets, file })| {
            (OwnDoor { place, listener, file, is_open: true }, sockets)
        });
        let (doors, sockets) = all.unzip();
        (Doors(doors), sockets)
    }

    /// All of them by their numbers, those too that are closed.
    pub(super) fn all(&self) -> impl Iterator<Item = &ListenerConfig> {
        self.0.iter().map(|door| &door.listener)
    }

    /// Those that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = &ListenerConfig> {
        self.0.iter().filter(|door| door.is_open).map(|door| &door.listener)
    }

    /// Binds what a configuration adds, and finds out what it takes away.
    ///
    /// # Errors
    /// An address cannot be listened on. Nothing has changed then.
    pub(super) fn plan(&self, config: &Config, reactors: usize) -> Result<Plan, ConfigError> {
        let mut plan = Plan { kept: Vec::new(), opened: Vec::new(), closed: Vec::new() };
        let mut problems = Vec::new();
        let own: Vec<SocketAddr> = self.open().filter_map(|listener| listener.at.address()).collect();
        let all: Vec<SocketAddr> = config.all_listeners().iter().filter_map(|listener| listener.at.address()).collect();
        for wanted in config.all_listeners() {
            if let Some(number) = self.find(&wanted.at, true, &plan) {
                let at = match (&self.0[number].listener.at, &wanted.at) {
                    (taken @ ListenAt::Address(_), _) => taken.clone(),
                    // Its mode may be another.
                    (_, at) => at.clone(),
                };
                plan.kept.push((number, ListenerConfig { at, ..wanted }));
                continue;
            }
            let new = self.0.len() + plan.opened.iter().filter(|(number, ..)| *number >= self.0.len()).count();
            let number = self.find(&wanted.at, false, &plan).unwrap_or(new);
            if number >= NUMBERS {
                problems.push(format!(
                    "{} would be the listener number {} since the server started, and there can be {NUMBERS}; restart it",
                    wanted.at,
                    number + 1
                ));
                continue;
            }
            let place = Place { all: &all, own: &own, reactors, deferring: config.server.defer_accept };
            match bind_listener(&wanted, &place) {
                Ok(bound) => plan.opened.push((number, wanted.at, bound)),
                Err(error) => problems.push(error.to_string()),
            }
        }
        plan.closed = (0..self.0.len()).filter(|number| self.0[*number].is_open && !plan.has(*number)).collect();
        ConfigError::unless_empty(problems).map(|()| plan)
    }

    /// The first door at a place that is open or closed and that the plan does not have yet.
    fn find(&self, place: &ListenAt, open: bool, plan: &Plan) -> Option<usize> {
        let is_same = |door: &OwnDoor| match (&door.place, place) {
            (ListenAt::Address(own), ListenAt::Address(other)) => own == other,
            (ListenAt::Path { path: own, .. }, ListenAt::Path { path: other, .. }) => own == other,
            _ => false,
        };
        let fits = |number: &usize| {
            let door = &self.0[*number];
            door.is_open == open && is_same(door) && !plan.has(*number)
        };
        (0..self.0.len()).find(fits)
    }

    /// Does what was planned. The files of unix sockets that are closed are removed.
    pub(super) fn turn(&mut self, plan: Plan) -> Turned {
        let mut turned = Turned::default();
        for (number, listener) in plan.kept {
            let door = &mut self.0[number];
            change_mode(&door.listener.at, &listener.at);
            door.listener = listener;
        }
        for (number, place, Bound { listener, sockets, file }) in plan.opened {
            turned.opened.push(listener.at.to_string());
            turned.sockets.push((number, sockets));
            let door = OwnDoor { place, listener, file, is_open: true };
            if number < self.0.len() {
                self.0[number] = door;
            } else {
                self.0.push(door);
            }
        }
        for number in plan.closed {
            let door = &mut self.0[number];
            turned.closed.push(door.listener.at.to_string());
            turned.closed_numbers.push(number as u8);
            door.is_open = false;
            door.file = None;
        }
        turned
    }

    /// Removes the files of unix sockets.
    #[cfg(feature = "cli")]
    pub(super) fn remove_files(&self) {
        self.0.iter().filter_map(|door| door.file.as_ref()).for_each(HeldSocket::remove);
    }
}

impl Plan {
    fn has(&self, number: usize) -> bool {
        self.kept.iter().any(|(kept, _)| *kept == number) || self.opened.iter().any(|(opened, ..)| *opened == number)
    }
}

fn change_mode(before: &ListenAt, after: &ListenAt) {
    let (ListenAt::Path { mode: before, .. }, ListenAt::Path { path, mode }) = (before, after) else { return };
    if before != mode
        && let Err(error) = set_permissions(path, Permissions::from_mode(*mode))
    {
        log::error!(event = "mode_not_changed"; "the mode of {} cannot be changed to {mode:04o}: {error}", path.display());
    }
}

impl From<StartError> for ConfigError {
    /// For a server that runs already.
    fn from(error: StartError) -> ConfigError {
        ConfigError::of(vec![error.to_string()])
    }
}
