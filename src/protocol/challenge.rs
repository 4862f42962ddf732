//! What a certificate authority is answered that asks by plain HTTP whether a name leads here (RFC 8555 section 8.3).

use super::plan::Plan;
use super::response::Response;
use crate::access::{CHALLENGE_PATH, Challenges};
use crate::model::code::Code;
use crate::wire::http::head::{Head, Method};

/// The answer, if that is what is asked.
pub(super) fn plan(challenges: &Challenges, head: &Head<'_>) -> Option<Plan> {
    let token = head.path.strip_prefix(CHALLENGE_PATH)?;
    if !matches!(head.method, Method::Get | Method::Head) {
        return None;
    }
    Some(match challenges.answer(token) {
        Some(answer) => Plan::Answer(Response::text(200, answer)),
        None => Plan::refuse(Code::NotFound, "no certificate authority is expected to ask for this token now"),
    })
}
