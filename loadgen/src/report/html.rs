//! tmp
use crate::outcome::Outcome;
/// tmp
#[must_use]
pub fn html(_outcomes: &[&Outcome]) -> String {
    String::new()
}
