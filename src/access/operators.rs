//! Operators: what makes a client one, and the refusal for every other client.

use crate::model::code::Code;
use crate::model::operator_key::OperatorKey;
use crate::model::refusal::Refusal;

/// Who asks, as far as operators are concerned. An address says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// It presented nothing.
    #[default]
    Anonymous,
    /// It presented something that is not the operators' key.
    Unknown,
    /// It has the operators' key.
    Operator,
}

/// The operators' key of a server, and where people find it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operators {
    /// Without one no client is an operator.
    key: Option<OperatorKey>,
    /// Where the key is: the end of a sentence.
    place: String,
}

impl Operators {
    /// Clients that present `key`; `place` ends a sentence that begins with "the key".
    #[must_use]
    pub fn new(key: OperatorKey, place: impl Into<String>) -> Operators {
        Operators { key: Some(key), place: place.into() }
    }

    /// What an Authorization field makes of its sender.
    #[must_use]
    pub fn standing(&self, authorization: Option<&str>) -> Standing {
        let Some(field) = authorization else { return Standing::Anonymous };
        match field.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && self.admits(token.trim()) => {
                Standing::Operator
            }
            // Another scheme, too: something was presented, so 403 says that it is not the key, where 401 would ask for
            // one.
            _ => Standing::Unknown,
        }
    }

    /// Whether a token is the operators' key.
    #[must_use]
    pub fn admits(&self, token: &str) -> bool {
        self.key.as_ref().is_some_and(|key| key.is(token))
    }

    /// How to become an operator: a whole sentence.
    #[must_use]
    pub fn advice(&self) -> String {
        let place = if self.place.is_empty() { "was not made" } else { &self.place };
        format!(
            "Send \"Authorization: Bearer KEY\", on a socket first {{\"method\":\"AUTH\",\"token\":\"KEY\"}}; the key {place}."
        )
    }

    /// Why a client of this standing may not have `what`: 401 `operator_needed` when it presented nothing, 403 `admin_only`
    /// when it presented something other than the key.
    #[must_use]
    pub fn refusal(&self, standing: Standing, what: &str) -> Refusal {
        let advice = self.advice();
        match standing {
            Standing::Anonymous => Refusal::new(Code::OperatorNeeded, format!("{what} is for operators. {advice}")),
            // An operator is not refused for being none, so any words will do for it.
            Standing::Unknown | Standing::Operator => Refusal::new(
                Code::AdminOnly,
                format!("{what} is for operators, and the key that was sent is not theirs. {advice}"),
            ),
        }
    }

    /// The answer to an AUTH that presented something other than the key.
    #[must_use]
    pub fn sign_in_refused(&self) -> Refusal {
        Refusal::new(Code::OperatorNeeded, format!("this token is not the operators' key. {}", self.advice()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Operators, Standing};
    use crate::model::operator_key::OperatorKey;

    const KEY: &str = "0123456789abcdef";

    fn operators() -> Operators {
        Operators::new(OperatorKey::parse(KEY).expect("a key"), "is in /run/x/operator-1")
    }

    #[test]
    fn an_operator_is_somebody_with_the_key_and_nobody_else() {
        for (field, standing) in [
            (None, Standing::Anonymous),
            (Some("Bearer 0123456789abcdef"), Standing::Operator),
            (Some("bearer  0123456789abcdef"), Standing::Operator),
            (Some("Bearer 0123456789abcdeg"), Standing::Unknown),
            (Some("Bearer 0123456789abcdef0"), Standing::Unknown),
            (Some("Bearer"), Standing::Unknown),
            (Some("Bearer "), Standing::Unknown),
            (Some(""), Standing::Unknown),
            (Some(KEY), Standing::Unknown),
            (Some("Basic 0123456789abcdef"), Standing::Unknown),
        ] {
            assert_eq!(operators().standing(field), standing, "{field:?}");
        }
        let nobody = Operators::default();
        assert_eq!(nobody.standing(Some("Bearer ")), Standing::Unknown, "without a key nobody has it");
    }

    #[test]
    fn a_refusal_says_where_the_key_is_and_never_what_it_is() {
        for (standing, status, code) in
            [(Standing::Anonymous, 401, "operator_needed"), (Standing::Unknown, 403, "admin_only")]
        {
            let refusal = operators().refusal(standing, "/metrics");
            assert_eq!((refusal.status(), refusal.label()), (status, code));
            assert!(refusal.message.contains("/run/x/operator-1") && refusal.message.contains("/metrics"));
            assert!(!refusal.message.contains(KEY));
        }
        assert!(operators().sign_in_refused().message.contains("/run/x/operator-1"));
    }
}
