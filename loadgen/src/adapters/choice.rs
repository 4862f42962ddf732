//! The dialects by name, and their options.

use super::Adapter;
use super::centrifugo::Centrifugo;
use super::nats::Nats;
use super::nchan::Nchan;
use super::pusher::Pusher;
use super::raw::Raw;
use super::socketio::SocketIo;
use super::sse::Sse;
use super::tidings::Tidings;
use std::collections::BTreeMap;

/// Why there is no such dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChoice {
    /// Nobody speaks that.
    #[error("there is no adapter `{0}`{hint}: there are {all}", hint = did_you_mean(.0, NAMES), all = NAMES.join(", "))]
    Name(String),
    /// The dialect has no such option.
    #[error("the adapter {0} has no option `{1}`{2}")]
    Option(&'static str, String, String),
    /// An option has a value that it cannot have.
    #[error("the option {0} of the adapter is `{1}`; it is {2}")]
    Value(&'static str, String, &'static str),
}

/// All dialects.
pub const NAMES: &[&str] = &["raw", "tidings", "sse", "nchan", "nats", "pusher", "centrifugo", "socketio"];

/// The options of a dialect: name, default, meaning.
#[must_use]
pub fn options(name: &str) -> &'static [(&'static str, &'static str, &'static str)] {
    match name {
        "raw" => &[
            ("echo_path", "/echo", "where what is sent comes back"),
            ("subscribe_path", "/fan", "where subscribers connect"),
            ("publish_path", "/pub", "where publishers connect: each message is published"),
        ],
        "tidings" => &[
            ("resume", "false", "whether subscribers that come back ask for what they missed"),
            ("acknowledge", "false", "whether each publication over the socket asks for an answer"),
        ],
        "sse" => &[
            ("subscribe_path", "/channels/{channel}", "where streams are"),
            ("publish_path", "/channels/{channel}", "where publications are POSTed"),
            ("resume", "false", "whether a client that comes back sends Last-Event-ID"),
        ],
        "nchan" => &[
            ("subscribe_path", "/sub/{channel}", "where subscribers connect"),
            ("publish_path", "/pub/{channel}", "where publishers connect"),
        ],
        "pusher" => &[
            ("app_id", "app-id", "the application's id"),
            ("key", "app-key", "its key"),
            ("secret", "app-secret", "its secret"),
        ],
        "centrifugo" => &[
            ("path", "/connection/websocket", "where clients connect"),
            ("api_key", "", "the key of the API, for publishing over HTTP"),
            ("resume", "false", "whether subscribers that come back ask for what they missed"),
        ],
        "socketio" => &[("path", "/socket.io/", "where the server is")],
        _ => &[],
    }
}

/// The option that the path of the URL is the value of; `None` where the dialect has paths of its own. `publications` says
/// that the run is about receivers, and not about echoes.
#[must_use]
pub fn path_option(name: &str, publications: bool) -> Option<&'static str> {
    match name {
        "raw" if publications => Some("subscribe_path"),
        "raw" => Some("echo_path"),
        "sse" | "nchan" => Some("subscribe_path"),
        "centrifugo" | "socketio" => Some("path"),
        _ => None,
    }
}

/// All dialects and their options, as text.
#[must_use]
pub fn help() -> String {
    let mut text = "Adapters and their options (--adapter NAME --adapter-option NAME=VALUE):\n".to_owned();
    for name in NAMES {
        text.push_str(&format!("  {name}\n"));
        for (option, default, meaning) in options(name) {
            let default = if default.is_empty() { "none" } else { default };
            text.push_str(&format!("    {option:<16} {meaning} (default {default})\n"));
        }
    }
    text
}

/// The name of a dialect that there is.
///
/// # Errors
/// There is none of that name.
pub fn known(name: &str) -> Result<&'static str, BadChoice> {
    NAMES.iter().find(|known| **known == name).copied().ok_or_else(|| BadChoice::Name(name.to_owned()))
}

/// Makes an adapter.
///
/// # Errors
/// There is none of that name, or it has no such option.
pub fn build(name: &str, given: &BTreeMap<String, String>) -> Result<Box<dyn Adapter>, BadChoice> {
    let known = known(name)?;
    let names: Vec<&str> = options(name).iter().map(|(option, _, _)| *option).collect();
    if let Some(unknown) = given.keys().find(|option| !names.contains(&option.as_str())) {
        let all = format!("{}: there are {}", did_you_mean(unknown, &names), names.join(", "));
        return Err(BadChoice::Option(known, unknown.clone(), all));
    }
    let text = |option: &str| {
        let default = options(name).iter().find(|(known, _, _)| *known == option).map_or("", |(_, default, _)| default);
        given.get(option).cloned().unwrap_or_else(|| default.to_owned())
    };
    Ok(match known {
        "raw" => Box::new(Raw {
            echo_path: text("echo_path"),
            subscribe_path: text("subscribe_path"),
            publish_path: text("publish_path"),
        }),
        "sse" => Box::new(Sse {
            subscribe_path: text("subscribe_path"),
            publish_path: text("publish_path"),
            resume: flag("resume", &text("resume"))?,
        }),
        "nchan" => Box::new(Nchan { subscribe_path: text("subscribe_path"), publish_path: text("publish_path") }),
        "nats" => Box::new(Nats),
        "pusher" => {
            Box::new(Pusher { app_id: text("app_id"), key: text("key"), secret: text("secret"), clock: unix_seconds })
        }
        "centrifugo" => Box::new(Centrifugo {
            path: text("path"),
            api_key: text("api_key"),
            resume: flag("resume", &text("resume"))?,
        }),
        "socketio" => Box::new(SocketIo { path: text("path") }),
        _ => Box::new(Tidings {
            resume: flag("resume", &text("resume"))?,
            acknowledge: flag("acknowledge", &text("acknowledge"))?,
        }),
    })
}

/// For signatures that say when they were made.
fn unix_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn flag(option: &'static str, value: &str) -> Result<bool, BadChoice> {
    value.parse().map_err(|_| BadChoice::Value(option, value.to_owned(), "true or false"))
}

fn did_you_mean(word: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|candidate| strsim::damerau_levenshtein(word, candidate));
    nearest
        .filter(|nearest| strsim::damerau_levenshtein(word, nearest) <= 3)
        .map_or_else(String::new, |nearest| format!(" (did you mean `{nearest}`?)"))
}

#[cfg(test)]
mod tests {
    use super::{NAMES, build};
    use std::collections::BTreeMap;

    #[test]
    fn every_dialect_can_be_had_and_mistakes_name_what_is_near() {
        NAMES.iter().for_each(|name| assert!(build(name, &BTreeMap::new()).is_ok(), "{name}"));
        let error = build("tiding", &BTreeMap::new()).expect_err("a mistake").to_string();
        assert!(error.contains("did you mean `tidings`?"), "{error}");
        let options = BTreeMap::from([("resum".to_owned(), "true".to_owned())]);
        let error = build("tidings", &options).expect_err("a mistake").to_string();
        assert!(error.contains("did you mean `resume`?"), "{error}");
        let options = BTreeMap::from([("resume".to_owned(), "yes".to_owned())]);
        assert!(build("tidings", &options).expect_err("a mistake").to_string().contains("true or false"));
    }
}
