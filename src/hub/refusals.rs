//! What the hub refuses with more than the code's own sentence.

use crate::model::code::Code;
use crate::model::refusal::Refusal;

/// `advice` says how to become an operator.
pub(super) fn operator_needed(advice: &str) -> Refusal {
    Refusal::new(Code::OperatorNeeded, format!("Emptying a channel's history is for operators. {advice}"))
}
