//! `[[listener]]` as it stands in a file.

use super::{Block, Kind};
use crate::config::knobs::Config;
use crate::config::listener::{ListenAt, ListenerConfig, MODE};
use crate::config::settings::{Layer, Source};
use crate::config::text::{parse_address, quoted};
use crate::model::serves::Serves;
use std::path::PathBuf;

/// The most that the mode of a file can be.
const MODE_MAX: u32 = 0o777;

/// What a written file says of them.
const ABOUT: &str = "More places to listen, each a block: [[listener]] with address = \"127.0.0.1:9090\", or path = \
    \"/run/tidings/tidings.sock\" and mode = \"0600\" for a unix socket, and serves = [\"clients\"], of \"clients\" \
    (everything, the pages of operators with their key), \"operators\" (their pages; everyone who reaches the listener is \
    one), \"metrics\" (/metrics without a key), \"health\" (/livez and /readyz, which every listener answers). \
    trusted_proxies = [\"10.0.0.2\"] names the proxies that may say where a client is, in X-Forwarded-For or Forwarded or, with \
    proxy_protocol = true, in a PROXY header before the first byte. tls = true is for https:// and wss://, with a \
    [[certificate]] or tls.chain; redirect = \"https\" sends everybody there, but for health checks. name = \"web\" is what a service manager calls the socket that it passes for it. With a block and without server.listen there is no listener but the blocks.";

impl Kind for ListenerConfig {
    const NAME: &'static str = "listener";
    const KEYS: &'static [&'static str] =
        &["address", "path", "mode", "serves", "trusted_proxies", "proxy_protocol", "tls", "redirect", "name"];
    const ABOUT: &'static str = ABOUT;

    fn list(config: &mut Config) -> &mut Vec<ListenerConfig> {
        &mut config.listeners
    }

    fn read(block: &mut Block<'_>) -> Option<ListenerConfig> {
        const ADDRESS: &str = "an address with a port such as \"127.0.0.1:9090\"";
        const NAME: &str = "a name of 1 to 255 visible ASCII characters without a colon, such as \"web\"";
        const WRITTEN_MODE: &str = "the mode of a file in octal such as \"0660\"";
        let quote = |text: &String| quoted(text);
        let address = block.take_as("address", ADDRESS, |text: &String| parse_address(text), quote);
        let path = block.take::<String>("path", "the path of a unix socket such as \"/run/tidings/tidings.sock\"");
        let octal = |text: &String| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= MODE_MAX);
        let mode = block.take_as("mode", WRITTEN_MODE, octal, quote);
        let redirect = block.take::<String>("redirect", "\"https\", or an origin such as \"https://push.example.com\"");
        let redirect = redirect.map(toml::Spanned::into_inner);
        if redirect.is_some() && block.has("serves") {
            block.complain_of_all(
                "a [[listener]] with \"redirect\" serves health checks alone: leave \"serves\" out of it",
            );
        }
        let serves = if redirect.is_some() { Some(Serves::HEALTH) } else { serves(block) };
        let trusted_proxies = block.take_networks("trusted_proxies");
        let proxy_protocol = block.take::<bool>("proxy_protocol", "true or false").is_some_and(|flag| *flag.get_ref());
        let tls = block.take::<bool>("tls", "true or false").is_some_and(|flag| *flag.get_ref());
        let name = block.take_as("name", NAME, |text: &String| is_name(text).then(|| text.clone()), quote);
        let problem = match (block.has("address"), block.has("path")) {
            (true, true) => Some("a [[listener]] has an \"address\" or a \"path\", not both"),
            (false, false) => Some("a [[listener]] needs an \"address\", or the \"path\" of a unix socket"),
            (true, false) if block.has("mode") => Some("a \"mode\" is for the \"path\" of a unix socket"),
            _ => None,
        };
        if let Some(problem) = problem {
            block.complain_of_all(problem);
        }
        let at = match (address, path) {
            (Some(address), None) => ListenAt::Address(address),
            (None, Some(path)) => ListenAt::Path { path: PathBuf::from(path.into_inner()), mode: mode.unwrap_or(MODE) },
            _ => return None,
        };
        Some(ListenerConfig {
            at,
            serves: serves?,
            trusted_proxies,
            proxy_protocol,
            tls,
            redirect,
            name: name.unwrap_or_default(),
        })
    }

    fn added(layer: &mut Layer<'_>, source: Source) {
        layer.replace_default_listener(source);
    }
}

/// What service managers can call a socket (FileDescriptorName= of systemd.socket(5)).
fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

/// What a listener serves: clients, if nothing is said.
fn serves(block: &mut Block<'_>) -> Option<Serves> {
    if !block.has("serves") {
        return Some(Serves::CLIENTS);
    }
    let known: Vec<&str> = Serves::words().collect();
    let words = block.take_words("serves", &known, Serves::parse)?;
    // From nothing and not from the default: a list without "clients" does not serve them.
    words.into_iter().map(|(_, one)| one).reduce(Serves::and)
}
