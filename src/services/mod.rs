//! Threads that may block: each makes one kind of answer that would delay a reactor or a worker.

pub mod insight;
mod pages;

pub use pages::Pages;
