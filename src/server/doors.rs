//! The listeners of a running server by their numbers, and which of them another configuration opens, keeps and closes.

use super::StartError;
use super::bound::{Bound, HeldSocket, change_mode};
use super::listening::{Place, bind_listener, shares};
use crate::config::{Config, ConfigError, ListenAt, ListenerConfig};
use crate::reactor::Listening;
use std::net::SocketAddr;

/// Listeners that a server may have had: a connection names its own by a byte.
const NUMBERS: usize = 256;

/// All listeners that there are or were. Connections of one that is closed may still be there, so its number stays its own.
pub(super) struct Doors {
    all: Vec<OwnDoor>,
    /// Whether their sockets are kept, to be handed over.
    keeps: bool,
}

struct OwnDoor {
    /// As it was configured, where port 0 is any port.
    place: ListenAt,
    /// With the port that was really taken.
    listener: ListenerConfig,
    /// Held so that it is removed in the end.
    file: Option<HeldSocket>,
    is_open: bool,
    /// Its sockets, where they may be handed over. Closed before those of the reactors, or they would collect connections that
    /// nothing accepts.
    kept: Vec<Listening>,
}

/// What another configuration makes of the doors: everything that can fail is done.
pub(super) struct Plan {
    kept: Vec<(usize, ListenerConfig)>,
    opened: Vec<(usize, ListenAt, Bound, Shares)>,
    closed: Vec<usize>,
}

/// The sockets of a listener that each reactor accepts from.
pub(super) type Shares = Vec<Vec<Listening>>;

/// What became of the doors.
#[derive(Default)]
pub(super) struct Turned {
    /// The sockets of those that are open now and were not before, by their number.
    pub(super) sockets: Vec<(usize, Shares)>,
    pub(super) opened: Vec<String>,
    pub(super) closed: Vec<String>,
    /// The numbers of those that are closed.
    pub(super) closed_numbers: Vec<u8>,
}

impl Doors {
    /// Those of a server that starts, in the order of its configuration, and what each reactor accepts from.
    ///
    /// # Errors
    /// No descriptor is free.
    pub(super) fn new(config: &Config, bound: Vec<Bound>, reactors: usize) -> std::io::Result<(Doors, Vec<Shares>)> {
        let mut doors = Doors { all: Vec::new(), keeps: !config.server.handover.is_empty() };
        let mut all = Vec::new();
        for (wanted, bound) in config.all_listeners().into_iter().zip(bound) {
            all.push(shares(&bound.sockets, reactors)?);
            doors.all.push(OwnDoor::open(wanted.at, bound, doors.keeps));
        }
        Ok((doors, all))
    }

    /// All of them by their numbers, those too that are closed.
    pub(super) fn all(&self) -> impl Iterator<Item = &ListenerConfig> {
        self.all.iter().map(|door| &door.listener)
    }

    /// Those that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = &ListenerConfig> {
        self.all.iter().filter(|door| door.is_open).map(|door| &door.listener)
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
                let at = match (&self.all[number].listener.at, &wanted.at) {
                    (taken @ ListenAt::Address(_), _) => taken.clone(),
                    // Its mode may be another.
                    (_, at) => at.clone(),
                };
                plan.kept.push((number, ListenerConfig { at, ..wanted }));
                continue;
            }
            let new = self.all.len() + plan.opened.iter().filter(|(number, ..)| *number >= self.all.len()).count();
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
            let bound = bind_listener(&wanted, &place).and_then(|bound| {
                let shares = shares(&bound.sockets, reactors)?;
                Ok((bound, shares))
            });
            match bound {
                Ok((bound, shares)) => plan.opened.push((number, wanted.at, bound, shares)),
                Err(error) => problems.push(error.to_string()),
            }
        }
        plan.closed = (0..self.all.len()).filter(|number| self.all[*number].is_open && !plan.has(*number)).collect();
        ConfigError::unless_empty(problems).map(|()| plan)
    }

    /// The first door at a place that is open or closed and that the plan does not have yet.
    fn find(&self, place: &ListenAt, open: bool, plan: &Plan) -> Option<usize> {
        let fits = |number: &usize| {
            let door = &self.all[*number];
            door.is_open == open && door.place.is_same_place(place) && !plan.has(*number)
        };
        (0..self.all.len()).find(fits)
    }

    /// Does what was planned. The files of unix sockets that are closed are removed.
    pub(super) fn turn(&mut self, plan: Plan) -> Turned {
        let mut turned = Turned::default();
        for (number, listener) in plan.kept {
            let door = &mut self.all[number];
            if let (ListenAt::Path { mode: before, .. }, ListenAt::Path { path, mode }) =
                (&door.listener.at, &listener.at)
                && before != mode
            {
                change_mode(path, *mode);
            }
            door.listener = listener;
        }
        for (number, place, bound, shares) in plan.opened {
            turned.opened.push(bound.listener.at.to_string());
            turned.sockets.push((number, shares));
            let door = OwnDoor::open(place, bound, self.keeps);
            if number < self.all.len() {
                self.all[number] = door;
            } else {
                self.all.push(door);
            }
        }
        for number in plan.closed {
            let door = &mut self.all[number];
            turned.closed.push(door.listener.at.to_string());
            turned.closed_numbers.push(number as u8);
            door.is_open = false;
            door.file = None;
            door.kept.clear();
        }
        turned
    }

    /// The sockets of those that are open, each with the place that it has in the configuration.
    #[cfg(feature = "cli")]
    pub(super) fn sockets(&self) -> std::io::Result<Vec<(String, Listening)>> {
        let open = self.all.iter().filter(|door| door.is_open);
        let each = open.flat_map(|door| door.kept.iter().map(|socket| (door.place.to_string(), socket)));
        each.map(|(place, socket)| Ok((place, socket.try_clone()?))).collect()
    }

    /// Closes what was kept to be handed over: before the reactors close theirs.
    pub(super) fn keep_nothing(&mut self) {
        self.keeps = false;
        self.all.iter_mut().for_each(|door| door.kept.clear());
    }

    /// Another server has the files of the unix sockets now.
    #[cfg(feature = "cli")]
    pub(super) fn leave_files(&mut self) {
        self.all.iter_mut().filter_map(|door| door.file.take()).for_each(std::mem::forget);
    }

    /// Removes the files of unix sockets.
    #[cfg(feature = "cli")]
    pub(super) fn remove_files(&self) {
        self.all.iter().filter_map(|door| door.file.as_ref()).for_each(HeldSocket::remove);
    }
}

impl OwnDoor {
    fn open(place: ListenAt, bound: Bound, keeps: bool) -> OwnDoor {
        let Bound { listener, sockets, file } = bound;
        OwnDoor { place, listener, file, is_open: true, kept: if keeps { sockets } else { Vec::new() } }
    }
}

impl Plan {
    fn has(&self, number: usize) -> bool {
        self.kept.iter().any(|(kept, _)| *kept == number) || self.opened.iter().any(|(opened, ..)| *opened == number)
    }
}

impl From<StartError> for ConfigError {
    /// For a server that runs already.
    fn from(error: StartError) -> ConfigError {
        ConfigError::of(vec![error.to_string()])
    }
}
