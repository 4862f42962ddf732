//! What a client may do with which channels.

use super::glob::Glob;
use super::name::ChannelName;
use std::fmt;

/// What a client wants to do with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Receive what is published, and read the history.
    Read,
    /// Publish.
    Write,
    /// See who is there.
    Presence,
    /// Make a stream of it, and delete that.
    Create,
    /// Empty the history.
    Manage,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 5] = [Action::Read, Action::Write, Action::Presence, Action::Create, Action::Manage];

    /// The meaning of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.word() == word)
    }

    /// The word for it, in settings and tokens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Write => "write",
            Action::Presence => "presence",
            Action::Create => "create",
            Action::Manage => "manage",
        }
    }
}

/// A set of actions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions(u8);

impl Actions {
    /// All of them.
    pub const ALL: Actions = Actions::of(&Action::ALL);

    /// These actions and no others.
    #[must_use]
    pub const fn of(actions: &[Action]) -> Actions {
        let (mut bits, mut next) = (0, 0);
        // A constant function has no `for`.
        while next < actions.len() {
            bits |= 1 << actions[next] as u8;
            next += 1;
        }
        Actions(bits)
    }

    /// Whether an action is among them.
    #[must_use]
    #[inline]
    pub const fn include(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Actions) -> Actions {
        Actions(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order of [`Action::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.include(*action))
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Action::word)).finish()
    }
}

/// Actions on the channels of some patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The channels.
    pub channels: Box<[Glob]>,
    /// What may be done with them.
    pub may: Actions,
}

/// What a client may do: some actions with every channel of its application, others with the channels of some patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    everywhere: Actions,
    /// Of all that follows, for some channel.
    somewhere: Actions,
    some: Box<[Grant]>,
}

impl Grants {
    /// These actions, with every channel.
    #[must_use]
    pub fn everywhere(may: Actions) -> Grants {
        Grants { everywhere: may, ..Grants::default() }
    }

    /// What a list of grants allows together.
    #[must_use]
    pub fn new(grants: Vec<Grant>) -> Grants {
        let everything = Glob::everything();
        let (mut everywhere, mut somewhere, mut some) = (Actions::default(), Actions::default(), Vec::new());
        for grant in grants {
            // Most grants of backends are these, and they need no walk over patterns for each publication.
            if grant.channels.iter().any(|glob| *glob == everything || glob.as_str() == "*") {
                everywhere = everywhere.and(grant.may);
            } else {
                somewhere = somewhere.and(grant.may);
                some.push(grant);
            }
        }
        Grants { everywhere, somewhere, some: some.into_boxed_slice() }
    }

    /// Whether an action on a channel is granted.
    #[must_use]
    #[inline]
    pub fn allow(&self, action: Action, channel: &ChannelName) -> bool {
        self.everywhere.include(action) || (self.somewhere.include(action) && self.allow_by_pattern(action, channel))
    }

    fn allow_by_pattern(&self, action: Action, channel: &ChannelName) -> bool {
        let grants =
            |grant: &Grant| grant.may.include(action) && grant.channels.iter().any(|glob| glob.matches(channel));
        self.some.iter().any(grants)
    }

    /// Whether an action is granted for some channel: what can be refused before the channel is looked at.
    #[must_use]
    #[inline]
    pub const fn include(&self, action: Action) -> bool {
        self.everywhere.include(action) || self.somewhere.include(action)
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Actions, Grant, Grants};
    use crate::model::glob::Glob;
    use crate::model::name::ChannelName;

    fn grant(channels: &[&str], may: &[Action]) -> Grant {
        Grant { channels: channels.iter().map(|text| Glob::parse(text).expect(text)).collect(), may: Actions::of(may) }
    }

    #[test]
    fn what_is_not_granted_is_not_allowed() {
        let channel = ChannelName::new("a").expect("a name");
        let all = Grants::everywhere(Actions::ALL);
        for action in Action::ALL {
            assert_eq!(Action::parse(action.word()), Some(action));
            assert!(!Grants::default().allow(action, &channel) && all.allow(action, &channel), "{action:?}");
            for other in Action::ALL {
                let one = Grants::everywhere(Actions::of(&[action]));
                assert_eq!(one.allow(other, &channel), action == other, "{action:?} {other:?}");
                assert_eq!(one.include(other), action == other, "{action:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_grant_is_for_its_channels_and_its_actions_together() {
        let grants = Grants::new(vec![
            grant(&["chat:*", "news"], &[Action::Read]),
            grant(&["chat:lobby"], &[Action::Write]),
            grant(&["*"], &[Action::Presence]),
        ]);
        for (name, allowed) in [
            ("chat:lobby", &[Action::Read, Action::Write, Action::Presence][..]),
            ("chat:x", &[Action::Read, Action::Presence]),
            ("news", &[Action::Read, Action::Presence]),
            ("chat:x:y", &[Action::Presence]),
        ] {
            let channel = ChannelName::new(name).expect(name);
            for action in Action::ALL {
                assert_eq!(grants.allow(action, &channel), allowed.contains(&action), "{name} {action:?}");
            }
        }
        assert!(grants.include(Action::Write) && !grants.include(Action::Manage));
    }
}
