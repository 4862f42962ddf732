//! Lists of tables in a configuration file: each block's values are read by serde, and every mistake has its own place.

mod certificate;
mod channel;
mod issuer;
mod key;
mod listener;

use super::certificate::CertificateConfig;
use super::channel::ChannelRule;
use super::issuer::IssuerConfig;
use super::key::KeySettings;
use super::kind::Kind as Value;
use super::knobs::Config;
use super::listener::ListenerConfig;
use super::names::nearest;
use super::networks::EXPECTED;
use super::place::File;
use super::settings::{Layer, Source};
use super::text::quoted;
use crate::model::network::Network;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// One kind of block.
pub(super) trait Kind: Sized {
    /// What its blocks are called in a file: `[[NAME]]`.
    const NAME: &'static str;
    /// The keys that one may have.
    const KEYS: &'static [&'static str];
    /// What it is for, as a comment in a written file.
    const ABOUT: &'static str;

    /// Where a configuration has them.
    fn list(config: &mut Config) -> &mut Vec<Self>;

    /// Reads one. What is wrong is complained of; `None`, or any value, when there was something.
    fn read(block: &mut Block<'_>) -> Option<Self>;

    /// One was added from this place in a file.
    fn added(_: &mut Layer<'_>, _: Source) {}
}

/// Reads a list of blocks into a layer.
type Reader = fn(&mut Layer<'_>, File<'_>, usize, &DeValue<'_>);

/// Every kind of block: its name, what it is for, and what reads a list of them.
pub(super) const KINDS: &[(&str, &str, Reader)] = &[
    row::<ListenerConfig>(),
    row::<CertificateConfig>(),
    row::<ChannelRule>(),
    row::<IssuerConfig>(),
    row::<KeySettings>(),
];

const fn row<K: Kind>() -> (&'static str, &'static str, Reader) {
    (K::NAME, K::ABOUT, |layer, file, at, value| layer.blocks::<K>(file, at, value))
}

/// One block while it is read.
pub(super) struct Block<'b> {
    file: File<'b>,
    /// What blocks of its kind are called.
    name: &'static str,
    pub(super) table: &'b DeTable<'b>,
    at: Source,
    mistakes: Vec<(Source, String)>,
}

impl<'b> Block<'b> {
    /// Complains of what stands at a byte of the file.
    pub(super) fn complain(&mut self, at: usize, problem: String) {
        self.mistakes.push((self.file.at(at), problem));
    }

    /// Complains of the block as a whole.
    pub(super) fn complain_of_all(&mut self, problem: impl Into<String>) {
        self.mistakes.push((self.at.clone(), problem.into()));
    }

    /// Whether a key is there, whatever its value: one that could not be read has its own complaint already.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A table in it that is called `name` and begins at a byte of the file. Its mistakes are to be taken over.
    fn within(&self, name: &'static str, at: usize, table: &'b DeTable<'b>) -> Block<'b> {
        Block { file: self.file, name, table, at: self.file.at(at), mistakes: Vec::new() }
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
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str, expected: &str) -> Option<Spanned<T>> {
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
    pub(super) fn take_as<T: DeserializeOwned, V>(
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

    /// Takes a value of the kinds that settings have, within its range.
    pub(super) fn take_value<T>(&mut self, key: &str, kind: &impl Value<T>) -> Option<T> {
        let given: &Spanned<DeValue<'_>> = self.table.get(key)?;
        match kind.read_checked(given.get_ref()) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.complain(given.span().start, format!("\"{}.{key}\" {problem}", self.name));
                None
            }
        }
    }

    /// Takes a list of words, each of which stands for something.
    pub(super) fn take_words<W>(
        &mut self,
        key: &str,
        known: &[&'static str],
        read: impl Fn(&str) -> Option<W>,
    ) -> Option<Vec<(usize, W)>> {
        let all = known.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
        let words = self.take::<Vec<Spanned<String>>>(key, &format!("a list of {all}"))?;
        let mut found = Vec::new();
        for word in words.get_ref() {
            let (at, text) = (word.span().start, word.get_ref());
            match read(text) {
                Some(one) => found.push((at, one)),
                None => {
                    let near = nearest(text, known.iter().map(|known| (*known).to_owned()));
                    let hint = near.map_or_else(String::new, |near| format!(": did you mean {}?", quoted(&near)));
                    self.complain(
                        at,
                        format!("\"{}.{key}\" is a list of {all}, not {}{hint}", self.name, quoted(text)),
                    );
                }
            }
        }
        if words.get_ref().is_empty() {
            let text = format!("\"{}.{key}\" must be a list of {all}, not an empty list", self.name);
            self.complain(words.span().start, text);
        }
        Some(found)
    }

    /// Takes a list of networks; none when there is no such key.
    pub(super) fn take_networks(&mut self, key: &str) -> Vec<Network> {
        let Some(texts) = self.take::<Vec<Spanned<String>>>(key, EXPECTED) else { return Vec::new() };
        let mut networks = Vec::new();
        for text in texts.get_ref() {
            match Network::parse(text.get_ref()) {
                Ok(network) => networks.push(network),
                Err(problem) => {
                    let problem = format!("\"{}.{key}\" has {}: {problem}", self.name, quoted(text.get_ref()));
                    self.complain(text.span().start, problem);
                }
            }
        }
        networks
    }
}

impl Layer<'_> {
    /// Reads a list of blocks of one kind.
    fn blocks<K: Kind>(&mut self, file: File<'_>, at: usize, value: &DeValue<'_>) {
        let name = K::NAME;
        let blocks =
            value.as_array().map(|list| list.iter().map(|block| (block.span().start, block.get_ref().as_table())));
        let Some(blocks) = blocks else {
            let text = format!("\"{name}\" is a list of tables: write [[{name}]] on a line of its own");
            self.complain(&file.at(at), &text);
            return;
        };
        for (at, table) in blocks {
            let Some(table) = table else {
                let text = format!("a \"{name}\" is a table: write [[{name}]] on a line of its own");
                self.complain(&file.at(at), &text);
                continue;
            };
            let mut block = Block { file, name, table, at: file.at(at), mistakes: Vec::new() };
            block.expect_keys(K::KEYS);
            let read = K::read(&mut block);
            match read {
                Some(read) if block.mistakes.is_empty() => {
                    let source = block.at;
                    K::list(&mut self.settings.config).push(read);
                    self.settings.blocks.entry(name).or_default().push(source.clone());
                    K::added(self, source);
                }
                _ => block.mistakes.iter().for_each(|(at, problem)| self.complain(at, problem)),
            }
        }
    }
}
