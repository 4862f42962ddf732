//! Tests of the sources of a configuration: which wins, where a value comes from, and what each is told of its mistakes.

use super::{ConfigError, Settings, Source, knobs};
use crate::model::operator_key::OperatorKey;

fn settings(file: &str, variables: &[(&str, &str)], flags: &[(&str, &[&str])]) -> Settings {
    let mut settings = Settings::default();
    settings.file("t.toml", file);
    settings.environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    for (path, values) in flags {
        settings.flag(path, &values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
    }
    settings
}

fn mistakes(settings: &Settings) -> Vec<String> {
    settings.check().err().as_ref().map_or_else(Vec::new, |error: &ConfigError| error.problems().to_vec())
}

#[test]
fn a_flag_wins_over_a_variable_a_variable_over_the_file_and_the_file_over_the_default() {
    let file = "[http]\nheaders = 50\nhead_timeout = \"1s\"\nidle_timeout = \"2s\"\n";
    let variables = [("TIDINGS_HTTP_HEADERS", "60"), ("TIDINGS_HTTP_HEAD_TIMEOUT", "3s"), ("OTHER", "x")];
    let given = settings(file, &variables, &[("http.headers", &["70"])]);
    assert!(mistakes(&given).is_empty(), "{:?}", mistakes(&given));
    let http = &given.config().http;
    assert_eq!((http.headers, http.head_timeout.as_secs(), http.idle_timeout.as_secs()), (70, 3, 2));
    for (path, source) in [
        ("http.headers", "--http.headers"),
        ("http.head_timeout", "TIDINGS_HTTP_HEAD_TIMEOUT"),
        ("http.idle_timeout", "t.toml:4:16"),
        ("http.body_bytes", "default"),
    ] {
        assert_eq!(given.source(path).to_string(), source);
    }
}

/// A text that sets a knob to its default by a variable or a flag: strings without their quotes.
fn written(default: &str) -> String {
    match default.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => text.to_owned(),
        None => default.to_owned(),
    }
}

#[test]
fn every_knob_is_set_by_its_variable_and_by_its_flag() {
    let default = super::Config::default();
    for (knob, entry) in knobs().iter().zip(default.entries()) {
        let text = if knob.is_secret { "01234567890123456789012345678901".to_owned() } else { written(&entry.default) };
        // As one text that fits whatever has none.
        let text = if text.is_empty() { "x@example.com".to_owned() } else { text };
        let by_variable = settings("", &[(&knob.variable, &text)], &[]);
        let by_flag = settings("", &[], &[(&knob.path, &[&text])]);
        for (given, source) in [
            (&by_variable, Source::Variable(knob.variable.clone())),
            (&by_flag, Source::Flag(format!("--{}", knob.path))),
        ] {
            assert!(given.readable().is_ok(), "{knob:?}: {:?}", given.readable());
            assert_eq!(given.source(&knob.path), &source);
            if !entry.default.starts_with("\"\"") {
                assert_eq!(given.config(), &default, "{knob:?}");
            }
        }
        assert!(!super::names::is_service_link(&knob.variable, "tcp://10.0.0.1:1"), "{}", knob.variable);
        // Nothing fits it: a bracket opens a list that never ends.
        let free = entry.unit.contains("a path") || entry.unit.contains("a text of");
        if !free {
            let [variable, flag] =
                [settings("", &[(&knob.variable, "[*\n")], &[]), settings("", &[], &[(&knob.path, &["[*\n"])])];
            assert!(mistakes(&variable)[0].starts_with(&format!("{}: \"{}\" ", knob.variable, knob.path)), "{knob:?}");
            assert!(mistakes(&flag)[0].starts_with(&format!("--{}: \"{}\" ", knob.path, knob.path)), "{knob:?}");
        }
    }
}

#[test]
fn lists_are_words_with_commas_toml_or_several_flags() {
    for text in [
        "https://a.example,https://b.example",
        "[\"https://a.example\", \"https://b.example\"]",
        "https://a.example , https://b.example,",
    ] {
        let given = settings("server.allow_origin = [\"null\"]", &[("TIDINGS_SERVER_ALLOW_ORIGIN", text)], &[]);
        assert_eq!(given.config().server.allow_origin, ["https://a.example", "https://b.example"], "{text}");
    }
    let given = settings("", &[], &[("server.listen", &["127.0.0.1:1", "localhost:2,[::1]:3"])]);
    let ports: Vec<u16> = given.config().server.listen.iter().map(std::net::SocketAddr::port).collect();
    assert_eq!(ports, [1, 2, 3]);
    let wrong = settings("", &[("TIDINGS_SERVER_LISTEN", "80")], &[]);
    assert!(
        mistakes(&wrong)[0]
            .starts_with("TIDINGS_SERVER_LISTEN: \"server.listen\" must be a list of addresses such as ")
    );
}

