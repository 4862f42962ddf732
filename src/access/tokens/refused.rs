//! Why a token is refused, and how that is said: what was wrong and what is expected, never a part of the token.

use super::claim_fault::ClaimFault;
use super::compact::{FormFault, TOKEN_BYTES_MAX};
use super::header::{HeaderFault, KEY_ID_BYTES_MAX};
use super::members::ObjectFault;
use crate::model::algorithm::{Algorithm, Algorithms};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use std::fmt;

/// Why a token is refused. Displays a sentence that may be shown to anyone: it names what is configured, and repeats
/// nothing of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRefused {
    /// It does not have the form of a token.
    Form(FormFault),
    /// Its header cannot be accepted.
    Header(HeaderFault),
    /// Its payload is not a strict JSON object.
    Payload(ObjectFault),
    /// It names no issuer, or one that is not configured.
    UnknownIssuer,
    /// The key set of its issuer was never loaded.
    KeysUnavailable {
        /// The issuer's place in the configuration.
        issuer: usize,
    },
    /// Its issuer has no key with the id that it names: a new one may have been published.
    UnknownKey {
        /// The issuer's place in the configuration.
        issuer: usize,
    },
    /// Its issuer signs with other algorithms.
    Algorithm {
        /// With which.
        expected: Algorithms,
    },
    /// None of its issuer's keys made the signature.
    Signature,
    /// A claim is missing, or does not have the form that it must have.
    Claim {
        /// The claim, by the name that is configured for it.
        name: Box<str>,
        /// What is wrong with it.
        fault: ClaimFault,
    },
    /// It was made for another service.
    Audience {
        /// What `aud` must have, as a text for people.
        expected: Box<str>,
    },
    /// Its time is over.
    Expired,
    /// Its time has not come: `nbf` or `iat` lie in the future.
    NotYetValid {
        /// Which of them.
        claim: &'static str,
    },
}

impl TokenRefused {
    /// The code for it.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            TokenRefused::Expired => Code::TokenExpired,
            TokenRefused::KeysUnavailable { .. } => Code::KeysUnavailable,
            _ => Code::TokenInvalid,
        }
    }
}

impl From<TokenRefused> for Refusal {
    fn from(refused: TokenRefused) -> Refusal {
        Refusal::new(refused.code(), refused.to_string())
    }
}

impl fmt::Display for TokenRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenRefused::Form(fault) => write_form(f, *fault),
            TokenRefused::Header(fault) => write_header(f, *fault),
            TokenRefused::Payload(fault) => write_object(f, "payload", *fault),
            TokenRefused::UnknownIssuer => {
                f.write_str("the \"iss\" of this token names no issuer that this server knows ([[issuer]] in its configuration)")
            }
            TokenRefused::KeysUnavailable { .. } => {
                f.write_str("the keys of this token's issuer have not been loaded yet; try again in a moment")
            }
            TokenRefused::UnknownKey { .. } => f.write_str(
                "the issuer of this token has no key with the \"kid\" that its header names; a key set is fetched again at most \
                 once a minute, so try again later if the key is new",
            ),
            TokenRefused::Algorithm { expected } => {
                write!(f, "the \"alg\" of this token is not one that its issuer signs with here: {expected}")
            }
            TokenRefused::Signature => f.write_str(
                "the signature of this token was made by none of its issuer's keys, or the token was changed on its way",
            ),
            TokenRefused::Claim { name, fault } => write!(f, "the claim \"{name}\" of this token {fault}"),
            TokenRefused::Audience { expected } => {
                write!(f, "this token was made for another service: its \"aud\" must have {expected}")
            }
            TokenRefused::Expired => f.write_str("this token has expired (\"exp\"); get a new one from its issuer"),
            TokenRefused::NotYetValid { claim } => write!(
                f,
                "this token is not valid yet: its \"{claim}\" lies in the future by more than the leeway; compare the clocks of \
                 its issuer and of this server"
            ),
        }
    }
}

fn write_form(f: &mut fmt::Formatter<'_>, fault: FormFault) -> fmt::Result {
    match fault {
        FormFault::TooLong(bytes) => {
            write!(f, "this token has {bytes} bytes, and the limit is {TOKEN_BYTES_MAX}; leave out claims")
        }
        FormFault::Parts => {
            f.write_str("this is not a token (JWT), which has three parts with a dot between them: header, payload, signature")
        }
        FormFault::Encoding => f.write_str(
            "a part of this token is not base64url as RFC 7515 section 2 asks for it: letters, digits, - and _, without \
             padding and white space, and nothing but zeros in the last bits",
        ),
    }
}

fn write_header(f: &mut fmt::Formatter<'_>, fault: HeaderFault) -> fmt::Result {
    let known: Algorithms = Algorithm::ALL.into_iter().collect();
    match fault {
        HeaderFault::Object(fault) => write_object(f, "header", fault),
        HeaderFault::Algorithm => {
            write!(f, "the header of this token has no text \"alg\", which must be one of {known}")
        }
        HeaderFault::UnknownAlgorithm => write!(f, "the \"alg\" of this token must be one of {known}"),
        HeaderFault::KeyId => {
            write!(f, "the \"kid\" in the header of this token must be a text of 1 to {KEY_ID_BYTES_MAX} bytes")
        }
        HeaderFault::Type => f.write_str(
            "the \"typ\" of this token must be \"JWT\" or \"at+jwt\", or be left out: it is a token for something else",
        ),
        HeaderFault::Nested => {
            f.write_str("the \"cty\" of this token says that another token is within it; send that one itself")
        }
        HeaderFault::Critical => f.write_str(
            "the header of this token has \"crit\", and this server knows no extension that a token may need",
        ),
    }
}

fn write_object(f: &mut fmt::Formatter<'_>, part: &str, fault: ObjectFault) -> fmt::Result {
    match fault {
        ObjectFault::NotAnObject => write!(f, "the {part} of this token is not a JSON object and nothing else"),
        ObjectFault::Duplicate => write!(f, "the {part} of this token has a member twice, which may mean two things"),
    }
}
