//! Threads that wait for room and have no mailbox: those of a program that uses the server as a library.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// See the module. While no thread waits, announcing that room came free costs one load.
#[derive(Debug, Default)]
pub struct Callers {
    waiting: AtomicUsize,
    /// How often room came free while a thread waited.
    turn: Mutex<u64>,
    came_free: Condvar,
}

/// A thread that waits. It is woken by all room that comes free from here on.
#[derive(Debug)]
pub struct Waiting<'c>(&'c Callers);

impl Callers {
    /// Begins to wait. The caller must then ask for room once more, since some may have come free in between.
    #[must_use]
    pub fn begin(&self) -> Waiting<'_> {
        // SeqCst, as in `any`: this thread announces itself and then looks for room, another frees room and then
        // looks for those that wait. With less, each could miss the other.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self)
    }

    /// Whether a thread waits.
    pub(super) fn any(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Announces that room came free somewhere.
    pub(super) fn wake(&self) {
        if self.any() {
            // Under the lock under which a thread compares its turn and falls asleep, so that none is missed in
            // between.
            *self.turn.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            // All of them: nothing says for which of them the room is.
            self.came_free.notify_all();
        }
    }
}

impl Waiting<'_> {
    /// What to give to [`Waiting::wait`]; take it before asking for room.
    #[must_use]
    pub fn turn(&self) -> u64 {
        *self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until room came free after `turn` was taken, or until `until`.
    pub fn wait(&self, turn: u64, until: Instant) {
        let time = until.saturating_duration_since(Instant::now());
        let now = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // The result is dropped: the caller asks for room again, and so learns whether it came free or the time is over.
        drop(self.0.came_free.wait_timeout_while(now, time, |now| *now == turn));
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::Callers;
    use std::time::{Duration, Instant};

    #[test]
    fn room_that_comes_free_after_the_turn_was_taken_is_not_waited_for() {
        let callers = Callers::default();
        callers.wake();
        let waiting = callers.begin();
        let turn = waiting.turn();
        callers.wake();
        let began = Instant::now();
        waiting.wait(turn, began + Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_wait_ends_when_another_thread_frees_room_or_when_its_time_is_over() {
        let callers = Callers::default();
        std::thread::scope(|scope| {
            let waiting = callers.begin();
            let turn = waiting.turn();
            scope.spawn(|| callers.wake());
            let began = Instant::now();
            waiting.wait(turn, began + Duration::from_secs(60));
            assert!(began.elapsed() < Duration::from_secs(30));
        });
        assert!(!callers.any());
        let waiting = callers.begin();
        let until = Instant::now() + Duration::from_millis(20);
        waiting.wait(waiting.turn(), until);
        assert!(Instant::now() >= until);
    }
}
