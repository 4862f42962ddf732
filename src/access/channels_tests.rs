//! The verdict on random rules, identities and requests is that of a reference model, which is written as plainly as
//! possible and shares no code with what it checks.

use super::identity::{Identity, Who};
use super::{Action, Actions, ChannelRules, Grant, Grants};
use crate::config::ChannelRule;
use crate::model::callers::Callers;
use crate::model::glob::Glob;
use crate::model::name::ChannelName;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};

/// A rule as the model has it: its pattern, and for each action the words of its list.
type PlainRule = (String, [Vec<&'static str>; 4]);
/// A grant as the model has it: patterns, and words of actions.
type PlainGrant = (Vec<String>, Vec<&'static str>);

const ACTIONS: [&str; 5] = ["read", "write", "presence", "create", "manage"];

/// The reference model.
fn model(rules: &[PlainRule], who: &str, grants: &[PlainGrant], action: &str, name: &str) -> bool {
    if who == "operator" {
        return true;
    }
    let default = vec!["token", "key"];
    let list = match rules.iter().find(|(pattern, _)| fits(pattern, name)) {
        // Emptying a history is no part of a rule.
        Some((_, lists)) if action != "manage" => {
            &lists[ACTIONS.iter().position(|known| *known == action).expect("one of them")]
        }
        _ => &default,
    };
    let granted = grants
        .iter()
        .any(|(patterns, may)| may.contains(&action) && patterns.iter().any(|pattern| fits(pattern, name)));
    list.iter().any(|member| match *member {
        "anyone" => true,
        "token" => who == "user" && granted,
        "key" => who == "key" && granted,
        _ => false,
    })
}

fn fits(pattern: &str, name: &str) -> bool {
    if pattern == "*" { true } else { fits_bytes(pattern.as_bytes(), name.as_bytes()) }
}

fn fits_bytes(pattern: &[u8], name: &[u8]) -> bool {
    if pattern.is_empty() {
        return name.is_empty();
    }
    if pattern.starts_with(b"**") {
        return (0..=name.len()).any(|taken| fits_bytes(&pattern[2..], &name[taken..]));
    }
    if pattern[0] == b'*' {
        for taken in 0..=name.len() {
            if fits_bytes(&pattern[1..], &name[taken..]) {
                return true;
            }
            if taken < name.len() && b":/.".contains(&name[taken]) {
                return false;
            }
        }
        return false;
    }
    !name.is_empty() && name[0] == pattern[0] && fits_bytes(&pattern[1..], &name[1..])
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof!["[ab:]{1,3}", "[ab]{0,2}:?\\*{1,2}", "\\*{0,2}[ab:]{1,2}\\*?[ab]?"]
        .prop_filter("a pattern", |text: &String| Glob::parse(text).is_ok())
}

fn callers() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![
        Just(vec!["nobody"]),
        Just(vec!["anyone"]),
        Just(vec!["token"]),
        Just(vec!["key"]),
        Just(vec!["token", "key"]),
        Just(vec!["anyone", "key"]),
    ]
}

fn rule() -> impl Strategy<Value = PlainRule> {
    (pattern(), [callers(), callers(), callers(), callers()])
}

fn grant() -> impl Strategy<Value = PlainGrant> {
    let actions =
        vec(0..ACTIONS.len(), 1..4).prop_map(|picked| picked.into_iter().map(|index| ACTIONS[index]).collect());
    (vec(pattern(), 1..3), actions)
}

fn compiled(rules: &[PlainRule]) -> ChannelRules {
    let glob = |text: &String| Glob::parse(text).expect("a pattern");
    let list = |words: &[&str]| {
        words.iter().map(|word| Callers::parse(word).expect("a word")).reduce(Callers::or).expect("at least one")
    };
    let rules: Vec<ChannelRule> = rules
        .iter()
        .map(|(pattern, [read, write, presence, create])| ChannelRule {
            read: list(read),
            write: list(write),
            presence: list(presence),
            create: list(create),
            ..ChannelRule::new(glob(pattern))
        })
        .collect();
    ChannelRules::new(&rules, false, "")
}

fn identity(who: &str, grants: &[PlainGrant]) -> Identity {
    let grants = grants.iter().map(|(channels, may)| Grant {
        channels: channels.iter().map(|text| Glob::parse(text).expect("a pattern")).collect(),
        may: Actions::of(&may.iter().map(|word| Action::parse(word).expect("a word")).collect::<Vec<_>>()),
    });
    let grants = Grants::new(grants.collect());
    match who {
        "user" => Identity::new(Who::User("u".into()), grants),
        "key" => Identity::new(Who::Key("k".into()), grants),
        "operator" => Identity::new(Who::Operator, Grants::everywhere(Actions::ALL)),
        // What an anonymous client has in open mode must not count where rules apply.
        _ => Identity::new(Who::Anonymous, Grants::everywhere(Actions::ALL)),
    }
}

proptest! {
    #[test]
    fn a_verdict_is_that_of_the_reference_model(
        rules in vec(rule(), 0..12),
        who in prop_oneof![Just("anonymous"), Just("user"), Just("key"), Just("operator")],
        grants in vec(grant(), 0..4),
        names in vec("[ab:]{1,4}", 1..6),
    ) {
        let (compiled, identity) = (compiled(&rules), identity(who, &grants));
        for name in &names {
            let channel = ChannelName::new(name).expect("a name");
            for action in ACTIONS {
                let expected = model(&rules, who, &grants, action, name);
                let verdict = compiled.judge(&identity, Action::parse(action).expect("one"), &channel);
                prop_assert_eq!(verdict.is_ok(), expected, "{} {} {} {:?}", who, action, name, verdict);
            }
        }
    }
}