#[test]
fn numbers_switches_and_words_are_read_from_text() {
    let variables = [
        ("TIDINGS_HTTP_BODY_BYTES", "512kB"),
        ("TIDINGS_HTTP_HEAD_BYTES", "8192"),
        ("TIDINGS_HTTP_HEAD_TIMEOUT", "7"),
        ("TIDINGS_WEB_CONSOLE", "false"),
        ("TIDINGS_LOG_LEVEL", "warn"),
        ("TIDINGS_SERVER_INLINE_PARSE_BYTES", "inf"),
        ("TIDINGS_WEBSOCKET_PLAIN_CHANNEL", "true"),
        ("TIDINGS_WEBSOCKET_PLAIN_GET_TEXT", "5"),
    ];
    let given = settings("", &variables, &[]);
    assert!(mistakes(&given).is_empty(), "{:?}", mistakes(&given));
    let super::Config { http, web, websocket, server, .. } = given.config();
    assert_eq!((http.body_bytes, http.head_bytes, http.head_timeout.as_secs()), (512_000, 8192, 7));
    assert_eq!((web.console, server.inline_parse_bytes), (false, usize::MAX));
    assert_eq!((&*websocket.plain_channel, &*websocket.plain_get_text), ("true", "5"));
}

#[test]
fn a_variable_that_is_none_is_a_mistake_under_a_section_and_else_a_warning() {
    let given = settings(
        "",
        &[
            ("TIDINGS_SERVER_MAX_CONNECTIONS", "5"),
            ("TIDINGS_HTTP_MESSAGE_BYTES", "5"),
            ("TIDINGS_LISTEN", "127.0.0.1:80"),
            ("TIDINGS_SERVR_LISTEN", "127.0.0.1:80"),
            ("TIDINGS_QQQQQQQQQQQQQQQQ", "1"),
            ("TIDINGS_SERVER_LISTN", ""),
        ],
        &[],
    );
    assert_eq!(
        mistakes(&given),
        [
            "TIDINGS_HTTP_MESSAGE_BYTES: no setting has this variable: did you mean TIDINGS_WEBSOCKET_MESSAGE_BYTES?",
            "TIDINGS_SERVER_MAX_CONNECTIONS: no setting has this variable: did you mean TIDINGS_SERVER_CONNECTIONS?",
        ]
    );
    assert_eq!(
        given.warnings(),
        [
            "TIDINGS_LISTEN: no setting has this variable: did you mean TIDINGS_SERVER_LISTEN?",
            "TIDINGS_QQQQQQQQQQQQQQQQ: no setting has this variable; Config::describe lists them all",
            "TIDINGS_SERVR_LISTEN: no setting has this variable: did you mean TIDINGS_SERVER_LISTEN?",
        ]
    );
}

