//! What the rules of a crate's rooms are made of: who may name whom, which third-party crates, and which of the world.

use super::sources::{Source, names, none, root, word};
use std::collections::BTreeSet;
use std::fs;

/// A crate whose rooms have rules. In each table the parts of a row stand in one text, between spaces.
pub(super) struct House {
    /// Its name in code, such as `tidings`.
    pub(super) name: &'static str,
    /// Its folder below the root of the repository; empty for the root itself.
    pub(super) folder: &'static str,
    /// Which parts a part names, from the top of the river to its bottom. A part is a folder or a file directly under
    /// `src/`; it may always name itself. What is not listed may not exist, and what is listed must.
    pub(super) directions: &'static [(&'static str, &'static str)],
    /// What is of the world outside, the words by which code reaches it, and the only parts that do.
    pub(super) world: &'static [(&'static str, &'static [&'static str], &'static str)],
    /// Which parts use which third-party crate.
    pub(super) crates: &'static [(&'static str, &'static str)],
}

impl House {
    /// The parts of the crate that a line names, by `crate::`, the crate's name or enough `super::`.
    fn parts_named(&self, line: &str, depth: usize) -> Vec<String> {
        let mut found = Vec::new();
        let (own, up) = (format!("{}::", self.name), "super::".repeat(depth));
        for start in ["crate::", own.as_str(), up.as_str()] {
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

    /// Imports point down only: to parts that the row lists, all of which stand below it.
    pub(super) fn check_directions(&self, sources: &[Source]) {
        let mut findings = Findings::default();
        for source in sources.iter().filter(|source| source.part() != "lib") {
            let Some((part, allowed)) = self.directions.iter().find(|(part, _)| *part == source.part()) else {
                findings.violations.push(format!("{}: this part has no place in DIRECTIONS", source.path));
                continue;
            };
            for (number, line) in source.code() {
                // What the root hands on to users is at home in some part.
                let is_of_root = |rest: &str| rest.trim_start_matches('{').starts_with(char::is_uppercase);
                if line.split("crate::").skip(1).any(is_of_root) {
                    findings.violations.push(format!("{}:{number}: {part} must not import from the root", source.path));
                }
                // The command declares its own part.
                let declared = line.strip_prefix("mod ").filter(|_| *part == "main").map(|rest| word(rest).to_owned());
                for name in self.parts_named(&line, source.depth()).into_iter().chain(declared) {
                    if name != *part && self.directions.iter().any(|(part, _)| *part == name) {
                        findings.met(part, &name, lists(allowed, &name), &format!("{}:{number}", source.path));
                    }
                }
            }
        }
        for (place, (part, allowed)) in self.directions.iter().enumerate() {
            let is_above = |(upper, _): &&(&str, &str)| lists(allowed, upper);
            findings.violations.extend(
                self.directions[..place]
                    .iter()
                    .filter(is_above)
                    .map(|(upper, _)| format!("{part} may name {upper}, which stands above it")),
            );
        }
        let allowed = self.directions.iter().flat_map(|(part, allowed)| allowed.split(' ').map(|to| (*part, to)));
        findings.judge("DIRECTIONS", allowed);
    }

    /// All parts but some are values in and values out.
    pub(super) fn check_world(&self, sources: &[Source]) {
        let mut findings = Findings::default();
        for source in sources {
            for (number, line) in source.code() {
                for (what, words, allowed) in self.world {
                    if words.iter().any(|word| line.contains(word)) {
                        let place = format!("{}:{number}", source.path);
                        findings.met(source.part(), what, lists(allowed, source.part()), &place);
                    }
                }
            }
        }
        findings
            .judge("WORLD", self.world.iter().flat_map(|(what, _, parts)| parts.split(' ').map(|part| (part, *what))));
    }

    /// Each third-party crate stays where it belongs.
    pub(super) fn check_crates(&self, sources: &[Source]) {
        let mut findings = Findings::default();
        for source in sources {
            for (number, line) in source.code() {
                for (name, parts) in self.crates {
                    if names(&line, &format!("{name}::")) {
                        let place = format!("{}:{number}", source.path);
                        findings.met(source.part(), name, lists(parts, source.part()), &place);
                    }
                }
            }
        }
        findings
            .judge("CRATES", self.crates.iter().flat_map(|(name, parts)| parts.split(' ').map(|part| (part, *name))));
    }

    /// Every dependency of the manifest has its row, and every row its dependency.
    pub(super) fn check_dependencies(&self) {
        let manifest = fs::read_to_string(root().join(self.folder).join("Cargo.toml")).expect("the manifest");
        let section = manifest.split("\n[dependencies]\n").nth(1).expect("dependencies");
        let lines = section.lines().take_while(|line| !line.starts_with('['));
        let declared = lines
            .filter(|line| line.contains('=') && !line.starts_with('#'))
            .map(|line| line.split(['=', ' ']).next().unwrap_or_default().to_owned());
        // `md-5` is `md5` in code.
        let alike = |name: String| name.replace(['-', '_'], "");
        let declared: BTreeSet<String> = declared.map(alike).collect();
        let known: BTreeSet<String> = self.crates.iter().map(|(name, _)| alike((*name).to_owned())).collect();
        assert_eq!(declared, known, "the dependencies of {} and the table of crates differ", self.name);
    }
}

/// Whether a list of words has this one.
pub(super) fn lists(words: &str, what: &str) -> bool {
    words.split(' ').any(|word| word == what)
}

/// What was done and is not allowed, and what is allowed and was not done: a rule that is wider than the code does not
/// hold the code.
#[derive(Default)]
pub(super) struct Findings {
    violations: Vec<String>,
    used: BTreeSet<(String, String)>,
}

impl Findings {
    /// Notes that `who` does `what` in this line, and whether it may.
    pub(super) fn met(&mut self, who: &str, what: &str, allowed: bool, place: &str) {
        if allowed {
            self.used.insert((who.to_owned(), what.to_owned()));
        } else {
            self.violations.push(format!("{place}: {who} must not use {what}"));
        }
    }

    /// Fails with all of it, given what is allowed.
    pub(super) fn judge<'a>(mut self, table: &str, allowed: impl Iterator<Item = (&'a str, &'a str)>) {
        for (who, what) in allowed.filter(|(who, what)| !what.is_empty() && !who.is_empty()) {
            if !self.used.contains(&(who.to_owned(), what.to_owned())) {
                self.violations.push(format!("{table} allows {who} to use {what}, which it does not"));
            }
        }
        none(&self.violations);
    }
}

#[test]
fn the_parts_that_a_line_names_are_found() {
    let house = House { name: "tidings", folder: "", directions: &[], world: &[], crates: &[] };
    assert_eq!(house.parts_named("use crate::hub::{Hub, execute};", 2), ["hub"]);
    assert_eq!(house.parts_named("use crate::{hub, wire::name};", 2), ["hub", "wire"]);
    assert_eq!(house.parts_named("use super::super::reactor::Core;", 2), ["reactor"]);
    assert_eq!(house.parts_named("use tidings::wire::frame;", 1), ["wire"]);
    assert!(house.parts_named("use other_tidings::wire;", 1).is_empty());
    assert!(house.parts_named("use super::head;", 2).is_empty());
}
