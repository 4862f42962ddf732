//! `tidings config`: checks a configuration, shows where each value comes from, or prints the default one.

use super::args::{ConfigCommand, PolicyArgs, SettingsArgs};
use super::settings::{gather, named_as_here, with_flags};
use super::{CONFIG, Misconfigured, Outcome, note};
use std::io::{self, Write as _};
use std::process::ExitCode;
use tidings::Config;
use tidings::config::Settings;
use tidings::server::{check_files, explain_policy};

/// Runs the command.
pub(crate) fn run(command: &ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Check(args) => check(args),
        ConfigCommand::Show(args) => show(args),
        ConfigCommand::Policy(args) => policy(args),
        ConfigCommand::Default => {
            io::stdout().write_all(Config::describe_default().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(args: &SettingsArgs) -> Outcome {
    let settings = gather(args).map_err(Misconfigured)?;
    warn(&settings);
    // What a server reads when it starts is read here too: a valid configuration is one that it starts with.
    match settings.check().and_then(|()| check_files(settings.config())) {
        Ok(()) => {
            writeln!(io::stdout(), "the configuration is valid")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let count = error.problems().len();
            note(&with_flags(&error));
            note(&format!("tidings: {count} mistake{} in the configuration", if count == 1 { "" } else { "s" }));
            Ok(ExitCode::from(CONFIG))
        }
    }
}

/// Shows the configuration even if it has mistakes: that is how they are found.
fn show(args: &SettingsArgs) -> Outcome {
    let settings = gather(args).map_err(Misconfigured)?;
    warn(&settings);
    io::stdout().write_all(settings.show().as_bytes())?;
    match settings.check() {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Misconfigured(with_flags(&error)).into()),
    }
}

/// Answers for the configuration that a server would be started with.
fn policy(args: &PolicyArgs) -> Outcome {
    let settings = gather(&args.settings).map_err(Misconfigured)?;
    warn(&settings);
    settings.check().map_err(|error| Misconfigured(with_flags(&error)))?;
    let credential = args.token.as_deref().or(args.key.as_deref());
    let text = explain_policy(settings.config(), &args.channel, credential)?;
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn warn(settings: &Settings) {
    settings.warnings().iter().for_each(|warning| note(&format!("warning: {}", named_as_here(warning))));
}
