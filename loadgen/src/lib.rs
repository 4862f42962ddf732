//! A load generator for WebSocket servers that states how far its own figures can be trusted.

pub mod adapters;
pub mod cli;
pub mod clock;
pub mod engine;
pub mod fleet;
pub mod grammar;
pub mod measure;
pub mod message;
pub mod numbers;
pub mod outcome;
pub mod percent;
pub mod plan;
pub mod prepare;
pub mod random;
pub mod reason;
pub mod report;
pub mod scenario;
pub mod session;
pub mod stamp;
pub mod stats;
pub mod verbs;
pub mod verdict;
