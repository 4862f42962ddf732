//! Tests of the section `redis`: addresses, hostile ones too, and what has to go together.

use super::{Config, RedisPlace, RedisUrl, Settings};
use crate::model::host_port::HostPort;

const REDIS: &str = "[server]\nengine = \"redis\"\n[redis]\n";

fn problems(text: &str) -> String {
    Config::from_toml("t", text)
        .and_then(|config| config.check())
        .err()
        .map_or_else(String::new, |error| error.problems().join("\n"))
}

fn url(text: &str) -> RedisUrl {
    text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

fn tcp(host: &str, port: u16) -> RedisPlace {
    RedisPlace::Tcp(HostPort { host: host.to_owned(), port })
}

#[test]
fn an_address_says_where_how_which_database_and_who() {
    for (text, place, tls, database, user, password) in [
        ("redis://localhost", tcp("localhost", 6379), false, 0, None, None),
        ("redis://localhost/", tcp("localhost", 6379), false, 0, None, None),
        ("rediss://r.example:7000/15", tcp("r.example", 7000), true, 15, None, None),
        ("redis://app@10.0.0.1:1", tcp("10.0.0.1", 1), false, 0, Some("app"), None),
        ("redis://:s3@[::1]:65535/4294967295", tcp("::1", 65535), false, u32::MAX, None, Some("s3")),
        ("redis://a%40b:p%3A%2F%25@h", tcp("h", 6379), false, 0, Some("a@b"), Some("p:/%")),
        ("redis://app:a:b@h", tcp("h", 6379), false, 0, Some("app"), Some("a:b")),
        ("redis://%E4%B8%AD:%20@h", tcp("h", 6379), false, 0, Some("中"), Some(" ")),
        ("unix:///run/r.sock", RedisPlace::Unix("/run/r.sock".into()), false, 0, None, None),
        ("unix:///run/a%20b?database=2", RedisPlace::Unix("/run/a b".into()), false, 2, None, None),
    ] {
        let read = url(text);
        assert_eq!(
            (&read.place, read.tls, read.database, read.user.as_deref()),
            (&place, tls, database, user),
            "{text}"
        );
        assert_eq!(read.password.as_ref().map(|password| password.reveal()), password, "{text}");
        // What is written is the same place, and has no password.
        let without = RedisUrl { password: None, ..read };
        assert_eq!(url(&without.to_string()), without, "{text}");
    }
}

#[test]
fn what_is_no_address_is_refused_and_never_repeated() {
    let long = format!("redis://{}", "a".repeat(4096));
    let longest = format!("unix:///{}", "s".repeat(106));
    assert_eq!(url(&longest).place, RedisPlace::Unix(longest["unix://".len()..].into()));
    let password = format!("redis://:{}@h", "p".repeat(1024));
    assert!(url(&password).has_password());
    for (text, words) in [
        ("", "it begins with redis://"),
        ("localhost:6379", "it begins with redis://"),
        ("Redis://h", "it begins with redis://"),
        ("valkey://h", "it begins with redis://"),
        ("redis:h", "it begins with redis://"),
        (&long, "at most 4096 bytes"),
        ("redis://h /1", "no white space"),
        ("redis://h\n", "no white space"),
        ("redis://h\0", "no white space"),
        ("redis://", "a host and perhaps a port"),
        ("redis:///1", "a host and perhaps a port"),
        ("redis://:1", "a host and perhaps a port"),
        ("redis://h:0", "a host and perhaps a port"),
        ("redis://h:65536", "a host and perhaps a port"),
        ("redis://h:+1", "a host and perhaps a port"),
        ("redis://h:1:2", "a host and perhaps a port"),
        ("redis://::1", "a host and perhaps a port"),
        ("redis://[::1", "a host and perhaps a port"),
        ("redis://h1,h2", "a host and perhaps a port"),
        ("redis://h%2e", "a host and perhaps a port"),
        ("redis://u:sec@ret@h", "@ stands as %40"),
        ("redis://u:sec/ret@h", "/ as %2F"),
        ("redis://u:sec?ret@h", "? as %3F"),
        ("redis://u:sec#ret@h", "# as %23"),
        ("redis://u:sec%ret@h", "% itself stands as %25"),
        ("redis://u:sec%f@h", "% itself stands as %25"),
        ("redis://u:%ff@h", "what they encode is UTF-8"),
        ("redis://u:@h", "1 to 1024 bytes"),
        (&password.replace("@h", "p@h"), "1 to 1024 bytes"),
        ("redis://a%20b:p@h", "a user has no white space"),
        ("redis://a%00b:p@h", "a user has no white space"),
        ("redis://h/a", "a database is a number"),
        ("redis://h/-1", "a database is a number"),
        ("redis://h/+1", "a database is a number"),
        ("redis://h/1/2", "a database is a number"),
        ("redis://h/4294967296", "a database is a number"),
        ("redis://h?db=1", "take no ? and no #"),
        ("redis://h/1?db=1", "take no ? and no #"),
        ("redis://h/1#a", "take no ? and no #"),
        ("unix://run/r.sock", "an absolute path of at most 107 bytes"),
        ("unix://", "an absolute path of at most 107 bytes"),
        ("unix:///", "an absolute path of at most 107 bytes"),
        ("unix:///a%00b", "an absolute path of at most 107 bytes"),
        (&format!("{longest}s"), "an absolute path of at most 107 bytes"),
        ("unix:///a?db=1", "perhaps a database"),
        ("unix:///a?database=", "a database is a number"),
    ] {
        let error = text.parse::<RedisUrl>().expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
        let file = format!("{REDIS}url = {}\n", super::text::quoted(text));
        let error = Config::from_toml("t", &file).expect_err(text).to_string();
        assert!(error.starts_with("t:4:7: \"redis.url\" is not the address of a Redis: "), "{text}: {error}");
        assert!(!error.contains("sec") && !error.contains("ppp"), "{error}");
    }
    assert!(problems("redis.url = 1").contains("must be the address of a Redis such as"));
}

#[test]
fn a_password_is_never_shown() {
    let mut settings = Settings::default();
    settings.file("t", &format!("{REDIS}url = \"redis://app:hunter2@h\"\n"));
    settings.check().expect("valid");
    let config = settings.config();
    let target = config.redis_target().expect("no file");
    for text in [settings.show(), config.describe(), format!("{config:?} {target:?} {:?}", config.differences())] {
        assert!(text.contains("app@h") || text.contains("app"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(target.password.expect("a password").reveal(), "hunter2");
}

#[test]
fn what_is_of_redis_goes_together() {
    assert_eq!(problems(REDIS), "");
    for (text, expected) in [
        ("url = \"redis://:p@h\"\npassword_file = \"/a\"", "\"redis.password_file\" and the password"),
        ("url = \"redis://u@h\"\npassword_file = \"/a\"", ""),
        ("url = \"redis://u@h\"\nuser = \"v\"", "\"redis.user\" and the user"),
        ("url = \"redis://h\"\nuser = \"v\"", ""),
        ("url = \"unix:///a\"\nsentinels = [\"h\"]", "\"redis.sentinels\" know hosts alone"),
        ("url = \"rediss://h\"\nsentinels = [\"h\", \"[::1]:1\"]\nsentinel_password_file = \"/a\"", ""),
        ("sentinel_password_file = \"/a\"", "\"redis.sentinels\" names none"),
        ("ca_file = \"/a\"", "begin that with rediss://"),
        ("url = \"rediss://h\"\nca_file = \"/a\"", ""),
    ] {
        let found = problems(&format!("{REDIS}{text}\n"));
        assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{text}: {found}");
    }
    for (text, expected) in [
        ("server.engine = \"redis\"\nhistory.durability = \"synced\"", "\"history.durability\" needs"),
        ("server.engine = \"redis\"\nstore.folder = \"/a\"", "\"store.folder\" needs"),
        ("server.engine = \"redis\"\n[[channel]]\nmatch = \"a\"\ndurability = \"written\"", "durability needs"),
        ("redis.url = \"redis://h\"", "\"redis.url\" needs \"server.engine\" = \"redis\""),
        ("redis.sentinels = [\"h\"]", "\"redis.sentinels\" needs"),
        ("server.engine = \"disk\"\nredis.password_file = \"/a\"", "\"redis.password_file\" needs"),
        ("redis.url = \"redis://127.0.0.1:6379\"", ""),
    ] {
        let found = problems(text);
        assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{text}: {found}");
    }
}

#[test]
fn names_have_their_forms_and_lengths() {
    for (key, good, wrong) in [
        ("prefix", vec!["t", "a:B_c.d-9", &"p".repeat(64)], vec!["", "a b", "a{b}", "a*", "é", &"p".repeat(65)]),
        ("primary", vec!["m", &"m".repeat(256)], vec!["", "a b", "a\u{0}", &"m".repeat(257)]),
        ("user", vec!["", "app", &"u".repeat(256)], vec!["a b", "a\t", &"u".repeat(257)]),
    ] {
        let file = |text: &str| format!("{REDIS}{key} = {}\n", super::text::quoted(text));
        good.into_iter().for_each(|text| assert_eq!(problems(&file(text)), "", "{key} {text}"));
        let named = format!("\"redis.{key}\" must be ");
        wrong.into_iter().for_each(|text| assert!(problems(&file(text)).contains(&named), "{key} {text}"));
    }
}

#[test]
fn sentinels_are_hosts_and_a_variable_separates_them_by_commas() {
    let mut settings = Settings::default();
    let variables = [("TIDINGS_REDIS_SENTINELS", "a,b:1, [::1]"), ("TIDINGS_SERVER_ENGINE", "redis")];
    settings.environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    settings.check().expect("valid");
    let target = settings.config().redis_target().expect("no file");
    let place = |host: &str, port| HostPort { host: host.to_owned(), port };
    assert_eq!(target.sentinels, [place("a", 26379), place("b", 1), place("::1", 26379)]);
    assert_eq!((target.primary.as_str(), target.at), ("mymaster", tcp("127.0.0.1", 6379)));
    for wrong in ["[\"\"]", "[\"a:0\"]", "[\"redis://a\"]", "[1]", "\"a\""] {
        let found = problems(&format!("{REDIS}sentinels = {wrong}\n"));
        assert!(found.contains("\"redis.sentinels\" must be a list of hosts"), "{wrong}: {found}");
    }
}

#[test]
fn the_first_line_of_a_file_is_a_password() {
    let folder = std::env::temp_dir().join(format!("tidings-redis-password-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("password");
    let target = |text: &[u8]| {
        std::fs::write(&file, text).expect("a file");
        let mut config = Config::default();
        config.redis.password_file = file.display().to_string();
        config.redis.sentinel_password_file = config.redis.password_file.clone();
        config.redis_target().map_err(|error| error.to_string())
    };
    for (text, password) in [(&b"s3 cret\r\nmore\n"[..], "s3 cret"), (b"s3", "s3")] {
        let target = target(text).expect("a password");
        assert_eq!(target.password.expect("one").reveal(), password);
        assert_eq!(target.sentinel_password.expect("one").reveal(), password);
    }
    for text in [&b""[..], b"\ns3\n", b"\xff\n"] {
        let error = target(text).expect_err("no password");
        assert_eq!(error.lines().count(), 2, "{error}");
        assert!(error.contains("(redis.password_file): ") && error.contains("(redis.sentinel_password_file): "));
    }
    std::fs::remove_dir_all(folder).expect("the folder");
    let mut config = Config::default();
    config.redis.password_file = "/nonexistent/password".to_owned();
    let error = config.redis_target().expect_err("no file").to_string();
    assert!(error.starts_with("/nonexistent/password (redis.password_file): "), "{error}");
}
