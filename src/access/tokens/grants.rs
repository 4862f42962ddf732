//! The claims that say what a token allows: `grants`, a list of channels with actions, and `subs`, the channels to begin with.

use super::members::{Members, list, text, texts};
use crate::model::glob::{Glob, GlobFault};
use crate::model::grants::{Action, Actions, Grant, Grants};
use crate::model::name::{ChannelName, NameFault};
use std::fmt;

/// Grants of a token.
pub(super) const GRANTS_MAX: usize = 64;
/// Patterns of a grant.
pub(super) const GLOBS_MAX: usize = 64;
/// Channels to begin with.
pub(super) const SUBS_MAX: usize = 100;

/// What is wrong with such a claim: the end of a sentence that begins with its name. Nothing of its value is repeated but a
/// count and a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantFault {
    /// It is no list of objects.
    NotAList,
    /// More grants than a token may have.
    TooMany(usize),
    /// The grant at this place, from 1, is not an object of `channels` and `may` alone.
    Members(usize),
    /// Its `channels` are no text and no list of 1 to 64 texts.
    Channels(usize),
    /// One of them is no pattern.
    Pattern(usize, GlobFault),
    /// Its `may` is no word and no list of words, or has none.
    May(usize),
    /// `subs` is no list of at most 100 texts.
    Subs,
    /// The text at this place, from 1, is no channel's name.
    Name(usize, NameFault),
}

impl fmt::Display for GrantFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GrantFault::NotAList => {
                f.write_str("must be a list such as [{\"channels\":[\"chat:*\"],\"may\":[\"read\",\"write\"]}]")
            }
            GrantFault::TooMany(count) => write!(f, "has {count} grants, and at most {GRANTS_MAX} are possible"),
            GrantFault::Members(at) => {
                write!(f, "must consist of objects with \"channels\" and \"may\" alone; number {at} does not")
            }
            GrantFault::Channels(at) => {
                write!(f, "must have \"channels\" of one pattern or a list of 1 to {GLOBS_MAX}; number {at} has not")
            }
            // Not the fault's own sentence, which repeats a character.
            GrantFault::Pattern(at, _) => write!(
                f,
                "must have patterns of channel names as \"channels\", such as chat:* (a run without : / .) or ** (anything); \
                 number {at} has something else"
            ),
            GrantFault::May(at) => {
                let words: Vec<&str> = Action::ALL.into_iter().map(Action::word).collect();
                write!(f, "must have \"may\" of one or more of {}; number {at} has something else", words.join(", "))
            }
            GrantFault::Subs => write!(f, "must be a list of at most {SUBS_MAX} names of channels"),
            GrantFault::Name(at, _) => write!(f, "must be a list of names of channels; number {at} is none"),
        }
    }
}

/// Reads `grants`.
pub(super) fn read_grants(value: &str) -> Result<Grants, GrantFault> {
    let items = list(value).ok_or(GrantFault::NotAList)?;
    if items.len() > GRANTS_MAX {
        return Err(GrantFault::TooMany(items.len()));
    }
    let numbered = items.into_iter().enumerate().map(|(index, item)| read_grant(index + 1, item));
    Ok(Grants::new(numbered.collect::<Result<_, _>>()?))
}

fn read_grant(at: usize, item: &str) -> Result<Grant, GrantFault> {
    let members = Members::of(item.as_bytes()).map_err(|_| GrantFault::Members(at))?;
    // A member that is not known here might narrow what the others grant.
    if members.names().any(|name| !matches!(name, "channels" | "may")) {
        return Err(GrantFault::Members(at));
    }
    let (Some(channels), Some(may)) = (members.get("channels"), members.get("may")) else {
        return Err(GrantFault::Members(at));
    };
    let patterns = texts(channels).filter(|patterns| (1..=GLOBS_MAX).contains(&patterns.len()));
    let patterns = patterns.ok_or(GrantFault::Channels(at))?;
    let globs: Result<Box<[Glob]>, GlobFault> = patterns.iter().map(|pattern| Glob::parse(pattern)).collect();
    let channels = globs.map_err(|fault| GrantFault::Pattern(at, fault))?;
    let words = texts(may).filter(|words| !words.is_empty()).ok_or(GrantFault::May(at))?;
    let actions: Option<Vec<Action>> = words.iter().map(|word| Action::parse(word)).collect();
    let may = Actions::of(&actions.ok_or(GrantFault::May(at))?);
    Ok(Grant { channels, may })
}

/// Reads `subs`: each channel once, in the order in which they were named.
pub(super) fn read_subs(value: &str) -> Result<Vec<ChannelName>, GrantFault> {
    let items = list(value).filter(|items| items.len() <= SUBS_MAX).ok_or(GrantFault::Subs)?;
    let mut subs: Vec<ChannelName> = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let name = text(item).ok_or(GrantFault::Subs)?;
        let name = ChannelName::new(&name).map_err(|fault| GrantFault::Name(index + 1, fault))?;
        if !subs.contains(&name) {
            subs.push(name);
        }
    }
    Ok(subs)
}

