//! One row of the table: a token, a second, and what becomes of it.

use super::keys::{Signer, base64url};
use super::world::AUDIENCE;
use tidings::access::tokens::TokenRefused;

/// The user of all tokens: no message may repeat it.
pub(crate) const USER: &str = "ursula-8c1f";

/// What is to become of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    Accepted,
    Form,
    Header,
    Payload,
    UnknownIssuer,
    Unavailable,
    UnknownKey,
    Algorithm,
    Signature,
    /// A claim is at fault: which.
    Claim(String),
    Audience,
    Expired,
    NotYet,
}

impl Expected {
    /// What a refusal comes to.
    pub(crate) fn of(refused: &TokenRefused) -> Expected {
        match refused {
            TokenRefused::Form(_) => Expected::Form,
            TokenRefused::Header(_) => Expected::Header,
            TokenRefused::Payload(_) => Expected::Payload,
            TokenRefused::UnknownIssuer => Expected::UnknownIssuer,
            TokenRefused::KeysUnavailable { .. } => Expected::Unavailable,
            TokenRefused::UnknownKey { .. } => Expected::UnknownKey,
            TokenRefused::Algorithm { .. } => Expected::Algorithm,
            TokenRefused::Signature => Expected::Signature,
            TokenRefused::Claim { name, .. } => Expected::Claim(name.to_string()),
            TokenRefused::Audience { .. } => Expected::Audience,
            TokenRefused::Expired => Expected::Expired,
            TokenRefused::NotYetValid { .. } => Expected::NotYet,
        }
    }

    /// The code with which a transport refuses it; none for one that is accepted.
    pub(crate) fn code(&self) -> Option<&'static str> {
        match self {
            Expected::Accepted => None,
            Expected::Expired => Some("token_expired"),
            Expected::Unavailable => Some("keys_unavailable"),
            _ => Some("token_invalid"),
        }
    }
}

/// A credential.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) token: String,
    pub(crate) expected: Expected,
    /// Whether what becomes of it depends on the very second; everything else holds for some seconds.
    pub(crate) is_of_the_second: bool,
}

/// The rows of the table while it is made.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// The second at which they are verified.
    pub(crate) now: u64,
}

impl Rows {
    pub(crate) fn add(&mut self, what: impl Into<String>, token: impl Into<String>, expected: Expected) {
        self.rows.push(Row { what: what.into(), token: token.into(), expected, is_of_the_second: false });
    }

    pub(crate) fn add_of_the_second(&mut self, what: impl Into<String>, token: impl Into<String>, expected: Expected) {
        self.rows.push(Row { what: what.into(), token: token.into(), expected, is_of_the_second: true });
    }

    /// The claims of a right token of an issuer.
    pub(crate) fn claims(&self, iss: &str) -> Object {
        Object(Vec::new())
            .with("iss", &format!("\"{iss}\""))
            .with("aud", &format!("\"{AUDIENCE}\""))
            .with("sub", &format!("\"{USER}\""))
            .with("iat", &(self.now - 60).to_string())
            .with("exp", &(self.now + 3600).to_string())
    }
}

/// A JSON object as it is written: names and values.
#[derive(Clone)]
pub(crate) struct Object(Vec<(String, String)>);

impl Object {
    /// The header of an algorithm, and of a key if it has an id.
    pub(crate) fn header(algorithm: &str, kid: Option<&str>) -> Object {
        let header = Object(Vec::new()).with("alg", &format!("\"{algorithm}\"")).with("typ", "\"JWT\"");
        kid.map_or(header.clone(), |kid| header.with("kid", &format!("\"{kid}\"")))
    }

    /// Sets a member: its name as it is written between quotes, and its value as JSON.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Object {
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = value.to_owned(),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Adds a member, even a second one of its name.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Object {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Object {
        self.0.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn json(&self) -> String {
        let members: Vec<String> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// A token of these bytes, signed.
pub(crate) fn token_of(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, signer: &Signer) -> String {
    let signed = format!("{}.{}", base64url(header.as_ref()), base64url(payload.as_ref()));
    let signature = base64url(&signer.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// A token of two objects.
pub(crate) fn token(header: &Object, payload: &Object, signer: &Signer) -> String {
    token_of(header.json(), payload.json(), signer)
}
