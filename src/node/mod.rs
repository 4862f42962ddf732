//! What requests act on: work and its execution, the gate that judges it, and its answers.

pub mod answer;
pub mod destination;
pub mod errand;
mod excluded;
pub mod execute;
pub mod gate;
mod question;
pub mod work;
