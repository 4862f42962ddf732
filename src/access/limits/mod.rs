//! How much a client may do: rates of connections, requests, publications and bytes by connection, user, key and address, and
//! caps on connections. Shared by all threads.

mod caps;
mod gcra;
mod in_force;
mod kinds;
mod table;

pub use caps::Place;
pub use gcra::{Moment, Pace, RetryAfter};
pub use in_force::InForce;
pub use kinds::What;
pub use table::{Key, RateTable};

use crate::config::{Config, Rate};
use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::peer_address::AddressPrefix;
use crate::model::refusal::Refusal;
use caps::Caps;
use kinds::{Limit, Rates, Whose, rates, too_many_by_rule, too_many_open};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

/// How long a client that sends too many bytes is not read before it is refused: its debts are paid by waiting, unless it shares
/// them with so many others that waiting is no use to it.
pub const DEBT_MAX: Duration = Duration::from_secs(10);

/// A client as limits see it. Operators have none.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Its connection.
    pub connection: ConnId,
    /// Who it is.
    pub party: Party<'a>,
    /// The address that its limits count by; none where limits by address do not hold: for loopback, unix sockets, and proxies
    /// that are trusted.
    pub address: Option<AddressPrefix>,
}

/// Who a client is, as limits see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party<'a> {
    /// Anyone.
    Anonymous,
    /// A user.
    User(&'a str),
    /// The holder of a key: a backend.
    Key(&'a str),
}

/// What a rule for channels allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleRates {
    /// The rule's place.
    pub number: usize,
    /// Publications in each of its channels (`publish_rate`).
    pub channel: Option<Rate>,
    /// Publications of each client in all of its channels (`client_publish_rate`).
    pub client: Option<Rate>,
}

/// See the module.
#[derive(Debug)]
pub struct Limiter {
    /// In open mode, and otherwise.
    rates: [Rates; 2],
    /// Connections of each [`Whose`] at a time; `None` for as many as there may be.
    caps_max: [Option<usize>; 4],
    table: Arc<RateTable>,
    caps: Arc<Caps>,
}

/// What bytes came too early.
#[derive(Debug)]
pub struct Debt<'l> {
    /// How long its client should not be read.
    pub wait: Duration,
    limit: &'l Limit,
}

/// What limits hold at a moment, for the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Allowances that are not whole.
    pub busy: usize,
    /// Allowances that made room for others before they were whole.
    pub evicted: u64,
    /// Users, keys and addresses whose open connections are counted.
    pub capped: usize,
}

impl Limiter {
    /// What a configuration allows.
    #[must_use]
    pub fn new(config: &Config) -> Limiter {
        Limiter::with(config, Arc::new(RateTable::new(config.limits.tracked)), Arc::default())
    }

    /// What another configuration allows, to clients whose allowances and open connections are counted on.
    #[must_use]
    pub fn changed(&self, config: &Config) -> Limiter {
        Limiter::with(config, Arc::clone(&self.table), Arc::clone(&self.caps))
    }

    fn with(config: &Config, table: Arc<RateTable>, caps: Arc<Caps>) -> Limiter {
        let limits = &config.limits;
        let cap = |max: usize| (max > 0).then_some(max);
        Limiter {
            rates: [true, false].map(|open_mode| rates(limits, open_mode)),
            caps_max: [
                None,
                cap(limits.user_connections),
                cap(limits.key_connections),
                cap(limits.address_connections),
            ],
            table,
            caps,
        }
    }

