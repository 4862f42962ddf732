//! `doctor`: what this machine can measure, and what limits it.

use super::ending::Failure;
use super::output::Voice;
use crate::measure::{environment, pin};
use crate::numbers::{bytes, whole};

/// Memory of both ends of a connection in the kernel, as slabs of TCP, its inode, file, dentry and epoll entry (measured
/// on Linux 6.18), in bytes.
const KERNEL_BYTES: u64 = 2 * 3712;
/// Memory of a connection in this program, in bytes.
const OWN_BYTES: u64 = 1024;

/// Prints what there is, and what to do about it.
#[expect(clippy::unnecessary_wraps, reason = "verbs end alike")]
pub(super) fn doctor(voice: &mut Voice) -> Result<u8, Failure> {
    let environment = environment::environment();
    let mut line = |text: String| voice.say(&(text + "\n"));
    line(format!("kernel       {}", environment.kernel));
    line(format!("CPU          {} x {}", environment.cpus, environment.cpu));
    line(format!("memory       {}", bytes(environment.memory as f64)));
    let ports = u64::from(environment.ports.1 - environment.ports.0) + 1;
    line(format!("descriptors  {} per process, of which a connection needs one", whole(environment.descriptors)));
    line(format!(
        "ports        {} to {}: {} connections per source address and target",
        environment.ports.0,
        environment.ports.1,
        whole(ports)
    ));
    line(format!("backlog      somaxconn {}", environment.somaxconn));
    let most = environment.memory / (KERNEL_BYTES + OWN_BYTES);
    line(format!(
        "\nWith both ends on this machine its memory has room for about {} connections, less what the server itself needs.",
        whole(most)
    ));
    line(format!(
        "--processes {} would hold 100,000 connections.",
        100_000_u64.div_ceil(environment.descriptors.saturating_sub(64).max(1))
    ));
    let advice = advice(&environment);
    if advice.is_empty() {
        line("\nNothing limits it.".to_owned());
    }
    for text in advice {
        line(format!("\nadvice: {text}"));
    }
    Ok(0)
}

fn advice(environment: &crate::outcome::Environment) -> Vec<String> {
    let mut advice = Vec::new();
    let mut when = |applies: bool, text: &str| applies.then(|| advice.push(text.to_owned()));
    when(
        environment.descriptors < 10_000,
        "raise the limit of descriptors: ulimit -n 1048576, or LimitNOFILE= of the service",
    );
    when(environment.somaxconn < 4096, "raise the backlog for storms: sysctl -w net.core.somaxconn=4096");
    when(
        pin::allowed().len() < 2,
        "there is one CPU: server and generator disturb each other, and only CPU per message can be trusted",
    );
    when(
        environment.governor.as_deref().is_some_and(|governor| governor != "performance"),
        "the CPUs' frequency changes with their load: set the governor to performance",
    );
    let value = |path: &str| std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    when(
        value("/proc/sys/net/netfilter/nf_conntrack_max").is_some_and(|most| most < 1_000_000),
        "connections are tracked by the firewall (nf_conntrack): raise nf_conntrack_max or exempt loopback",
    );
    when(
        value("/proc/sys/net/ipv4/tcp_max_tw_buckets").is_some_and(|most| most < 50_000),
        "few connections may wait after their end (tcp_max_tw_buckets): use --close rst for storms",
    );
    advice
}