/// In a namespace with a service called `tidings` no server would start.
#[test]
fn what_kubernetes_sets_for_a_service_is_no_mistake() {
    for prefix in ["TIDINGS", "TIDINGS_WEB", "TIDINGS_SERVER"] {
        for (end, value) in [
            ("SERVICE_HOST", "10.0.0.1"),
            ("SERVICE_PORT", "80"),
            ("SERVICE_PORT_HTTP", "80"),
            ("PORT", "tcp://10.0.0.1:80"),
            ("PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("PORT_80_TCP_PROTO", "tcp"),
            ("PORT_80_TCP_PORT", "80"),
            ("PORT_80_TCP_ADDR", "10.0.0.1"),
        ] {
            let name = format!("{prefix}_{end}");
            let given = settings("", &[(&name, value)], &[]);
            assert!(mistakes(&given).is_empty() && given.warnings().is_empty(), "{name}");
        }
    }
    assert_eq!(mistakes(&settings("", &[("TIDINGS_SERVER_PORT", "80")], &[])).len(), 1, "somebody's mistake");
}

#[test]
fn mistakes_of_all_sources_are_reported_together_each_with_its_place() {
    let file = "[http]\nheaders = 1\nbodi_bytes = 1\n[delivery]\noutbox_bytes = \"8 KiB\"\n";
    let given =
        settings(file, &[("TIDINGS_SSE_RETRY", "soon")], &[("channels.total", &["0"]), ("http.headerz", &["1"])]);
    let found = mistakes(&given);
    let starts = [
        "t.toml:2:11: \"http.headers\" must be 8 to 1000, not 1",
        "t.toml:3:1: unknown key \"http.bodi_bytes\": did you mean \"http.body_bytes\"?",
        "TIDINGS_SSE_RETRY: \"sse.retry\" must be a duration such as \"10s\"",
        "--channels.total: \"channels.total\" must be ",
        "--http.headerz: unknown key \"http.headerz\": did you mean \"http.headers\"?",
        // What contradicts itself has the place of the value that somebody gave.
        "t.toml:5:16: \"history.replay_bytes\" (256 KiB) must be at most a quarter of delivery.outbox_bytes",
    ];
    for (problem, start) in found.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
    assert!(found[starts.len()..].iter().all(|problem| problem.starts_with("t.toml:5:16: ")), "{found:?}");
}

#[test]
fn a_key_and_a_file_with_one_are_either_or() {
    let (key, other) = ("0123456789abcdef", "abcdefghijklmnop");
    let parsed = |text: &str| OperatorKey::parse(text).ok();
    for name in ["TIDINGS_OPERATOR_KEY", "TIDINGS_SERVER_OPERATOR_KEY"] {
        let given = settings("server.operator_key_file = \"/f\"", &[(name, key)], &[]);
        let server = &given.config().server;
        assert_eq!((server.operator_key.clone(), &*server.operator_key_file), (parsed(key), ""));
        assert_eq!(given.source("server.operator_key_file"), &Source::Default);
    }
    for name in ["TIDINGS_OPERATOR_KEY_FILE", "TIDINGS_SERVER_OPERATOR_KEY_FILE"] {
        let given = settings(&format!("server.operator_key = \"{other}\""), &[(name, "/f")], &[]);
        let server = &given.config().server;
        assert_eq!((server.operator_key.clone(), &*server.operator_key_file), (None, "/f"));
    }
    let mut flag = settings("", &[("TIDINGS_OPERATOR_KEY", key)], &[]);
    flag.change("server.operator_key_file", "--operator-key-file", |config| {
        config.server.operator_key_file = "/g".into()
    });
    assert_eq!((flag.config().server.operator_key.clone(), &*flag.config().server.operator_key_file), (None, "/g"));
    for both in [
        settings("", &[("TIDINGS_OPERATOR_KEY", key), ("TIDINGS_OPERATOR_KEY_FILE", "/f")], &[]),
        settings(&format!("[server]\noperator_key = \"{key}\"\noperator_key_file = \"/f\"\n"), &[], &[]),
        settings("", &[("TIDINGS_OPERATOR_KEY", key), ("TIDINGS_SERVER_OPERATOR_KEY", other)], &[]),
    ] {
        let found = mistakes(&both);
        assert!(found.len() == 1 && found[0].contains("keep one of them") && !found[0].contains(key), "{found:?}");
    }
}

#[test]
fn what_is_shown_names_each_source_and_no_secret() {
    let key = "0123456789abcdef";
    let file = "[http]\nheaders = 50\n";
    let given =
        settings(file, &[("TIDINGS_OPERATOR_KEY", key), ("TIDINGS_WEB_CONSOLE", "false")], &[("sse.retry", &["5s"])]);
    let shown = given.show();
    for (value, source) in [
        ("http.headers = 50 ", "# t.toml:2:11"),
        ("web.console = false ", "# TIDINGS_WEB_CONSOLE"),
        ("sse.retry = \"5s\" ", "# --sse.retry"),
        ("server.operator_key = \"\" ", "# TIDINGS_OPERATOR_KEY, not shown"),
        ("http.body_bytes = \"1 MiB\" ", "# default"),
    ] {
        assert!(shown.lines().any(|line| line.starts_with(value) && line.ends_with(source)), "{value}: {shown}");
    }
    assert!(!shown.contains(key));
    assert_eq!(shown.lines().count(), knobs().len());
    let mut again = Settings::default();
    again.file("shown", &shown);
    let mut expected = given.config().clone();
    expected.server.operator_key = None;
    assert_eq!((mistakes(&again), again.config()), (Vec::new(), &expected));
}
