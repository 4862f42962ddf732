//! Tests of the configuration: defaults, both sides of every limit and relation, messages, and the round trip.

use super::choice::FlushPath;
use super::kind::{GIB, KIB, MIB};
use super::knobs::Config;
use super::table::Entry;
use super::units::{SIZE_UNITS, TIME_UNITS, with_unit};
use crate::model::code::Code;
use std::collections::HashSet;
use std::time::Duration;

fn read(text: &str) -> Result<Config, String> {
    Config::from_toml("tidings.toml", text).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    read(text).expect_err("a mistake")
}

#[test]
fn the_defaults_are_those_of_the_design_and_pass_the_check() {
    let config = Config::default();
    config.check().expect("the defaults");
    assert_eq!(config.server.listen, ["127.0.0.1:8080".parse().expect("an address")]);
    assert_eq!(config.websocket.message_bytes, 64 * KIB);
    assert_eq!(config.websocket.echo_message_bytes, MIB);
    assert_eq!(config.http.body_bytes, MIB);
    assert_eq!((config.http.head_bytes, config.http.headers, config.http.head_timeout.as_secs()), (16 * KIB, 100, 10));
    assert_eq!((config.websocket.ping_idle.as_secs(), config.websocket.pong_wait.as_secs()), (25, 10));
    assert_eq!((config.history.replay_count, config.history.replay_bytes), (300, 256 * KIB));
    assert_eq!((config.delivery.outbox_bytes, config.delivery.outbound_total_bytes), (MIB, GIB));
    assert_eq!((config.server.publish_wait.as_secs(), config.server.drain_timeout.as_secs()), (1, 30));
    assert_eq!(config.websocket.plain_get_text, "服务器收到GET请求");
    assert_eq!(config.websocket.plain_post_text, "服务器收到POST请求,并返回数据");
    assert!(config.server.reactor_count() >= 1 && config.server.worker_count() >= 1);
}

#[test]
fn every_key_stands_once_and_has_a_reason() {
    let mut seen = HashSet::new();
    for entry in Config::default().entries() {
        assert!(seen.insert((entry.section, entry.key)), "{entry:?}");
        assert!(entry.reason.ends_with(['.', '3', '2']) && entry.reason.len() > 20, "{entry:?}");
        assert!(!entry.unit.is_empty() && !entry.section_about.is_empty(), "{entry:?}");
    }
}

/// Writes a number of a knob's base unit as TOML.
type Written = fn(u64) -> String;

/// The least and the most of a knob that has a range, and how a number of its base unit is written.
fn range(entry: &Entry) -> Option<(u64, u64, Written)> {
    let (unit, range) = entry.unit.split_once(", ")?;
    let (least, most) = range.split_once(" to ")?;
    let most = most.split(", or").next()?;
    if unit == "duration" {
        return Some((with_unit(least, &TIME_UNITS)?, with_unit(most, &TIME_UNITS)?, |n| format!("\"{n}ns\"")));
    }
    let number = |text: &str| with_unit(text, &SIZE_UNITS).or_else(|| text.parse().ok());
    Some((number(least)?, number(most)?, |n| n.to_string()))
}

#[test]
fn each_limit_holds_on_both_sides() {
    let mut tried = 0;
    for entry in Config::default().entries() {
        let Some((least, most, written)) = range(&entry) else { continue };
        tried += 1;
        let file = |value: u64| format!("[{}]\n{} = {}\n", entry.section, entry.key, written(value));
        for inside in [least, most] {
            let config = read(&file(inside)).unwrap_or_else(|error| panic!("{error}"));
            assert!(config.entries().iter().all(|entry| entry.problem.is_none()));
        }
        let below = least.checked_sub(1);
        for outside in below.into_iter().chain([most + 1]) {
            let error = refused(&file(outside));
            let column = entry.key.len() + 4;
            let start = format!("tidings.toml:2:{column}: \"{}.{}\" must be ", entry.section, entry.key);
            assert!(error.starts_with(&start) && error.contains(" to "), "{error}");
        }
    }
    assert!(tried > 40, "only {tried} knobs with a range were found");
}