#[cfg(test)]
mod tests {
    use super::{GLOBS_MAX, GRANTS_MAX, GrantFault, SUBS_MAX, read_grants, read_subs};
    use crate::model::glob::GlobFault;
    use crate::model::grants::Action;
    use crate::model::name::{ChannelName, NameFault};

    fn repeated(item: &str, count: usize) -> String {
        format!("[{}]", vec![item; count].join(","))
    }

    #[test]
    fn grants_allow_what_they_say_and_nothing_else() {
        let grants = read_grants(
            r#"[{"channels":["chat:*","news"],"may":["read","write"]},{"may":"manage","channels":"own:**"},
                {"channels":"\u0061","may":["presence","create","presence"]}]"#,
        )
        .expect("grants");
        for (name, allowed) in [
            ("chat:1", &[Action::Read, Action::Write][..]),
            ("chat:1:2", &[]),
            ("news", &[Action::Read, Action::Write]),
            ("own:a:b", &[Action::Manage]),
            ("a", &[Action::Presence, Action::Create]),
            ("b", &[]),
        ] {
            let channel = ChannelName::new(name).expect(name);
            for action in Action::ALL {
                assert_eq!(grants.allow(action, &channel), allowed.contains(&action), "{name} {action:?}");
            }
        }
        assert_eq!(read_grants("[]"), Ok(Default::default()), "which grants nothing");
    }

    #[test]
    fn what_does_not_have_the_form_of_grants_is_refused_whole() {
        for (value, fault) in [
            ("{}", GrantFault::NotAList),
            ("null", GrantFault::NotAList),
            ("\"read\"", GrantFault::NotAList),
            ("[1]", GrantFault::Members(1)),
            (r#"[{"channels":"a","may":"read"},[]]"#, GrantFault::Members(2)),
            (r#"[{"channels":"a"}]"#, GrantFault::Members(1)),
            (r#"[{"may":"read"}]"#, GrantFault::Members(1)),
            (r#"[{"channels":"a","may":"read","until":1}]"#, GrantFault::Members(1)),
            (r#"[{"channels":[],"may":"read"}]"#, GrantFault::Channels(1)),
            (r#"[{"channels":[1],"may":"read"}]"#, GrantFault::Channels(1)),
            (r#"[{"channels":{"a":1},"may":"read"}]"#, GrantFault::Channels(1)),
            (r#"[{"channels":null,"may":"read"}]"#, GrantFault::Channels(1)),
            (r#"[{"channels":"","may":"read"}]"#, GrantFault::Pattern(1, GlobFault::Empty)),
            (r#"[{"channels":["a","b***"],"may":"read"}]"#, GrantFault::Pattern(1, GlobFault::Stars)),
            (r#"[{"channels":"a","may":[]}]"#, GrantFault::May(1)),
            (r#"[{"channels":"a","may":"Read"}]"#, GrantFault::May(1)),
            (r#"[{"channels":"a","may":"*"}]"#, GrantFault::May(1)),
            (r#"[{"channels":"a","may":["read","all"]}]"#, GrantFault::May(1)),
            (r#"[{"channels":"a","may":["read",1]}]"#, GrantFault::May(1)),
            (r#"[{"channels":"a","may":true}]"#, GrantFault::May(1)),
        ] {
            assert_eq!(read_grants(value), Err(fault), "{value}");
        }
    }

    #[test]
    fn grants_patterns_and_channels_have_a_largest_number() {
        let grant = r#"{"channels":"a","may":"read"}"#;
        assert!(read_grants(&repeated(grant, GRANTS_MAX)).is_ok());
        assert_eq!(read_grants(&repeated(grant, GRANTS_MAX + 1)), Err(GrantFault::TooMany(GRANTS_MAX + 1)));
        let of = |count| format!(r#"[{{"channels":{},"may":"read"}}]"#, repeated("\"a\"", count));
        assert!(read_grants(&of(GLOBS_MAX)).is_ok());
        assert_eq!(read_grants(&of(GLOBS_MAX + 1)), Err(GrantFault::Channels(1)));
        assert_eq!(read_subs(&repeated("\"a\"", SUBS_MAX)).map(|subs| subs.len()), Ok(1));
        assert_eq!(read_subs(&repeated("\"a\"", SUBS_MAX + 1)), Err(GrantFault::Subs));
    }

    #[test]
    fn subscriptions_are_names_each_once_and_in_order() {
        let names =
            |value: &str| read_subs(value).map(|subs| subs.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(names(r#"["b","a","b","\u0063"]"#), Ok(vec!["b".into(), "a".into(), "c".into()]));
        assert_eq!(names("[]"), Ok(Vec::new()));
        for (value, fault) in [
            ("\"a\"", GrantFault::Subs),
            ("{}", GrantFault::Subs),
            ("[1]", GrantFault::Subs),
            ("[\"a\",null]", GrantFault::Subs),
            ("[\"a\",\"\"]", GrantFault::Name(2, NameFault::Empty)),
            ("[\"a*\"]", GrantFault::Name(1, NameFault::Character('*'))),
        ] {
            assert_eq!(names(value), Err(fault), "{value}");
        }
    }
}
