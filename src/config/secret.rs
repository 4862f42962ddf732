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

    /// The default message shows what was written, which may be a secret with a mistake in it.
    fn read_checked(&self, value: &DeValue<'_>) -> Result<Option<OperatorKey>, String> {
        self.read(value).ok_or_else(|| format!("must be {}", self.expected()))
    }

    fn write(&self, _: &Option<OperatorKey>) -> String {
        "\"\"".to_owned()
    }

    fn check(&self, _: &Option<OperatorKey>) -> Result<(), String> {
        Ok(())
    }
}
