//! A process and its children, as /proc shows them: CPU time, memory, switches, descriptors.

use crate::clock::SECOND;
use std::collections::BTreeMap;
use std::fs;

/// What a process and its children have used so far, and have now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// CPU seconds in user mode.
    pub cpu_user: f64,
    /// CPU seconds in the kernel.
    pub cpu_system: f64,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Proportional memory, bytes, where the kernel states it: shared memory is counted in parts.
    pub pss: Option<u64>,
    /// Voluntary context switches of its threads.
    pub switches_voluntary: u64,
    /// Switches that they did not.
    pub switches_involuntary: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// CPU seconds of each of its threads that are there now, by their ids.
    pub threads: BTreeMap<u32, f64>,
}

impl Usage {
    /// User and system time since an earlier look, in seconds. The sum is exact; the share of either is known by ticks alone and
    /// may be corrected later, by which one of them would have gone back.
    pub fn cpu_since(&self, earlier: &Usage) -> (f64, f64) {
        let all = (self.cpu_user + self.cpu_system - earlier.cpu_user - earlier.cpu_system).max(0.0);
        let user = (self.cpu_user - earlier.cpu_user).clamp(0.0, all);
        (user, all - user)
    }

    /// The CPU seconds that the busiest thread has used since an earlier moment.
    #[must_use]
    pub fn busiest_since(&self, earlier: &Usage) -> f64 {
        let used = |(thread, now): (&u32, &f64)| now - earlier.threads.get(thread).copied().unwrap_or(0.0);
        self.threads.iter().map(used).fold(0.0, f64::max)
    }
}

/// Clock ticks per second in /proc (`USER_HZ`): 100 on every Linux that is in use.
const TICKS: f64 = 100.0;
/// Bytes of a page, for `statm`-like fields; the fields used here are in KiB.
const KIB: u64 = 1024;

/// A process and all that descend from it.
#[must_use]
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        let children = tasks(family[next])
            .into_iter()
            .filter_map(|task| fs::read_to_string(format!("/proc/{}/task/{task}/children", family[next])).ok());
        let children: Vec<u32> = children
            .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect();
        family.extend(children);
        next += 1;
    }
    family
}

/// The usage of a process and its children; `None` when it is gone. Memory in detail takes the kernel longer, and is read
/// only where `detail` asks for it.
#[must_use]
pub fn usage(pid: u32, detail: bool) -> Option<Usage> {
    fs::metadata(format!("/proc/{pid}")).ok()?;
    let mut sum = Usage { pss: detail.then_some(0), ..Usage::default() };
    for pid in family(pid) {
        let Some(one) = usage_of_one(pid, detail) else { continue };
        sum.cpu_user += one.cpu_user;
        sum.cpu_system += one.cpu_system;
        sum.rss += one.rss;
        sum.pss = sum.pss.zip(one.pss).map(|(sum, one)| sum + one);
        sum.switches_voluntary += one.switches_voluntary;
        sum.switches_involuntary += one.switches_involuntary;
        sum.descriptors += one.descriptors;
        sum.threads.extend(one.threads);
    }
    Some(sum)
}

fn usage_of_one(pid: u32, detail: bool) -> Option<Usage> {
    let (user, system) = ticks_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut usage = Usage {
        cpu_user: user,
        cpu_system: system,
        rss: KIB * field(&status, "VmRSS:").unwrap_or(0),
        pss: None,
        switches_voluntary: 0,
        switches_involuntary: 0,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64),
        threads: BTreeMap::new(),
    };
    let mut on_cpu = 0;
    for task in tasks(pid) {
        let status = fs::read_to_string(format!("/proc/{pid}/task/{task}/status")).unwrap_or_default();
        usage.switches_voluntary += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        usage.switches_involuntary += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        let schedstat = fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).unwrap_or_default();
        let nanos = schedstat.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok());
        on_cpu += nanos.unwrap_or(0);
        // Without the scheduler's figures those in ticks have to do.
        let seconds = nanos.map(|nanos| nanos as f64 / SECOND as f64).or_else(|| {
            let stat = fs::read_to_string(format!("/proc/{pid}/task/{task}/stat")).ok()?;
            ticks_of(&stat).map(|(user, system)| user + system)
        });
        usage.threads.extend(seconds.map(|seconds| (task, seconds)));
    }
    (usage.cpu_user, usage.cpu_system) = user_and_system((user, system), on_cpu as f64 / SECOND as f64);
    if detail {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        usage.pss = field(&rollup, "Pss:").map(|kib| KIB * kib);
    }
    Some(usage)
}

