//! The one integration binary: every suite is a module, every server is a real one on a port of its own.

mod data;
mod framing;
mod handshake;
mod pool;
mod protocol;
mod resume;
mod smoke;
mod sse;
mod support;
mod tidy;
mod websocket;
