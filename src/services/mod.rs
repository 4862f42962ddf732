//! Threads that may block: each does one kind of work that would delay a reactor or a worker.

mod everywhere;
pub mod insight;
mod operations;
#[cfg(feature = "outbound")]
pub mod outbound;
mod pages;

pub use everywhere::{Everywhere, FromElsewhere};
pub use operations::{Operations, Reload};
pub use pages::Pages;
