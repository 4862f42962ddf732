//! A mixed scenario: a TOML file with a table per group of connections.
//!
//! ```toml
//! [[group]]
//! name = "readers"
//! verb = "subscribe"          # echo, subscribe, publish, idle or handshake
//! connections = "10k"
//! opening = "2k"              # connections per second, or a ramp
//!
//! [[group]]
//! name = "prices"
//! verb = "publish"
//! connections = 1
//! rate = "0:500/30s"          # messages per second, or a ramp; or depth = 8
//! size = "128:90%,1KiB:10%"
//! ```

use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// The keys of a group.
const KEYS: [&str; 12] = [
    "name",
    "verb",
    "connections",
    "rate",
    "depth",
    "size",
    "opening",
    "start",
    "lifetime",
    "slow",
    "read_rate",
    "http",
];

/// A scenario file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The groups.
    pub group: Vec<GroupSpec>,
}

/// A group as the file has it; its values are in the grammar of the command line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// What it is called.
    pub name: String,
    /// What its connections do.
    pub verb: Spanned<String>,
    /// How many.
    pub connections: Spanned<Value>,
    /// Messages per second over all of them.
    pub rate: Option<Spanned<Value>>,
    /// Messages in progress per connection, instead of a rate.
    pub depth: Option<u32>,
    /// How large they are.
    pub size: Option<Spanned<Value>>,
    /// Connections per second.
    pub opening: Option<Spanned<Value>>,
    /// When the group begins, since the run did.
    pub start: Option<Spanned<String>>,
    /// How long connections live on average.
    pub lifetime: Option<Spanned<String>>,
    /// The share of slow readers.
    pub slow: Option<f64>,
    /// What a slow reader reads per second.
    pub read_rate: Option<Spanned<Value>>,
    /// Whether publications go over HTTP.
    #[serde(default)]
    pub http: bool,
}

/// A number, or a text with a unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// As it is.
    Number(u64),
    /// With a unit.
    Text(String),
}

impl Value {
    /// As the grammar of the command line reads it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text.clone(),
        }
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Names the line, the key, and the nearest key where one is unknown.
    pub fn read(text: &str) -> Result<Scenario, String> {
        let scenario: Scenario = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or_else(String::new, |span| format!("line {}: ", line_of(text, &span)));
            let message = error.message().trim_end().to_owned();
            let hint = unknown_key(&message)
                .and_then(nearest_key)
                .map_or_else(String::new, |key| format!(": did you mean `{key}`?"));
            format!("{at}{message}{hint}")
        })?;
        if scenario.group.is_empty() { Err("there is no [[group]] in it".to_owned()) } else { Ok(scenario) }
    }

    /// The line of a value, for what is found wrong with it later.
    #[must_use]
    pub fn line(text: &str, span: &Range<usize>) -> usize {
        line_of(text, span)
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    text[..span.start.min(text.len())].matches('\n').count() + 1
}

fn unknown_key(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

fn nearest_key(key: &str) -> Option<&'static str> {
    let nearest = KEYS.into_iter().min_by_key(|known| strsim::damerau_levenshtein(key, known))?;
    (strsim::damerau_levenshtein(key, nearest) <= 3).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::Scenario;

    #[test]
    fn groups_are_read() {
        let text = "[[group]]\nname = \"a\"\nverb = \"echo\"\nconnections = 5\nrate = \"1k\"\n\n[[group]]\nname = \"b\"\nverb = \"idle\"\nconnections = \"2k\"\n";
        let scenario = Scenario::read(text).expect("a scenario");
        assert_eq!((scenario.group.len(), scenario.group[1].connections.get_ref().text()), (2, "2k".to_owned()));
        assert_eq!(Scenario::line(text, &scenario.group[1].verb.span()), 9);
    }

    #[test]
    fn mistakes_name_line_key_and_the_nearest_key() {
        let text = "[[group]]\nname = \"a\"\nverb = \"echo\"\nconections = 5\n";
        let error = Scenario::read(text).expect_err("a mistake");
        assert!(
            error.contains("line 4") && error.contains("conections") && error.contains("did you mean `connections`"),
            "{error}"
        );
        assert!(Scenario::read("group = []\n").expect_err("nothing").contains("no [[group]]"));
        let error = Scenario::read("[[group]]\nname = 5\n").expect_err("a mistake");
        assert!(error.contains("line 2"), "{error}");
    }
}
