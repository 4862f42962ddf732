//! The rules of the house, checked by reading the source: directions of imports, third-party crates, sizes, docs.

use std::fs;
use std::path::{Path, PathBuf};

/// Which parts of the crate a part may name, from the top of the river to its bottom. A part is a folder or a file
/// directly under `src/`; it may always name itself. What is not listed here may not exist.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["server", "client", "journal", "config", "model"]),
    // Models of the threads, built with --cfg shuttle alone.
    ("models", &["handoff", "hub", "wire"]),
    // Test code only: it stands where the server does, around everything.
    (
        "simulation",
        &[
            "server",
            "reactor",
            "workers",
            "handoff",
            "connection",
            "hub",
            "access",
            "wire",
            "metrics",
            "journal",
            "config",
            "close",
        ],
    ),
    (
        "server",
        &[
            "reactor",
            "workers",
            "handoff",
            "connection",
            "hub",
            "access",
            "wire",
            "model",
            "web",
            "metrics",
            "journal",
            "config",
            "close",
        ],
    ),
    ("reactor", &["handoff", "connection", "hub", "access", "wire", "web", "metrics", "journal", "config", "close"]),
    ("workers", &["handoff", "connection", "hub", "wire", "metrics", "journal", "config", "close"]),
    ("handoff", &["connection", "hub", "wire", "metrics", "config", "close", "sync"]),
    ("connection", &["hub", "access", "wire", "web", "metrics", "journal", "config", "close"]),
    ("hub", &["wire", "config", "close", "sync"]),
    ("access", &["wire", "model", "close"]),
    ("wire", &["model", "close"]),
    ("model", &[]),
    ("web", &[]),
    ("metrics", &["close"]),
    ("journal", &[]),
    ("client", &[]),
    ("config", &["model"]),
    ("close", &[]),
    ("sync", &[]),
];

/// Words that a pure part must not contain: no sockets (addresses are only values), no threads, no clock.
const SOCKETS: &[&str] =
    &["mio::", "socket2::", "TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs", "UnixStream"];
const THREADS_AND_CLOCKS: &[&str] = &["std::thread", "Instant::now", "SystemTime::now", ".elapsed()"];
const PURE: &[&str] = &["model", "wire", "access", "connection", "hub"];

/// Where locks may be: the hub, and the mailbox between threads.
const LOCKS: &[&str] =
    &["hub/", "handoff/mailbox.rs", "handoff/callers.rs", "server/library.rs", "sync.rs", "models.rs"];

/// Which parts use which third-party crate: as few as possible.
const CRATES: &[(&str, &[&str])] = &[
    ("bytes", &["wire", "hub", "connection", "handoff", "reactor", "workers", "server", "web", "models"]),
    ("clap", &["cli"]),
    ("crossbeam_channel", &["workers", "handoff", "server", "journal", "sync"]),
    ("data_encoding", &["wire", "hub", "server"]),
    ("httparse", &["wire"]),
    ("httpdate", &["wire", "reactor"]),
    ("io_uring", &["reactor"]),
    ("log", &["server", "reactor", "workers", "handoff", "journal", "cli"]),
    ("mio", &["reactor", "handoff", "server"]),
    ("nix", &["reactor", "metrics", "server", "journal"]),
    ("rand", &["hub", "server", "client", "cli", "simulation"]),
    // The client's TLS; the server has none.
    ("rustls", &["client"]),
    ("rustls_native_certs", &["client"]),
    ("serde", &["wire", "cli"]),
    ("serde_json", &["wire", "client", "cli", "simulation"]),
    ("signal_hook", &["server"]),
    ("simd_json", &["wire"]),
    ("simdutf8", &["wire"]),
    ("siphasher", &["hub"]),
    ("slab", &["hub", "reactor"]),
    ("smallvec", &["wire", "access", "hub", "connection", "reactor", "handoff"]),
    ("socket2", &["reactor"]),
    ("strsim", &["wire", "config"]),
    ("subtle", &["model"]),
    ("thiserror", &["wire", "client", "server"]),
    ("toml", &["config"]),
    ("tungstenite", &["wire", "client"]),
    ("zlib_rs", &["wire"]),
];

/// Lines of a file without its tests, and lines of a function.
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// One source file.
struct Source {
    /// Its path under the root of the repository.
    path: String,
    /// Its whole text.
    text: String,
}

impl Source {
    /// The folder or file directly under `src/` that it belongs to.
    fn part(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    /// Whether the whole file is tests.
    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || ["tests.rs", "_tests.rs", "_cases.rs"].iter().any(|end| name.ends_with(end))
    }

