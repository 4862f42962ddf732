//! The one integration binary: every suite is a module, every server is a real one on a port of its own.

mod handshake;
mod protocol;
mod smoke;
mod support;
mod tidy;
