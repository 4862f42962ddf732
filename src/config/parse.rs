//! Reads a configuration file; a mistake names file, line, key and the nearest key that exists.

use super::error::ConfigError;
use super::knobs::Config;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

impl Config {
    /// The defaults with what `text`, the contents of a TOML file called `file_name`, changes in them.
    ///
    /// Relations between limits are left to [`Config::check`], since flags may still change some.
    ///
    /// # Errors
    /// Text that is not TOML, unknown tables and keys, values of the wrong type or out of range: all of them at once.
    pub fn from_toml(file_name: &str, text: &str) -> Result<Config, ConfigError> {
        let mut reader = Reader { config: Config::default(), problems: Vec::new() };
        match DeTable::parse(text) {
            Ok(document) => reader.document(document.get_ref()),
            Err(error) => reader.complain(error.span().map_or(0, |span| span.start), error.message().to_owned()),
        }
        reader.finish(file_name, text)
    }
}

/// The configuration so far, and the mistakes so far with their places in the text.
struct Reader {
    config: Config,
    problems: Vec<(usize, String)>,
}

impl Reader {
    fn document(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            let section = name.get_ref();
            match (Config::KEYS.iter().any(|(known, _)| known == section), value.get_ref()) {
                (true, DeValue::Table(table)) => self.section(section, table),
                (true, _) => self.complain(
                    name.span().start,
                    format!("\"{section}\" is a table: write [{section}] on a line of its own and its keys below it"),
                ),
                (false, DeValue::Table(table)) => {
                    self.complain(name.span().start, unknown_section(section, table));
                }
                (false, _) => self.complain(name.span().start, unknown_key(section)),
            }
        }
    }

    fn section(&mut self, section: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let place: &Spanned<_> = key;
            match self.config.set(section, key.get_ref(), value.get_ref()) {
                Some(Ok(())) => {}
                Some(Err(problem)) => {
                    self.complain(value.span().start, format!("\"{section}.{}\" {problem}", key.get_ref()));
                }
                None => self.complain(place.span().start, unknown_key(&format!("{section}.{}", key.get_ref()))),
            }
        }
    }

    fn complain(&mut self, at: usize, problem: String) {
        self.problems.push((at, problem));
    }

    fn finish(mut self, file_name: &str, text: &str) -> Result<Config, ConfigError> {
        self.problems.sort();
        let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        let lines = self.problems.iter().map(|(at, problem)| format!("{file_name}:{}: {problem}", line(*at)));
        ConfigError::unless_empty(lines.collect()).map(|()| self.config)
    }
}

fn unknown_section(section: &str, table: &DeTable<'_>) -> String {
    // A key under a wrong heading tells which heading was meant, better than the heading's own letters do.
    let meant = table.iter().find_map(|(key, _)| section_of(key.get_ref()));
    let nearest = meant.or_else(|| nearest(section, Config::KEYS.iter().map(|(name, _)| (*name).to_owned())));
    let sections: Vec<&str> = Config::KEYS.iter().map(|(name, _)| *name).collect();
    match nearest {
        Some(name) => format!("unknown table \"{section}\": did you mean \"{name}\"?"),
        None => format!("unknown table \"{section}\": there are {}", sections.join(", ")),
    }
}

fn unknown_key(path: &str) -> String {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let same_name = section_of(key).map(|section| format!("{section}.{key}"));
    let of_section = Config::KEYS.iter().find(|(name, _)| *name == section);
    let in_section = of_section.and_then(|(_, keys)| nearest(key, keys.iter().map(|key| (*key).to_owned())));
    let suggestion = same_name
        .or_else(|| in_section.map(|key| format!("{section}.{key}")))
        .or_else(|| nearest(path, all_paths()))
        .or_else(|| nearest_name(key));
    match suggestion {
        Some(found) => format!("unknown key \"{path}\": did you mean \"{found}\"?"),
        None => format!("unknown key \"{path}\": Config::describe lists them all"),
    }
}

/// The only section that has such a key.
fn section_of(key: &str) -> Option<String> {
    let mut sections = Config::KEYS.iter().filter(|(_, keys)| keys.contains(&key)).map(|(name, _)| *name);
    let found = sections.next()?;
    sections.next().is_none().then(|| found.to_owned())
}

fn all_paths() -> impl Iterator<Item = String> {
    Config::KEYS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| format!("{section}.{key}")))
}

/// The path of the key whose name alone is nearest.
fn nearest_name(key: &str) -> Option<String> {
    let name = nearest(key, all_paths().filter_map(|path| path.split_once('.').map(|(_, name)| name.to_owned())))?;
    all_paths().find(|path| path.ends_with(&format!(".{name}")))
}

/// The candidate that needs the fewest edits, unless that is more than every second letter.
fn nearest(wrong: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let distance = |candidate: &String| strsim::damerau_levenshtein(wrong, candidate);
    let best = candidates.min_by_key(distance)?;
    (distance(&best) * 2 <= wrong.chars().count().max(best.len())).then_some(best)
}
