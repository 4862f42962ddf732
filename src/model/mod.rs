//! The words that all rooms share: requests, publications, refusals and the names of what they act on; what a host, an
//! origin, a token and a key are, in one grammar for settings and for requests.

pub mod algorithm;
pub mod api_key;
pub mod authority;
pub mod callers;
pub mod cluster;
pub mod code;
pub mod encoding;
pub mod fingerprint;
pub mod glob;
pub mod glob_map;
pub mod grants;
pub mod host_port;
pub mod ids;
pub mod labels;
pub mod name;
pub mod network;
pub mod operation;
pub mod operator_key;
pub mod origin;
pub mod password;
pub mod peer_address;
pub mod publication;
pub mod redirect;
pub mod refusal;
pub mod reloaded;
pub mod request;
pub mod serves;
pub mod sign_secrets;
pub mod signing_secret;
pub mod survey;
pub mod ticket;
pub mod token;
pub mod transport;
