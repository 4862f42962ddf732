//! Knobs whose values are never written down: keys and secrets.

use super::kind::Kind;
use crate::model::operator_key::OperatorKey;
use crate::model::sign_secrets::SignSecrets;
use toml::de::DeValue;

/// A secret. In a file an empty text stands for none, and so it is always written.
pub(super) struct Secret<T> {
    /// What it is called in a message, such as "a key".
    called: &'static str,
    /// What it looks like.
    expected: &'static str,
    /// Reads one. What is wrong with it is said without it.
    parse: fn(&str) -> Result<T, String>,
}

/// The operators' key.
pub(super) const OPERATOR_KEY: Secret<OperatorKey> = Secret {
    called: "a key",
    expected: "a key of 16 to 256 letters, digits and - . _ ~ + / =, or an empty text for none",
    parse: |text| OperatorKey::parse(text).map_err(|problem| problem.to_string()),
};

/// The secrets that sign the names of channels.
pub(super) const SIGN_SECRETS: Secret<SignSecrets> = Secret {
    called: "a secret",
    expected: "a secret of at least 32 bytes, two of them on lines of their own, or an empty text for none",
    parse: |text| SignSecrets::parse(text).map_err(|problem| problem.to_string()),
};

impl<T> Kind<Option<T>> for Secret<T> {
    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn unit(&self) -> String {
        format!("{}, always shown as an empty text", self.called)
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Option<T>> {
        match value.as_str()? {
            "" => Some(None),
            text => (self.parse)(text).ok().map(Some),
        }
    }

    /// A key of digits alone is a text, not a number.
    fn value_of<'t>(&self, texts: &'t [String]) -> DeValue<'t> {
        DeValue::String(texts.last().map_or("", String::as_str).into())
    }

    fn is_secret(&self) -> bool {
        true
    }

    /// The default message shows what was written, which may be a secret with a mistake in it.
    fn read_checked(&self, value: &DeValue<'_>) -> Result<Option<T>, String> {
        match value.as_str() {
            Some("") => Ok(None),
            Some(text) => (self.parse)(text).map(Some).map_err(|error| format!("is not {}: {error}", self.called)),
            None => Err(format!("must be {}", self.expected)),
        }
    }

    fn write(&self, _: &Option<T>) -> String {
        "\"\"".to_owned()
    }

    fn check(&self, _: &Option<T>) -> Result<(), String> {
        Ok(())
    }
}
