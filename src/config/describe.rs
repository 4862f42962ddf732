//! Writes a configuration down: all of it as a commented TOML file, or only what differs from the defaults.

use super::knobs::Config;
use std::fmt::Write as _;

/// Comments are wrapped before this column.
const WIDTH: usize = 100;

impl Config {
    /// The configuration in force as a TOML file, each knob with its reason, unit, range and default as a comment.
    /// [`Config::from_toml`] reads it back as the same configuration.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = String::from("# The configuration of Tidings in force. Every value can be left out.\n");
        let mut section = "";
        for entry in self.entries() {
            if entry.section != section {
                section = entry.section;
                out.push('\n');
                comment(&mut out, &entry.section_about);
                out.push_str(&format!("[{section}]\n"));
            }
            comment(&mut out, &entry.reason);
            comment(&mut out, &format!("({}; default {})", entry.unit, entry.default));
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{} = {}", entry.key, entry.value);
        }
        out
    }

    /// What differs from the defaults: key and value as TOML, in the order of the sections.
    #[must_use]
    pub fn differences(&self) -> Vec<(String, String)> {
        let differs = self.entries().into_iter().filter(|entry| entry.value != entry.default);
        differs.map(|entry| (format!("{}.{}", entry.section, entry.key), entry.value)).collect()
    }
}

/// Appends a text as comment lines.
fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + word.len() >= WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}
