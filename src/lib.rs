//! Tidings.
pub mod client;
pub mod close;
pub mod config;
pub mod wire;

pub use config::{Config, ConfigError};
