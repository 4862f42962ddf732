//! How a thread is woken that waits for something.

/// Wakes the thread that owns a mailbox, or waits without one.
pub trait Wake: Send + Sync {
    /// Makes it look soon for what there is.
    fn wake(&self);
}
