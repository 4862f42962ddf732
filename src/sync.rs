//! What threads meet in: the standard library's atomics and locks and crossbeam's channel, or, when the models run, those
//! of a model checker that tries the orders in which threads may get at them.

#[cfg(not(shuttle))]
mod usual {
    pub(crate) use crossbeam_channel::{Receiver, Sender, unbounded};
    pub(crate) use std::sync::{Mutex, MutexGuard, RwLock, atomic};

    /// A place where a model may let another thread go on.
    pub(crate) fn point() {}
}

#[cfg(shuttle)]
mod checked {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard, RwLock, atomic};
    use std::collections::VecDeque;
    use std::sync::{Arc, PoisonError};

    type Queue<T> = Arc<Mutex<VecDeque<T>>>;

    /// A channel's end for those who send.
    pub(crate) struct Sender<T>(Queue<T>);

    /// A channel's end for the one who receives.
    pub struct Receiver<T>(Queue<T>);

    /// A channel that never fills.
    pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
        let queue = Queue::default();
        (Sender(Arc::clone(&queue)), Receiver(queue))
    }

    impl<T> Sender<T> {
        pub(crate) fn send(&self, item: T) -> Result<(), T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
            Ok(())
        }
    }

    impl<T> Receiver<T> {
        pub(crate) fn try_recv(&self) -> Result<T, ()> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().ok_or(())
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
        }

        /// Library subscribers are no part of the models: nothing waits here.
        pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
            std::iter::from_fn(|| self.try_recv().ok())
        }
    }

    pub(crate) fn point() {
        shuttle::thread::yield_now();
    }
}

#[cfg(shuttle)]
pub(crate) use checked::*;
#[cfg(not(shuttle))]
pub(crate) use usual::*;
