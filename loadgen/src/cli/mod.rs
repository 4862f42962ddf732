//! The command line: verbs, options, and what they come to.

mod args;
mod headers;
pub(crate) mod read;

pub use args::{Cli, CompareArgs, FindArgs, OutputArgs, ReportArgs, RunArgs, Verb};
pub(crate) use read::sources;
pub use read::{Prepared, prepare};
