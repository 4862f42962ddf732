//! Reads a configuration file; a mistake names file, line, column, key and the nearest key that exists.

use super::blocks;
use super::error::ConfigError;
use super::knobs::Config;
use super::names::{unknown_key, unknown_section};
use super::place::File;
use super::settings::{Layer, Settings};
use super::table::Given;
use toml::de::{DeTable, DeValue};

impl Config {
    /// The defaults with what `text`, the contents of a TOML file called `file_name`, changes in them.
    ///
    /// Relations between limits are left to [`Config::check`], since flags may still change some.
    ///
    /// # Errors
    /// Text that is not TOML, unknown tables and keys, values of the wrong type or out of range: all of them at once.
    pub fn from_toml(file_name: &str, text: &str) -> Result<Config, ConfigError> {
        let mut settings = Settings::default();
        settings.file(file_name, text);
        settings.readable().map(|()| settings.config().clone())
    }
}

impl Layer<'_> {
    pub(super) fn read_file(&mut self, name: &str, text: &str) {
        let file = File::new(name, text);
        match DeTable::parse(text) {
            Ok(document) => self.document(file, document.get_ref()),
            Err(error) => {
                self.complain(&file.at(error.span().map_or(0, |span| span.start)), error.message());
            }
        }
    }

    fn document(&mut self, file: File<'_>, document: &DeTable<'_>) {
        // In the order of the file, whatever the order of the table.
        let mut tables: Vec<_> = document.iter().collect();
        tables.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in tables {
            let (section, at) = (name.get_ref(), file.at(name.span().start));
            // A list of tables and no section, so `KEYS` does not have it.
            if let Some((_, _, read)) = blocks::KINDS.iter().find(|(kind, ..)| kind == section) {
                read(self, file, name.span().start, value.get_ref());
                continue;
            }
            match (Config::KEYS.iter().any(|(known, _)| known == section), value.get_ref()) {
                (true, DeValue::Table(table)) => self.section(file, section, table),
                (true, _) => self.complain(
                    &at,
                    &format!("\"{section}\" is a table: write [{section}] on a line of its own and its keys below it"),
                ),
                (false, DeValue::Table(table)) => self.complain(&at, &unknown_section(section, table)),
                (false, _) => self.complain(&at, &unknown_key(section)),
            }
        }
    }

    fn section(&mut self, file: File<'_>, section: &str, table: &DeTable<'_>) {
        let mut keys: Vec<_> = table.iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in keys {
            if !self.set(section, key.get_ref(), Given::Value(value.get_ref()), file.at(value.span().start)) {
                self.complain(&file.at(key.span().start), &unknown_key(&format!("{section}.{}", key.get_ref())));
            }
        }
    }
}
