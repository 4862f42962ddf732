//! The only types that cross threads: letters in mailboxes (orders among them), and jobs for the workers, and
//! errands to services.

pub mod callers;
pub mod errand;
pub mod job;
pub mod letter;
pub mod mailbox;
pub mod order;
pub mod others;
pub mod postman;
mod pump;
mod refused;
pub mod wake;
pub mod walk;
