//! The words that all rooms share: what a host, an origin and a name are, in one grammar for settings and for requests.

pub mod authority;
