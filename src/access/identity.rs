//! Who a client is and what it may do: held once, shared by its connections and by the work that they ask for.

use super::basis::Basis;
use super::limits::Party;
use crate::model::grants::{Action, Actions, Grants};
use crate::model::name::ChannelName;
use std::sync::Arc;

/// The number of an application: names of channels are unique within one. A server has one so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct App(pub u16);

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The application whose channels it uses.
    pub app: App,
    /// What it said of itself and proved.
    pub who: Who,
    /// What it may do: an anonymous client in open mode alone, where no rules say it.
    pub grants: Grants,
    /// Until when that holds, in seconds since 1970.
    pub until: Option<u64>,
    /// By which key that was proved.
    pub basis: Basis,
    /// What else its token says.
    pub token: Option<Box<TokenFacts>>,
}

/// What a client said of itself and proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Nothing.
    Anonymous,
    /// It has a token of this user.
    User(Box<str>),
    /// It has a signed address of a channel.
    Signed,
    /// It has the key of this name.
    Key(Box<str>),
    /// It has the operators' key, or came by a listener of theirs.
    Operator,
}

/// What a token says besides who its user is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFacts {
    /// The place of its issuer in the configuration.
    pub issuer: u16,
    /// Its own id (`jti`).
    pub id: Option<Box<str>>,
    /// When it was made, in seconds since 1970 (`iat`).
    pub issued_at: Option<u64>,
    /// What others may see of its user: JSON.
    pub info: Option<Box<str>>,
    /// The channels to which its connections are subscribed at once.
    pub subs: Box<[ChannelName]>,
}

impl Identity {
    /// One that is valid for ever.
    #[must_use]
    pub fn new(who: Who, grants: Grants) -> Identity {
        Identity { app: App::default(), who, grants, until: None, basis: Basis::default(), token: None }
    }

    /// Whose limits hold for it; none for operators, which have none.
    #[must_use]
    #[inline]
    pub fn party(&self) -> Option<Party<'_>> {
        match &self.who {
            // Whoever has a signed address is as unknown as before.
            Who::Anonymous | Who::Signed => Some(Party::Anonymous),
            Who::User(name) => Some(Party::User(name)),
            Who::Key(name) => Some(Party::Key(name)),
            Who::Operator => None,
        }
    }

    /// Whether it is an operator.
    #[must_use]
    #[inline]
    pub fn is_operator(&self) -> bool {
        matches!(self.who, Who::Operator)
    }

    /// Whether both are the same user, key or kind of client.
    #[must_use]
    pub fn is_same(&self, other: &Identity) -> bool {
        self.app == other.app && self.who == other.who
    }
}

/// The identities that need no proof of their own. Each listener of each reactor has its own, so that reactors do not count
/// references in the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identities {
    /// A client that may only read, in open mode.
    pub reader: Arc<Identity>,
    /// A client that may publish as well, in open mode.
    pub publisher: Arc<Identity>,
    /// An operator.
    pub operator: Arc<Identity>,
}

impl Default for Identities {
    fn default() -> Identities {
        let shared = |who, may| Arc::new(Identity::new(who, Grants::everywhere(may)));
        let publisher = Actions::of(&[Action::Read, Action::Write, Action::Presence, Action::Create]);
        Identities {
            reader: shared(Who::Anonymous, Actions::of(&[Action::Read, Action::Presence])),
            publisher: shared(Who::Anonymous, publisher),
            operator: shared(Who::Operator, Actions::ALL),
        }
    }
}
