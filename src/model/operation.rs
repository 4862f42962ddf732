//! What operators ask about clients, and do to them.

use super::glob::Glob;
use super::name::ChannelName;
use super::peer_address::PeerAddress;
use super::transport::Transport;

/// A request of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// List connections.
    List(Listing),
    /// End connections.
    Disconnect {
        /// Whose.
        whom: Whom,
        /// What their clients are told.
        reason: Option<Box<str>>,
    },
    /// End subscriptions.
    Unsubscribe {
        /// Whose.
        whom: Whom,
        /// To which channels.
        channels: Glob,
    },
    /// Read the configuration again.
    Reload,
    /// Refuse a credential from now on, and end the connections that came with it.
    Revoke {
        /// Which.
        what: Revocable,
        /// Until when at most it would hold, in seconds since 1970.
        until: Option<u64>,
    },
    /// Take a revocation back.
    Restore(Credential),
    /// List revocations.
    Revocations {
        /// Those after this one.
        after: Option<Credential>,
        /// At most so many.
        max: usize,
    },
}

/// One page of a list of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Whose.
    pub whom: Whom,
    /// Those that are subscribed to this channel.
    pub channel: Option<ChannelName>,
    /// Those that speak this.
    pub transport: Option<Transport>,
    /// Those after the one with this public name, where the page before ended.
    pub after: Option<Box<str>>,
    /// At most so many.
    pub max: usize,
}

/// Which clients are meant: all that is said must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whom {
    /// Those with a token of this user.
    pub user: Option<Box<str>>,
    /// Those with the key of this name.
    pub key: Option<Box<str>>,
    /// Those with the token of this id.
    pub token: Option<Box<str>>,
    /// The connection with this public name.
    pub connection: Option<Box<str>>,
    /// Those that came from this address.
    pub address: Option<PeerAddress>,
}

/// A credential that can be refused before its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The token with this id (`jti`).
    Token(Box<str>),
    /// The tokens of this user that were made up to now.
    User(Box<str>),
    /// The key of this name.
    Key(Box<str>),
}

/// What an operator wants refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocable {
    /// This.
    Credential(Credential),
    /// What the connection with this public name came with.
    Of(Box<str>),
}

impl Whom {
    /// Whether nothing is said, so that everybody would be meant.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        *self == Whom::default()
    }
}

impl Credential {
    /// The credential of a kind, if there is such a kind.
    #[must_use]
    pub fn of(kind: &str, name: &str) -> Option<Credential> {
        let make = match kind {
            "token" => Credential::Token,
            "user" => Credential::User,
            "key" => Credential::Key,
            _ => return None,
        };
        Some(make(name.into()))
    }

    /// The word for its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Credential::Token(_) => "token",
            Credential::User(_) => "user",
            Credential::Key(_) => "key",
        }
    }

    /// The id or the name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Credential::Token(name) | Credential::User(name) | Credential::Key(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Credential, Whom};

    #[test]
    fn a_credential_is_its_kind_and_its_name() {
        for kind in ["token", "user", "key"] {
            let credential = Credential::of(kind, "x").expect(kind);
            assert_eq!((credential.kind(), credential.name()), (kind, "x"));
        }
        assert_eq!(Credential::of("connection", "x"), None);
    }

    #[test]
    fn whoever_says_nothing_means_everybody() {
        assert!(Whom::default().is_everybody());
        assert!(!Whom { key: Some("".into()), ..Whom::default() }.is_everybody());
    }
}
