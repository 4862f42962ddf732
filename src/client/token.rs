//! What identifies a client: a token, or where to ask for one at each connection and before the one in use expires.

use super::error::ClientError;
use std::fmt;
use std::sync::Arc;

/// A token. It is never shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(Box<str>);

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// It is empty, or has characters that `Authorization: Bearer` cannot have.
    pub(super) fn parse(text: &str) -> Result<Token, ClientError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::BadToken);
        }
        Ok(Token(text.into()))
    }

    /// The token itself, for the server.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What gives a token each time: the token, or a sentence that says why there is none.
type Ask = dyn Fn() -> Result<String, String> + Send + Sync;

/// Where a client's tokens come from.
#[derive(Clone)]
pub(super) enum Tokens {
    /// It has this one.
    One(Token),
    /// It asks.
    Asked(Arc<Ask>),
}

impl Tokens {
    /// The token to use now.
    pub(super) fn current(&self) -> Result<Token, ClientError> {
        match self {
            Tokens::One(token) => Ok(token.clone()),
            Tokens::Asked(ask) => Token::parse(ask().map_err(ClientError::NoToken)?.trim()),
        }
    }
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Tokens) -> bool {
        match (self, other) {
            (Tokens::One(mine), Tokens::One(theirs)) => mine == theirs,
            (Tokens::Asked(mine), Tokens::Asked(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        }
    }
}

impl Eq for Tokens {}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tokens::One(_) => "Tokens::One(***)",
            Tokens::Asked(_) => "Tokens::Asked(…)",
        })
    }
}
