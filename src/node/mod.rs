//! What requests act on: the hub, and whether they may.

pub mod answer;
pub mod execute;
pub mod gate;
pub mod work;
