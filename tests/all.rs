//! The one integration binary: every suite is a module, every server is a real one on a port of its own.

mod flood;
mod library;
mod smoke;
mod support;