    /// What is limited in a mode; `by_rules`: rules for channels limit publications.
    #[must_use]
    pub fn in_force(&self, open_mode: bool, by_rules: bool) -> InForce {
        let has = |what: What| self.rates(open_mode)[what as usize].iter().any(Option::is_some);
        let enter = |whose: Whose| {
            let rate = &self.rates(open_mode)[What::NewConnections as usize][whose as usize];
            rate.is_some() || self.caps_max[whose as usize].is_some()
        };
        InForce::NOTHING
            .with(InForce::OPEN_MODE, open_mode)
            .with(InForce::REQUESTS, by_rules || has(What::Requests) || has(What::Publications))
            .with(InForce::BYTES, has(What::Bytes))
            .with(InForce::ENTRIES, enter(Whose::User) || enter(Whose::Key))
            .with(InForce::ADDRESSES, enter(Whose::Address))
    }

    /// Takes one request or publication out of what a client may still send.
    ///
    /// # Errors
    /// One of its allowances is used up. Nothing was taken from the others.
    pub fn admit(&self, client: &Client<'_>, what: What, open_mode: bool, now: Moment) -> Result<(), Refusal> {
        let limits = self.of(client, what, open_mode);
        for (place, (key, limit)) in limits.iter().enumerate().filter_map(|(place, limit)| Some((place, (*limit)?))) {
            if let Err(wait) = self.table.check(key, &limit.pace, now, 1) {
                // What is refused has cost nothing, whichever of its limits it is over.
                for (key, limit) in limits[..place].iter().flatten() {
                    self.table.give_back(*key, &limit.pace, now, 1);
                }
                return Err(limit.refusal(wait.0));
            }
        }
        Ok(())
    }

    /// Gives back what [`Limiter::admit`] took, since something else refuses it.
    pub fn give_back(&self, client: &Client<'_>, what: What, open_mode: bool, now: Moment) {
        for (key, limit) in self.of(client, what, open_mode).iter().flatten() {
            self.table.give_back(*key, &limit.pace, now, 1);
        }
    }

    /// Takes one publication out of what a rule for channels allows: in this channel, and to this client in all channels of
    /// the rule. `shown` names the rule.
    ///
    /// # Errors
    /// One of them is used up. Nothing was taken from the other.
    pub fn admit_by_rule(
        &self,
        client: &Client<'_>,
        rule: &RuleRates,
        channel: &str,
        shown: impl FnOnce() -> String,
        now: Moment,
    ) -> Result<(), Refusal> {
        let of_channel = rule.channel.map(|rate| (self.table.key(("channel", channel)), Pace::from(&rate), rate));
        let of_client = rule.client.map(|rate| {
            let number = rule.number;
            // An anonymous client is no more than its connection.
            let key = match client.party {
                Party::Anonymous => self.table.key(("rule", number, Whose::Connection, client.connection)),
                Party::User(name) => self.table.key(("rule", number, Whose::User, name)),
                Party::Key(name) => self.table.key(("rule", number, Whose::Key, name)),
            };
            (key, Pace::from(&rate), rate)
        });
        if let Some((key, pace, rate)) = of_channel
            && let Err(wait) = self.table.check(key, &pace, now, 1)
        {
            return Err(too_many_by_rule("this channel receives", rate, "publish_rate", &shown(), wait.0));
        }
        if let Some((key, pace, rate)) = of_client
            && let Err(wait) = self.table.check(key, &pace, now, 1)
        {
            if let Some((key, pace, _)) = of_channel {
                self.table.give_back(key, &pace, now, 1);
            }
            return Err(too_many_by_rule("this client sends", rate, "client_publish_rate", &shown(), wait.0));
        }
        Ok(())
    }

