//! Tests of `[[listener]]`: what is read, both sides of each rule, and the place of each mistake.

use super::{Config, ListenAt, ListenerConfig, Settings, Source};
use crate::model::network::Network;
use crate::model::serves::Serves;
use std::path::PathBuf;

fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    settings.file("t.toml", text);
    settings
}

fn mistakes(text: &str) -> Vec<String> {
    settings(text).check().err().map_or_else(Vec::new, |error| error.problems().to_vec())
}

fn at(address: &str, serves: Serves) -> ListenerConfig {
    ListenerConfig::new(ListenAt::Address(address.parse().expect("an address")), serves)
}

fn in_file(path: &str, mode: u32, serves: Serves) -> ListenerConfig {
    ListenerConfig::new(ListenAt::Path { path: PathBuf::from(path), mode }, serves)
}

#[test]
fn blocks_name_an_address_or_a_path_and_what_is_served() {
    let text = "[[listener]]\naddress = \"localhost:1\"\n\n[[listener]]\npath = \"/run/a\"\nserves = [\"operators\"]\n\n\
                [[listener]]\npath = \"b\"\nmode = \"660\"\nserves = [\"operators\", \"clients\"]\n\n\
                [[listener]]\naddress = \"0.0.0.0:2\"\nserves = [\"metrics\", \"health\"]\n";
    let given = settings(text);
    assert!(given.check().is_ok(), "{:?}", given.check());
    let expected = [
        at("127.0.0.1:1", Serves::CLIENTS),
        in_file("/run/a", 0o600, Serves::OPERATORS),
        in_file("b", 0o660, Serves::OPERATORS.and(Serves::CLIENTS)),
        at("0.0.0.0:2", Serves::METRICS.and(Serves::HEALTH)),
    ];
    assert_eq!(given.config().listeners, expected);
    assert_eq!(given.config().all_listeners(), expected, "blocks take the place of the default address");
}

#[test]
fn addresses_that_somebody_gave_stand_beside_the_blocks_and_before_them() {
    let block = "[[listener]]\naddress = \"127.0.0.1:1\"\n";
    let first = at("127.0.0.1:1", Serves::CLIENTS);
    let two = [at("127.0.0.1:2", Serves::CLIENTS), first.clone()];
    for text in [
        format!("server.listen = [\"127.0.0.1:2\"]\n{block}"),
        format!("{block}[server]\nlisten = [\"127.0.0.1:2\"]\n"),
    ] {
        assert_eq!(settings(&text).config().all_listeners(), two);
    }
    let mut by_variable = settings(block);
    by_variable.environment([("TIDINGS_SERVER_LISTEN".to_owned(), "127.0.0.1:2".to_owned())]);
    assert_eq!(by_variable.config().all_listeners(), two);
    let alone = settings(block);
    assert_eq!(alone.config().all_listeners(), [first]);
    assert_eq!(alone.source("server.listen"), &Source::File("t.toml".to_owned(), 1, 1));
    let nowhere = mistakes("server.listen = []\n");
    assert!(nowhere.len() == 1 && nowhere[0].contains("nowhere to listen"), "{nowhere:?}");
}

#[test]
fn each_mistake_in_a_block_has_its_place_and_all_are_reported() {
    for (text, said) in [
        ("adress = \"127.0.0.1:1\"", "t.toml:2:1: unknown key \"listener.adress\": did you mean \"address\"?"),
        ("address = \"example.com:1\"", "t.toml:2:11: \"listener.address\" must be an address with a port such as"),
        ("address = 80", "t.toml:2:11: \"listener.address\" must be an address with a port such as"),
        (
            "path = \"/a\"\nmode = \"0888\"",
            "t.toml:3:8: \"listener.mode\" must be the mode of a file in octal such as \"0660\", not \"0888\"",
        ),
        ("path = \"/a\"\nmode = \"1777\"", "t.toml:3:8: \"listener.mode\""),
        ("path = \"/a\"\nmode = 660", "t.toml:3:8: \"listener.mode\""),
        ("path = true", "t.toml:2:8: \"listener.path\" must be the path of a unix socket"),
        (
            "path = \"/a\"\nserves = [\"operator\"]",
            "t.toml:3:11: \"listener.serves\" is a list of \"clients\", \"operators\", \"metrics\", \"health\", not \"operator\": did you mean \"operators\"?",
        ),
        ("path = \"/a\"\nserves = []", "t.toml:3:10: \"listener.serves\" must be a list of"),
        ("path = \"/a\"\nserves = \"clients\"", "t.toml:3:10: \"listener.serves\" must be a list of"),
        (
            "path = \"/a\"\naddress = \"127.0.0.1:1\"",
            "t.toml:1:1: a [[listener]] has an \"address\" or a \"path\", not both",
        ),
        ("serves = [\"clients\"]", "t.toml:1:1: a [[listener]] needs an \"address\", or the \"path\""),
        ("address = \"127.0.0.1:1\"\nmode = \"0600\"", "t.toml:1:1: a \"mode\" is for the \"path\" of a unix socket"),
    ] {
        let found = mistakes(&format!("[[listener]]\n{text}\n"));
        assert!(found.iter().any(|problem| problem.starts_with(said)), "{text}: {found:?}");
    }
    let found = mistakes(
        "[[listener]]\nadress = \"a\"\nmode = \"9\"\nserves = [\"x\"]\n[[listener]]\npath = 1\n[http]\nheaders = 1\n",
    );
    let places: Vec<&str> = found.iter().map(|problem| problem.split(": ").next().expect("a place")).collect();
    assert_eq!(places, ["t.toml:2:1", "t.toml:3:8", "t.toml:4:11", "t.toml:1:1", "t.toml:6:8", "t.toml:8:11"]);
    for text in ["listener = 1\n", "[listener]\naddress = \"127.0.0.1:1\"\n"] {
        assert!(mistakes(text)[0].contains("list of tables: write [[listener]]"), "{text}");
    }
}

