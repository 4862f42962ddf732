//! Networks as a kind of value: a list of ranges of addresses, single addresses, and the word for unix sockets.

use super::kind::Kind;
use super::text::{items, list, quoted};
use crate::model::network::Network;
use toml::de::DeValue;

/// Where clients or proxies come from.
pub(super) struct Networks;

/// What is expected of a list of networks.
pub(super) const EXPECTED: &str = "a list of networks such as [\"10.0.0.0/8\", \"2001:db8::1\", \"unix\"]";

impl Kind<Vec<Network>> for Networks {
    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn unit(&self) -> String {
        "list of ranges of IP addresses, addresses, and \"unix\" for unix sockets".to_owned()
    }

    fn value_of<'t>(&self, texts: &'t [String]) -> DeValue<'t> {
        items(texts)
    }

    fn is_list(&self) -> bool {
        true
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Vec<Network>> {
        value.as_array()?.iter().map(|item| Network::parse(item.get_ref().as_str()?).ok()).collect()
    }

    /// A network that is nearly right deserves more than what lists look like.
    fn read_checked(&self, value: &DeValue<'_>) -> Result<Vec<Network>, String> {
        let texts = value
            .as_array()
            .and_then(|list| list.iter().map(|item| item.get_ref().as_str()).collect::<Option<Vec<&str>>>());
        let texts = texts.ok_or_else(|| format!("must be {EXPECTED}"))?;
        let network = |text: &str| Network::parse(text).map_err(|problem| format!("has {}: {problem}", quoted(text)));
        texts.into_iter().map(network).collect()
    }

    fn write(&self, value: &Vec<Network>) -> String {
        written(value)
    }

    fn check(&self, _: &Vec<Network>) -> Result<(), String> {
        Ok(())
    }
}

/// A list of networks as TOML.
pub(super) fn written(networks: &[Network]) -> String {
    let texts: Vec<String> = networks.iter().map(Network::to_string).collect();
    list(texts.iter().map(String::as_str))
}
