//! Which CPUs threads and processes run on.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Puts the calling thread on one of the CPUs, in turn; does nothing when there are none.
pub fn this_thread(cpus: &[usize], index: u64) {
    if cpus.is_empty() {
        return;
    }
    let cpu = cpus[usize::try_from(index).unwrap_or(0) % cpus.len()];
    // A CPU that does not exist was refused before: see `check`.
    let _ = sched_setaffinity(None, &set(&[cpu]));
}

/// Puts every thread of a process on these CPUs.
///
/// # Errors
/// The process is gone or another user's, or a CPU does not exist.
pub fn process(pid: u32, cpus: &[usize]) -> Result<(), String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| format!("process {pid}: {error}"))?;
    for task in tasks.flatten() {
        let id = task.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        sched_setaffinity(id, &set(cpus))
            .map_err(|error| format!("process {pid} cannot be put on CPUs {cpus:?}: {error}"))?;
    }
    Ok(())
}

/// Checks that this process may run on each of the CPUs.
///
/// # Errors
/// Names the first that it may not run on, and those that it may.
pub fn check(cpus: &[usize]) -> Result<(), String> {
    let allowed = allowed();
    match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        Some(cpu) => Err(format!("CPU {cpu} is none that this process may run on: {allowed:?}")),
        None => Ok(()),
    }
}

/// The CPUs that this process may run on.
#[must_use]
pub fn allowed() -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect()
}

/// How many CPUs a process may run on.
#[must_use]
pub fn cpus_of(pid: u32) -> Option<u32> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    sched_getaffinity(Some(pid)).ok().map(|set| set.count())
}

fn set(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(*cpu));
    set
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cpu_that_does_not_exist_is_told() {
        assert_eq!(super::check(&super::allowed()), Ok(()));
        assert!(super::check(&[100_000]).expect_err("no such CPU").contains("100000"));
    }
}
