//! Tidings.
pub mod close;
pub mod hub;
pub mod wire;
