//! Threads that may block: each makes one kind of answers that would hold up a reactor or a worker.

pub mod insight;
mod pages;

pub use pages::Pages;
