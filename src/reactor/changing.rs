//! Changes the settings while the reactor runs: what connections are lent, how listeners judge, and which doors are open.

use super::change::{Change, DoorChanges};
use super::core::Core;
use super::engine::{Engine, SCRATCH_PER_HEAD};
use super::entry::{Entries, Socket};
use super::listener::{Accepting, Door, Listening};
use super::subscriptions::Subscriptions;
use super::{DOORS_MAX, LISTENERS, Reactor};
use mio::Token;
use mio::net::TcpStream;
use std::io::{Error, Result};
use std::sync::Arc;

impl Core {
    /// Takes the next change that was handed over.
    #[cold]
    pub(super) fn take_change<S: Socket>(&mut self, entries: &mut Entries<S>, subscriptions: &mut Subscriptions) {
        // Each order comes after its change.
        let Ok(change) = self.setup.changes.try_recv() else { return };
        let Change { rules, limits, listeners, closed, .. } = change;
        self.setup.inline_parse_bytes = change.inline_parse_bytes;
        self.setup.subscriptions_max = change.subscriptions_max;
        self.setup.connections_max = change.connections_max;
        self.meter.set_limiter(Arc::clone(&limits.limiter));
        self.codec = limits.codec();
        self.setup.limits = limits;
        for (number, mut listener) in listeners.into_iter().enumerate() {
            let sockets = std::mem::take(&mut listener.sockets);
            self.doors.opened.extend(sockets.into_iter().map(|socket| (number as u8, socket)));
            match self.setup.listeners.get_mut(number) {
                Some(before) => {
                    // Connections hold them, and are compared with them.
                    listener.policy.identities = std::mem::take(&mut before.policy.identities);
                    listener.policy.checks = std::mem::take(&mut before.policy.checks);
                    *before = listener;
                }
                None => self.setup.listeners.push(listener),
            }
        }
        self.doors.closed.extend(closed);
        self.doors.made.push(change.made);
        // Last, since it judges by all of that.
        self.take_rules(&rules, entries, subscriptions);
    }
}

impl Engine<TcpStream> {
    /// Makes room for the largest head that may come now.
    fn fit_scratch(&mut self) {
        let bytes = SCRATCH_PER_HEAD * self.core.setup.limits.head.head_bytes;
        if self.scratch.len() < bytes {
            self.scratch = vec![0; bytes].into_boxed_slice();
        }
    }
}

impl Reactor {
    /// Opens and closes the doors that a change of this tick named.
    pub(super) fn change_doors(&mut self) {
        if self.engine.core.doors.made.is_empty() {
            return;
        }
        // Whoever waits hears of it when this ends.
        let DoorChanges { opened, closed, made: _made } = std::mem::take(&mut self.engine.core.doors);
        self.engine.fit_scratch();
        self.open_doors(opened);
        self.close_doors(|number| closed.contains(&number));
    }

    fn open_doors(&mut self, opened: Vec<(u8, Listening)>) {
        // After the doors were closed for good none is opened any more.
        if self.engine.core.draining {
            return;
        }
        for (listener, socket) in opened {
            if let Err(error) = self.open_door(listener, socket) {
                log::error!(event = "registration"; "a reactor cannot wait for a new listener's connections: {error}");
            }
        }
    }

    /// Accepts from this socket from now on.
    ///
    /// # Errors
    /// It cannot be registered.
    pub(super) fn open_door(&mut self, listener: u8, socket: Listening) -> Result<()> {
        let is_free = |token: &Token| self.listeners.iter().all(|door| door.token != *token);
        let token = (0..DOORS_MAX).map(|number| Token(LISTENERS - number)).find(is_free);
        let token = token.ok_or_else(|| Error::other("there are too many listening sockets"))?;
        let mut socket = Accepting::from(socket);
        socket.register(self.poll.registry(), token)?;
        self.listeners.push(Door { socket, token, listener, ready: true });
        Ok(())
    }

    /// Accepts no more: another process has the same sockets, and with them whatever waits there.
    pub(super) fn leave_doors(&mut self) {
        self.accept_again = None;
        for mut door in std::mem::take(&mut self.listeners) {
            if door.socket.deregister(self.poll.registry()).is_err() {
                log::debug!(event = "registration"; "a listener was not registered when it was left");
            }
        }
    }

    /// Accepts those that are already waiting at some doors, and closes these.
    pub(super) fn close_doors(&mut self, is_meant: impl Fn(u8) -> bool) {
        if !self.listeners.iter().any(|door| is_meant(door.listener)) {
            return;
        }
        self.accept_again = None;
        let waits = |door: &Door| door.ready && is_meant(door.listener);
        self.listeners.iter_mut().for_each(|door| door.ready |= is_meant(door.listener));
        // Closing a listener resets the connections in its queue, so all of them are accepted first and their requests read.
        while self.accept_again.is_none() && self.listeners.iter().any(waits) {
            self.accept();
        }
        let all = std::mem::take(&mut self.listeners).into_iter();
        let (closing, open): (Vec<Door>, Vec<Door>) = all.partition(|door| is_meant(door.listener));
        self.listeners = open;
        for mut door in closing {
            // Closing is not enough: a unix socket is shared with the other reactors, and epoll reports it until the
            // last of its descriptors is closed (epoll(7)).
            if door.socket.deregister(self.poll.registry()).is_err() {
                log::debug!(event = "registration"; "a listener was not registered when it was closed");
            }
        }
    }
}