/// User and system time in seconds, of the line that the kernel has for a process or a thread: its name may hold anything.
fn ticks_of(stat: &str) -> Option<(f64, f64)> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let seconds = |place: usize| fields.get(place)?.parse::<f64>().ok().map(|ticks| ticks / TICKS);
    Some((seconds(11)?, seconds(12)?))
}

/// Seconds of user and system time, of what the kernel says in ticks and the scheduler in nanoseconds: `exact` does not tell
/// user from system, and forgets threads that have ended.
fn user_and_system((user, system): (f64, f64), exact: f64) -> (f64, f64) {
    let rough = user + system;
    // Each of the two was rounded down by up to a tick. Whoever is believed now has to be believed later: differences count.
    let forgotten = exact < 0.8 * rough - 2.0 / TICKS;
    if forgotten || exact <= 0.0 {
        (user, system)
    } else if rough <= 0.0 {
        (0.0, exact)
    } else {
        (user * exact / rough, system * exact / rough)
    }
}

fn tasks(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .map(|entries| entries.flatten().collect())
        .unwrap_or_else(|_| Vec::new());
    entries.iter().filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect()
}

/// The number in the line of a file that begins with `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The name of a process's program.
#[must_use]
pub fn program(pid: u32) -> Option<String> {
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    Some(program.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Usage, family, usage, user_and_system};
    use std::process::{Command, Stdio};

    #[test]
    fn neither_user_nor_system_time_goes_back() {
        let look = |cpu_user, cpu_system| Usage { cpu_user, cpu_system, ..Usage::default() };
        let since = |(user, system): (f64, f64)| look(user, system).cpu_since(&look(1.0, 1.0));
        assert_eq!([since((0.5, 2.5)), since((2.5, 0.5)), since((1.25, 1.5))], [(0.0, 1.0), (1.0, 0.0), (0.25, 0.5)]);
        assert_eq!(since((0.5, 0.5)), (0.0, 0.0));
    }

    #[test]
    fn children_are_counted_and_time_is_seen() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat runs");
        let me = std::process::id();
        assert!(family(me).contains(&child.id()) && family(me)[0] == me);
        let before = usage(me, true).expect("this process is there");
        let mut x = 0_u64;
        while usage(me, false).expect("still").cpu_user < before.cpu_user + 0.05 {
            x = (0..1_000_000).fold(x, |x, n| std::hint::black_box(x ^ n));
        }
        assert!(before.rss > 100_000 && before.pss.is_some_and(|pss| pss > 100_000) && before.descriptors >= 3);
        drop(child.stdin.take());
        child.wait().expect("it ends with its input");
        assert_eq!(usage(u32::MAX / 2, false), None);
    }

    /// A server of one thread could never be more than half busy on two CPUs.
    #[test]
    fn the_busiest_thread_is_seen_among_idle_ones() {
        let me = std::process::id();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let idle = std::thread::spawn(move || stopped.recv());
        let before = usage(me, false).expect("this process is there");
        let id = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        let mut x = 0_u64;
        let now = loop {
            let now = usage(me, false).expect("still");
            if now.threads[&id] - before.threads[&id] > 0.05 {
                break now;
            }
            x = (0..1_000_000).fold(x, |x, n| std::hint::black_box(x ^ n));
        };
        assert!(now.busiest_since(&before) > 0.05 && now.threads.len() > 1);
        assert_eq!(before.busiest_since(&before), 0.0);
        drop(stop);
        idle.join().expect("no panic").expect_err("nothing was sent");
    }

    #[test]
    fn a_line_of_the_kernel_is_read_past_whatever_name_a_thread_has() {
        let line = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(super::ticks_of(line), Some((1.5, 0.5)));
        assert_eq!(super::ticks_of("7 (x) S 1"), None);
    }

    /// A server with little to do seemed to have negative costs: its first reading was of ticks, its second exact.
    #[test]
    fn little_time_is_read_as_exactly_as_much() {
        let sum = |ticks, exact| {
            let (user, system) = user_and_system(ticks, exact);
            user + system
        };
        for (ticks, exact) in [((0.0, 0.0), 0.004), ((0.0, 0.01), 0.016), ((0.01, 0.01), 0.034), ((1.0, 3.0), 4.01)] {
            assert!((sum(ticks, exact) - exact).abs() < 1e-12, "{ticks:?} {exact}");
        }
        let (user, system) = user_and_system((1.0, 3.0), 4.4);
        assert!((user - 1.1).abs() < 1e-12 && (system - 3.3).abs() < 1e-12, "in the same parts: {user} {system}");
        assert_eq!(user_and_system((1.0, 3.0), 2.0), (1.0, 3.0), "threads that have ended are in the ticks only");
        assert_eq!(user_and_system((0.5, 0.5), 0.0), (0.5, 0.5), "nothing from the scheduler");
    }
}
