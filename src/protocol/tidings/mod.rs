//! The protocol of this server: requests and answers in JSON, pushes as frames or as blocks of an event stream.
//!
//! The normative text follows.
#![doc = include_str!("PROTOCOL.md")]

pub(super) mod answer;
pub mod batch;
pub(super) mod encode;
pub mod events;
pub mod media;
pub mod options;
pub mod parse;
pub mod path;
pub(super) mod read;
pub mod reply;
pub mod routes;
pub mod signed;
pub mod ticket;

pub(super) use routes::ROUTES;

#[cfg(test)]
mod protocol_tests;
