//! The arguments of every command, with the help that people read.

use super::engine::{EngineFlag, EngineParser};
use super::key::KeyCommand;
use super::kick::KickArgs;
use super::knobs::KnobFlags;
use super::reload::ReloadArgs;
use super::server::ServerArgs;
use super::store::StoreCommand;
use super::who::WhoArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::path::PathBuf;
use tidings::config::{LogFormat, LogLevel};

/// A multithreaded WebSocket push server: POST to a channel, and everyone who GETs it receives it at once.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve (also what happens without a command)
    Serve(ServeArgs),
    /// Check a configuration, show it with where each value comes from, or print the default one to start from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Publish JSON to a channel
    Publish(PublishArgs),
    /// Print what is published to a channel, from now on or from a position
    Subscribe(SubscribeArgs),
    /// Publish invented prices and weather until Ctrl-C
    Demo(DemoArgs),
    /// List who is connected, for operators
    Who {
        #[command(flatten)]
        what: WhoArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// End connections, for operators, and refuse their tokens or keys from now on if that is wanted
    Kick {
        #[command(flatten)]
        what: KickArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Have a running server read its configuration again, for operators, and print what changed and what needs a restart;
    /// exits with 78 if the configuration is refused: nothing has changed then
    Reload {
        #[command(flatten)]
        what: ReloadArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make a key for a backend: a secret, and the block for the configuration of the server
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look at a store: the history on disk
    #[command(subcommand)]
    Store(StoreCommand),
    /// Ask a server whether it takes new clients; exits with 1 if it does not, or does not answer
    Health {
        #[command(flatten)]
        what: HealthArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Write the manual pages, one for each command
    Man(ManArgs),
}

/// What `tidings config` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Report every mistake at once, each with file, line and column, variable or flag; exits with 78 if there is one
    Check(SettingsArgs),
    /// Print every value with where it comes from: a flag, a variable, a place in the file, or the default
    Show(SettingsArgs),
    /// Print which rule a channel's name meets, why, and what somebody may do there
    Policy(PolicyArgs),
    /// Print a configuration file with every setting at its default, each with its reason, unit and range
    Default,
}

/// Arguments of `tidings config policy`.
#[derive(Debug, Default, Args)]
pub(crate) struct PolicyArgs {
    /// The channel's name
    #[arg(value_name = "CHANNEL")]
    pub(crate) channel: String,
    /// What the holder of this token may do, instead of a client that presents nothing
    #[arg(long, value_name = "TOKEN", conflicts_with = "key")]
    pub(crate) token: Option<String>,
    /// What the holder of this key may do
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// Arguments of `tidings serve`.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Print the configuration in force as TOML, each value with unit and reason, and exit
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Take the place of a server that runs with the same configuration: take its listening sockets over, accept, and have it
    /// drain (server.handover); without such a server, start as usual
    #[arg(long)]
    pub(crate) takeover: bool,
    /// Open a damaged log of the engine "disk" without what is damaged, whose readers are told that something is gone; `tidings
    /// store check` shows what that is
    #[arg(long)]
    pub(crate) accept_loss: bool,
}

/// Where settings come from: a flag, else a variable of the environment, else the file, else the default.
#[derive(Debug, Default, Clone, Args)]
#[command(
    after_help = "Every setting is also a flag with the name that it has in a file: --http.body_bytes 500kB; and a variable of the environment: \
    TIDINGS_HTTP_BODY_BYTES=500kB. A flag wins over a variable, a variable over the file. `tidings config default` lists all."
)]
pub(crate) struct SettingsArgs {
    /// Address to listen on, may be repeated; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub(crate) listen: Vec<SocketAddr>,
    /// Where positions are given and histories are kept: memory, disk (a log in --store.folder), or the address of a Redis that
    /// several servers share, such as redis://localhost [default: memory]
    #[arg(long, value_name = "ENGINE", value_parser = EngineParser)]
    pub(crate) engine: Option<EngineFlag>,
    /// Threads that own sockets [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) reactors: Option<usize>,
    /// Threads that parse large JSON [default: one per two cores]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
    /// Configuration file (TOML); `tidings config default` prints every setting
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Web origin whose pages may read and publish, may be repeated
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Host name under which the server may be reached, besides localhost, may be repeated
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,
    /// Let everyone who reaches the server publish, also through proxies and on addresses outside loopback
    #[arg(long)]
    pub(crate) allow_anonymous_publish: bool,
    /// What is logged to standard error: off, error, warn, info or debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// Form of the log lines: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// For development: also allow pages that were opened as files (the origins null and file://)
    #[arg(long)]
    pub(crate) dev: bool,
    /// File with the operators' key [default: TIDINGS_OPERATOR_KEY, TIDINGS_OPERATOR_KEY_FILE, else a new key at each start]
    #[arg(long, value_name = "FILE")]
    pub(crate) operator_key_file: Option<String>,
    #[command(flatten)]
    pub(crate) knobs: KnobFlags,
}

