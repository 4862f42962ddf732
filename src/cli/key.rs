//! `tidings key`: makes the secret of a backend's key, or the hash of one. No secret is an argument.

use super::{Outcome, note};
use clap::{Args, Subcommand};
use std::io::{self, Read, Write};
use std::process::ExitCode;
use tidings::config::{KeySecretFrom, KeySettings};
use tidings::model::api_key::{KeyHash, KeySecret, SECRET_RANDOM_BYTES, secret_of};
use tidings::model::glob::Glob;
use tidings::model::grants::{Action, Actions, Grant};
use tidings::model::network::Network;
use tidings::server::random_bytes;

/// More than any secret, and little enough to read before it is looked at.
const INPUT_BYTES: u64 = 1024;

/// What `tidings key` does.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key: prints its secret, once, and the [[key]] block with its hash on standard error
    New(NewKeyArgs),
    /// Print the hash of the secret on standard input: all users of a machine can read the arguments of a process
    Hash,
}

/// Arguments of `tidings key new`.
#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// Its name in logs and messages, such as app-2026-11; each key has its own
    pub(crate) name: String,
    /// Channels that it is for: a name, or a pattern such as orders:* or **; may be repeated
    #[arg(long, value_name = "PATTERN", default_value = "**", value_parser = pattern)]
    pub(crate) channels: Vec<Glob>,
    /// What its holder may do with them: read, write, presence, create, manage
    #[arg(long, value_name = "ACTION", default_value = "read,write", value_delimiter = ',', value_parser = action)]
    pub(crate) may: Vec<Action>,
    /// Where it may come from: 10.0.0.0/8, an address, or unix for unix sockets; may be repeated [default: anywhere]
    #[arg(long = "network", value_name = "NETWORK", value_delimiter = ',', value_parser = network)]
    pub(crate) networks: Vec<Network>,
}

/// Runs the command.
pub(crate) fn run(command: &KeyCommand) -> Outcome {
    match command {
        KeyCommand::New(args) => {
            let mut random = [0; SECRET_RANDOM_BYTES];
            random_bytes(&mut random)?;
            let secret = secret_of(&random);
            // The secret alone, so that `> FILE` keeps it and nothing else.
            let block = block(args, &secret)?;
            let mut out = io::stdout();
            writeln!(out, "{secret}").and_then(|()| out.flush())?;
            note(&block);
        }
        KeyCommand::Hash => writeln!(io::stdout(), "{}", hash(io::stdin().lock())?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn pattern(text: &str) -> Result<Glob, String> {
    Glob::parse(text).map_err(|problem| problem.to_string())
}

fn action(text: &str) -> Result<Action, String> {
    let words = || Action::ALL.map(Action::word).join(", ");
    Action::parse(text).ok_or_else(|| format!("there are {}", words()))
}

fn network(text: &str) -> Result<Network, String> {
    Network::parse(text).map_err(|problem| problem.to_string())
}

/// What goes into the configuration of the server. All other lines are comments, so that it can be appended to a file.
fn block(args: &NewKeyArgs, secret: &str) -> Result<String, String> {
    let hash = KeySecret::parse(secret).map_err(|problem| problem.to_string())?.hash();
    let grant = Grant { channels: args.channels.as_slice().into(), may: Actions::of(&args.may) };
    let key = KeySettings {
        name: args.name.clone(),
        secret: KeySecretFrom::Hash(hash),
        grants: vec![grant],
        networks: args.networks.clone(),
    };
    key.check()?;
    Ok(format!(
        "\n# The line above is the secret of the key {}. It is shown this once and kept nowhere.\n\
         # The server needs only its hash: this belongs into its configuration file.\n{}",
        key.name,
        key.write()
    ))
}

/// The hash of the secret on standard input.
fn hash(input: impl Read) -> Result<KeyHash, String> {
    let mut text = String::new();
    input.take(INPUT_BYTES).read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
    // Most files end with a line end, which is no part of the secret.
    KeySecret::parse(text.trim_end()).map(KeySecret::hash).map_err(|problem| format!("standard input: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::{KeyCommand, NewKeyArgs, block, hash};
    use crate::cli::args::{Arguments, Command};
    use clap::Parser as _;
    use tidings::Config;

    const SECRET: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    const HASH: &str = "sha256:5e445d1704abbbc7d1d7e7e75e83e1c66994c87bdbeb5ae1ea535948bd99f36c";

    fn new(arguments: &[&str]) -> Result<NewKeyArgs, String> {
        let parsed = Arguments::try_parse_from([&["tidings", "key", "new"], arguments].concat());
        match parsed.map_err(|error| error.to_string())?.command {
            Some(Command::Key(KeyCommand::New(args))) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_block_is_read_by_a_server_and_has_no_secret_in_it() {
        let arguments = ["app-2026-11", "--channels", "orders:*", "--channels", "a,b", "--may", "read,manage"];
        let args = new(&[&arguments[..], &["--network", "10.0.0.0/8,unix"]].concat()).expect("arguments");
        let block = block(&args, SECRET).expect("a key");
        assert!(block.contains(HASH) && !block.contains(SECRET), "{block}");
        let config = Config::from_toml("block", &block).expect("a configuration");
        config.check().expect("a key without mistakes");
        let expected = "grants = [{ channels = [\"orders:*\", \"a,b\"], may = [\"read\", \"manage\"] }]\nnetworks = [\"10.0.0.0/8\", \"unix\"]\n";
        assert!(config.keys[0].write().ends_with(expected), "{}", config.keys[0].write());
        let plain = new(&["a"]).and_then(|args| super::block(&args, SECRET)).expect("a key");
        assert!(plain.contains("grants = [{ channels = [\"**\"], may = [\"read\", \"write\"] }]\n"), "{plain}");
    }

    #[test]
    fn what_cannot_be_granted_is_said_before_a_secret_is_made() {
        for (arguments, said) in [
            (&["a", "--may", "reed"][..], "read, write, presence, create, manage"),
            (&["a", "--channels", ""], "a pattern is not empty"),
            (&["a", "--network", "10.0.0.1/8"], "did you mean \"10.0.0.0/8\"?"),
            (&[], "<NAME>"),
        ] {
            let error = new(arguments).expect_err("no key");
            assert!(error.contains(said), "{arguments:?}: {error}");
        }
        let error = new(&["a b"]).and_then(|args| block(&args, SECRET)).expect_err("no name");
        assert!(error.contains("1 to 64 letters"), "{error}");
    }

    #[test]
    fn a_hash_is_made_of_a_whole_secret_and_nothing_else() {
        for text in [SECRET.to_owned(), format!("{SECRET}\n"), format!("{SECRET}\r\n")] {
            assert_eq!(hash(text.as_bytes()).expect("a secret").to_string(), HASH);
        }
        for text in ["", "hunter2", &format!("{SECRET}x"), &format!("{SECRET}\n{SECRET}\n"), &"x".repeat(5000)] {
            let error = hash(text.as_bytes()).expect_err("no secret");
            assert!(
                error.contains("tidings key new NAME") && !error.contains("hunter2") && !error.contains(SECRET),
                "{error}"
            );
        }
    }
}
