//! Hostility: clients that mean harm, a kernel that fails, and networks that fall silent, against the real binary.
//!
//! Each test prints what it measured, watches how a healthy client fares meanwhile, and asserts outcomes: counts, bytes,
//! statuses, and that no healthy answer was lost or came absurdly late. The heavy ones run one at a time by
//! `tests/run hostile`, and for longer by `tests/siege`, which sets `TIDINGS_SIEGE`.
//!
//! | attack | test |
//! |---|---|
//! | 15,000 connections that drip, in every place where one can | `slow` |
//! | malformed handshakes as fast as they come | `handshakes` |
//! | heads that come byte by byte | `heads` |
//! | pings, fragments, announced lengths | `floods` |
//! | hostile JSON on every entry | `entries` |
//! | no descriptors left | `crowded` |
//! | failing system calls | `injected` |
//! | peers that never read, peers behind a dead route | `silent` |
//! | hundreds that never read under thousands of publications | `deaf` |
//! | over TLS: those that never read, handshakes that break, changes of keys, records of a byte | `sealed` |

mod bombs;
mod crowd;
pub(crate) mod crowded;
mod deaf;
mod entries;
mod floods;
pub(crate) mod handshakes;
mod heads;
pub(crate) mod injected;
mod sealed;
pub(crate) mod silent;
mod slow;
pub(crate) mod stopped;
pub(crate) mod witness;

use crate::support::process::Process;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// Descriptors that a server under attack may have.
const DESCRIPTORS: usize = 20_000;

/// The short figure in CI, the long one in a siege.
fn scale<T>(short: T, long: T) -> T {
    if std::env::var_os("TIDINGS_SIEGE").is_some() { long } else { short }
}

/// The real server with two reactors, as many descriptors as a machine gives, and these settings.
pub(crate) fn server(toml: &str) -> Process {
    Process::start_by(&[], DESCRIPTORS, toml, &["--reactors", "2", "--workers", "1"])
}

/// A connection from one of several loopback addresses, so that ports do not run out.
fn connect(address: SocketAddr, index: usize) -> TcpStream {
    use socket2::{Domain, SockAddr, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM.cloexec(), None).expect("a descriptor");
    let source = Ipv4Addr::new(127, 0, 0, 2 + (index % 8) as u8);
    socket.bind(&SockAddr::from(SocketAddr::from((source, 0)))).expect("a free port");
    socket.connect(&SockAddr::from(address)).expect("the server accepts");
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// A number of bytes as people read it.
pub(crate) fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes / 1024)
}

/// Prints how long the server's reactors were busy at a time.
fn tell_lag(attack: &str, server: &Process) {
    let page = crate::support::http::get_as_operator(server.address, "/metrics").text();
    let ticks = |bound: &str| -> u64 {
        let name = format!("tidings_loop_lag_seconds_bucket{{le=\"{bound}\"}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&name)).expect("the bucket is there");
        line.parse().expect("a number")
    };
    let over = |bound: &str| ticks("+Inf") - ticks(bound);
    println!(
        "{attack}: of {} turns of the reactors {} took more than 5 ms, {} more than 25 ms, {} more than 100 ms",
        ticks("+Inf"),
        over("0.005"),
        over("0.025"),
        over("0.1")
    );
}
