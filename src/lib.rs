//! Tidings.
pub mod close;
pub mod wire;
