//! What the pages of the project show of this command: its verbs and flags exist.

use std::path::Path;
use std::process::Command;

/// Pages with commands to be copied.
const PAGES: &[&str] = &["README.md", "loadgen/README.md", "docs/performance.md"];

/// What a verb says of itself; nothing if there is no such verb.
fn help(verb: &str) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_tidings-loadgen")).args([verb, "--help"]).output().expect("it runs");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("UTF-8"))
}

/// The verb of a command and what it has of flags, without their values.
fn parts(command: &str) -> (&str, Vec<&str>) {
    let mut words = command.split_whitespace().skip(1);
    let verb = words.next().unwrap_or_default();
    (verb, words.filter(|word| word.starts_with('-') && word.len() > 1).collect())
}

/// Whether a help has a flag, and not only a longer one.
fn has(help: &str, flag: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-');
    help.split(flag).skip(1).any(ends)
}

#[test]
fn every_command_that_a_page_shows_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root of the project");
    let mut checked = 0;
    for page in PAGES {
        let text = std::fs::read_to_string(root.join(page)).expect("a page");
        for line in text.lines() {
            let Some(command) =
                line.strip_prefix("target/release/").or(Some(line)).filter(|line| line.starts_with("tidings-loadgen "))
            else {
                continue;
            };
            let (verb, flags) = parts(command.split(" # ").next().unwrap_or_default());
            let help = help(verb).unwrap_or_else(|| panic!("{page}: there is no verb in {command}"));
            for flag in flags {
                assert!(has(&help, flag), "{page}: {verb} has no {flag}");
            }
            checked += 1;
        }
    }
    assert!(checked > 7, "{checked} commands");
    assert_eq!(parts("tidings-loadgen echo ws://x -c 1 --closed"), ("echo", vec!["-c", "--closed"]));
    assert!(
        help("ecko").is_none()
            && has("  -c, --connections <N>", "--connections")
            && !has("--connections", "--connection")
    );
}
