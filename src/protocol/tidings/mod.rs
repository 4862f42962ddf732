//! The protocol of this server: requests and answers in JSON, pushes as frames or as blocks of an event stream.
//!
//! The normative text follows.
#![doc = include_str!("PROTOCOL.md")]

pub mod batch;
pub(super) mod encode;
pub mod events;
pub mod media;
pub mod parse;
pub mod path;
pub mod reply;
pub mod ticket;

#[cfg(test)]
mod protocol_tests;
