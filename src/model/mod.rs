//! The words that all rooms share: what a host, an origin and a key are, in one grammar for settings and for requests.

pub mod authority;
pub mod operator_key;
