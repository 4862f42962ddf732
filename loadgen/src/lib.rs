//! A load generator for WebSocket servers that tells how far its own figures can be trusted.

pub mod adapters;
pub mod clock;
pub mod outcome;
pub mod stamp;
