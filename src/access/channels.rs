//! Who may do what with a channel: the rule that its name meets, and the grants of the client.

use super::identity::{Identity, Who};
use super::limits::RuleRates;
use crate::config::ChannelRule;
use crate::model::callers::Callers;
use crate::model::code::Code;
use crate::model::glob_map::GlobMap;
use crate::model::grants::Action;
use crate::model::name::ChannelName;
use crate::model::refusal::Refusal;

/// The rules for channels. The first that matches a name counts; where none matches, users and keys may do what they were
/// granted.
#[derive(Debug, Clone)]
pub struct ChannelRules {
    rules: GlobMap<ChannelRule>,
    /// Whether nothing says who may do what, so that clients may do what their identity grants by itself.
    is_open: bool,
    /// Whether some rule limits how much is published.
    have_rates: bool,
    /// How to become an operator: what those read that are refused for it.
    advice: Box<str>,
}

fn has_rates(rule: &ChannelRule) -> bool {
    rule.publish_rate.is_some() || rule.client_publish_rate.is_some()
}

/// The rule that a name meets.
#[derive(Debug, Clone, Copy)]
pub struct Met<'r> {
    /// Its place, from 1; none when no rule matches.
    pub number: Option<usize>,
    /// The rule.
    pub rule: Option<&'r ChannelRule>,
}

impl Default for ChannelRules {
    /// Open mode.
    fn default() -> ChannelRules {
        ChannelRules::new(&[], true, "")
    }
}

impl Met<'_> {
    /// Who may do something here.
    #[must_use]
    #[inline]
    pub fn callers(&self, action: Action) -> Callers {
        self.rule.map_or(Callers::GRANTED, |rule| rule.callers(action))
    }

    /// What it is called in messages.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.number, self.rule) {
            (Some(number), Some(rule)) => format!("the rule [[channel]] {number} (match = \"{}\")", rule.channels),
            _ => "the default, since no [[channel]] rule matches".to_owned(),
        }
    }
}

impl ChannelRules {
    /// Takes the rules of a configuration. `is_open`: neither a rule nor a key nor an issuer is configured.
    #[must_use]
    pub fn new(rules: &[ChannelRule], is_open: bool, advice: &str) -> ChannelRules {
        let rules = GlobMap::new(rules.iter().map(|rule| (rule.channels.clone(), rule.clone())));
        let have_rates = rules.iter().any(|(_, rule)| has_rates(rule));
        ChannelRules { rules, is_open, have_rates, advice: advice.into() }
    }

    /// Whether nothing is configured that says who may do what.
    #[must_use]
    #[inline]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The rule that a name meets.
    #[must_use]
    #[inline]
    pub fn met(&self, name: &str) -> Met<'_> {
        match self.rules.first(name) {
            Some((index, rule)) => Met { number: Some(index + 1), rule: Some(rule) },
            None => Met { number: None, rule: None },
        }
    }

    /// Whether some rule limits how much is published.
    #[must_use]
    pub fn have_rates(&self) -> bool {
        self.have_rates
    }

    /// What its rule says of how much may be published in a channel, with the rule.
    #[must_use]
    pub fn rates(&self, channel: &str) -> Option<(RuleRates, Met<'_>)> {
        if !self.have_rates {
            return None;
        }
        let met = self.met(channel);
        let (number, rule) = (met.number?, met.rule?);
        has_rates(rule)
            .then_some((RuleRates { number, channel: rule.publish_rate, client: rule.client_publish_rate }, met))
    }

    /// Whether a client may do something with a channel.
    ///
    /// # Errors
    /// The permission it lacks, and what would grant it.
    #[inline]
    pub fn judge(&self, identity: &Identity, action: Action, channel: &ChannelName) -> Result<(), Refusal> {
        // Operators and open mode: nothing has to be looked up.
        if self.is_open || identity.is_operator() {
            return if identity.grants.allow(action, channel) { Ok(()) } else { Err(self.refusal(action)) };
        }
        self.judge_by_rule(identity, action, channel)
    }

    /// Whether a publication of so many bytes of data may be made in a channel, by whomever.
    ///
    /// # Errors
    /// It is larger than the rule allows.
    #[inline]
    pub fn judge_size(&self, channel: &ChannelName, bytes: usize) -> Result<(), Refusal> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let met = self.met(channel);
        match met.rule.and_then(|rule| rule.publication_bytes) {
            Some(limit) if bytes > limit => Err(Refusal::new(
                Code::PublicationTooLarge,
                format!(
                    "this publication has {bytes} bytes of data, and {} allows {limit} (publication_bytes)",
                    met.shown()
                ),
            )),
            _ => Ok(()),
        }
    }

    fn judge_by_rule(&self, identity: &Identity, action: Action, channel: &ChannelName) -> Result<(), Refusal> {
        let met = self.met(channel);
        let callers = met.callers(action);
        let is_granted = || identity.grants.allow(action, channel);
        let may = callers.has(Callers::ANYONE)
            || match &identity.who {
                Who::Anonymous => false,
                // An app that signs an address gives the same as with a token for one channel.
                Who::User(_) | Who::Signed => callers.has(Callers::TOKEN) && is_granted(),
                Who::Key(_) => callers.has(Callers::KEY) && is_granted(),
                Who::Operator => true,
            };
        if may { Ok(()) } else { Err(refused_by_rule(identity, action, &met)) }
    }

    /// Why an identity without a rule to look at may not do something.
    #[cold]
    fn refusal(&self, action: Action) -> Refusal {
        let advice = &self.advice;
        match action {
            Action::Write | Action::Create => Code::PublishingNotAllowed.into(),
            Action::Manage => {
                Refusal::new(Code::OperatorNeeded, format!("Emptying a channel's history is for operators. {advice}"))
            }
            Action::Read | Action::Presence => Refusal::new(Code::Forbidden, "this client may not read this channel"),
        }
    }
}

/// Why a client may not do something: which rule says so, whom that lets in, and what the client is instead.
#[cold]
fn refused_by_rule(identity: &Identity, action: Action, met: &Met<'_>) -> Refusal {
    let (what, callers) = (action.word(), met.callers(action));
    let rule = met.shown();
    let lets_in = format!("{rule} lets {callers} {what}");
    match &identity.who {
        Who::Anonymous if callers == Callers::NOBODY => {
            Refusal::new(Code::Forbidden, format!("{rule} lets nobody but operators {what}"))
        }
        // Something that it may present would do.
        Who::Anonymous => Refusal::new(
            Code::TokenNeeded,
            format!("{lets_in}; sign in with a token or a key that grants it on this channel"),
        ),
        Who::User(_) | Who::Signed if !callers.has(Callers::TOKEN) => {
            Refusal::new(Code::Forbidden, format!("{lets_in}, and users are not among them"))
        }
        Who::Signed => {
            Refusal::new(Code::Forbidden, format!("{rule}: a signed address is for reading its own channel alone"))
        }
        Who::Key(_) if !callers.has(Callers::KEY) => {
            Refusal::new(Code::Forbidden, format!("{lets_in}, and keys are not among them"))
        }
        Who::User(_) => {
            Refusal::new(Code::Forbidden, format!("{rule}: this user's token does not grant {what} on this channel"))
        }
        Who::Key(name) => {
            Refusal::new(Code::Forbidden, format!("{rule}: the key \"{name}\" does not grant {what} on this channel"))
        }
        Who::Operator => Code::Forbidden.into(),
    }
}
