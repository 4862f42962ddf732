//! The nodes of a cluster: what this one says of itself every few seconds, and what the others have said.

use crate::model::cluster::ClusterNode;
use crate::wire::resp::Reply;
use std::time::{Duration, Instant};

/// How often a node says that it is there, and for how long that holds.
const SAY_EVERY: Duration = Duration::from_secs(4);
pub(super) const LEASE_MS: &str = "15000";
/// Nodes that are listed: a cluster is far smaller.
const NODES_MAX: usize = 1024;
/// The form of what a node says. A later version adds members at the end.
const FORM: &str = "1";

/// When this node speaks next.
#[derive(Debug)]
pub(super) struct Roster {
    next: Instant,
}

impl Roster {
    pub(super) fn new(now: Instant) -> Roster {
        Roster { next: now }
    }

    /// Whether it is time to speak; then it is only later again.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.next;
        if is_due {
            self.next = now + SAY_EVERY;
        }
        is_due
    }

    /// The link is new: the others learn of this node at once.
    pub(super) fn begin(&mut self, now: Instant) {
        self.next = now;
    }
}

/// What a node says of itself, as a text.
pub(super) fn written(node: &ClusterNode) -> String {
    let ClusterNode { id, address, version, started_ms, connections, channels, round_trip_us } = node;
    let numbers = [started_ms, connections, channels, round_trip_us].map(u64::to_string);
    [&[FORM, id, address, version][..], &numbers.each_ref().map(String::as_str)].concat().join("\t")
}

fn read(text: &str) -> Option<ClusterNode> {
    let mut members = text.split('\t');
    members.next().filter(|form| *form == FORM)?;
    // What is shown to operators holds nothing that moves a cursor.
    let mut text = || members.next().filter(|text| !text.chars().any(char::is_control)).map(str::to_owned);
    let (id, address, version) = (text()?, text()?, text()?);
    let mut number = || text()?.parse().ok();
    let (started_ms, connections, channels) = (number()?, number()?, number()?);
    // One of an earlier version does not say it.
    let round_trip_us = number().unwrap_or(0);
    Some(ClusterNode { id, address, version, started_ms, connections, channels, round_trip_us })
}

/// What all have said, by their ids.
pub(super) fn all(reply: &Reply<'_>) -> Vec<ClusterNode> {
    let Reply::List(said) = reply else { return Vec::new() };
    let node = |said: &Reply<'_>| match said {
        Reply::Bytes(text) => read(std::str::from_utf8(text).ok()?),
        _ => None,
    };
    let mut nodes: Vec<ClusterNode> = said.iter().filter_map(node).take(NODES_MAX).collect();
    nodes.sort_by(|one, other| one.id.cmp(&other.id));
    nodes
}

#[cfg(test)]
mod tests {
    use super::{ClusterNode, all, read, written};
    use crate::wire::resp::Reply;

    #[test]
    fn what_a_node_says_is_understood_and_nonsense_is_passed_over() {
        let node = |id: &str| ClusterNode {
            id: id.to_owned(),
            address: "127.0.0.1:8080".to_owned(),
            version: "0.1.0".to_owned(),
            started_ms: 7,
            connections: 8,
            channels: 9,
            round_trip_us: 10,
        };
        let (one, two) = (written(&node("b")), written(&node("a")) + "\tlater");
        assert_eq!(read(&one), Some(node("b")));
        let earlier = one.rsplit_once('\t').expect("its last member").0;
        assert_eq!(read(earlier), Some(ClusterNode { round_trip_us: 0, ..node("b") }));
        let said = [one.as_bytes(), b"2\tx", b"\xff", b"1\ta\tb", two.as_bytes()].map(Reply::Bytes);
        assert_eq!(all(&Reply::List(said.to_vec())), [node("a"), node("b")]);
        assert_eq!(read(&written(&ClusterNode { address: "a\x1bb".to_owned(), ..node("c") })), None);
    }
}
