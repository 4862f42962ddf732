//! The only types that cross threads: letters in mailboxes, and jobs for the workers.

pub mod callers;
pub mod job;
pub mod mailbox;
pub mod postman;
