//! What requests act on: work and its execution, the gate that judges it, and its answers.

pub mod answer;
pub mod errand;
pub mod execute;
pub mod gate;
pub mod work;
