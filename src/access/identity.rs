//! Who a client is and what it may do: held once, shared by its connections and by the work that they ask for.

use super::grants::{Action, Grants};
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
    /// What it may do.
    pub grants: Grants,
}

/// What a client said of itself and proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Nothing.
    Anonymous,
    /// It has the operators' key, or came by a listener of theirs.
    Operator,
}

impl Identity {
    fn shared(who: Who, grants: Grants) -> Arc<Identity> {
        Arc::new(Identity { app: App::default(), who, grants })
    }

    /// Whether it is an operator.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.who == Who::Operator
    }
}

/// The identities that need no proof of their own. Each listener of each reactor has its own, so that reactors do not count
/// references in the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identities {
    /// A client that may only read.
    pub reader: Arc<Identity>,
    /// A client that may publish as well.
    pub publisher: Arc<Identity>,
    /// An operator.
    pub operator: Arc<Identity>,
}

impl Default for Identities {
    fn default() -> Identities {
        Identities {
            reader: Identity::shared(Who::Anonymous, Grants::of(&[Action::Read])),
            publisher: Identity::shared(Who::Anonymous, Grants::of(&[Action::Read, Action::Write])),
            operator: Identity::shared(Who::Operator, Grants::ALL),
        }
    }
}
