//! What a service manager is told, where one started the server (`NOTIFY_SOCKET`, sd_notify(3)).

use nix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager, if there is one.
pub(crate) struct Notify(Option<(UnixDatagram, SocketAddr)>);

impl Notify {
    /// The one that the environment names. One that cannot be reached is none: a server serves without it.
    pub(crate) fn from_environment() -> Notify {
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let Some(address) = address.and_then(|name| address_of(&name).ok()) else { return Notify(None) };
        // Not blocking: a server never waits for a service manager.
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        Notify(socket.ok().map(|socket| (socket, address)))
    }

    /// Says it; whether there was somebody who took it.
    pub(crate) fn say(&self, state: &str) -> bool {
        self.0.as_ref().is_some_and(|(socket, address)| socket.send_to_addr(state.as_bytes(), address).is_ok())
    }

    /// A reload begins. Its time tells the manager which request it belongs to.
    pub(crate) fn reloading(&self) {
        if self.0.is_some()
            && let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC)
        {
            let us = now.tv_sec() as u64 * 1_000_000 + now.tv_nsec() as u64 / 1000;
            self.say(&format!("RELOADING=1\nMONOTONIC_USEC={us}"));
        }
    }
}

/// How often the service manager expects to hear that the server lives (`WATCHDOG_USEC`), if it does.
pub(crate) fn watchdog() -> Option<Duration> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let number = |name: &str| variable(name)?.parse::<u64>().ok();
    // A process that was started by the one that is watched inherits its variables.
    let is_meant = variable("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(std::process::id().into());
    number("WATCHDOG_USEC").filter(|us| is_meant && *us > 0).map(Duration::from_micros)
}

/// A path, or after an @ the name of an abstract socket.
fn address_of(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(rest) => SocketAddr::from_abstract_name(rest),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::address_of;
    use std::ffi::OsStr;
    use std::os::linux::net::SocketAddrExt as _;

    #[test]
    fn a_manager_is_a_path_or_an_abstract_name() {
        let path = address_of(OsStr::new("/run/notify")).expect("an address");
        assert_eq!(path.as_pathname(), Some(std::path::Path::new("/run/notify")));
        let name = address_of(OsStr::new("@notify")).expect("an address");
        assert_eq!(name.as_abstract_name(), Some(&b"notify"[..]));
    }
}
