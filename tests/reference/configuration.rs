//! `docs/reference/configuration.md`: every setting with its default, unit, range and reason, and every kind of block.

use super::prose;
use std::fmt::Write as _;
use tidings::Config;
use tidings::config::{Knob, knobs};

const HEAD: &str = "\
# Settings

Every setting with its default, its unit and range, and its reason. How files, variables and flags work together is on the page
about [configuration](../configuration.md).

A setting `section.key` is `key` in the table `[section]` of a file, the flag `--section.key VALUE`, and the variable
`TIDINGS_SECTION_KEY`. Sizes are `10MB` (of 1000), `64KiB` (of 1024) or a number of bytes; durations `500ms`, `10s`, `5m`, `24h` or a
number of seconds; lists have commas between their items in a variable, and as a flag are given several times. A secret is never
a flag, since all users of a machine can read the arguments of a process.
";

/// The page of each kind of block.
const BLOCKS: &[(&str, &str)] = &[
    ("listener", "[Listeners](../configuration.md#listeners)"),
    ("certificate", "[TLS](../tls.md)"),
    ("channel", "[Rules for channels](../rules.md)"),
    ("issuer", "[Tokens](../tokens.md#the-settings-of-an-issuer)"),
    ("key", "[Keys](../keys.md)"),
];

/// Makes the page of what `tidings config default` prints.
fn page() -> String {
    let (described, knobs) = (Config::describe_default(), knobs());
    let mut rest = knobs.iter();
    let (mut out, mut comment, mut blocks) = (String::from(HEAD), String::new(), BLOCKS.iter());
    for line in described.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push_str(text);
        } else if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let _ = write!(out, "\n## {section}\n\n{}\n", comment.trim());
            comment.clear();
        } else if let Some((_, default)) = line.split_once(" = ") {
            setting(&mut out, rest.next().expect("as many settings as knobs"), default, &comment);
            comment.clear();
        } else {
            // The head of the file ends here, or a kind of block.
            block(&mut out, &mut blocks, &comment);
            comment.clear();
        }
    }
    block(&mut out, &mut blocks, &comment);
    assert!(rest.next().is_none() && blocks.next().is_none(), "settings or blocks that the file does not have");
    out
}

/// Appends a setting. Its comment ends with unit and variable in parentheses.
fn setting(out: &mut String, knob: &Knob, default: &str, comment: &str) {
    let end = format!("; {})", knob.variable);
    let before = comment.strip_suffix(&end).unwrap_or_else(|| panic!("no unit of {} in {comment}", knob.path));
    // A unit may have parentheses of its own, in pairs.
    let mut open = 1;
    let at = before.char_indices().rev().find(|(_, c)| {
        open += i32::from(*c == ')') - i32::from(*c == '(');
        open == 0
    });
    let (reason, unit) = before.split_at(at.expect("a parenthesis before the unit").0);
    let flag = if knob.is_secret { String::new() } else { format!(" · `--{} VALUE`", knob.path) };
    let _ = write!(
        out,
        "\n### {path}\n\n`{key} = {default}` by default · {unit}\n\n{reason}\n\n`{variable}`{flag}\n",
        path = knob.path,
        // By itself, too: the search of the book takes what has a dot in it for one word.
        key = knob.path.split_once('.').expect("a section and a key").1,
        unit = prose(unit[1..].trim()),
        reason = prose(reason.trim()),
        variable = knob.variable
    );
}

/// Appends a kind of block, if the comment is about the next one.
fn block<'b>(out: &mut String, blocks: &mut impl Iterator<Item = &'b (&'b str, &'b str)>, comment: &str) {
    if !comment.contains("each a block") {
        return;
    }
    let (name, page) = blocks.next().expect("a kind of block that is known here");
    assert!(comment.contains(&format!("[[{name}]]")), "{name} in {comment}");
    let text = prose(comment.trim());
    let _ = write!(out, "\n## \\[\\[{name}]]\n\n{text}\n\nMore on the page: {page}.\n");
}

#[test]
fn the_page_of_settings_is_what_the_code_says() {
    super::check("configuration.md", &page());
}
