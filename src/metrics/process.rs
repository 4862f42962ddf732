//! What the system reports about this process: memory, descriptors, processor time. It reads files, so never on a reactor.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use std::fs;

/// The unit in which procfs states when a process began, in ticks per second: the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The numbers that could be read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Processor time used, user and system, in seconds.
    pub cpu_s: Option<f64>,
    /// When it began, in seconds since 1970.
    pub start_s: Option<f64>,
    /// Memory in use, in bytes.
    pub resident_bytes: Option<u64>,
    /// Address space, in bytes.
    pub virtual_bytes: Option<u64>,
    /// Descriptors that are open.
    pub descriptors: Option<u64>,
    /// Descriptors that may be open.
    pub descriptors_max: Option<u64>,
}

impl Process {
    /// Reads them from the system.
    #[must_use]
    pub fn now() -> Process {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            // The kernel writes kB, and means 1024 bytes.
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
        };
        Process {
            cpu_s: cpu_s(),
            start_s: start_s(),
            resident_bytes: bytes("VmRSS"),
            virtual_bytes: bytes("VmSize"),
            descriptors: descriptors(),
            descriptors_max: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
        }
    }
}

fn cpu_s() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn start_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses, which may contain anything; this is the 22nd.
    let ticks: f64 = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
    let system = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + ticks / TICKS_PER_SECOND)
}

/// Newer kernels state the number as the size of the folder; with others the folder has to be listed.
fn descriptors() -> Option<u64> {
    let stated = fs::metadata("/proc/self/fd").ok()?.len();
    if stated > 0 { Some(stated) } else { Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64) }
}

#[cfg(test)]
mod tests {
    use super::Process;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn this_process_is_known() {
        let process = Process::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let start = process.start_s.expect("procfs");
        assert!(start > 1.6e9 && start <= now + 1.0, "{start} of {now}");
        assert!(process.cpu_s.expect("a number") > 0.0);
        let (open, most) = (process.descriptors.expect("procfs"), process.descriptors_max.expect("a limit"));
        assert!((3..=most).contains(&open), "{open} of {most}");
        assert!(process.virtual_bytes >= process.resident_bytes && process.resident_bytes > Some(1 << 20));
    }
}
