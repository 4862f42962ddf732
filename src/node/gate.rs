//! May this client do this? Judged by its identity, and by the hooks of the program that embeds the server.

use super::work::Work;
use crate::access::{Action, Hooks, Identity};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::request::Verb;
use std::sync::Arc;

/// Asks the callbacks of the embedding program about each request that may be carried out otherwise.
#[inline]
pub fn ask_hooks(work: &mut Work, hooks: &Hooks) {
    if hooks.judge_requests() {
        ask_each(work, hooks);
    }
}

#[cold]
fn ask_each(work: &mut Work, hooks: &Hooks) {
    // Cloned, since the items of the work are changed while it is read.
    let identity = Arc::clone(&work.identity);
    work.refuse_where(|verb| match verb {
        Verb::Get { channel, options } => hooks.may_read(channel, !options.once),
        // A hook is not asked about what is refused anyway.
        Verb::Post { channel, post } if identity.grants.allow(Action::Write, channel) => {
            hooks.may_write(channel, post.event.as_deref(), &post.data)
        }
        _ => Ok(()),
    });
}

/// Whether a client may do what it asks. `advice` says how to become an operator.
///
/// # Errors
/// The permission it lacks, and what would grant it.
pub(super) fn judge(identity: &Identity, verb: &Verb, advice: &str) -> Result<(), Refusal> {
    let (action, channel) = match verb {
        Verb::Get { channel, .. } => (Action::Read, channel),
        Verb::Post { channel, .. } => (Action::Write, channel),
        Verb::DeleteHistory { channel } => (Action::Manage, channel),
        // Nothing of a channel is asked for, or only an end to what was allowed.
        _ => return Ok(()),
    };
    if identity.grants.allow(action, channel) { Ok(()) } else { Err(refusal(action, advice)) }
}

#[cold]
fn refusal(action: Action, advice: &str) -> Refusal {
    match action {
        Action::Read => Refusal::new(Code::Forbidden, "this client may not read this channel"),
        Action::Write => Code::PublishingNotAllowed.into(),
        Action::Manage => {
            Refusal::new(Code::OperatorNeeded, format!("Emptying a channel's history is for operators. {advice}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::access::Identities;
    use crate::model::name::ChannelName;
    use crate::model::publication::Data;
    use crate::model::request::{PostOptions, Verb};

    #[test]
    fn each_identity_may_do_its_own_and_is_told_what_it_lacks() {
        let Identities { reader, publisher, operator } = Identities::default();
        let channel = ChannelName::new("a").expect("a name");
        let read = Verb::Get { channel: channel.clone(), options: Default::default() };
        let post = PostOptions { data: Data::default(), event: None, key: None, exclude_self: false, exclude: None };
        let write = Verb::Post { channel: channel.clone(), post };
        let empty = Verb::DeleteHistory { channel: channel.clone() };
        let leave = Verb::Unsubscribe { channel };
        for (identity, may_write, may_empty) in
            [(&reader, false, false), (&publisher, true, false), (&operator, true, true)]
        {
            let outcome = |verb: &Verb| judge(identity, verb, "Ask.").map_err(|refusal| refusal.label());
            assert_eq!((outcome(&read), outcome(&leave)), (Ok(()), Ok(())), "{identity:?}");
            assert_eq!(outcome(&write), if may_write { Ok(()) } else { Err("publishing_not_allowed") }, "{identity:?}");
            assert_eq!(outcome(&empty), if may_empty { Ok(()) } else { Err("operator_needed") }, "{identity:?}");
        }
        let refusal = judge(&reader, &empty, "Ask Ann.").expect_err("it is no operator");
        assert!(refusal.message.contains("Ask Ann."), "{}", refusal.message);
    }
}
