//! The flag `--engine`: a word, or the address of a Redis.

use clap::builder::TypedValueParser;
use clap::error::{Error, ErrorKind};
use clap::{Arg, Command};
use std::ffi::OsStr;
use std::str::FromStr;
use tidings::config::{EngineKind, RedisUrl, Settings};

/// What the flag says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EngineFlag {
    /// A word; "redis" is the one that the other settings describe.
    Kind(EngineKind),
    /// Redis at this address.
    At(RedisUrl),
}

impl FromStr for EngineFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<EngineFlag, String> {
        if text.contains("://") {
            return address(text).map(EngineFlag::At);
        }
        let kind = text.parse().map_err(|problem| format!("{problem}, or an address such as \"redis://localhost\""));
        kind.map(EngineFlag::Kind)
    }
}

/// Reads the flag. Clap's own message would repeat what was given, which may have a password in it.
#[derive(Debug, Clone)]
pub(crate) struct EngineParser;

impl TypedValueParser for EngineParser {
    type Value = EngineFlag;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<EngineFlag, Error> {
        let read = value.to_string_lossy().parse();
        read.map_err(|problem: String| {
            Error::raw(ErrorKind::ValueValidation, format!("--engine: {problem}\n")).with_cmd(command)
        })
    }
}

impl EngineFlag {
    /// Applies it.
    pub(crate) fn take(&self, settings: &mut Settings) {
        let kind = match self {
            EngineFlag::Kind(kind) => *kind,
            EngineFlag::At(url) => {
                settings.change("redis.url", "--engine", |config| config.redis.url.clone_from(url));
                EngineKind::Redis
            }
        };
        settings.change("server.engine", "--engine", |config| config.server.engine = kind);
    }
}

/// Reads an address that was given as a flag.
///
/// # Errors
/// It is none, or has a password.
pub(crate) fn address(text: &str) -> Result<RedisUrl, String> {
    let url: RedisUrl = text.parse().map_err(|problem| format!("it is not the address of a Redis: {problem}"))?;
    if url.has_password() {
        return Err("all users of a machine can read the arguments of a process, so no password is in one: name a file with it \
                    (--redis.password_file FILE), or set TIDINGS_REDIS_URL"
            .to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::EngineFlag;
    use crate::cli::args::{Arguments, SettingsArgs};
    use crate::cli::settings::gather_with;
    use clap::Parser as _;
    use tidings::config::EngineKind;

    #[test]
    fn a_word_or_an_address_says_which_engine() {
        for (text, kind, url) in [
            ("memory", EngineKind::Memory, "redis://127.0.0.1:6379"),
            ("disk", EngineKind::Disk, "redis://127.0.0.1:6379"),
            ("redis", EngineKind::Redis, "redis://127.0.0.1:6379"),
            ("redis://localhost", EngineKind::Redis, "redis://localhost:6379"),
            ("rediss://app@r.example:1/2", EngineKind::Redis, "rediss://app@r.example:1/2"),
            ("unix:///run/redis.sock", EngineKind::Redis, "unix:///run/redis.sock"),
        ] {
            let args = SettingsArgs { engine: Some(text.parse().expect(text)), ..SettingsArgs::default() };
            let settings = gather_with(&args, std::iter::empty()).expect("no file");
            settings.check().expect(text);
            assert_eq!(
                (settings.config().server.engine, settings.config().redis.url.to_string()),
                (kind, url.to_owned())
            );
            assert_eq!(settings.source("server.engine").to_string(), "--engine");
        }
    }

    #[test]
    fn what_is_neither_is_told_what_is_allowed_and_a_password_is_refused() {
        for (text, words) in [
            ("Redis", "\"memory\", \"disk\", \"redis\", not \"Redis\", or an address such as \"redis://localhost\""),
            ("nats://localhost", "it begins with redis://, rediss:// (TLS) or unix:///"),
            ("redis://localhost/x", "a database is a number"),
            ("redis://u:hunter2@localhost", "--redis.password_file FILE"),
        ] {
            let error = text.parse::<EngineFlag>().expect_err(text);
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
            let error = Arguments::try_parse_from(["tidings", "--engine", text]).expect_err(text).to_string();
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
    }
}
