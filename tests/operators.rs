//! The operators' key of the real binary: made, left and removed, read from a file or the environment, and never shown.

use crate::support::frames::RawSocket;
use crate::support::http::HttpClient;
use crate::support::process::Process;
use crate::support::{OPERATOR_KEY, TestServer, metric};
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that is removed when it goes out of scope.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("operators-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a writable folder");
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It may be gone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server that has no key from anybody, with its runtime folder.
fn start_in(runtime: &Folder, arguments: &[&str]) -> Process {
    Process::start_with(&[("XDG_RUNTIME_DIR", &runtime.path("")), ("TIDINGS_OPERATOR_KEY", "")], arguments)
}

/// The status of `/metrics` for somebody with this key.
fn status_with(process: &Process, key: &str) -> u16 {
    let field = format!("Bearer {key}");
    HttpClient::connect(process.address).request("GET", "/metrics", &[("Authorization", &field)], b"").status
}

fn mode(path: &str) -> u32 {
    fs::symlink_metadata(path).expect("it is there").mode() & 0o777
}

#[test]
fn a_key_is_made_at_each_start_left_for_its_owner_alone_and_removed_at_the_end() {
    let runtime = Folder::new();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let process = start_in(&runtime, &[]);
        let file = runtime.path(&format!("tidings/operator-{}", process.address.port()));
        assert_eq!((mode(&runtime.path("tidings")), mode(&file)), (0o700, 0o600));
        let key = fs::read_to_string(&file).expect("the key").trim().to_owned();
        assert!(key.len() >= 43, "32 random bytes");
        assert_eq!((status_with(&process, &key), status_with(&process, &key[1..])), (200, 403));
        let refused = HttpClient::connect(process.address).request("GET", "/metrics", &[], b"");
        assert!(refused.text().contains(&file), "{}", refused.text());
        process.signal("TERM");
        let (status, said) = process.wait();
        assert!(status.success(), "{said}");
        assert!(said.contains(&file) && !said.contains(&key), "no terminal, so no key: {said}");
        assert!(!Path::new(&file).exists(), "the file goes with its server");
        keys.push(key);
    }
    assert_ne!(keys[0], keys[1]);
}

/// Two servers with the same port at different addresses: the second took the file of the first, which nobody could operate then.
#[test]
fn servers_at_other_addresses_with_the_same_port_have_keys_and_handovers_of_their_own() {
    let runtime = Folder::new();
    let first = start_in(&runtime, &["--listen", "127.0.0.1:0"]);
    let port = first.address.port();
    let second = start_in(&runtime, &["--listen", &format!("127.0.0.2:{port}")]);
    let key = |name: &str| fs::read_to_string(runtime.path(&format!("tidings/operator-{name}"))).expect("a key");
    let keys = [key(&port.to_string()), key(&format!("127.0.0.2-{port}"))];
    assert_ne!(keys[0], keys[1]);
    for (process, own, other) in [(&first, &keys[0], &keys[1]), (&second, &keys[1], &keys[0])] {
        assert_eq!((status_with(process, own.trim()), status_with(process, other.trim())), (200, 403));
        let url = format!("http://{}", process.address);
        let who = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["who", "--url", &url])
            .env("XDG_RUNTIME_DIR", runtime.path(""))
            .output()
            .expect("it runs");
        assert!(who.status.success(), "{who:?}");
    }
    second.signal("TERM");
    assert!(second.wait().0.success());
    assert_eq!(status_with(&first, key(&port.to_string()).trim()), 200, "it keeps its own");
    first.signal("TERM");
    let (status, said) = first.wait();
    assert!(status.success() && !said.contains("handover_failed"), "{said}");
}

/// A second signal ends the process at once, without the end of a drain.
#[test]
fn a_server_that_is_hurried_takes_its_key_with_it() {
    let runtime = Folder::new();
    let process = start_in(&runtime, &[]);
    let file = runtime.path(&format!("tidings/operator-{}", process.address.port()));
    let mut socket = RawSocket::open(process.address, "/ws");
    assert!(Path::new(&file).exists());
    process.signal("TERM");
    assert!(socket.read_close().0.is_some(), "it drains, and waits for our Close");
    process.signal("TERM");
    assert!(!process.wait().0.success());
    assert!(!Path::new(&file).exists());
}

/// A server that was killed leaves its file; whoever takes the port puts its own key there. A link there is not followed.
#[test]
fn what_lies_where_the_key_belongs_is_replaced_and_never_written_through() {
    for linked in [false, true] {
        let runtime = Folder::new();
        let first = start_in(&runtime, &[]);
        let (address, port) = (first.address.to_string(), first.address.port());
        let file = runtime.path(&format!("tidings/operator-{port}"));
        let old = fs::read_to_string(&file).expect("a key");
        first.signal("KILL");
        assert!(!first.wait().0.success());
        assert_eq!(fs::read_to_string(&file).expect("it is left"), old);
        let victim = runtime.path("victim");
        fs::write(&victim, "precious").expect("a file");
        if linked {
            fs::remove_file(&file).expect("it was there");
            symlink(&victim, &file).expect("a link");
        }
        let second = start_in(&runtime, &["--listen", &address]);
        let file = runtime.path(&format!("tidings/operator-{}", second.address.port()));
        let new = fs::read_to_string(&file).expect("a key");
        assert_ne!(new, old);
        assert_eq!(status_with(&second, new.trim()), 200);
        assert_eq!(fs::read_to_string(&victim).expect("it is untouched"), "precious");
    }
}

