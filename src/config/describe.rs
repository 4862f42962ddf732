//! Writes a configuration down: all of it as a commented TOML file, with where each value comes from, or only what differs
//! from the defaults.

use super::blocks::{self, Kind};
use super::certificate::CertificateConfig;
use super::channel::ChannelRule;
use super::issuer::IssuerConfig;
use super::key::KeySettings;
use super::knobs::Config;
use super::listener::ListenerConfig;
use super::names;
use super::settings::{Settings, Source};
use super::text::quoted;
use std::fmt::Write as _;

/// Comments are wrapped before this column.
const WIDTH: usize = 100;

/// A block as text.
struct Written {
    /// Its place among those of its kind, from 0.
    number: usize,
    /// As it stands in a file.
    text: String,
    /// In a few words.
    summary: String,
}

/// A setting without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knob {
    /// Its name, `section.key`.
    pub path: String,
    /// The variable of the environment that sets it.
    pub variable: String,
    /// Whether it is a list: as a flag it may be given several times.
    pub is_list: bool,
    /// Whether its value is never shown, and so it is no flag either: all users of a machine can read the arguments of a process.
    pub is_secret: bool,
}

/// Every setting, in the order of the sections.
#[must_use]
pub fn knobs() -> Vec<Knob> {
    let knob = |entry: super::table::Entry| Knob {
        path: format!("{}.{}", entry.section, entry.key),
        variable: names::variable(entry.section, entry.key),
        is_list: entry.is_list,
        is_secret: entry.is_secret,
    };
    Config::default().entries().into_iter().map(knob).collect()
}

impl Settings {
    /// Every value with where it comes from, a line each, as TOML. Secrets are not shown.
    #[must_use]
    pub fn show(&self) -> String {
        let entries = self.config().entries();
        let mut out = String::new();
        for entry in &entries {
            let path = format!("{}.{}", entry.section, entry.key);
            let source = self.source(&path);
            // A secret that is not set has nothing to hide: what is shown is its default.
            let hidden = if entry.is_secret && *source != Source::Default { ", not shown" } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{:<44} # {source}{hidden}", format!("{path} = {}", entry.value));
        }
        for (name, block) in self.config().blocks() {
            let source = self.block_source(name, block.number);
            let _ = write!(out, "\n# {source}\n{}", block.text);
        }
        out
    }
}

impl Config {
    /// The configuration in force as a TOML file, each knob with its reason, unit, range and default as a comment.
    /// [`Config::from_toml`] reads it back as the same configuration.
    #[must_use]
    pub fn describe(&self) -> String {
        self.described("# The configuration of Tidings in force. Every value can be left out.\n", false)
    }

    /// The defaults in the same way, with the variables of the environment that set them: a file to start from.
    #[must_use]
    pub fn describe_default() -> String {
        let head = "# Every setting of Tidings at its default: leave out what you do not change. A flag wins over a variable of\n\
                    # the environment, and a variable over this file. The flag of a setting has its name: --http.headers 50.\n\
                    # Sizes: 10MB (of 1000), 64KiB (of 1024), or a number of bytes. Durations: 500ms, 10s, 5m, 24h, or seconds.\n";
        Config::default().described(head, true)
    }

    fn described(&self, head: &str, with_variables: bool) -> String {
        let mut out = String::from(head);
        let mut section = "";
        for entry in self.entries() {
            if entry.section != section {
                section = entry.section;
                out.push('\n');
                comment(&mut out, &entry.section_about);
                out.push_str(&format!("[{section}]\n"));
            }
            comment(&mut out, &entry.reason);
            let more = if with_variables {
                format!("({}; {})", entry.unit, names::variable(entry.section, entry.key))
            } else {
                format!("({}; default {})", entry.unit, entry.default)
            };
            comment(&mut out, &more);
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{} = {}", entry.key, entry.value);
        }
        let written = self.blocks();
        for (name, about, _) in blocks::KINDS {
            out.push('\n');
            comment(&mut out, about);
            for (_, block) in written.iter().filter(|(of, _)| of == name) {
                let _ = write!(out, "\n{}", block.text);
            }
        }
        out
    }

    /// What differs from the defaults: key and value as TOML, in the order of the sections.
    #[must_use]
    pub fn differences(&self) -> Vec<(String, String)> {
        let differs = self.entries().into_iter().filter(|entry| entry.value != entry.default);
        let knobs = differs.map(|entry| (format!("{}.{}", entry.section, entry.key), entry.value));
        let blocks = self.blocks().into_iter().map(|(name, block)| (name.to_owned(), block.summary));
        knobs.chain(blocks).collect()
    }

    /// Every block as text, with the name of its kind.
    fn blocks(&self) -> Vec<(&'static str, Written)> {
        let listeners = written(&self.listeners, |listener: &ListenerConfig| {
            (listener.write(), format!("{} for {}", quoted(&listener.at.to_string()), listener.serves))
        });
        let certificates = written(&self.certificates, |certificate: &CertificateConfig| {
            (certificate.write(), quoted(&certificate.chain.to_string_lossy()))
        });
        let channels =
            written(&self.channel_rules, |rule: &ChannelRule| (rule.write(), quoted(rule.channels.as_str())));
        let issuers = written(&self.issuers, |issuer: &IssuerConfig| (issuer.write(), quoted(&issuer.name)));
        let keys = written(&self.keys, |key: &KeySettings| (key.write(), quoted(&key.name)));
        listeners.chain(certificates).chain(channels).chain(issuers).chain(keys).collect()
    }
}

/// The blocks of one kind as text: each as it stands in a file, and in a few words.
fn written<K: Kind>(
    blocks: &[K],
    write: impl Fn(&K) -> (String, String),
) -> impl Iterator<Item = (&'static str, Written)> {
    blocks.iter().enumerate().map(move |(number, block)| {
        let (text, summary) = write(block);
        (K::NAME, Written { number, text, summary })
    })
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
