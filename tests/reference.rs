//! The references of the book, made from the code: settings, metrics, codes, commands. A page that is not what the code says is
//! stale; `TIDINGS_WRITE_REFERENCE=1 cargo test --test all reference::` writes them anew.

mod codes;
mod commands;
mod configuration;
mod metrics;

use std::fs;
use std::path::Path;

/// What writes the pages instead of comparing them.
const WRITE: &str = "TIDINGS_WRITE_REFERENCE";

/// Compares a page with what it should be, or writes it.
fn check(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, page).expect("a writable page");
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(stored.lines()).find(|(page, stored)| page != stored);
    assert!(
        stored == page,
        "docs/reference/{name} is stale: {WRITE}=1 cargo test --test all reference:: writes it anew\n{differs:?}"
    );
}

/// A text of which nothing is markup.
fn prose(text: &str) -> String {
    text.replace('*', "\\*").replace('<', "&lt;").replace("[[", "\\[\\[")
}

/// The same as it may stand in a cell of a table.
fn cell(text: &str) -> String {
    prose(text).replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}
