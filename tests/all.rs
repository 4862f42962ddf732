//! The one integration binary: every suite is a module, every server is a real one on a port of its own.

mod framing;
mod handshake;
mod protocol;
mod smoke;
mod support;
mod tidy;
mod websocket;
