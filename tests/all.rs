//! The one integration binary: every suite is a module, every server is a real one on a port of its own.

mod access;
mod deadlines;
mod drain;
mod exhausted;
mod flood;
mod handshake;
mod http;
mod laws;
mod library;
mod memory;
mod protocol;
mod publishing;
mod refusals;
mod smoke;
mod support;
mod tidy;
