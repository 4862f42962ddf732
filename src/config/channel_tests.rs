//! Tests of `[[channel]]`: what is read, both sides of each limit, and the place of each mistake.

use super::{ChannelRule, Config, Counted, Rate, Settings};
use crate::model::callers::Callers;
use crate::model::glob::Glob;
use std::time::Duration;

fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    settings.file("t.toml", text);
    settings
}

fn mistakes(text: &str) -> Vec<String> {
    settings(text).check().err().map_or_else(Vec::new, |error| error.problems().to_vec())
}

#[test]
fn a_rule_says_who_and_how_and_leaves_the_rest() {
    let text = "[[channel]]\nmatch = \"a:*\"\nread = [\"anyone\", \"key\"]\nwrite = [\"nobody\"]\nhistory_count = 3\n\
                history_bytes = \"1KiB\"\nhistory_age = \"5s\"\npublication_bytes = 100\npublish_rate = \"10/s\"\nclient_publish_rate = \"1/s burst 5\"\n\n[[channel]]\nmatch = \"*\"\n";
    let given = settings(text);
    given.check().expect("valid");
    let first = ChannelRule {
        read: Callers::ANYONE.or(Callers::KEY),
        write: Callers::NOBODY,
        history_count: Some(3),
        history_bytes: Some(1024),
        history_age: Some(Duration::from_secs(5)),
        publication_bytes: Some(100),
        publish_rate: Rate::parse("10/s", Counted::Pieces).flatten(),
        client_publish_rate: Rate::parse("1/s burst 5", Counted::Pieces).flatten(),
        ..ChannelRule::new(Glob::parse("a:*").expect("a pattern"))
    };
    let second = ChannelRule::new(Glob::parse("*").expect("a pattern"));
    assert_eq!(given.config().channel_rules, [first, second]);
    assert!(!given.config().is_open() && Config::default().is_open());
    let described = given.config().describe();
    assert_eq!(Config::from_toml("again", &described).expect("its own text"), *given.config());
    let shown = given.show();
    assert!(
        shown.contains("\n# t.toml:1:1\n[[channel]]\nmatch = \"a:*\"\n") && shown.contains("# t.toml:12:1"),
        "{shown}"
    );
}

#[test]
fn each_mistake_in_a_rule_has_its_place_and_all_are_reported() {
    for (text, said) in [
        ("read = [\"anyone\"]", "t.toml:1:1: a [[channel]] needs a \"match\""),
        ("match = \"a?\"", "t.toml:2:9: \"channel.match\" cannot be \"a?\": no channel's name has a \"?\""),
        ("match = \"a***\"", "t.toml:2:9: \"channel.match\" cannot be \"a***\": a pattern has *"),
        ("match = 7", "t.toml:2:9: \"channel.match\" must be a pattern of channel names such as"),
        (
            "match = \"a\"\nread = [\"tokens\"]",
            "t.toml:3:9: \"channel.read\" is a list of \"anyone\", \"token\", \"key\", \"nobody\", not \"tokens\": did you mean \"token\"?",
        ),
        ("match = \"a\"\nwrite = []", "t.toml:3:9: \"channel.write\" must be a list of"),
        ("match = \"a\"\nwrite = [\"nobody\", \"key\"]", "t.toml:3:10: \"channel.write\" has \"nobody\" beside others"),
        (
            "match = \"a\"\nhistory_count = -1",
            "t.toml:3:17: \"channel.history_count\" must be a number of publications",
        ),
        ("match = \"a\"\nhistory_age = \"1ms\"", "t.toml:3:15: \"channel.history_age\" must be 1s to 365d, not 1ms"),
        (
            "match = \"a\"\npublication_bytes = \"2GiB\"",
            "t.toml:3:21: \"channel.publication_bytes\" must be 0 B to 1 GiB",
        ),
        (
            "match = \"a\"\npublish_rate = \"10 a second\"",
            "t.toml:3:16: \"channel.publish_rate\" must be a rate such as \"100/s\" or \"1000/m burst 200\", or \"off\"",
        ),
        ("match = \"a\"\nhistory = 1", "t.toml:3:1: unknown key \"channel.history\": "),
        (
            "match = \"a\"\n[[channel]]\nmatch = \"a\"",
            "t.toml:3:1: [[channel]] 2: \"a\" is the pattern of [[channel]] 1",
        ),
        ("match = \"a\"\nhistory_bytes = \"2GiB\"", "t.toml:1:1: [[channel]] 1: history_bytes (2 GiB) must be at most"),
    ] {
        let found = mistakes(&format!("[[channel]]\n{text}\n"));
        assert!(found.iter().any(|problem| problem.starts_with(said)), "{text}: {found:?}");
    }
    assert!(mistakes("channel = 1\n")[0].contains("write [[channel]] on a line of its own"));
    assert!(mistakes("[[channel]]\nmatch = \"a\"\nhistory_bytes = \"1GiB\"\n").is_empty(), "as much as all together");
}

/// What is kept elsewhere is not bounded by what memory holds.
#[test]
fn histories_on_disk_and_in_redis_may_be_larger_than_memory() {
    let with = |engine: &str, bytes: &str| {
        let rule = format!("[[channel]]\nmatch = \"a\"\nhistory_bytes = \"{bytes}\"\n");
        mistakes(&format!(
            "[server]\nengine = \"{engine}\"\n[history]\nbytes = \"{bytes}\"\n[store]\ntotal_bytes = \"4GiB\"\n{rule}"
        ))
    };
    assert_eq!((with("memory", "1GiB"), with("disk", "4GiB"), with("redis", "8GiB")), (vec![], vec![], vec![]));
    let of = |mistakes: Vec<String>, setting: &str| mistakes.iter().filter(|one| one.contains(setting)).count();
    assert_eq!(of(with("memory", "4GiB"), "at most \"history.total_bytes\" (1 GiB)"), 2);
    assert_eq!(of(with("disk", "5GiB"), "at most \"store.total_bytes\" (4 GiB)"), 2);
}
