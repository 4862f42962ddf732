//! Names on pages: settings, metrics and events that they speak of exist, and each event has its line.

use super::{page, pages};
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings::config::knobs;
use tidings::journal::Kind;
use tidings::metrics::process::Process;
use tidings::metrics::{Counters, Shared, exposition};

#[test]
fn every_setting_that_a_page_names_exists() {
    let known: BTreeSet<String> = knobs().into_iter().map(|knob| knob.path).collect();
    let sections: BTreeSet<&str> = known.iter().filter_map(|path| Some(path.split_once('.')?.0)).collect();
    let (mut violations, mut found) = (Vec::new(), 0);
    for page in pages() {
        for code in page.code() {
            let name = code.split([' ', '=']).next().unwrap_or_default();
            let of_a_name = |c: char| c.is_ascii_lowercase() || c == '_';
            let is_setting = name
                .split_once('.')
                .is_some_and(|(section, key)| sections.contains(section) && key.chars().all(of_a_name));
            if is_setting && !known.contains(name) {
                violations.push(format!("{}: {name}", page.path));
            }
            found += usize::from(is_setting);
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
    assert!(found > 50, "{found} settings");
}

/// The words of a text that begin with a prefix.
fn words<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    let of_a_name = |c: char| c.is_ascii_lowercase() || c == '_';
    text.split(move |c: char| !of_a_name(c)).filter(move |word| word.starts_with(prefix) && *word != prefix)
}

#[test]
fn every_metric_that_a_page_names_exists() {
    let process = Process::now();
    let shared = Shared { engine: Some(Arc::default()), ..Shared::default() };
    let text = exposition(&[Arc::new(Counters::default())], &shared, &process);
    let known: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let is_known = |word: &str| {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        known.contains(word) || known.contains(base)
    };
    let (mut violations, mut found) = (Vec::new(), 0);
    for page in pages() {
        for word in words(&page.text, "tidings_").chain(words(&page.text, "process_")) {
            found += 1;
            if !is_known(word) {
                violations.push(format!("{}: {word}", page.path));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
    assert!(found > 30, "{found} metrics");
}

#[test]
fn the_page_about_logs_has_every_kind_of_event() {
    let code = page("docs/logs.md").code();
    for kind in Kind::ALL {
        assert!(code.iter().any(|code| code == kind.name()), "{} is missing", kind.name());
    }
}
