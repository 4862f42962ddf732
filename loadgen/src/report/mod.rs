//! What a reader sees of a result: text for a terminal, tables, logs, a page.

mod csv;
#[cfg(test)]
mod example;
mod hdr_log;
mod html;
mod moment;
mod named;
mod summary;
mod wrapped;

pub use csv::csv;
#[cfg(test)]
pub(crate) use example::example;
pub use hdr_log::hdr_log;
pub use html::html;
pub(crate) use named::measured;
pub use summary::summary;
