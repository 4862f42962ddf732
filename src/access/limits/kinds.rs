//! What is limited, of whom, and the rates that a configuration gives for it.

use super::gcra::Pace;
use crate::config::{CONNECTION_BYTES, CONNECTION_PUBLICATIONS, CONNECTION_REQUESTS, LimitsConfig, Rate};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use std::time::Duration;

/// What a rate is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Connections that are opened.
    NewConnections,
    /// Requests.
    Requests,
    /// Publications.
    Publications,
    /// Bytes that come.
    Bytes,
}

/// Whose an allowance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    Connection,
    User,
    Key,
    Address,
}

/// For each [`What`] the rate of each [`Whose`], by their numbers.
pub(super) type Rates = [[Option<Limit>; 4]; 4];

/// A rate that is in force.
#[derive(Debug)]
pub(super) struct Limit {
    whose: Whose,
    what: What,
    rate: Rate,
    pub(super) pace: Pace,
}

/// The rates of a configuration, in open mode or otherwise.
pub(super) fn rates(limits: &LimitsConfig, open_mode: bool) -> Rates {
    let table = [
        (
            What::NewConnections,
            [None, limits.user_new_connections, limits.key_new_connections, limits.address_new_connections],
        ),
        (
            What::Requests,
            [
                limits.connection_requests.resolve(CONNECTION_REQUESTS, open_mode),
                limits.user_requests,
                limits.key_requests,
                limits.address_requests,
            ],
        ),
        (
            What::Publications,
            [
                limits.connection_publications.resolve(CONNECTION_PUBLICATIONS, open_mode),
                limits.user_publications,
                limits.key_publications,
                limits.address_publications,
            ],
        ),
        (
            What::Bytes,
            [
                limits.connection_bytes.resolve(CONNECTION_BYTES, open_mode),
                limits.user_bytes,
                limits.key_bytes,
                limits.address_bytes,
            ],
        ),
    ];
    table.map(|(what, rates)| {
        let [connection, user, key, address] = rates;
        [(Whose::Connection, connection), (Whose::User, user), (Whose::Key, key), (Whose::Address, address)]
            .map(|(whose, rate)| rate.map(|rate| Limit { whose, what, rate, pace: Pace::from(&rate) }))
    })
}

impl Limit {
    /// The refusal of what it does not allow for now.
    #[cold]
    pub(super) fn refusal(&self, wait: Duration) -> Refusal {
        let (whose, does) = (self.whose.word(), self.what.done());
        let message = format!(
            "this {whose} {does} than {} (limits.{whose}_{}); try again in {}",
            self.rate,
            self.what.word(),
            shown(wait)
        );
        Refusal::new(self.what.code(), message).until(wait)
    }
}

impl Whose {
    /// Its name in settings and messages.
    const fn word(self) -> &'static str {
        match self {
            Whose::Connection => "connection",
            Whose::User => "user",
            Whose::Key => "key",
            Whose::Address => "address",
        }
    }
}

impl What {
    /// Its name in settings.
    const fn word(self) -> &'static str {
        match self {
            What::NewConnections => "new_connections",
            What::Requests => "requests",
            What::Publications => "publications",
            What::Bytes => "bytes",
        }
    }

    /// What a client does that does it too often.
    const fn done(self) -> &'static str {
        match self {
            What::NewConnections => "opens more connections",
            What::Requests => "sends more requests",
            What::Publications => "sends more publications",
            What::Bytes => "sends more bytes",
        }
    }

    const fn code(self) -> Code {
        match self {
            What::NewConnections => Code::TooManyNewConnections,
            What::Requests => Code::TooManyRequests,
            What::Publications => Code::TooManyPublications,
            What::Bytes => Code::TooManyBytes,
        }
    }
}

/// The refusal of a connection that would be one more than a client may have.
#[cold]
pub(super) fn too_many_open(whose: Whose, max: usize) -> Refusal {
    let code = match whose {
        Whose::User => Code::TooManyConnectionsOfUser,
        Whose::Key => Code::TooManyConnectionsOfKey,
        // One connection has no connections.
        Whose::Address | Whose::Connection => Code::TooManyConnectionsOfAddress,
    };
    let whose = whose.word();
    Refusal::new(
        code,
        format!(
            "this {whose} has {max} connections open, as many as it may (limits.{whose}_connections); close one first"
        ),
    )
}

/// The refusal of a publication that a rule for channels does not allow for now.
#[cold]
pub(super) fn too_many_by_rule(does: &str, rate: Rate, setting: &str, rule: &str, wait: Duration) -> Refusal {
    let message = format!("{does} more publications than {rate} ({setting} of {rule}); try again in {}", shown(wait));
    Refusal::new(Code::TooManyPublications, message).until(wait)
}

/// A wait for people.
fn shown(wait: Duration) -> String {
    let ms = wait.as_nanos().div_ceil(1_000_000).max(1);
    if ms < 10_000 { format!("{ms} ms") } else { format!("{} s", ms.div_ceil(1000)) }
}
