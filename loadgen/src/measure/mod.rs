//! What is measured from outside: processes, the kernel, the machine.

pub mod environment;
pub mod kernel;
pub mod metrics;
pub mod operator;
pub mod pin;
pub mod process;
