//! Bytes ⇄ values, purely: HTTP heads and bodies, the upgrade, frames, SSE, names, requests and replies.
//!
//! Nothing in here knows a socket, a thread or a clock. The normative text follows.
#![doc = include_str!("PROTOCOL.md")]

pub mod deflate;
pub mod frame;
pub mod http;
pub mod json;
pub mod media;
pub mod name;
pub mod parse;
pub mod reply;
pub mod sse;

#[cfg(test)]
mod protocol_tests;
