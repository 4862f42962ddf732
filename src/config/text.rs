//! Texts, lists of texts and addresses as kinds of values, and how texts are written as TOML.

use super::kind::Kind;
pub(super) use super::kind::quoted;
use std::net::{Ipv4Addr, SocketAddr};
use toml::Spanned;
use toml::de::{DeArray, DeValue};

/// A text, or a list of texts, of a certain form.
pub(super) struct Text {
    /// What it is, for people.
    pub(super) of: &'static str,
    /// An example.
    pub(super) example: &'static str,
    /// Whether a text has the form.
    pub(super) valid: fn(&str) -> bool,
}

impl Text {
    fn check_one(&self, text: &str) -> Result<(), String> {
        let wrong = || format!("must be {} such as {}, not {}", self.of, quoted(self.example), quoted(text));
        (self.valid)(text).then_some(()).ok_or_else(wrong)
    }
}

impl Kind<String> for Text {
    fn expected(&self) -> String {
        format!("{} such as {}", self.of, quoted(self.example))
    }

    fn unit(&self) -> String {
        self.of.to_owned()
    }

    fn value_of<'t>(&self, texts: &'t [String]) -> DeValue<'t> {
        // Never a number or a flag: `8080` may be a text, and so may `true`.
        DeValue::String(texts.last().map_or("", String::as_str).into())
    }

    fn read(&self, value: &DeValue<'_>) -> Option<String> {
        value.as_str().map(str::to_owned)
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn check(&self, value: &String) -> Result<(), String> {
        self.check_one(value)
    }
}

impl Kind<Vec<String>> for Text {
    fn expected(&self) -> String {
        format!("a list, each item {}, such as [{}]", self.of, quoted(self.example))
    }

    fn unit(&self) -> String {
        format!("list, each item {}", self.of)
    }

    fn value_of<'t>(&self, texts: &'t [String]) -> DeValue<'t> {
        items(texts)
    }

    fn is_list(&self) -> bool {
        true
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Vec<String>> {
        value.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
    }

    fn write(&self, value: &Vec<String>) -> String {
        list(value.iter().map(String::as_str))
    }

    fn check(&self, value: &Vec<String>) -> Result<(), String> {
        value.iter().try_for_each(|text| self.check_one(text))
    }
}

/// Addresses to listen on.
pub(super) struct Addresses;

impl Kind<Vec<SocketAddr>> for Addresses {
    fn expected(&self) -> String {
        "a list of addresses such as [\"127.0.0.1:8080\", \"[::1]:8080\"]".to_owned()
    }

    fn unit(&self) -> String {
        "list of IP addresses with port; port 0 takes a free one".to_owned()
    }

    fn value_of<'t>(&self, texts: &'t [String]) -> DeValue<'t> {
        items(texts)
    }

    fn is_list(&self) -> bool {
        true
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Vec<SocketAddr>> {
        value.as_array()?.iter().map(|item| item.get_ref().as_str().and_then(parse_address)).collect()
    }

    fn write(&self, value: &Vec<SocketAddr>) -> String {
        let texts: Vec<String> = value.iter().map(SocketAddr::to_string).collect();
        list(texts.iter().map(String::as_str))
    }

    fn check(&self, _: &Vec<SocketAddr>) -> Result<(), String> {
        Ok(())
    }
}

/// Reads an address to listen on: `127.0.0.1:8080`, `[::1]:8080`, or `localhost:8080` for IPv4 loopback.
#[must_use]
pub fn parse_address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port: u16| (Ipv4Addr::LOCALHOST, port).into()),
        None => text.parse().ok(),
    }
}

/// The items of a list that stands in variables or flags: each a list of TOML, or items with commas between them.
pub(super) fn items(texts: &[String]) -> DeValue<'_> {
    let mut items = DeArray::new();
    for text in texts {
        match DeValue::parse(text).map(Spanned::into_inner) {
            Ok(DeValue::Array(list)) => list.iter().for_each(|item| items.push(item.clone())),
            _ => {
                // Also what TOML reads as a number or a date: it is taken as it was written.
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                words.for_each(|word| items.push(Spanned::new(0..0, DeValue::String(word.into()))));
            }
        }
    }
    DeValue::Array(items)
}

/// Texts as a TOML array.
pub(super) fn list<'t>(items: impl Iterator<Item = &'t str>) -> String {
    format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
}
