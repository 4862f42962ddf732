//! Threads that may block: each makes one kind of answer that would delay a reactor or a worker.

pub mod insight;
mod operations;
mod pages;

pub use operations::Operations;
pub use pages::Pages;
