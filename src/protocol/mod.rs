//! What clients speak: one folder per protocol, and the table of how publications are written for their readers.

pub mod encoders;
pub mod response;
pub mod task;
pub mod tidings;
