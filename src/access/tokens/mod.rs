//! Tokens (JWT, RFC 7519, as RFC 8725 advises): who a client is and what it may do, signed by an issuer that is configured.
//! Keys, bytes and a time go in, claims or a refusal come out.
//!
//! The key decides how a signature is checked, the issuer which keys are tried, and the configuration which issuers there
//! are. Nothing that a token says is followed, only compared.

mod claim_fault;
mod claims;
mod compact;
mod fault;
mod grants;
mod header;
mod issuers;
mod key;
mod key_set;
mod members;
mod pem;
mod refused;
#[cfg(test)]
mod tests;

pub use claim_fault::ClaimFault;
pub use claims::Claims;
pub use compact::{FormFault, TOKEN_BYTES_MAX};
pub use fault::{IssuerFault, KeyFault};
pub use grants::GrantFault;
pub use header::HeaderFault;
pub use issuers::{Issuers, ReadFile};
pub use key::BadPublicKey;
pub use key_set::{KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX, KeySet, KeySetFault};
pub use members::ObjectFault;
pub use pem::PemFault;
pub use refused::TokenRefused;
