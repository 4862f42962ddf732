//! The one integration binary: every suite is a module, every server is a real one on a port of its own.

mod access;
mod data;
mod deadlines;
mod deflate;
mod drain;
mod elsewhere;
mod exchanges;
mod exhausted;
mod flood;
mod framing;
mod handshake;
mod hostile;
mod http;
mod laws;
mod library;
mod memory;
mod pool;
mod protocol;
mod publishing;
mod refusals;
mod resume;
mod smoke;
mod sse;
mod support;
mod tidy;
mod websocket;
