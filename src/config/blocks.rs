//! Lists of tables in a configuration file: each block's values are read by serde, and every mistake has its own place.

use super::listener::{ListenAt, ListenerConfig, MODE};
use super::names::nearest;
use super::parse::{File, LISTENER};
use super::settings::{Layer, Source};
use super::text::{parse_address, quoted};
use crate::model::serves::Serves;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// The most that the mode of a file can be.
const MODE_MAX: u32 = 0o777;

/// One block while it is read.
struct Block<'b> {
    file: File<'b>,
    /// What blocks of its kind are called.
    name: &'static str,
    table: &'b DeTable<'b>,
    at: Source,
    mistakes: Vec<(Source, String)>,
}

impl<'b> Block<'b> {
    fn complain(&mut self, at: usize, problem: String) {
        self.mistakes.push((self.file.at(at), problem));
    }

    /// Complains of keys that no block of its kind has.
    fn expect_keys(&mut self, known: &[&str]) {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let near = nearest(name, known.iter().map(|known| (*known).to_owned()));
                let hint = near.map_or_else(
                    || format!("there are {}", known.join(", ")),
                    |near| format!("did you mean \"{near}\"?"),
                );
                self.complain(key.span().start, format!("unknown key \"{}.{name}\": {hint}", self.name));
            }
        }
    }

    /// Takes a value of one type.
    fn take<T: DeserializeOwned>(&mut self, key: &str, expected: &str) -> Option<Spanned<T>> {
        let value: &Spanned<DeValue<'_>> = self.table.get(key)?;
        // Cloned, since the deserializer consumes what it reads.
        match Spanned::<T>::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(read) => Some(read),
            Err(error) => {
                let at = error.span().unwrap_or_else(|| value.span()).start;
                self.complain(at, format!("\"{}.{key}\" must be {expected}: {}", self.name, error.message()));
                None
            }
        }
    }

    /// The same with a second look, which says what is wrong.
    fn take_as<T: DeserializeOwned, V>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&T) -> Option<V>,
        shown: impl FnOnce(&T) -> String,
    ) -> Option<V> {
        let taken = self.take::<T>(key, expected)?;
        let value = read(taken.get_ref());
        if value.is_none() {
            let text = format!("\"{}.{key}\" must be {expected}, not {}", self.name, shown(taken.get_ref()));
            self.complain(taken.span().start, text);
        }
        value
    }
}

impl Layer<'_> {
    /// Reads the `[[listener]]` blocks.
    pub(super) fn listeners(&mut self, file: File<'_>, at: usize, value: &DeValue<'_>) {
        let blocks =
            value.as_array().map(|list| list.iter().map(|block| (block.span().start, block.get_ref().as_table())));
        let Some(blocks) = blocks else {
            self.complain(&file.at(at), "\"listener\" is a list of tables: write [[listener]] on a line of its own");
            return;
        };
        for (at, table) in blocks {
            let Some(table) = table else {
                self.complain(&file.at(at), "a \"listener\" is a table: write [[listener]] on a line of its own");
                continue;
            };
            let block = Block { file, name: LISTENER, table, at: file.at(at), mistakes: Vec::new() };
            self.listener(block);
        }
    }

    fn listener(&mut self, mut block: Block<'_>) {
        const ADDRESS: &str = "an address with a port such as \"127.0.0.1:9090\"";
        const WRITTEN_MODE: &str = "the mode of a file in octal such as \"0660\"";
        block.expect_keys(&["address", "path", "mode", "serves"]);
        let quote = |text: &String| quoted(text);
        let address = block.take_as("address", ADDRESS, |text: &String| parse_address(text), quote);
        let path = block.take::<String>("path", "the path of a unix socket such as \"/run/tidings/tidings.sock\"");
        let octal = |text: &String| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= MODE_MAX);
        let mode = block.take_as("mode", WRITTEN_MODE, octal, quote);
        let serves = block.serves();
        // By its keys, whatever their values: one that could not be read has its own complaint already.
        let has = |key: &str| block.table.contains_key(key);
        let problem = match (has("address"), has("path")) {
            (true, true) => Some("a [[listener]] has an \"address\" or a \"path\", not both"),
            (false, false) => Some("a [[listener]] needs an \"address\", or the \"path\" of a unix socket"),
            (true, false) if has("mode") => Some("a \"mode\" is for the \"path\" of a unix socket"),
            _ => None,
        };
        block.mistakes.extend(problem.map(|problem| (block.at.clone(), problem.to_owned())));
        let at = match (address, path) {
            (Some(address), None) => Some(ListenAt::Address(address)),
            (None, Some(path)) => {
                Some(ListenAt::Path { path: PathBuf::from(path.into_inner()), mode: mode.unwrap_or(MODE) })
            }
            _ => None,
        };
        if block.mistakes.is_empty()
            && let (Some(at), Some(serves)) = (at, serves)
        {
            self.listen(ListenerConfig { at, serves }, block.at);
            return;
        }
        block.mistakes.iter().for_each(|(at, problem)| self.complain(at, problem));
    }
}

impl Block<'_> {
    /// What a listener serves: clients, if nothing is said.
    fn serves(&mut self) -> Option<Serves> {
        if !self.table.contains_key("serves") {
            return Some(Serves::CLIENTS);
        }
        let all = || Serves::words().map(quoted).collect::<Vec<_>>().join(", ");
        let words = self.take::<Vec<Spanned<String>>>("serves", &format!("a list of {}", all()))?;
        // From nothing and not from the default: a list without "clients" does not serve them.
        let mut serves: Option<Serves> = None;
        for word in words.get_ref() {
            match Serves::parse(word.get_ref()) {
                Some(one) => serves = Some(serves.map_or(one, |serves| serves.and(one))),
                None => {
                    let near = nearest(word.get_ref(), Serves::words().map(str::to_owned));
                    let hint = near.map_or_else(String::new, |near| format!(": did you mean {}?", quoted(&near)));
                    let word_at = word.span().start;
                    self.complain(
                        word_at,
                        format!("a listener serves {}, not {}{hint}", all(), quoted(word.get_ref())),
                    );
                }
            }
        }
        if words.get_ref().is_empty() {
            self.complain(
                words.span().start,
                format!("\"listener.serves\" must be a list of {}, not an empty list", all()),
            );
        }
        serves
    }
}