    /// Takes bytes that have come out of what a client may still send; what it owes, if they were too many.
    #[must_use]
    pub fn charge(&self, client: &Client<'_>, bytes: u64, open_mode: bool, now: Moment) -> Option<Debt<'_>> {
        let limits = self.of(client, What::Bytes, open_mode);
        let owed = limits.into_iter().flatten().map(|(key, limit)| {
            let wait = self.table.charge(key, &limit.pace, now, bytes);
            Debt { wait, limit }
        });
        owed.max_by_key(|debt| debt.wait).filter(|debt| !debt.wait.is_zero())
    }

    /// Lets an address open a connection: a place among those that it has, if they are counted.
    ///
    /// # Errors
    /// It has as many as it may, or opens them too fast.
    pub fn enter_from(&self, address: AddressPrefix, now: Moment) -> Result<Option<Place>, Refusal> {
        self.enter(Whose::Address, address, now)
    }

    /// Lets a user or a key open a socket or an event stream: a place among those that it has, if they are counted.
    ///
    /// # Errors
    /// It has as many as it may, or opens them too fast.
    pub fn enter_as(&self, party: Party<'_>, now: Moment) -> Result<Option<Place>, Refusal> {
        match party {
            Party::User(name) => self.enter(Whose::User, name, now),
            Party::Key(name) => self.enter(Whose::Key, name, now),
            Party::Anonymous => Ok(None),
        }
    }

    /// Why an address may not open a connection now, where that was found before.
    #[must_use]
    pub fn turned_away(&self, address: AddressPrefix, code: Code, now: Moment) -> Refusal {
        let limit = &self.rates(false)[What::NewConnections as usize][Whose::Address as usize];
        match (code, limit, self.caps_max[Whose::Address as usize]) {
            (Code::TooManyNewConnections, Some(limit), _) => {
                let key = self.table.key((What::NewConnections, Whose::Address, address));
                limit.refusal(self.table.wait(key, &limit.pace, now))
            }
            (_, _, Some(max)) => too_many_open(Whose::Address, max),
            _ => code.into(),
        }
    }

    /// What limits hold now.
    #[must_use]
    pub fn figures(&self, now: Moment) -> Figures {
        Figures { busy: self.table.busy(now), evicted: self.table.evicted(), capped: self.caps.clients() }
    }

    fn enter(&self, whose: Whose, name: impl Hash, now: Moment) -> Result<Option<Place>, Refusal> {
        let what = What::NewConnections;
        // The same in both modes: by default there is none.
        let (max, limit) = (self.caps_max[whose as usize], &self.rates(false)[what as usize][whose as usize]);
        if max.is_none() && limit.is_none() {
            return Ok(None);
        }
        let key = self.table.key((what, whose, name));
        // First, so that one over the cap takes nothing of the rate. If the rate refuses, its place is given back.
        let place = match max {
            Some(max) => Some(self.caps.take(key, max).ok_or_else(|| too_many_open(whose, max))?),
            None => None,
        };
        if let Some(limit) = limit {
            self.table.check(key, &limit.pace, now, 1).map_err(|wait| limit.refusal(wait.0))?;
        }
        Ok(place)
    }

    /// The limits that hold for a client, each with the key of its allowance.
    #[inline]
    fn of(&self, client: &Client<'_>, what: What, open_mode: bool) -> [Option<(Key, &Limit)>; 3] {
        let rates = &self.rates(open_mode)[what as usize];
        let limit = |whose: Whose| rates[whose as usize].as_ref();
        let connection = || {
            limit(Whose::Connection).map(|limit| (self.table.key((what, Whose::Connection, client.connection)), limit))
        };
        let named = |whose: Whose, name: &str| limit(whose).map(|limit| (self.table.key((what, whose, name)), limit));
        let address = || {
            let limit = limit(Whose::Address)?;
            Some((self.table.key((what, Whose::Address, client.address?)), limit))
        };
        match client.party {
            Party::Anonymous => [connection(), address(), None],
            Party::User(name) => [connection(), named(Whose::User, name), address()],
            // A backend is known: its key says more than its address, and what it may do is shared by its connections.
            Party::Key(name) => [named(Whose::Key, name), None, None],
        }
    }

    fn rates(&self, open_mode: bool) -> &Rates {
        &self.rates[usize::from(!open_mode)]
    }
}

impl Debt<'_> {
    /// What to say to a client for which the wait is too long.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        self.limit.refusal(self.wait)
    }
}

#[cfg(test)]
mod tests;