#[test]
fn a_folder_that_is_open_to_others_gets_no_key_and_the_server_says_what_to_do() {
    for make in [
        |path: &str| {
            fs::DirBuilder::new()
                .mode(0o777)
                .create(path)
                .map(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o777)))
        },
        |path: &str| symlink("/tmp", path).map(Ok),
        |path: &str| File::create(path).map(|_| Ok(())),
    ] {
        let runtime = Folder::new();
        make(&runtime.path("tidings")).expect("made").expect("its mode");
        let process = start_in(&runtime, &[]);
        let refused = HttpClient::connect(process.address).request("GET", "/metrics", &[], b"");
        assert_eq!(refused.status, 401);
        assert!(refused.text().contains("--operator-key-file"), "{}", refused.text());
        process.signal("TERM");
        let (_, said) = process.wait();
        assert!(said.contains("cannot be left in") && said.contains("TIDINGS_OPERATOR_KEY"), "{said}");
    }
}

#[test]
fn a_key_comes_from_a_file_the_environment_or_the_configuration_in_this_order() {
    let folder = Folder::new();
    let (flag, config, variable) = (folder.path("flag"), folder.path("config"), folder.path("variable"));
    fs::write(&variable, "key-of-the-variable-0123456789\n").expect("a file");
    fs::write(&flag, "key-of-the-flag-0123456789\n").expect("a file");
    fs::write(&config, "key-of-the-config-0123456789\n").expect("a file");
    let toml = folder.path("tidings.toml");
    fs::write(&toml, format!("server.operator_key_file = {config:?}\n")).expect("a file");
    let environment = |key: &'static str| [("TIDINGS_OPERATOR_KEY", key), ("OTHER", "")];
    let in_file = [("TIDINGS_OPERATOR_KEY", ""), ("TIDINGS_OPERATOR_KEY_FILE", &*variable)];
    for (variables, arguments, key) in [
        (in_file, vec!["--config", &toml], "key-of-the-variable-0123456789"),
        (in_file, vec!["--operator-key-file", &flag], "key-of-the-flag-0123456789"),
        (environment(""), vec!["--config", &toml], "key-of-the-config-0123456789"),
        (environment(OPERATOR_KEY), vec!["--config", &toml], OPERATOR_KEY),
        (
            environment(OPERATOR_KEY),
            vec!["--config", &toml, "--operator-key-file", &flag],
            "key-of-the-flag-0123456789",
        ),
    ] {
        let process = Process::start_with(&variables, &arguments);
        for other in [
            OPERATOR_KEY,
            "key-of-the-flag-0123456789",
            "key-of-the-config-0123456789",
            "key-of-the-variable-0123456789",
        ] {
            assert_eq!(status_with(&process, other), if other == key { 200 } else { 403 }, "{arguments:?} {other}");
        }
    }
    let printed = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(["--print-config"])
        .env("TIDINGS_OPERATOR_KEY", OPERATOR_KEY)
        .output()
        .expect("the binary runs");
    let printed = String::from_utf8(printed.stdout).expect("UTF-8");
    assert!(printed.contains("operator_key = \"\"") && !printed.contains(OPERATOR_KEY));
}

#[test]
fn a_key_that_is_none_stops_the_start_and_is_not_repeated() {
    let folder = Folder::new();
    let (short, spaced) = (folder.path("short"), folder.path("spaced"));
    fs::write(&short, "too-short").expect("a file");
    fs::write(&spaced, "a key with spaces in it").expect("a file");
    let absent = folder.path("absent");
    for (variable, arguments, said) in [
        ("", vec!["--operator-key-file", &short], "16 to 256 bytes, and this one has 9"),
        ("", vec!["--operator-key-file", &spaced], "letters, digits"),
        ("", vec!["--operator-key-file", &absent], "No such file"),
        (
            "only-15-bytes--",
            vec![],
            "TIDINGS_OPERATOR_KEY: \"server.operator_key\" is not a key: an operator key has 16 to 256 bytes",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(&arguments)
            .env("TIDINGS_OPERATOR_KEY", variable)
            .output()
            .expect("the binary runs");
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!output.status.success() && errors.contains(said), "{arguments:?}: {errors}");
        assert!(!errors.contains("too-short") && !errors.contains("spaces") && !errors.contains("only-15"), "{errors}");
        assert!(arguments.last().is_none_or(|file| errors.contains(*file)), "{errors}");
    }
}

#[test]
fn a_program_sets_a_key_or_asks_for_the_one_that_was_made() {
    let folder = Folder::new();
    let server = TestServer::start(|_| ());
    assert_eq!(server.operator_key(), OPERATOR_KEY);
    assert_eq!(metric(server.address(), "tidings_panics_total"), 0.0);
    let made = TestServer::start(|config| config.server.operator_key = None);
    let field = format!("Bearer {}", made.operator_key());
    let mut client = HttpClient::connect(made.address());
    assert_eq!(client.request("GET", "/metrics", &[("Authorization", &field)], b"").status, 200);
    let refused = client.request("GET", "/metrics", &[], b"");
    assert!(refused.text().contains("is in no file"), "{}", refused.text());
    let left = TestServer::start(|config| {
        config.server.operator_key = None;
        config.server.operator_key_folder = folder.path("keys");
    });
    let file = folder.path(&format!("keys/operator-{}", left.address().port()));
    assert_eq!(fs::read_to_string(&file).expect("the key").trim(), left.operator_key());
    drop(left);
    assert!(!Path::new(&file).exists());
}