#[test]
fn clients_are_no_operators_except_on_a_unix_socket() {
    let both = "serves = [\"clients\", \"operators\"]";
    let found = mistakes(&format!("[[listener]]\naddress = \"127.0.0.1:1\"\n{both}\n"));
    assert!(
        found.len() == 1 && found[0].starts_with("t.toml:1:1: [[listener]] 1: 127.0.0.1:1 serves clients and"),
        "{found:?}"
    );
    assert!(mistakes(&format!("[[listener]]\npath = \"/a\"\n{both}\n")).is_empty());
}

#[test]
fn only_clients_ask_for_a_word_before_a_network_is_let_in() {
    for (words, allowed) in [
        ("\"clients\"", false),
        ("\"metrics\", \"clients\"", false),
        ("\"metrics\"", true),
        ("\"operators\"", true),
        ("\"health\"", true),
    ] {
        let text = format!("[[listener]]\naddress = \"0.0.0.0:1\"\nserves = [{words}]\n");
        assert_eq!(mistakes(&text).is_empty(), allowed, "{words}");
    }
}

#[test]
fn a_place_is_listened_on_once_and_a_path_fits_the_kernel() {
    let two = |first: &str, second: &str| mistakes(&format!("[[listener]]\n{first}\n[[listener]]\n{second}\n"));
    let found = two("address = \"127.0.0.1:1\"", "address = \"127.0.0.1:1\"");
    assert!(found.len() == 1 && found[0].starts_with("t.toml:3:1: [[listener]] 2: 127.0.0.1:1 is listened on already"));
    assert_eq!(two("path = \"/a\"", "path = \"/a\"").len(), 1);
    assert!(two("address = \"127.0.0.1:0\"", "address = \"127.0.0.1:0\"").is_empty());
    assert!(two("path = \"/a\"", "path = \"/b\"").is_empty());
    for (bytes, fits) in [(0, false), (1, true), (107, true), (108, false)] {
        let found = mistakes(&format!("[[listener]]\npath = \"{}\"\n", "p".repeat(bytes)));
        assert_eq!(found.is_empty(), fits, "{bytes}: {found:?}");
    }
    let mut config = Config::default();
    for (listeners, fits) in [(254, true), (255, false)] {
        config.listeners = (0..listeners).map(|n| in_file(&format!("/{n}"), 0o600, Serves::HEALTH)).collect();
        assert_eq!(config.check().is_ok(), fits, "{listeners} and the one of server.listen");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let listeners = vec![
        at("[::1]:9090", Serves::METRICS.and(Serves::HEALTH)),
        in_file("/run/ti\"dings", 0o060, Serves::OPERATORS),
    ];
    let config = Config { listeners, ..Config::default() };
    assert_eq!(Config::from_toml("t", &config.describe()).as_ref(), Ok(&config));
    let differences = config.differences();
    assert!(
        differences.contains(&("listener".to_owned(), "\"[::1]:9090\" for metrics, health".to_owned())),
        "{differences:?}"
    );
    let shown = settings("[[listener]]\npath = \"/a\"\n").show();
    assert!(
        shown.ends_with("\n# t.toml:1:1\n[[listener]]\npath = \"/a\"\nmode = \"0600\"\nserves = [\"clients\"]\n"),
        "{shown}"
    );
    assert!(shown.contains("server.listen = []"), "{shown}");
}

#[test]
fn proxies_are_trusted_by_listener() {
    let text = "[server]\nlisten = [\"127.0.0.1:1\"]\ntrusted_proxies = [\"10.0.0.1\"]\n[[listener]]\naddress = \"127.0.0.1:2\"\n\
                trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::1\"]\nproxy_protocol = true\n[[listener]]\npath = \"/a\"\n\
                trusted_proxies = [\"unix\"]\nproxy_protocol = true\n[[listener]]\npath = \"/b\"\nproxy_protocol = false\n";
    let given = settings(text);
    assert!(given.check().is_ok(), "{:?}", given.check());
    let listed = |texts: &[&str]| texts.iter().map(|text| Network::parse(text).expect("a network")).collect::<Vec<_>>();
    let proxied = |listener, trusted: &[&str], proxy_protocol| ListenerConfig {
        trusted_proxies: listed(trusted),
        proxy_protocol,
        ..listener
    };
    let expected = [
        proxied(at("127.0.0.1:1", Serves::CLIENTS), &["10.0.0.1/32"], false),
        proxied(at("127.0.0.1:2", Serves::CLIENTS), &["10.0.0.0/8", "2001:db8::1/128"], true),
        proxied(in_file("/a", 0o600, Serves::CLIENTS), &["unix"], true),
        in_file("/b", 0o600, Serves::CLIENTS),
    ];
    assert_eq!(given.config().all_listeners(), expected);
    let written = given.config().describe();
    assert_eq!(Config::from_toml("t", &written).as_ref(), Ok(given.config()), "{written}");
    let shown = given.show();
    assert!(shown.contains("proxy_protocol = true\n"), "{shown}");
    let mut by_variable = settings("");
    by_variable.environment([("TIDINGS_SERVER_TRUSTED_PROXIES".to_owned(), "10.0.0.1,unix".to_owned())]);
    assert_eq!(by_variable.config().server.trusted_proxies, listed(&["10.0.0.1", "unix"]));
}

#[test]
fn what_is_wrong_with_proxies_is_said_with_what_would_be_right() {
    for (text, place, said) in [
        ("address = \"127.0.0.1:1\"\ntrusted_proxies = \"10.0.0.1\"", "3:19", "must be a list of networks such as"),
        (
            "address = \"127.0.0.1:1\"\ntrusted_proxies = [\"10.0.0.1\", \"10.0.0.1/8\"]",
            "3:32",
            "did you mean \"10.0.0.0/8\"?",
        ),
        (
            "address = \"127.0.0.1:1\"\ntrusted_proxies = [\"proxy.example\"]",
            "3:20",
            "a network is a range of addresses",
        ),
        ("address = \"127.0.0.1:1\"\nproxy_protocol = \"v2\"", "3:18", "must be true or false"),
        ("address = \"127.0.0.1:1\"\ntrusted_proxy = []", "3:1", "did you mean \"trusted_proxies\"?"),
        // Of whom the headers would be taken.
        ("address = \"127.0.0.1:1\"\nproxy_protocol = true", "1:1", "trusted_proxies = [\"10.0.0.2\"]"),
        (
            "address = \"127.0.0.1:1\"\nproxy_protocol = true\ntrusted_proxies = []",
            "1:1",
            "trusted_proxies = [\"10.0.0.2\"]",
        ),
        ("address = \"127.0.0.1:1\"\nproxy_protocol = true\ntrusted_proxies = [\"unix\"]", "1:1", "[\"10.0.0.2\"]"),
        (
            "path = \"/a\"\nproxy_protocol = true\ntrusted_proxies = [\"0.0.0.0/0\"]",
            "1:1",
            "trusted_proxies = [\"unix\"]",
        ),
    ] {
        let found = mistakes(&format!("[[listener]]\n{text}\n"));
        let expected = |problem: &String| problem.starts_with(&format!("t.toml:{place}: ")) && problem.contains(said);
        assert!(found.iter().any(expected), "{text}: {found:?}");
    }
    let of_server = mistakes("server.trusted_proxies = [\"10.0.0.1/8\"]\n");
    assert!(of_server.len() == 1 && of_server[0].contains("did you mean \"10.0.0.0/8\"?"), "{of_server:?}");
    let for_nothing = mistakes("server.trusted_proxies = [\"10.0.0.1\"]\n[[listener]]\naddress = \"127.0.0.1:1\"\n");
    assert!(
        for_nothing.len() == 1 && for_nothing[0].contains("each [[listener]] has trusted_proxies of its own"),
        "{for_nothing:?}"
    );
}