#[test]
fn a_word_is_one_of_a_few() {
    for (word, path) in [("writev", FlushPath::Writev), ("uring", FlushPath::Uring), ("auto", FlushPath::Auto)] {
        assert_eq!(read(&format!("[io]\nflush = \"{word}\"\n")).map(|config| config.io.flush), Ok(path));
    }
    for wrong in ["\"epoll\"", "1", "\"Writev\""] {
        let error = refused(&format!("[io]\nflush = {wrong}\n"));
        let expected = "tidings.toml:2:9: \"io.flush\" must be one of \"writev\", \"uring\", \"auto\", not ";
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn values_out_of_range_that_no_file_gave_are_found_by_the_check() {
    let mut config = Config::default();
    config.http.headers = 7;
    config.websocket.plain_channel = "a*b".to_owned();
    config.server.listen.clear();
    let error = config.check().expect_err("three mistakes");
    assert_eq!(error.problems().len(), 3, "{error}");
    assert!(error.to_string().contains("\"http.headers\" must be 8 to 1000, not 7"), "{error}");
}

/// Sets one value so that a relation just holds, and one that breaks it.
#[test]
fn each_relation_holds_on_both_sides() {
    type Set = fn(&mut Config, usize);
    let relations: [(&str, Set, usize); 15] = [
        ("history.replay_bytes", |c, n| c.history.replay_bytes = n, 256 * KIB),
        ("http.target_bytes", |c, n| c.http.target_bytes = n, 16 * KIB),
        ("http.body_bytes", |c, n| c.http.body_bytes = n, MIB),
        ("websocket.message_bytes", |c, n| c.websocket.message_bytes = n, MIB),
        ("delivery.mailbox_bytes", |c, n| (c.delivery.mailbox_bytes, c.http.body_bytes) = (256 * KIB, n), 256 * KIB),
        (
            "delivery.mailbox_bytes",
            |c, n| (c.delivery.mailbox_bytes, c.websocket.message_bytes, c.http.body_bytes) = (64 * KIB, n, KIB),
            64 * KIB,
        ),
        (
            "delivery.worker_queue_bytes",
            |c, n| (c.delivery.worker_queue_bytes, c.websocket.message_bytes, c.http.body_bytes) = (64 * KIB, n, KIB),
            64 * KIB,
        ),
        (
            "delivery.worker_queue_bytes",
            |c, n| (c.delivery.worker_queue_bytes, c.http.body_bytes) = (256 * KIB, n),
            256 * KIB,
        ),
        (
            "delivery.outbound_total_bytes",
            |c, n| (c.delivery.outbound_total_bytes, c.delivery.outbox_bytes) = (64 * MIB, n),
            64 * MIB,
        ),
        ("delivery.outbound_total_bytes", |c, n| c.delivery.mailbox_bytes = n, GIB),
        (
            "websocket.echo_message_bytes",
            |c, n| (c.delivery.outbound_total_bytes, c.websocket.echo_message_bytes) = (16 * MIB, n),
            16 * MIB,
        ),
        ("history.total_bytes", |c, n| c.history.bytes = n, GIB),
        ("channels.per_connection", |c, n| (c.channels.total, c.channels.per_connection) = (10, n), 10),
        ("server.inline_parse_bytes", |c, n| c.server.inline_parse_bytes = n, 64 * KIB - 1),
        (
            "server.drain_spread",
            |c, n| {
                let seconds = |n| Duration::from_secs(n as u64);
                (c.server.drain_timeout, c.server.drain_spread) = (seconds(10), seconds(n));
            },
            10,
        ),
    ];
    for (key, set, most) in relations {
        let mut config = Config::default();
        set(&mut config, most);
        config.check().unwrap_or_else(|error| panic!("{key} at {most}: {error}"));
        set(&mut config, most + 1);
        let error = config.check().expect_err(key);
        assert_eq!(error.problems().len(), 1, "{error}");
        assert!(error.to_string().contains(key), "{key}: {error}");
    }
}

#[test]
fn parsing_can_be_all_inline_or_all_pooled() {
    for (text, expected) in [("\"inf\"", usize::MAX), ("0", 0)] {
        let config = read(&format!("server.inline_parse_bytes = {text}")).expect(text);
        assert_eq!(config.server.inline_parse_bytes, expected);
        config.check().expect(text);
    }
    assert!(refused("http.body_bytes = \"inf\"").contains("must be a size"));
}

#[test]
fn open_publishing_outside_loopback_must_be_asked_for() {
    let mut config = Config::default();
    for (address, inside) in [
        ("127.0.0.1:0", true),
        ("127.3.2.1:80", true),
        ("[::1]:80", true),
        ("[::ffff:127.0.0.1]:80", true),
        ("0.0.0.0:80", false),
        ("[::]:80", false),
        ("192.0.2.1:80", false),
    ] {
        config.server.listen = vec!["127.0.0.1:1".parse().expect("address"), address.parse().expect("address")];
        config.server.allow_anonymous_publish = false;
        assert_eq!(config.check().is_ok(), inside, "{address}");
        if let Err(error) = config.check() {
            assert!(error.to_string().contains("server.allow_anonymous_publish"), "{error}");
        }
        config.server.allow_anonymous_publish = true;
        config.check().expect(address);
    }
}

#[test]
fn credentials_do_not_go_with_origins_that_any_page_can_have() {
    let mut config = Config::default();
    for (origin, refused) in
        [("https://app.example", false), ("https://*.example", false), ("*", true), ("null", true), ("file://", true)]
    {
        config.server.allow_origin = vec!["https://a.example".to_owned(), origin.to_owned()];
        config.http.allow_credentials = false;
        config.check().expect(origin);
        config.http.allow_credentials = true;
        let problem = config.check().err().map(|error| error.to_string());
        assert_eq!(problem.is_some(), refused, "{origin}");
        assert!(problem.is_none_or(|text| text.contains("\"http.allow_credentials\"") && text.contains(origin)));
    }
}

#[test]
fn a_mistake_names_file_line_key_and_the_nearest_key() {
    let text = "# a comment\n\n[server]\nreactors = 2\n\n[websocket]\nmesage_bytes = 1\n";
    assert_eq!(
        refused(text),
        "tidings.toml:7:1: unknown key \"websocket.mesage_bytes\": did you mean \"websocket.message_bytes\"?"
    );
    for (text, said) in [
        ("listn = 1", "tidings.toml:1:1: unknown key \"listn\": did you mean \"server.listen\"?"),
        ("message_bytes = 1", "unknown key \"message_bytes\": did you mean \"websocket.message_bytes\"?"),
        (
            "[http]\nmessage_bytes = 1",
            ":2:1: unknown key \"http.message_bytes\": did you mean \"websocket.message_bytes\"?",
        ),
        ("[websokcet]\nping_idle = 1", ":1:2: unknown table \"websokcet\": did you mean \"websocket\"?"),
        ("[sizes]\nbody_bytes = 1", ":1:2: unknown table \"sizes\": did you mean \"http\"?"),
        ("[qqqqqqqqqqqq]", "unknown table \"qqqqqqqqqqqq\": there are server, access, http, websocket, "),
        ("[server]\nqqqqqqqqqqqqqqqqqqqqq = 1", "Config::describe"),
        ("server = 1", "\"server\" is a table: write [server]"),
    ] {
        assert!(refused(text).contains(said), "{text}: {}", refused(text));
    }
}

#[test]
fn a_wrong_type_says_what_was_expected_with_an_example() {
    for (text, said) in [
        (
            "[websocket]\nmessage_bytes = true",
            ":2:17: \"websocket.message_bytes\" must be a size such as \"10MB\" or \"64KiB\" (kB, MB, GB of 1000; KiB, \
             MiB, GiB of 1024) or a number of bytes, not true",
        ),
        ("http.head_bytes = \"16 K\"", "not \"16 K\""),
        ("http.head_bytes = \"16 Kbit\"", "not \"16 Kbit\""),
        ("http.head_bytes = \"1.0001kB\"", "not \"1.0001kB\""),
        ("http.head_bytes = \".5MiB\"", "not \".5MiB\""),
        ("http.head_bytes = \"\"", "not \"\""),
        ("http.head_bytes = -1", "not the number -1"),
        ("http.head_bytes = \"99999999999999 TiB\"", "must be a size"),
        ("http.head_timeout = \"10 parsecs\"", "must be a duration such as \"10s\", \"500ms\" or \"24h\""),
        ("http.head_timeout = 1.5", "not the number 1.5"),
        ("http.headers = \"many\"", "must be a number of header fields such as 8, not \"many\""),
        ("history.stamp_time = 1", "must be true or false, not the number 1"),
        ("server.listen = \"127.0.0.1:80\"", "must be a list of addresses such as [\"127.0.0.1:8080\""),
        (
            "server.allow_origin = [\"example.com\"]",
            "must be an origin (scheme://host, https://*.example.com, null, file:// or *) such as \"https://app.example.com\"",
        ),
        ("websocket.plain_channel = \"a*b\"", "must be a channel name such as \"inbox\", not \"a*b\""),
        ("websocket.subprotocols = [\"a b\"]", "must be a subprotocol name"),
        ("websocket.subprotocols = [1]", "must be a list, each item a subprotocol name"),
        ("server.listen = [[\n", "tidings.toml:"),
    ] {
        assert!(refused(text).contains(said), "{text}: {}", refused(text));
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let error = refused("[http]\nheaders = 1\n[sse]\nretri = 1\n[channels]\ntotal = 0\n");
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("tidings.toml:2:11: ") && lines[2].starts_with("tidings.toml:6:9: "), "{error}");
}

#[test]
fn sizes_and_durations_have_several_spellings() {
    for text in ["65536", "\"65536 B\"", "\"64 KiB\"", "\"64KiB\"", "0x10000", "65_536"] {
        let config = read(&format!("websocket.message_bytes = {text}")).expect(text);
        assert_eq!(config.websocket.message_bytes, 64 * KIB, "{text}");
    }
    for (text, bytes) in [
        ("10MB", 10_000_000),
        ("10 mb", 10_000_000),
        ("10MiB", 10 * MIB),
        ("1.5MiB", MIB + 512 * KIB),
        ("1.5MB", 1_500_000),
        ("0.25GiB", 256 * MIB),
        ("500kB", 500_000),
        ("500KB", 500_000),
        ("4096b", 4096),
        ("4096", 4096),
    ] {
        let config = read(&format!("http.body_bytes = \"{text}\"")).expect(text);
        assert_eq!(config.http.body_bytes, bytes, "{text}");
    }
    for text in ["90", "\"90s\"", "\"90 s\"", "\"90000ms\""] {
        assert_eq!(read(&format!("sse.comment = {text}")).expect(text).sse.comment.as_millis(), 90_000, "{text}");
    }
    assert_eq!(super::parse_address("localhost:80"), "127.0.0.1:80".parse().ok());
    assert_eq!(super::parse_address("example.com:80"), None);
}

#[test]
fn the_description_reads_back_as_the_same_configuration() {
    let mut config = Config::default();
    assert_eq!(read(&config.describe()).as_ref(), Ok(&config));
    assert!(config.differences().is_empty());

    config.server.listen.push("[::1]:0".parse().expect("an address"));
    config.server.inline_parse_bytes = usize::MAX;
    config.server.allow_origin = vec!["https://example.com".to_owned(), "http://[::1]:3".to_owned()];
    config.websocket.plain_get_text = "a \"quoted\"\\\n\u{7f}\u{9b}服".to_owned();
    config.http.head_timeout = std::time::Duration::from_millis(1500);
    config.history.replay_bytes = 0;
    config.history.stamp_time = true;
    config.delivery.outbox_bytes += 1;
    assert_eq!(read(&config.describe()).as_ref(), Ok(&config));
    let differences = config.differences();
    assert_eq!(differences.len(), 8);
    assert!(differences.contains(&("http.head_timeout".to_owned(), "\"1500ms\"".to_owned())), "{differences:?}");
    assert!(config.describe().lines().all(|line| !line.starts_with('#') || line.len() <= 120));
}

#[test]
fn the_default_file_reads_back_as_the_defaults_and_names_every_knob_with_its_reason() {
    let text = Config::describe_default();
    assert_eq!(read(&text), Ok(Config::default()));
    for (knob, entry) in super::knobs().iter().zip(Config::default().entries()) {
        assert!(text.contains(&format!("\n{} = {}\n", entry.key, entry.value)), "{knob:?}");
        let words = text.replace("\n#", "");
        assert!(words.contains(&format!("{} ({}; {})", entry.reason, entry.unit, knob.variable)), "{knob:?}");
    }
    assert!(text.lines().all(|line| !line.starts_with('#') || line.len() <= 120));
}

#[test]
fn what_would_allow_a_refusal_names_settings_that_are_there() {
    let known: Vec<String> = super::knobs().into_iter().map(|knob| knob.path).collect();
    let mut seen = 0;
    for code in Code::ALL {
        for name in code.allowed_by().split(", ").filter(|name| name.contains('.') && !name.contains(' ')) {
            assert!(known.iter().any(|known| known == name), "{code:?}: there is no setting {name}");
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} settings were found");
}