    /// The lines before the first module of tests.
    fn lines(&self) -> Vec<&str> {
        let all: Vec<&str> = self.text.lines().collect();
        let tests = all.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].trim_end().ends_with('{')
        });
        all[..tests.unwrap_or(all.len())].to_vec()
    }

    /// The same lines without comments, each with its number.
    fn code(&self) -> Vec<(usize, String)> {
        let code = |line: &str| match line.find("//") {
            // `://` is an address in a text, not a comment.
            Some(at) if !line[..at].ends_with(':') => line[..at].to_owned(),
            _ => line.to_owned(),
        };
        self.lines().iter().enumerate().map(|(index, line)| (index + 1, code(line))).collect()
    }

    /// How many `super::` lead from this file to the root of the crate.
    fn depth(&self) -> usize {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path).trim_end_matches(".rs");
        inside.trim_end_matches("/mod").split('/').count()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under the given folders, in the order of their names.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| collect(&root().join(folder), &mut paths));
    paths.sort();
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned(),
        text: fs::read_to_string(&path).expect("a source file"),
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// The production code of the server.
fn production() -> Vec<Source> {
    sources(&["src"]).into_iter().filter(|source| !source.is_test()).collect()
}

/// The same and that of the load generator.
fn all_production() -> Vec<Source> {
    sources(&["src", "loadgen/src"]).into_iter().filter(|source| !source.is_test()).collect()
}

fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// The word at the start of a text.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Whether a word stands in a line, not as the end of a longer one or of a path.
fn names(line: &str, what: &str) -> bool {
    line.match_indices(what).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

/// The parts of the crate that a line names, by `crate::`, `tidings::` or enough `super::`.
fn parts_named(line: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    let up = "super::".repeat(depth);
    for start in ["crate::", "tidings::", up.as_str()] {
        for (at, _) in line.match_indices(start) {
            let rest = &line[at + start.len()..];
            if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            match rest.strip_prefix('{') {
                Some(group) => found.extend(group.split(',').map(|item| word(item.trim()).to_owned())),
                None => found.push(word(rest).to_owned()),
            }
        }
    }
    found
}

#[test]
fn imports_point_down_only() {
    let parts: Vec<&str> = DIRECTIONS.iter().map(|(part, _)| *part).collect();
    let mut violations = Vec::new();
    for source in production().iter().filter(|source| source.part() != "lib") {
        let Some((part, allowed)) = DIRECTIONS.iter().find(|(part, _)| *part == source.part()) else {
            violations.push(format!("{}: this part has no place in DIRECTIONS", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for name in
                parts_named(&line, source.depth()).iter().filter(|name| parts.contains(&name.as_str()) && *name != part)
            {
                if !allowed.contains(&name.as_str()) {
                    violations.push(format!("{}:{number}: {part} must not know {name}", source.path));
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn pure_parts_know_no_socket_no_thread_and_no_clock() {
    let mut violations = Vec::new();
    for source in production().iter().filter(|source| PURE.contains(&source.part())) {
        for (number, line) in source.code() {
            for what in SOCKETS.iter().chain(THREADS_AND_CLOCKS).filter(|what| line.contains(**what)) {
                violations.push(format!("{}:{number}: {} must not use {what}", source.path, source.part()));
            }
        }
    }
    none(&violations);
}

#[test]
fn locks_are_in_the_hub_and_where_threads_meet() {
    let mut violations = Vec::new();
    for source in production() {
        if LOCKS.iter().any(|place| source.path.starts_with(&format!("src/{place}"))) {
            continue;
        }
        for (number, line) in source.code() {
            if ["Mutex", "RwLock", "Condvar"]
                .iter()
                .any(|lock| names(&line, lock) || line.contains(&format!("::{lock}")))
            {
                violations.push(format!("{}:{number}: a lock outside {LOCKS:?}", source.path));
            }
        }
    }
    none(&violations);
}

#[test]
fn each_third_party_crate_stays_where_it_belongs() {
    let mut violations = Vec::new();
    for source in production() {
        for (number, line) in source.code() {
            for (name, parts) in CRATES {
                if names(&line, &format!("{name}::")) && !parts.contains(&source.part()) {
                    violations.push(format!("{}:{number}: {name} belongs to {parts:?}", source.path));
                }
            }
        }
    }
    none(&violations);
}

/// Whoever waits is woken. A command that waits for its moment is another matter.
#[test]
fn nothing_waits_by_sleeping() {
    let mut violations = Vec::new();
    for source in all_production().iter().filter(|source| !source.path.starts_with("src/cli/")) {
        for (number, line) in source.code().into_iter().filter(|(_, line)| line.contains("thread::sleep")) {
            violations.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    none(&violations);
}

/// Features of `log` that cut levels off do so for the whole program of whoever uses this crate.
#[test]
fn the_library_leaves_the_log_levels_of_its_users_alone() {
    for manifest in ["Cargo.toml", "loadgen/Cargo.toml"] {
        let text = fs::read_to_string(root().join(manifest)).expect("a manifest");
        assert!(!text.contains("max_level_"), "{manifest} cuts levels off");
    }
}

#[test]
fn every_dependency_has_its_place() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let section = manifest.split("\n[dependencies]\n").nth(1).expect("dependencies");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let mut declared: Vec<String> = lines
        .filter(|line| line.contains('=') && !line.starts_with('#'))
        .map(|line| line.split(['=', ' ']).next().unwrap_or_default().replace('-', "_"))
        .collect();
    declared.sort();
    let known: Vec<String> = CRATES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(declared, known, "the dependencies in Cargo.toml and the table of crates differ");
}

#[test]
fn every_file_says_what_it_is_for() {
    let without = |source: &Source| !source.text.starts_with("//! ");
    let files = sources(&["src", "tests", "benches", "loadgen"]);
    assert!(files.len() > 10, "the source was not found");
    none(&files.iter().filter(|source| without(source)).map(|source| source.path.clone()).collect::<Vec<_>>());
}

#[test]
fn files_stay_readable() {
    let too_long = |source: &Source| {
        let lines = source.lines().len();
        (lines > FILE_LINES).then(|| format!("{}: {lines} lines, at most {FILE_LINES}", source.path))
    };
    none(&all_production().iter().filter_map(too_long).collect::<Vec<_>>());
}

/// Whether a line begins a function.
fn is_function(line: &str) -> bool {
    names(line, "fn ") && !line.trim_start().starts_with("//") && !line.contains('"')
}

/// The lines of the function that begins on the first line; `None` when it has no body of its own lines.
fn body_length(lines: &[&str]) -> Option<usize> {
    let head = lines.iter().position(|line| line.ends_with(['{', ';', '}']))?;
    if !lines[head].ends_with('{') {
        return None;
    }
    // rustfmt closes a body at the indentation of its first line.
    let close = format!("{}}}", " ".repeat(lines[0].len() - lines[0].trim_start().len()));
    lines.iter().position(|line| *line == close).map(|end| end + 1)
}

#[test]
fn functions_stay_readable() {
    let mut violations = Vec::new();
    for source in all_production() {
        let lines = source.lines();
        for (start, _) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            let Some(length) = body_length(&lines[start..]) else { continue };
            if length > FUNCTION_LINES {
                violations.push(format!("{}:{}: {length} lines, at most {FUNCTION_LINES}", source.path, start + 1));
            }
        }
    }
    none(&violations);
}

#[test]
fn what_is_left_to_do_says_what_it_waits_for() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mut violations = Vec::new();
    for source in sources(&["src", "tests", "benches", "loadgen"]) {
        for (index, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| names(line, mark)) && !line.contains("waits for") {
                violations.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    none(&violations);
}

/// Hosts of package registries, in two parts so that this file names none.
const REGISTRIES: &[(&str, &str)] = &[
    ("crates", ".io"),
    ("npmjs", ".com"),
    ("npmjs", ".org"),
    ("yarnpkg", ".com"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("golang", ".org"),
    ("rubygems", ".org"),
    ("unpkg", ".com"),
    ("jsdelivr", ".net"),
];

/// The registry that a line names. What cargo writes into a lock file is the registry's index, as cargo calls it everywhere.
fn registry_in(line: &str) -> Option<String> {
    let line = line.replace(concat!("crates", ".io-index"), "");
    REGISTRIES.iter().map(|(name, end)| format!("{name}{end}")).find(|host| line.contains(host.as_str()))
}

/// A file that fetches by itself misses whatever a package manager is told about mirrors, and what it checks.
#[test]
fn no_file_names_the_host_of_a_registry() {
    let mut paths = Vec::new();
    every_file(&root(), &mut paths);
    assert!(paths.len() > 100, "the files were not found");
    let mut violations = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).expect("a file");
        for (index, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            if let Some(host) = registry_in(line) {
                violations.push(format!("{}:{}: {host}", path.display(), index + 1));
            }
        }
    }
    none(&violations);
}

/// Every file of the project, and nothing that is built or installed.
fn every_file(folder: &Path, paths: &mut Vec<PathBuf>) {
    const NOT_OURS: &[&str] = &[".git", "target", "node_modules", ".venv", "__pycache__"];
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry of a folder");
        let is_folder = entry.file_type().expect("a kind of file").is_dir();
        if NOT_OURS.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if is_folder { every_file(&entry.path(), paths) } else { paths.push(entry.path()) }
    }
}

/// The checks find what they are for.
#[test]
fn the_checks_see_what_they_should() {
    assert_eq!(parts_named("use crate::hub::{Hub, execute};", 2), ["hub"]);
    assert_eq!(parts_named("use crate::{hub, wire::name};", 2), ["hub", "wire"]);
    assert_eq!(parts_named("use super::super::reactor::Core;", 2), ["reactor"]);
    assert!(parts_named("use super::head;", 2).is_empty());
    assert!(names("let x = mio::Token(1);", "mio::") && !names("crate::mio::x", "mio::") && !names("amio::x", "mio::"));
    let source = Source {
        path: "src/wire/http/mod.rs".to_owned(),
        text: "//! A.\nlet a = 1; // mio::\n#[cfg(test)]\nmod tests {\n}\n".to_owned(),
    };
    assert_eq!((source.part(), source.depth(), source.lines().len()), ("wire", 2, 2));
    assert!(registry_in(concat!("curl https://static.crates", ".io/crates/x")).is_some());
    assert!(registry_in(concat!("source = \"registry+https://github.com/rust-lang/crates", ".io-index\"")).is_none());
    assert!(source.code().iter().all(|(_, line)| !line.contains("mio")));
}
