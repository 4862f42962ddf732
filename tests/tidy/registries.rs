//! No file names the host of a package registry.

use super::sources::{none, root};
use std::fs;
use std::path::{Path, PathBuf};

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

#[test]
fn a_registry_is_seen_and_its_index_in_a_lock_file_is_not_one() {
    assert!(registry_in(concat!("curl https://static.crates", ".io/crates/x")).is_some());
    assert!(registry_in(concat!("source = \"registry+https://github.com/rust-lang/crates", ".io-index\"")).is_none());
}
