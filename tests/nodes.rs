//! The engine "redis": several nodes that share one Redis are one server to their clients, whatever happens to either.
//!
//! The tests here and the short ones of the modules run with all others; the long ones are run by `tests/cluster NAME`, and each
//! prints its figures. Without a redis-server they are skipped, and say so.

mod account;
mod calls;
mod copies;
mod faults;
mod hostile;
mod kills;
mod links;
mod many;
mod member;
mod operators;
mod order;
mod rolling;
mod scripts;
mod sentinel;
mod signin;
mod slow;
mod speed;
mod stopped;
mod streams;
mod surveys;
mod together;

use crate::support::http::{Answer, get};
use crate::support::process::Process;
use crate::support::redis::{self, Redis};
use crate::support::wait_until;
use crate::support::ws::WsClient;
use serde_json::Value;
use std::net::SocketAddr;

/// Nodes that share a Redis.
struct Cluster {
    nodes: Vec<Process>,
    redis: Redis,
}

impl Cluster {
    /// Starts a Redis with these lines of configuration, and nodes on it. `None` where there is no Redis: `what` is skipped.
    fn start(what: &str, count: usize, lines: &[&str], more: &[&str]) -> Option<Cluster> {
        redis::is_here(what).then(|| Cluster::on(Redis::start(lines), count, more))
    }

    /// The same on a Redis that runs.
    fn on(redis: Redis, count: usize, more: &[&str]) -> Cluster {
        let url = redis.url();
        Cluster { nodes: (0..count).map(|_| node(&url, more)).collect(), redis }
    }

    fn address(&self, number: usize) -> SocketAddr {
        self.nodes[number].address
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    /// Ends all nodes in order.
    fn stop(self) {
        for node in self.nodes {
            stop(node);
        }
    }
}

/// Starts a node, and waits until it takes clients.
fn node(url: &str, more: &[&str]) -> Process {
    let node = begin_node(url, more);
    wait_until("the node is ready", || is_ready(node.address));
    node
}

/// Starts a node.
fn begin_node(url: &str, more: &[&str]) -> Process {
    Process::start(&[&["--engine", url, "--reactors", "1", "--workers", "1"], more].concat())
}

fn is_ready(node: SocketAddr) -> bool {
    get(node, "/readyz").status == 200
}

/// Ends a node in order.
fn stop(node: Process) {
    drop(log_of(node));
}

/// The same; what it logged.
fn log_of(node: Process) -> String {
    node.signal("TERM");
    let (status, log) = node.wait();
    assert!(status.success(), "{status:?} {log}");
    log
}

/// Ends a node at once.
fn kill(node: Process) {
    node.signal("KILL");
    node.wait();
}

fn position(answer: &Value) -> String {
    format!("{}:{}", answer["epoch"].as_str().unwrap_or_default(), answer["offset"])
}

fn published(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    position(&answer.json())
}

/// The position and the data of the next push that is a publication, and whether a reset came before it.
fn next_of(reader: &mut WsClient) -> (u64, Value, Option<String>) {
    let mut reset = None;
    loop {
        let push = reader.next_push();
        if push["reset"] == true {
            reset = Some(position(&push));
        } else {
            return (push["offset"].as_u64().expect("an offset"), push["data"].clone(), reset);
        }
    }
}
