//! What requests act on: work and its execution, the gate that judges it, and its answers.

pub mod answer;
mod asker;
pub mod destination;
pub mod errand;
mod excluded;
pub mod execute;
pub mod gate;
mod slot;
pub mod work;
