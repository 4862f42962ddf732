//! For benches of many things: what one process holds.

/// What of the machine's memory is this process's, in bytes.
pub(crate) fn pss() -> usize {
    let page = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux tells it");
    let line = page.lines().find(|line| line.starts_with("Pss:")).expect("its sum");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number of KiB") * 1024
}
