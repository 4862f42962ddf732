//! May this client do this? Judged by its identity, its limits, and the hooks of the program that embeds the server.

use super::work::Work;
use crate::access::limits::{Client, Limiter, Moment, What};
use crate::access::{Action, ChannelRules, Hooks, Identity};
use crate::model::code::Code;
use crate::model::peer_address::AddressPrefix;
use crate::model::refusal::Refusal;
use crate::model::request::Verb;

/// How what a client asks is limited.
#[derive(Debug, Clone, Copy)]
pub struct Limited {
    /// What its address counts by, if limits by address hold for it.
    pub address: Option<AddressPrefix>,
    /// The time.
    pub now: Moment,
}

/// Takes each request, and each publication, out of what its client may still send, and refuses what is too much.
#[cold]
pub fn limit(work: &mut Work, limiter: &Limiter, rules: &ChannelRules, limited: Limited) {
    let Limited { address, now } = limited;
    let (connection, open_mode) = (work.to, rules.is_open());
    work.refuse_all_where(|identity, verb| {
        let Some(party) = identity.party() else { return Ok(()) };
        let client = Client { connection, party, address };
        limiter.admit(&client, What::Requests, open_mode, now)?;
        match verb {
            Some(Verb::Post { channel, .. }) => {
                limiter.admit(&client, What::Publications, open_mode, now)?;
                match rules.rates(channel) {
                    // Clients that may not publish here must not use up what the channel may receive.
                    Some((rates, met)) if rules.judge(identity, Action::Write, channel).is_ok() => {
                        let admitted = limiter.admit_by_rule(&client, &rates, channel, || met.shown(), now);
                        admitted.inspect_err(|_| limiter.give_back(&client, What::Publications, open_mode, now))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    });
}

/// Asks the callbacks of the embedding program about each request that may be carried out otherwise.
#[inline]
pub fn ask_hooks(work: &mut Work, hooks: &Hooks, rules: &ChannelRules) {
    if hooks.judge_requests() {
        ask_each(work, hooks, rules);
    }
}

#[cold]
fn ask_each(work: &mut Work, hooks: &Hooks, rules: &ChannelRules) {
    work.refuse_where(|identity, verb| match verb {
        Verb::Get { channel, options } => hooks.may_read(channel, !options.once),
        // A hook is not asked about what is refused anyway.
        Verb::Post { channel, post } if rules.judge(identity, Action::Write, channel).is_ok() => {
            hooks.may_write(channel, post.event.as_deref(), &post.data)
        }
        _ => Ok(()),
    });
}

/// Whether a client may do what it asks.
///
/// # Errors
/// The permission it lacks, and what would grant it; or a publication that is too large for its channel.
// Always: each request is judged, and where an engine is there the second caller is the one that is rare.
#[inline(always)]
pub(super) fn judge(identity: &Identity, verb: &Verb, rules: &ChannelRules) -> Result<(), Refusal> {
    match verb {
        Verb::Get { channel, .. } => rules.judge(identity, Action::Read, channel),
        Verb::Post { channel, post } => {
            rules.judge(identity, Action::Write, channel)?;
            // Of operators and programs as well: it is a limit of the channel, and no permission.
            rules.judge_size(channel, post.data.len())
        }
        Verb::DeleteHistory { channel } => rules.judge(identity, Action::Manage, channel),
        // The route has refused everybody else with better words: this is for whatever other way there may be one day.
        Verb::Operate(_) if !identity.is_operator() => Err(Code::OperatorNeeded.into()),
        // Nothing of a channel is asked for, or only an end to what was allowed.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::access::{ChannelRules, Identities};
    use crate::model::name::ChannelName;
    use crate::model::publication::Data;
    use crate::model::request::{PostOptions, Verb};

    #[test]
    fn each_identity_may_do_its_own_and_is_told_what_it_lacks() {
        let Identities { reader, publisher, operator } = Identities::default();
        let channel = ChannelName::new("a").expect("a name");
        let read = Verb::Get { channel: channel.clone(), options: Default::default() };
        let post = PostOptions::of(Data::default());
        let write = Verb::Post { channel: channel.clone(), post };
        let empty = Verb::DeleteHistory { channel: channel.clone() };
        let leave = Verb::Unsubscribe { channel };
        let rules = ChannelRules::new(&[], true, "Ask Ann.");
        for (identity, may_write, may_empty) in
            [(&reader, false, false), (&publisher, true, false), (&operator, true, true)]
        {
            let outcome = |verb: &Verb| judge(identity, verb, &rules).map_err(|refusal| refusal.label());
            assert_eq!((outcome(&read), outcome(&leave)), (Ok(()), Ok(())), "{identity:?}");
            assert_eq!(outcome(&write), if may_write { Ok(()) } else { Err("publishing_not_allowed") }, "{identity:?}");
            assert_eq!(outcome(&empty), if may_empty { Ok(()) } else { Err("operator_needed") }, "{identity:?}");
        }
        let refusal = judge(&reader, &empty, &rules).expect_err("it is no operator");
        assert!(refusal.message.contains("Ask Ann."), "{}", refusal.message);
    }
}
