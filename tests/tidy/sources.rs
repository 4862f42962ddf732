//! The source as the checks read it: files, their code without tests and comments, words in lines.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file.
pub(super) struct Source {
    /// Its path under the root of the repository.
    pub(super) path: String,
    /// Its whole text.
    pub(super) text: String,
}

impl Source {
    /// The folder or file directly under `src/` that it belongs to.
    pub(super) fn part(&self) -> &str {
        let inside = self.path.split_once("src/").map_or(self.path.as_str(), |(_, inside)| inside);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    /// Whether the whole file is tests.
    pub(super) fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || ["tests.rs", "_tests.rs", "_cases.rs"].iter().any(|end| name.ends_with(end))
    }

    /// The lines before the first module of tests.
    pub(super) fn lines(&self) -> Vec<&str> {
        let all: Vec<&str> = self.text.lines().collect();
        let tests = all.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].trim_end().ends_with('{')
        });
        all[..tests.unwrap_or(all.len())].to_vec()
    }

    /// The same lines without comments, each with its number.
    pub(super) fn code(&self) -> Vec<(usize, String)> {
        let code = |line: &str| match line.find("//") {
            // `://` is an address in a text, not a comment.
            Some(at) if !line[..at].ends_with(':') => line[..at].to_owned(),
            _ => line.to_owned(),
        };
        self.lines().iter().enumerate().map(|(index, line)| (index + 1, code(line))).collect()
    }

    /// How many `super::` lead from this file to the root of the crate.
    pub(super) fn depth(&self) -> usize {
        let inside =
            self.path.split_once("src/").map_or(self.path.as_str(), |(_, inside)| inside).trim_end_matches(".rs");
        inside.trim_end_matches("/mod").split('/').count()
    }
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under the given folders, in the order of their names.
pub(super) fn sources(folders: &[&str]) -> Vec<Source> {
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
pub(super) fn production() -> Vec<Source> {
    production_of("src")
}

/// That below a folder.
pub(super) fn production_of(folder: &str) -> Vec<Source> {
    sources(&[folder]).into_iter().filter(|source| !source.is_test()).collect()
}

/// That of the server and that of the load generator.
pub(super) fn all_production() -> Vec<Source> {
    [production_of("src"), production_of("loadgen/src")].into_iter().flatten().collect()
}

pub(super) fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// The word at the start of a text.
pub(super) fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Whether a word stands in a line, not as the end of a longer one or of a path.
pub(super) fn names(line: &str, what: &str) -> bool {
    line.match_indices(what).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

/// The checks find what they are for.
#[test]
fn sources_are_read_without_tests_and_comments() {
    let source = Source {
        path: "src/wire/http/mod.rs".to_owned(),
        text: "//! A.\nlet a = 1; // mio::\n#[cfg(test)]\nmod tests {\n}\n".to_owned(),
    };
    assert_eq!((source.part(), source.depth(), source.lines().len()), ("wire", 2, 2));
    assert!(source.code().iter().all(|(_, line)| !line.contains("mio")));
    assert!(names("let x = mio::Token(1);", "mio::") && !names("crate::mio::x", "mio::") && !names("amio::x", "mio::"));
}
