//! The configuration as operators meet it: its file, variables and flags of the real binary, and `tidings config`.

use crate::support::OPERATOR_KEY;
use crate::support::http::HttpClient;
use crate::support::process::Process;
use std::process::{Command, Output};

/// Runs the binary with these variables and no others of ours.
fn tidings(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied()).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A configuration file that goes when this does.
struct File(std::path::PathBuf);

impl File {
    fn with(name: &str, text: &str) -> File {
        let path =
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.toml", std::process::id()));
        std::fs::write(&path, text).expect("a writable folder");
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn limit(process: &Process) -> serde_json::Value {
    HttpClient::connect(process.address).request("GET", "/limits", &[], b"").json()
}

#[test]
fn a_server_takes_its_limits_from_flags_variables_and_the_file_in_this_order() {
    let file = File::with("limits", "[http]\nbody_bytes = \"300kB\"\n[websocket]\nmessage_bytes = \"40kB\"\n");
    let variables = [("TIDINGS_HTTP_BODY_BYTES", "200KiB"), ("TIDINGS_SERVER_REACTORS", "1")];
    let by_variable = Process::start_with(&variables, &["--config", file.path()]);
    let limits = limit(&by_variable).to_string();
    assert!(limits.contains(&(200 * 1024).to_string()) && limits.contains("40000"), "{limits}");
    let by_flag = Process::start_with(&variables, &["--config", file.path(), "--http.body_bytes", "100kB"]);
    let limits = limit(&by_flag).to_string();
    assert!(limits.contains("100000") && limits.contains("40000"), "{limits}");
}

/// It said that the configuration was valid, and the server did not start with it.
#[test]
fn a_check_reads_the_files_that_a_server_would_read() {
    let good = File::with("check-secret", &"s".repeat(40));
    let folder = env!("CARGO_TARGET_TMPDIR");
    let (gone, short) = (format!("{folder}/not-there"), File::with("check-short", "short"));
    let block = |secret: &str| {
        format!("[[issuer]]\nname = \"a\"\nissuer = \"a\"\naudience = [\"me\"]\nsecret_file = \"{secret}\"\n")
    };
    let key = |file: &str| {
        format!(
            "[[key]]\nname = \"k\"\nsecret_file = \"{file}\"\ngrants = [{{ channels = [\"**\"], may = [\"read\"] }}]\n"
        )
    };
    let pem = |file: &str| {
        format!("[[issuer]]\nname = \"p\"\nissuer = \"p\"\naudience = [\"me\"]\npublic_key_file = \"{file}\"\n")
    };
    let check = |text: &str| {
        let file = File::with("check", text);
        let output = tidings(&["config", "check", "--config", file.path()], &[]);
        (output.status.success(), self::text(&output.stderr))
    };
    let signed = |file: &str| format!("[channels]\nsign_secret_file = \"{file}\"\n");
    let operator = |file: &str| format!("[server]\noperator_key_file = \"{file}\"\n");
    assert_eq!(check(&block(good.path())), (true, String::new()));
    let missing = "No such file";
    for (text, file, why) in [
        (block(&gone), gone.as_str(), missing),
        (block(short.path()), short.path(), "32 to 1024 bytes"),
        (pem(&gone), &gone, missing),
        (pem(good.path()), good.path(), "PEM"),
        (key(&gone), &gone, missing),
        (key(good.path()), good.path(), "td_"),
        (signed(&gone), &gone, missing),
        (operator(&gone), &gone, missing),
    ] {
        let (is_valid, said) = check(&text);
        assert!(!is_valid && said.contains(file) && said.contains(why), "{text}: {said}");
        assert!(said.contains("1 mistake in the configuration"), "{said}");
    }
    let (_, said) = check(&(block(&gone) + &key(&gone)));
    assert!(said.contains("2 mistakes in the configuration"), "all at once: {said}");
    let url = "[[issuer]]\nname = \"a\"\nissuer = \"a\"\naudience = [\"me\"]\njwks_url = \"https://10.0.0.1/k\"\n";
    assert!(check(url).1.contains("a private address; allow_private_addresses = true"));
}

#[test]
fn a_variable_that_sets_nothing_stops_the_start_or_is_in_the_log() {
    let refused =
        tidings(&["serve", "--listen", "127.0.0.1:0"], &[("TIDINGS_SERVER_ALLOW_ORIGN", "https://a.example")]);
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && said.contains("did you mean TIDINGS_SERVER_ALLOW_ORIGIN?"), "{said}");
    let process = Process::start_with(&[("TIDINGS_LISTEN", "127.0.0.1:1"), ("TIDINGS_PORT", "tcp://10.0.0.1:80")], &[]);
    process.signal("TERM");
    let (_, said) = process.wait();
    assert!(said.contains("did you mean TIDINGS_SERVER_LISTEN?") && !said.contains("TIDINGS_PORT"), "{said}");
}

#[test]
fn a_check_reports_every_mistake_with_its_place_and_exits_with_one() {
    let file = File::with("wrong", "[http]\nheaders = 1\nbodi_bytes = 1\n");
    let path = file.path();
    let checked = tidings(&["config", "check", "--config", path], &[("TIDINGS_SSE_RETRY", "soon"), ("TIDINGS_X", "1")]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(78), "{said}");
    assert!(checked.stdout.is_empty());
    for part in [
        &format!("{path}:2:11: \"http.headers\" must be 8 to 1000, not 1\n"),
        &format!("{path}:3:1: unknown key \"http.bodi_bytes\": did you mean \"http.body_bytes\"?\n"),
        "TIDINGS_SSE_RETRY: \"sse.retry\" must be a duration",
        "warning: TIDINGS_X: no setting has this variable",
        "tidings: 3 mistakes in the configuration\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let checked = tidings(&["config", "check", "--listen", "0.0.0.0:1"], &[]);
    assert!(checked.status.code() == Some(78) && text(&checked.stderr).contains("1 mistake in the"), "{checked:?}");
    let fine = tidings(&["config", "check", "--listen", "127.0.0.1:0"], &[]);
    assert!(fine.status.success() && fine.stderr.is_empty(), "{fine:?}");
    let absent = tidings(&["config", "check", "--config", "/nonexistent.toml"], &[]);
    assert!(absent.status.code() == Some(78) && text(&absent.stderr).contains("/nonexistent.toml: "), "{absent:?}");
}

#[test]
fn what_is_shown_says_where_each_value_comes_from_and_is_a_configuration_again() {
    let file = File::with("shown", "[http]\nheaders = 50\n");
    let variables = [("TIDINGS_OPERATOR_KEY", OPERATOR_KEY), ("TIDINGS_LOG_LEVEL", "warn")];
    let shown =
        tidings(&["config", "show", "--config", file.path(), "--sse.retry", "5s", "--reactors", "3"], &variables);
    assert!(shown.status.success(), "{shown:?}");
    let said = text(&shown.stdout);
    for (value, source) in [
        ("http.headers = 50", format!("{}:2:11", file.path())),
        ("log.level = \"warn\"", "TIDINGS_LOG_LEVEL".to_owned()),
        ("sse.retry = \"5s\"", "--sse.retry".to_owned()),
        ("server.reactors = 3", "--reactors".to_owned()),
        ("server.operator_key = \"\"", "TIDINGS_OPERATOR_KEY, not shown".to_owned()),
        ("web.console = true", "default".to_owned()),
    ] {
        let line = said.lines().find(|line| line.starts_with(value)).expect(value);
        assert!(line.ends_with(&format!("# {source}")), "{line}");
    }
    assert!(!said.contains(OPERATOR_KEY));
    let again = File::with("again", &said);
    assert!(tidings(&["config", "check", "--config", again.path()], &[]).status.success());
}

#[test]
fn the_default_configuration_is_a_file_to_start_from() {
    let printed = tidings(&["config", "default"], &[("TIDINGS_HTTP_HEADERS", "50")]);
    let said = text(&printed.stdout);
    assert!(printed.status.success() && said.contains("\nheaders = 100\n") && said.contains("TIDINGS_HTTP_HEADERS"));
    let file = File::with("default", &said);
    let shown = text(&tidings(&["config", "show", "--config", file.path()], &[]).stdout);
    let by_default = text(&tidings(&["config", "show"], &[]).stdout);
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" # ").next().unwrap_or("").trim_end().to_owned()).collect()
    };
    assert_eq!(values(&shown), values(&by_default));
}

#[test]
fn the_help_says_how_settings_are_called() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["config", "check", "--help"]] {
        let said = text(&tidings(arguments, &[]).stdout);
        assert!(said.contains("TIDINGS_HTTP_BODY_BYTES=500kB") && said.contains("--http.body_bytes 500kB"), "{said}");
    }
}

/// The folder of the operators' key and the path of the handover, which `serve` chooses itself, were named on every start.
#[test]
fn a_start_names_what_was_set_and_nothing_that_the_server_chose() {
    let process = Process::start(&["--http.headers", "50"]);
    process.signal("TERM");
    let (_, said) = process.wait();
    let (_, said) = said.split_once("not at their defaults:\n").expect("a summary");
    let (named, _) = said.split_once("\n  (tidings config show").expect("its end");
    let named: Vec<&str> = named.lines().map(str::trim).collect();
    assert_eq!(named, ["server.listen = [\"127.0.0.1:0\"]", "http.headers = 50"]);
}
