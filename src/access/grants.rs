//! What a client may do with channels.

use crate::model::name::ChannelName;

/// What a client wants to do with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Receive what is published, and read the history.
    Read,
    /// Publish.
    Write,
    /// Empty the history.
    Manage,
}

/// The actions that a client may take, with every channel of its application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grants(u8);

impl Grants {
    /// All of them.
    pub const ALL: Grants = Grants::of(&[Action::Read, Action::Write, Action::Manage]);

    /// These actions and no others.
    #[must_use]
    pub const fn of(actions: &[Action]) -> Grants {
        let (mut bits, mut next) = (0, 0);
        // A constant function has no `for`.
        while next < actions.len() {
            bits |= 1 << actions[next] as u8;
            next += 1;
        }
        Grants(bits)
    }

    /// Whether an action on a channel is granted. So far what is granted is granted for all channels; callers name the
    /// channel all the same, since a grant for some of them needs it.
    #[must_use]
    #[inline]
    pub const fn allow(self, action: Action, _channel: &ChannelName) -> bool {
        self.include(action)
    }

    /// Whether an action is granted for some channel: what can be refused before the channel is looked at.
    #[must_use]
    #[inline]
    pub const fn include(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Grants};
    use crate::model::name::ChannelName;

    #[test]
    fn what_is_not_granted_is_not_allowed() {
        let channel = ChannelName::new("a").expect("a name");
        for action in [Action::Read, Action::Write, Action::Manage] {
            assert!(!Grants::of(&[]).allow(action, &channel) && Grants::ALL.allow(action, &channel), "{action:?}");
            for other in [Action::Read, Action::Write, Action::Manage] {
                assert_eq!(Grants::of(&[action]).allow(other, &channel), action == other, "{action:?} {other:?}");
                assert_eq!(Grants::of(&[action]).include(other), action == other, "{action:?} {other:?}");
            }
        }
    }
}
