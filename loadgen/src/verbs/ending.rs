//! How a verb ends: exit codes, failures, Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Something failed.
pub(super) const FAILED: u8 = 1;
/// The command line is wrong.
pub(super) const USAGE: u8 = 2;
/// A threshold was missed.
pub(super) const THRESHOLD: u8 = 99;
/// Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;

/// How a verb ended that did not go well.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// It was right, and failed.
    Run(String),
}

/// Becomes true at the first Ctrl-C; the second one ends the program.
pub(super) fn interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Where signals cannot be had, Ctrl-C ends the program at once.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), Arc::clone(&flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
}
