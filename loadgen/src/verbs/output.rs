//! Where results go: files that are opened before the first connection, and a standard output that may be closed or full.

use crate::cli::OutputArgs;
use crate::outcome::Outcome;
use crate::report;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A kind of file: the option that names it, and what is written into it.
type Kind = (&'static str, fn(&Outcome) -> String);

const KINDS: [Kind; 4] = [
    ("--json", |outcome| serde_json::to_string_pretty(outcome).expect("results are JSON") + "\n"),
    ("--csv", report::csv),
    ("--hdr", report::hdr_log),
    ("--html", |outcome| report::html(&[outcome])),
];

/// The files that a run was asked for. They are opened first: a path that cannot be written to should not cost a run.
#[derive(Debug)]
pub(super) struct Files(Vec<Open>);

#[derive(Debug)]
struct Open {
    kind: usize,
    path: PathBuf,
    file: File,
    /// Whether it was not there before: then it goes away again when nothing is written into it.
    is_new: bool,
}

impl Files {
    /// Opens them. What is in them stays until there is something else.
    pub(super) fn open(output: &OutputArgs) -> Result<Files, String> {
        let mut files = Files(Vec::new());
        let paths = [&output.json, &output.csv, &output.hdr, &output.html];
        for (kind, path) in paths.into_iter().enumerate() {
            let Some(path) = path else { continue };
            let open = open(kind, path).map_err(|error| format!("{}: {}: {error}", KINDS[kind].0, path.display()))?;
            if let Some(other) = files.0.iter().find(|other| is_same(&other.file, &open.file)) {
                let (one, two) = (KINDS[other.kind].0, KINDS[kind].0);
                return Err(format!("{one} and {two} go into the same file, {}: name two", path.display()));
            }
            files.0.push(open);
        }
        Ok(files)
    }

    /// Writes a result into each of them, even if another one fails.
    pub(super) fn write(mut self, outcome: &Outcome) -> Result<(), String> {
        let mut failed = Vec::new();
        for open in &mut self.0 {
            let text = (KINDS[open.kind].1)(outcome);
            match replace(&mut open.file, &text) {
                Ok(()) => open.is_new = false,
                Err(error) => failed.push(format!("{}: {}: {error}", KINDS[open.kind].0, open.path.display())),
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for open in self.0.iter().filter(|open| open.is_new) {
            // Another process may have removed it.
            let _ = std::fs::remove_file(&open.path);
        }
    }
}

fn open(kind: usize, path: &Path) -> io::Result<Open> {
    let mut options = OpenOptions::new();
    options.write(true);
    let (file, is_new) = match options.clone().create_new(true).open(path) {
        Ok(file) => (file, true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => (options.open(path)?, false),
        Err(error) => return Err(error),
    };
    Ok(Open { kind, path: path.to_owned(), file, is_new })
}

/// Whether both are one regular file; a pipe or a terminal may be given twice.
fn is_same(one: &File, two: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |file: &File| file.metadata().ok().filter(|data| data.is_file()).map(|data| (data.dev(), data.ino()));
    id(one).is_some_and(|one| Some(one) == id(two))
}

fn replace(file: &mut File, text: &str) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())?;
    file.flush()
}

/// Writes a page to a file.
pub(super) fn save(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Standard output. It may be closed, or full: then only its text is lost.
#[derive(Debug, Default)]
pub(super) struct Voice {
    failed: Option<io::Error>,
}

impl Voice {
    /// Writes a text, unchanged.
    pub(super) fn say(&mut self, text: &str) {
        if self.failed.is_none() {
            let mut out = io::stdout().lock();
            self.failed = out.write_all(text.as_bytes()).and_then(|()| out.flush()).err();
        }
    }

    /// What could not be written, unless the reader has closed it, as `head` does when it has enough.
    pub(super) fn complaint(&self) -> Option<String> {
        let error = self.failed.as_ref().filter(|error| error.kind() != ErrorKind::BrokenPipe)?;
        Some(format!("standard output: {error}"))
    }
}

/// Reports what went wrong on standard error, which may be closed as well.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "tidings-loadgen: {text}");
}

#[cfg(test)]
mod tests {
    use super::Files;
    use crate::cli::{Cli, OutputArgs, Verb};
    use crate::report::example;
    use clap::Parser;
    use std::path::PathBuf;

    fn output(options: &[&str]) -> OutputArgs {
        let arguments = [&["tidings-loadgen", "echo", "ws://127.0.0.1:1"][..], options].concat();
        match Cli::parse_from(arguments).verb {
            Verb::Echo(run) => run.output,
            other => panic!("{other:?}"),
        }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tidings-loadgen-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn what_was_there_stays_until_there_is_a_result_and_what_is_new_goes_without_one() {
        let folder = folder("stays");
        let (old, new) = (folder.join("old.json"), folder.join("new.csv"));
        std::fs::write(&old, "before").expect("a file");
        let texts = [old.to_string_lossy().into_owned(), new.to_string_lossy().into_owned()];
        let output = output(&["-o", &texts[0], "--csv", &texts[1]]);
        drop(Files::open(&output).expect("both can be written"));
        assert_eq!((std::fs::read_to_string(&old).expect("still"), new.exists()), ("before".to_owned(), false));
        Files::open(&output).expect("both can be written").write(&example("a", 1)).expect("there is room");
        assert!(std::fs::read_to_string(&old).expect("a result").starts_with('{'));
        assert!(std::fs::read_to_string(&new).expect("a table").starts_with("at_s"));
        std::fs::remove_dir_all(&folder).expect("it was there");
    }

    #[test]
    fn a_file_that_is_full_costs_no_other_file() {
        let folder = folder("full");
        let csv = folder.join("a.csv").to_string_lossy().into_owned();
        let files = Files::open(&output(&["-o", "/dev/full", "--csv", &csv])).expect("it can be opened");
        let error = files.write(&example("a", 1)).expect_err("it is full");
        assert!(error.contains("--json: /dev/full"), "{error}");
        assert!(std::fs::read_to_string(&csv).expect("a table").starts_with("at_s"));
        std::fs::remove_dir_all(&folder).expect("it was there");
    }

    #[test]
    fn one_file_is_not_written_twice_and_a_folder_that_is_not_there_is_told() {
        let folder = folder("twice");
        let path = folder.join("a").to_string_lossy().into_owned();
        let error = Files::open(&output(&["-o", &path, "--html", &path])).expect_err("one file");
        assert!(error.contains("--json and --html go into the same file"), "{error}");
        assert!(!folder.join("a").exists());
        let error = Files::open(&output(&["--hdr", "/nowhere/at/all"])).expect_err("no such folder");
        assert!(error.contains("--hdr: /nowhere/at/all"), "{error}");
        std::fs::remove_dir_all(&folder).expect("it was there");
    }
}
