//! What the kernel counts for the whole machine: what it dropped, what its sockets take, what the hypervisor took.

use crate::outcome::KernelCounts;
use std::fs;

/// Counters at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    listen_overflows: u64,
    listen_drops: u64,
    backlog_drops: u64,
    retransmitted: u64,
    /// Ticks that the hypervisor took, and all.
    steal: (u64, u64),
    /// Memory of TCP's buffers, bytes.
    pub tcp_memory: u64,
    /// What the kernel's own objects take, bytes, where it may be read.
    pub slab: Option<u64>,
}

impl Snapshot {
    /// The counters now.
    #[must_use]
    pub fn take() -> Snapshot {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (netstat, snmp, stat, sockstat) =
            (read("/proc/net/netstat"), read("/proc/net/snmp"), read("/proc/stat"), read("/proc/net/sockstat"));
        let meminfo = read("/proc/meminfo");
        Snapshot {
            listen_overflows: pair(&netstat, "TcpExt:", "ListenOverflows"),
            listen_drops: pair(&netstat, "TcpExt:", "ListenDrops"),
            backlog_drops: pair(&netstat, "TcpExt:", "TCPBacklogDrop"),
            retransmitted: pair(&snmp, "Tcp:", "RetransSegs"),
            steal: steal(&stat),
            tcp_memory: pages(&sockstat) * 4096,
            slab: meminfo.lines().find_map(|line| line.strip_prefix("Slab:")).and_then(kib),
        }
    }

    /// What was counted since an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Snapshot) -> KernelCounts {
        let steal = self.steal.0.saturating_sub(earlier.steal.0) as f64;
        let all = self.steal.1.saturating_sub(earlier.steal.1).max(1) as f64;
        KernelCounts {
            listen_overflows: self.listen_overflows.saturating_sub(earlier.listen_overflows),
            listen_drops: self.listen_drops.saturating_sub(earlier.listen_drops),
            backlog_drops: self.backlog_drops.saturating_sub(earlier.backlog_drops),
            retransmitted: self.retransmitted.saturating_sub(earlier.retransmitted),
            tcp_memory_peak: self.tcp_memory.max(earlier.tcp_memory),
            bytes_per_connection: None,
            steal: steal / all,
        }
    }
}

/// A number of a file with lines of names above lines of numbers.
fn pair(text: &str, section: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter(|line| line.starts_with(section));
    let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else { return 0 };
    let place = names.split_whitespace().position(|candidate| candidate == name);
    place.and_then(|place| numbers.split_whitespace().nth(place)?.parse().ok()).unwrap_or(0)
}

/// The eighth number of the first line is what was stolen; all but the guests', which are counted twice, are the whole.
fn steal(stat: &str) -> (u64, u64) {
    let numbers = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let numbers: Vec<u64> = numbers.take(8).filter_map(|number| number.parse().ok()).collect();
    (numbers.get(7).copied().unwrap_or(0), numbers.iter().sum())
}

fn pages(sockstat: &str) -> u64 {
    let line = sockstat.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    line.split_whitespace().skip_while(|word| *word != "mem").nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

fn kib(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::{Snapshot, pair, steal};

    #[test]
    fn counters_are_found_by_their_names() {
        let text = "TcpExt: A ListenDrops B\nTcpExt: 1 22 3\nIpExt: X\nIpExt: 9\n";
        assert_eq!((pair(text, "TcpExt:", "ListenDrops"), pair(text, "TcpExt:", "None")), (22, 0));
        assert_eq!(steal("cpu 1 2 3 4 5 6 7 8 9 10\ncpu0 1"), (8, 36));
        let now = Snapshot::take();
        assert!(now.steal.1 > 0, "the kernel of this machine tells");
    }
}