/// Arguments of `tidings publish`.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Name of the channel
    pub(crate) channel: String,
    /// What to publish, sent byte for byte; `-` publishes each line of standard input (NDJSON), or all of it as one
    /// publication when the first line is not complete
    #[arg(allow_negative_numbers = true)]
    pub(crate) json: String,
    /// A name for the kind of publication
    #[arg(long)]
    pub(crate) event: Option<String>,
    /// Idempotency key: publishing again with the same key changes nothing. Line N of standard input has the key KEY:N
    #[arg(long)]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Arguments of `tidings subscribe`.
#[derive(Debug, Args)]
pub(crate) struct SubscribeArgs {
    /// Name of the channel
    pub(crate) channel: String,
    /// Continue after this position (EPOCH:OFFSET)
    #[arg(long, value_name = "POS", conflicts_with = "last", value_parser = position)]
    pub(crate) since: Option<String>,
    /// Begin with the newest N publications
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) last: Option<u32>,
    /// Print one JSON object per line, with channel, epoch and offset
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Arguments of `tidings demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Prices per second
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Arguments of `tidings health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Only whether it works: one that drains is well, too
    #[arg(long)]
    pub(crate) live: bool,
}

/// Arguments of `tidings completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that they are for
    #[arg(value_parser = shell())]
    pub(crate) shell: Shell,
}

/// Arguments of `tidings man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where the pages are written; the folder is made
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
}

/// Those whose completions a test runs.
fn shell() -> impl TypedValueParser<Value = Shell> {
    PossibleValuesParser::new(["bash", "zsh", "fish"]).try_map(|name| name.parse::<Shell>())
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    tidings::config::parse_address(text)
        .ok_or_else(|| "an address has the form 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// A position as the server gives it. Checked here since the server accepts any text and answers that publications are
/// missing, which does not show that a position was mistyped.
fn position(text: &str) -> Result<String, String> {
    let of_an_epoch = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_position = |(epoch, offset): (&str, &str)| {
        (8..=16).contains(&epoch.len())
            && epoch.bytes().all(of_an_epoch)
            && offset.bytes().all(|byte| byte.is_ascii_digit())
            && offset.parse::<u64>().is_ok()
    };
    if text.split_once(':').is_some_and(is_position) {
        return Ok(text.to_owned());
    }
    Err("a position is EPOCH:OFFSET, such as Zm9vYmFyMQ:41, as `tidings publish` prints it; to begin with the newest \
         publications, use --last N"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Command};
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves_with_the_same_flags() {
        let plain =
            Arguments::try_parse_from(["tidings", "--listen", "localhost:0", "--reactors", "2"]).expect("flags");
        assert!(plain.command.is_none());
        assert_eq!(plain.serve.settings.listen, ["127.0.0.1:0".parse().expect("an address")]);
        let named = Arguments::try_parse_from(["tidings", "serve", "--listen", "[::1]:1", "--listen", "127.0.0.1:2"]);
        let Some(Command::Serve(args)) = named.expect("flags").command else { panic!("not serve") };
        assert_eq!((args.settings.listen.len(), args.settings.reactors), (2, None));
        assert!(Arguments::try_parse_from(["tidings", "--listen", "example.com:1"]).is_err());
    }

    #[test]
    fn a_position_that_is_none_is_told_what_one_looks_like() {
        let subscribe = |since: &str| Arguments::try_parse_from(["tidings", "subscribe", "a", "--since", since]);
        for since in ["Zm9vYmFyMQ:41", "abcdefgh:0", "a-b_c0000000000z:18446744073709551615"] {
            subscribe(since).expect(since);
        }
        for since in
            ["41", "Zm9vYmFyMQ", "Zm9vYmFyMQ:", ":41", "Zm9vYmFyMQ:-1", "Zm9vYmFyMQ:+1", "abcdefg:1", "abcdefgh/:1"]
        {
            let error = subscribe(since).expect_err(since).to_string();
            assert!(error.contains("EPOCH:OFFSET, such as Zm9vYmFyMQ:41"), "{error}");
        }
        assert!(subscribe("abcdefghijklmnopq:1").is_err() && subscribe("abcdefgh:18446744073709551616").is_err());
    }

    #[test]
    fn numbers_below_zero_and_standard_input_are_json_too() {
        for json in ["-5", "-", "-1.5e3", "{}"] {
            let parsed = Arguments::try_parse_from(["tidings", "publish", "a", json, "--event", "x"]).expect(json);
            let Some(Command::Publish(args)) = parsed.command else { panic!("not publish") };
            assert_eq!((args.json.as_str(), args.event.as_deref()), (json, Some("x")));
        }
    }
}
