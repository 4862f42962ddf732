//! What newcomers found, and what the bug reports of other servers say, as cases from outside: against the real binary, through
//! nginx and HAProxy where what stands between can change it, with clients that we did not write where they can.
//!
//! A case is a line of a table: the report it came from, in its own words, and what must be seen. All cases of a table run,
//! and those that fail are named together.

mod bodies;
mod command;
mod doors;
mod drains;
mod fronts;
mod publishers;
mod strangers;
mod streams;

use crate::fronts::proxy::{Program, Proxy};
use crate::support::frames::RawSocket;
use crate::support::http::{Answer, HttpClient};
use crate::support::process::{Process, descriptors_allowed};
use fronts::{haproxy, nginx};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What stands between the client and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing.
    Direct,
    /// nginx as its manual has it for WebSockets, with gzip for everything.
    Nginx,
    /// HAProxy in its mode for HTTP, with gzip for everything.
    HaProxy,
}

const EVERY_WAY: &[Way] = &[Way::Direct, Way::Nginx, Way::HaProxy];

/// A report, and what shows that it is not true here.
type Case = (&'static str, fn(&Subject));

/// A server, what stands before it, and a channel for one case.
struct Subject {
    process: Process,
    front: Option<Proxy>,
    channel: String,
}

impl Subject {
    /// Starts a server with a configuration and further arguments, and what stands before it.
    fn start(way: Way, toml: &str, arguments: &[&str]) -> Subject {
        let process = Process::start_by(&[], descriptors_allowed(), toml, arguments);
        let server = process.address;
        let front = match way {
            Way::Direct => None,
            Way::Nginx => Some(Proxy::run(Program::Nginx, &|folder, address| nginx(folder, address, server))),
            Way::HaProxy => Some(Proxy::run(Program::HaProxy, &|folder, address| haproxy(folder, address, server, ""))),
        };
        Subject { process, front, channel: new_channel() }
    }

    /// Where clients connect.
    fn address(&self) -> SocketAddr {
        self.front.as_ref().map_or(self.process.address, |front| front.address)
    }

    /// The path of the case's channel.
    fn path(&self) -> String {
        format!("/channels/{}", self.channel)
    }

    /// A request on a connection of its own.
    fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        HttpClient::connect(self.address()).request(method, target, fields, body.as_ref())
    }

    /// The data of the newest publication of the case's channel as it stands in a snapshot; nothing when there is none.
    fn data(&self) -> String {
        let text = self.ask("GET", &format!("{}?last=1", self.path()), &[], "").text();
        let data = text.split_once("\"data\":").map(|(_, data)| data.trim_end().trim_end_matches("}]}").to_owned());
        data.unwrap_or_default()
    }

    /// An open WebSocket.
    fn socket(&self, path: &str, fields: &[(&str, &str)]) -> RawSocket {
        RawSocket::open_with(self.address(), path, fields).0
    }
}

fn new_channel() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("case-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs every case against one server for each way to it.
fn run(ways: &[Way], toml: &str, arguments: &[&str], cases: &[Case]) {
    let mut failed = Vec::new();
    for way in ways {
        let mut subject = Subject::start(*way, toml, arguments);
        for (report, case) in cases {
            subject.channel = new_channel();
            if catch_unwind(AssertUnwindSafe(|| case(&subject))).is_err() {
                failed.push(format!("{way:?}: {report}"));
            }
        }
    }
    println!("reports: {} cases, {} ways to the server", cases.len(), ways.len());
    assert!(failed.is_empty(), "these reports are true here:\n{}", failed.join("\n"));
}

/// A case that fails is named, and those after it run.
#[test]
#[should_panic(expected = "these reports are true here:\nDirect: it is not alive")]
fn a_case_that_fails_is_named() {
    run(
        &[Way::Direct],
        "",
        &[],
        &[
            ("it is not alive", |subject| assert_eq!(subject.ask("GET", "/livez", &[], "").status, 500)),
            ("it is dead", |subject| assert_eq!(subject.ask("GET", "/livez", &[], "").status, 200)),
        ],
    );
}
