//! May it? What the program that embeds the server refuses, and what is for operators alone.

use super::work::Work;
use crate::access::Hooks;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::request::Verb;

/// Asks the callbacks of the embedding program about each request that may be carried out otherwise.
#[inline]
pub fn ask_hooks(work: &mut Work, hooks: &Hooks) {
    if hooks.judge_requests() {
        ask_each(work, hooks);
    }
}

#[cold]
fn ask_each(work: &mut Work, hooks: &Hooks) {
    let may_publish = work.may_publish;
    work.refuse_where(|verb| match verb {
        Verb::Get { channel, options } => hooks.may_read(channel, !options.once),
        Verb::Post { channel, post } if may_publish => hooks.may_write(channel, post.event.as_deref(), &post.data),
        _ => Ok(()),
    });
}

/// `advice` says how to become an operator.
pub(super) fn operator_needed(advice: &str) -> Refusal {
    Refusal::new(Code::OperatorNeeded, format!("Emptying a channel's history is for operators. {advice}"))
}
