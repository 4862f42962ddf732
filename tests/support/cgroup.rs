//! Control groups of the kernel, of either version: a server that may have a part of a core, or some memory and no more.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Where groups are made: of the first version each controller has a tree of its own, of the second all have one.
const TREES: [&str; 3] = ["/sys/fs/cgroup/CONTROLLER", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// A group that goes when this does. What is in it must have ended by then.
pub(crate) struct Group {
    folder: PathBuf,
    /// Whether it is of the second version.
    is_second: bool,
}

impl Group {
    /// One that has this much of a core in each period. `None`, with the reason in words, where none can be made.
    pub(crate) fn of_cpu(quota: Duration, period: Duration) -> Option<Group> {
        let (quota, period) = (quota.as_micros(), period.as_micros());
        let first = [("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota.to_string())];
        let second = [("cpu.max", format!("{quota} {period}"))];
        Group::make("cpu", &first, &second)
    }

    /// One that may have so many bytes.
    pub(crate) fn of_memory(bytes: usize) -> Option<Group> {
        let bytes = bytes.to_string();
        Group::make("memory", &[("memory.limit_in_bytes", bytes.clone())], &[("memory.max", bytes)])
    }

    fn make(controller: &str, first: &[(&str, String)], second: &[(&str, String)]) -> Option<Group> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tidings-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        for tree in TREES.map(|tree| tree.replace("CONTROLLER", controller)) {
            let tree = Path::new(&tree);
            let is_second = tree.join("cgroup.controllers").exists();
            if is_second {
                // Where it is not allowed, or is so already, the files below tell.
                let _ = fs::write(tree.join("cgroup.subtree_control"), format!("+{controller}"));
            }
            let group = Group { folder: tree.join(&name), is_second };
            let settings = if is_second { second } else { first };
            if tree.exists()
                && fs::create_dir(&group.folder).is_ok()
                && settings.iter().all(|(file, value)| fs::write(group.folder.join(file), value).is_ok())
            {
                return Some(group);
            }
        }
        println!("skipped: no control group for {controller} can be made here");
        None
    }

    /// What a program is started by to be in it from its beginning.
    pub(crate) fn wrapper(&self) -> Vec<String> {
        let members = self.folder.join("cgroup.procs");
        let script = format!("echo $$ > {} && exec \"$@\"", members.display());
        ["sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
    }

    /// How often it wanted more of a core than it may have, and had to wait.
    pub(crate) fn waits(&self) -> u64 {
        self.figure("cpu.stat", "nr_throttled ")
    }

    /// How many processes were killed since it wanted more memory than it may have.
    pub(crate) fn killed(&self) -> u64 {
        self.figure(if self.is_second { "memory.events" } else { "memory.oom_control" }, "oom_kill ")
    }

    /// The most bytes that it had, with those that the kernel kept for it.
    pub(crate) fn peak(&self) -> u64 {
        self.figure(if self.is_second { "memory.peak" } else { "memory.max_usage_in_bytes" }, "")
    }

    fn figure(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.folder.join(file)).expect("the kernel tells");
        let value = text.lines().find_map(|line| line.strip_prefix(name)).expect("the figure is there");
        value.trim().parse().expect("a number")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Fails while something is in it, which a test that failed may leave for a moment.
        let _ = fs::remove_dir(&self.folder);
    }
}
