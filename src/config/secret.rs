//! A knob whose value is never written down: the operators' key.

use super::kind::Kind;
use crate::model::operator_key::OperatorKey;
use toml::de::DeValue;

/// The operators' key. In a file an empty text stands for none, and so it is always written.
pub(super) struct Key;

impl Kind<Option<OperatorKey>> for Key {
    fn expected(&self) -> String {
        "a key of 16 to 256 letters, digits and - . _ ~ + / =, or an empty text for none".to_owned()
    }

    fn unit(&self) -> String {
        "a key, always shown as an empty text".to_owned()
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Option<OperatorKey>> {
        match value.as_str()? {
            "" => Some(None),
            text => OperatorKey::parse(text).ok().map(Some),
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
    fn read_checked(&self, value: &DeValue<'_>) -> Result<Option<OperatorKey>, String> {
        match value.as_str() {
            Some("") => Ok(None),
            Some(text) => OperatorKey::parse(text).map(Some).map_err(|error| format!("is not a key: {error}")),
            None => Err(format!("must be {}", self.expected())),
        }
    }

    fn write(&self, _: &Option<OperatorKey>) -> String {
        "\"\"".to_owned()
    }

    fn check(&self, _: &Option<OperatorKey>) -> Result<(), String> {
        Ok(())
    }
}
