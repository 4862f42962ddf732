//! The settings of a server from its file, the environment and its flags, and how mistakes are worded on the command line.

use super::args::SettingsArgs;
use log::LevelFilter;
use std::fmt::Write as _;
use tidings::Config;
use tidings::config::{LogLevel, Settings};

/// Names in the library's errors, and the flags for them on the command line.
const FLAGS: [(&str, &str); 2] =
    [("server.listen", "--listen ADDR"), ("server.allow_anonymous_publish", "--allow-anonymous-publish")];

/// Applies the file, the variables of the environment and the flags, each overriding the one before it.
///
/// # Errors
/// The file cannot be read. Mistakes in what was read are kept, for [`Settings::check`] to report all of them.
pub(crate) fn gather(args: &SettingsArgs) -> Result<Settings, String> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        // No setting has a value that is not UTF-8, so the replacement character makes its check refuse it.
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    });
    gather_with(args, variables)
}

pub(crate) fn gather_with(
    args: &SettingsArgs,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Settings, String> {
    let mut settings = Settings::default();
    if let Some(path) = &args.config {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        settings.file(&name, &text);
    }
    settings.environment(variables);
    take_flags(&mut settings, args);
    for (path, values) in &args.knobs.0 {
        settings.flag(path, values);
    }
    Ok(settings)
}

/// Applies the flags with names of their own. Origins and hosts are added to those that are there already.
fn take_flags(settings: &mut Settings, args: &SettingsArgs) {
    if !args.listen.is_empty() {
        settings.change("server.listen", "--listen", |config| config.server.listen.clone_from(&args.listen));
    }
    if let Some(engine) = &args.engine {
        engine.take(settings);
    }
    if let Some(reactors) = args.reactors {
        settings.change("server.reactors", "--reactors", |config| config.server.reactors = reactors);
    }
    if let Some(workers) = args.workers {
        settings.change("server.workers", "--workers", |config| config.server.workers = workers);
    }
    if !args.allow_origin.is_empty() {
        let add = |config: &mut tidings::Config| config.server.allow_origin.extend(args.allow_origin.iter().cloned());
        settings.change("server.allow_origin", "--allow-origin", add);
    }
    if args.dev {
        let files = ["null", "file://"].map(str::to_owned);
        settings.change("server.allow_origin", "--dev", |config| config.server.allow_origin.extend(files));
    }
    if !args.allow_host.is_empty() {
        let add = |config: &mut tidings::Config| config.server.allow_host.extend(args.allow_host.iter().cloned());
        settings.change("server.allow_host", "--allow-host", add);
    }
    if args.allow_anonymous_publish {
        let allow = |config: &mut tidings::Config| config.server.allow_anonymous_publish = true;
        settings.change("server.allow_anonymous_publish", "--allow-anonymous-publish", allow);
    }
    if let Some(level) = args.log_level {
        settings.change("log.level", "--log-level", |config| config.log.level = level);
    }
    if let Some(format) = args.log_format {
        settings.change("log.format", "--log-format", |config| config.log.format = format);
    }
    if let Some(file) = &args.operator_key_file {
        let set = |config: &mut tidings::Config| config.server.operator_key_file.clone_from(file);
        settings.change("server.operator_key_file", "--operator-key-file", set);
    }
}

/// What is logged.
pub(crate) fn level(config: &Config) -> LevelFilter {
    match config.log.level {
        LogLevel::Off => LevelFilter::Off,
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
    }
}

/// A sentence of the library with the names that things have on the command line.
pub(crate) fn named_as_here(text: &str) -> String {
    text.replace("Config::describe", "tidings config default")
}

/// An error of the library, with the flags for the settings that it names.
pub(crate) fn with_flags(error: &dyn std::error::Error) -> String {
    let mut text = named_as_here(&error.to_string());
    let flags: Vec<&str> = FLAGS.iter().filter(|(name, _)| text.contains(name)).map(|(_, flag)| *flag).collect();
    if !flags.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\nOn the command line: {}", flags.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{gather, gather_with, with_flags};
    use crate::cli::args::SettingsArgs;
    use crate::cli::knobs::KnobFlags;

    #[test]
    fn flags_win_over_variables_variables_over_the_file_and_the_file_over_the_defaults() {
        let path = std::env::temp_dir().join(format!("tidings-serve-{}.toml", std::process::id()));
        let text =
            "[server]\nreactors = 3\nworkers = 4\nallow_origin = [\"https://a.example\"]\n[http]\nheaders = 50\n";
        std::fs::write(&path, text).expect("a file");
        let args = SettingsArgs {
            config: Some(path.clone()),
            reactors: Some(2),
            allow_origin: vec!["https://b.example".to_owned()],
            dev: true,
            knobs: KnobFlags(vec![("log.level".to_owned(), vec!["warn".to_owned()])]),
            ..SettingsArgs::default()
        };
        let variables = [("TIDINGS_SERVER_REACTORS", "9"), ("TIDINGS_SERVER_WORKERS", "5")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = gather_with(&args, variables.into_iter()).expect("a file");
        std::fs::remove_file(path).expect("the file");
        settings.check().expect("no mistake");
        let config = settings.config();
        assert_eq!((config.server.reactors, config.server.workers, config.http.headers), (2, 5, 50));
        assert_eq!(config.server.allow_origin, ["https://a.example", "https://b.example", "null", "file://"]);
        assert_eq!(config.server.listen, ["127.0.0.1:8080".parse().expect("an address")]);
        for (path, source) in [
            ("server.reactors", "--reactors"),
            ("server.workers", "TIDINGS_SERVER_WORKERS"),
            ("server.allow_origin", "--dev"),
            ("log.level", "--log.level"),
        ] {
            assert_eq!(settings.source(path).to_string(), source);
        }
    }

    #[test]
    fn errors_of_the_library_are_followed_by_the_flags_for_what_they_name() {
        let listen = vec!["0.0.0.0:80".parse().expect("an address")];
        let args = SettingsArgs { listen, ..SettingsArgs::default() };
        let settings = gather_with(&args, std::iter::empty()).expect("no file");
        let error = with_flags(&settings.check().expect_err("open to everybody"));
        assert!(error.ends_with("\nOn the command line: --allow-anonymous-publish"), "{error}");
        let error = tidings::Config::from_toml("f", "[server]\nqqqqqqqqqqqqqqqqqqqqq = 1").expect_err("an unknown key");
        assert!(with_flags(&error).ends_with(": tidings config default lists them all"), "{error}");
        let error = tidings::Config::from_toml("f", "[server]\nreactors = \"two\"").expect_err("a wrong type");
        assert_eq!(with_flags(&error), error.to_string());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let args = SettingsArgs { config: Some("/nonexistent/tidings.toml".into()), ..SettingsArgs::default() };
        let error = gather(&args).err().expect("no file");
        assert!(error.starts_with("/nonexistent/tidings.toml: "), "{error}");
    }
}
