//! The command line: verbs, options, and what they come to.

mod args;
pub(crate) mod read;

pub use args::{Cli, CompareArgs, FindArgs, OutputArgs, ReportArgs, RunArgs, Verb};
pub use read::{Prepared, prepare};
