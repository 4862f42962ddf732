//! Tidings.
pub mod client;
pub mod close;
pub mod config;
pub mod connection;
pub mod handoff;
pub mod hub;
pub mod metrics;
pub mod reactor;
pub mod server;
pub mod web;
pub mod wire;
pub mod workers;

pub use config::{Config, ConfigError};
pub use server::Server;
