//! The words that all rooms share: what a host, an origin, a name, a token and a key are, in one grammar for settings and
//! for requests.

pub mod authority;
pub mod name;
pub mod operator_key;
pub mod origin;
pub mod token;
