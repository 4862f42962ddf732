//! `docs/reference/commands.md`: what each command and each of its own says of itself with `--help`.

use std::fmt::Write as _;
use std::process::Command;

const HEAD: &str = "\
# Commands

What `tidings` and each of its commands say with `--help`.

They exit with 0 when they did what was asked; the other codes are on the page about [running it](../operations.md#exit-codes).
";

/// What a command says with `--help`.
fn help(words: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tidings")).args(words).arg("--help").output().expect("the binary runs");
    assert!(output.status.success(), "tidings {words:?} --help");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The commands that a help lists, without the one that prints help.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A longer text goes on in a line that is indented further.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

fn append(out: &mut String, words: &[&str]) {
    let help = help(words);
    let name = [&["tidings"], words].concat().join(" ");
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(out, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for command in commands(&help) {
        append(out, &[words, &[command]].concat());
    }
}

#[test]
fn the_page_of_commands_is_what_they_say() {
    let mut page = String::from(HEAD);
    append(&mut page, &[]);
    for name in ["tidings serve", "tidings config check", "tidings publish", "tidings key new"] {
        assert!(page.contains(&format!("\n## {name}\n")), "{name} was not found");
    }
    super::check("commands.md", &page);
}
