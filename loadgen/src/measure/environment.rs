//! The machine, for every result.

use crate::outcome::Environment;
use crate::plan::without_secret;
use rustix::process::{Resource, getrlimit};
use std::fs;

/// Header fields whose values are secrets.
const SECRET: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// What there is to know about this machine and this command.
#[must_use]
pub fn environment() -> Environment {
    let uname = rustix::system::uname();
    let line =
        |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Environment {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("TIDINGS_COMMIT").map(str::to_owned),
        command: std::env::args_os().map(|argument| shown(&argument.to_string_lossy())).collect::<Vec<_>>().join(" "),
        host: uname.nodename().to_string_lossy().into_owned(),
        kernel: format!("{} {}", uname.release().to_string_lossy(), uname.machine().to_string_lossy()),
        cpu: cpu().unwrap_or_default(),
        cpus: std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX)),
        governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        memory: memory().unwrap_or(0),
        descriptors: descriptors(),
        ports: ports(),
        somaxconn: line("/proc/sys/net/core/somaxconn").and_then(|text| text.parse().ok()).unwrap_or(0),
        pinned_self: Vec::new(),
        busy_poll: false,
        pinned_server: Vec::new(),
    }
}

/// An argument without what authorizes.
fn shown(argument: &str) -> String {
    let name =
        argument.split_once(':').map(|(name, _)| name.trim_start_matches("--header=").trim_start_matches("-H").trim());
    let is_secret = name.is_some_and(|name| SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret)));
    match argument.split_once(':') {
        Some((name, _)) if is_secret => format!("{name}: ***"),
        _ => without_secret(argument),
    }
}

/// How many descriptors this process may have.
#[must_use]
pub fn descriptors() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Raises that as far as it may be raised.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it may not be raised, what is there has to do; running out of it is reported.
    let _ = rustix::process::setrlimit(Resource::Nofile, wanted);
}

/// The ports that the kernel gives to outgoing connections, first and last.
#[must_use]
pub fn ports() -> (u16, u16) {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().filter_map(|number| number.parse().ok());
    (numbers.next().unwrap_or(32768), numbers.next().unwrap_or(60999))
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn secrets_are_not_shown() {
        let shown =
            ["Authorization: Bearer x", "--header=cookie: a=b", "-HAuthorization:x", "ws://a:b@h/", "X-A: b", "-c"]
                .map(super::shown);
        assert_eq!(
            shown,
            ["Authorization: ***", "--header=cookie: ***", "-HAuthorization: ***", "ws://***@h/", "X-A: b", "-c"]
        );
    }

    #[test]
    fn this_machine_is_known() {
        let environment = super::environment();
        assert!(environment.memory > 1 << 20 && environment.cpus > 0 && environment.descriptors > 10);
        assert!(!environment.kernel.is_empty() && environment.ports.0 < environment.ports.1);
    }
}
