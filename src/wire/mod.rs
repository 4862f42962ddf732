//! Formats alone, bytes ⇄ values: HTTP heads and bodies, the upgrade, frames, their compression, JSON, event streams,
//! the PROXY protocol, entries of a log, RESP.
//!
//! Nothing here uses a socket, a thread or a clock.

pub mod deflate;
pub mod entry;
pub mod frame;
pub mod http;
pub mod json;
pub mod proxied;
pub mod resp;
pub mod sse;
