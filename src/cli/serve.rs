//! `tidings serve`: the configuration from defaults, file and flags, the server, and what a person is told about it.

use super::Outcome;
use super::args::{KEY_VARIABLE, ServeArgs};
use log::LevelFilter;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tidings::config::{LogFormat, LogLevel};
use tidings::journal::line::Format;
use tidings::journal::{self, Logger};
use tidings::model::operator_key::OperatorKey;
use tidings::model::origin;
use tidings::server::{Interrupts, Outcome as Ended, operator_key_folder};
use tidings::{Config, Server};

/// How long the end of the process waits for the last lines of the log to be taken.
const LAST_LINES_WAIT: Duration = Duration::from_secs(1);
/// What the library's errors name, and what it is called on the command line.
const FLAGS: [(&str, &str); 3] = [
    ("server.listen", "--listen ADDR"),
    ("server.allow_anonymous_publish", "--allow-anonymous-publish"),
    ("Config::describe", "--print-config"),
];

/// Serves until a signal, or prints the configuration.
pub(crate) fn run(args: &ServeArgs) -> Outcome {
    let config = configuration(args)?;
    if args.print_config {
        io::stdout().write_all(config.describe().as_bytes())?;
    }
    config.check().map_err(|error| with_flags(&error))?;
    if args.print_config { Ok(ExitCode::SUCCESS) } else { start(&config) }
}

/// Serves until a signal. From here on nothing waits for standard output or standard error: whoever reads them may have
/// stopped doing so.
fn start(config: &Config) -> Outcome {
    let log = journal::install(line_format(config), level(config))?;
    log_panics(&log);
    let ended = serve(config, &log).unwrap_or_else(|error| {
        if config.log.format == LogFormat::Json && log::log_enabled!(target: journal::TARGET, log::Level::Error) {
            log::error!(target: journal::TARGET, event = "cannot_serve"; "{error}");
        } else {
            log.say(format!("tidings: {error}\n"));
        }
        ExitCode::FAILURE
    });
    // What could not be written in this time will not be.
    let _ = log.finish(LAST_LINES_WAIT);
    Ok(ended)
}

/// A drain that cut connections off before they had everything, or was cut short, is not a clean end.
fn serve(config: &Config, log: &Logger) -> Outcome {
    // Before anybody is told that the server is there: a signal from then on drains.
    let interrupts = Interrupts::install()?;
    let server = Server::start(with_key_folder(config.clone())).map_err(|error| with_flags(&error))?;
    announce(&server, config, log)?;
    Ok(match server.run_until(interrupts)? {
        Ended::Drained => ExitCode::SUCCESS,
        Ended::CutOff(_) | Ended::Forced | Ended::Failed => ExitCode::FAILURE,
    })
}

/// An error of the library, with the flags for what it names.
fn with_flags(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let flags: Vec<&str> = FLAGS.iter().filter(|(name, _)| text.contains(name)).map(|(_, flag)| *flag).collect();
    if !flags.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\nOn the command line: {}", flags.join(", "));
    }
    text
}

fn line_format(config: &Config) -> Format {
    match config.log.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    }
}

fn level(config: &Config) -> LevelFilter {
    match config.log.level {
        LogLevel::Off => LevelFilter::Off,
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
    }
}

/// Panics are lines of the log too: the usual message would wait for standard error, on a reactor.
fn log_panics(log: &Logger) {
    let log = log.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        log::error!(
            target: journal::TARGET, event = "panic", thread = thread.name().unwrap_or("?"), place = place.as_str();
            "{message}"
        );
        if thread.name() == Some("main") {
            // The process ends now.
            let _ = log.finish(LAST_LINES_WAIT);
        }
    }));
}

/// The configuration in force: the defaults, changed by the file, changed by the flags.
fn configuration(args: &ServeArgs) -> Result<Config, Box<dyn std::error::Error>> {
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
            Config::from_toml(&name, &text).map_err(|error| with_flags(&error))?
        }
    };
    let server = &mut config.server;
    if !args.listen.is_empty() {
        server.listen.clone_from(&args.listen);
    }
    server.reactors = args.reactors.unwrap_or(server.reactors);
    server.workers = args.workers.unwrap_or(server.workers);
    server.allow_origin.extend(args.allow_origin.iter().cloned());
    server.allow_host.extend(args.allow_host.iter().cloned());
    server.allow_anonymous_publish |= args.allow_anonymous_publish;
    config.log.level = args.log_level.unwrap_or(config.log.level);
    config.log.format = args.log_format.unwrap_or(config.log.format);
    if args.dev {
        server.allow_origin.extend(["null", "file://"].map(str::to_owned));
    }
    match (&args.operator_key_file, std::env::var(KEY_VARIABLE)) {
        (Some(file), _) => {
            server.operator_key = None;
            server.operator_key_file.clone_from(file);
        }
        (None, Ok(key)) if !key.is_empty() => {
            server.operator_key = Some(OperatorKey::parse(&key).map_err(|error| format!("{KEY_VARIABLE}: {error}"))?);
        }
        _ => {}
    }
    Ok(config)
}

/// A server of its own leaves a key that it made where the programs of its operators look for it.
fn with_key_folder(mut config: Config) -> Config {
    if config.server.operator_key_folder.is_empty() {
        config.server.operator_key_folder = operator_key_folder().to_string_lossy().into_owned();
    }
    config
}

/// Tells programs on standard output that the server is ready, and people on standard error what to do with it.
///
/// A server whose standard output was closed, or is a full pipe, serves all the same: its clients have nothing to do with
/// that. The log says so, and where it listens.
fn announce(server: &Server, config: &Config, log: &Logger) -> io::Result<()> {
    let addresses = server.addresses();
    let lines: String = addresses.iter().map(|address| format!("listening on http://{address}\n")).collect();
    // A thread of its own, which nobody waits for: it may never come to an end.
    std::thread::Builder::new().name("announce".to_owned()).spawn(move || {
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
            log::warn!(
                target: journal::TARGET, event = "standard_output_closed", error = error.to_string().as_str();
                "nobody was told on standard output where this server listens; it serves"
            );
        }
    })?;
    if config.log.format == LogFormat::Text {
        log.say(summary(config) + "\n");
        if let Some(address) = addresses.first() {
            let host = reachable(*address).to_string();
            let opens_files = config.server.allow_origin.iter().any(|origin| origin::allows(origin, "null"));
            // A secret is for a person who looks, not for a file that keeps what was said.
            let key = io::stderr().is_terminal().then(|| server.operator_key());
            let console = if config.web.console { open_console(&host, key) } else { String::new() };
            log.say(next_steps(&host, &console, server.operator_key_place(), opens_files) + "\n\n");
        }
    }
    for address in addresses {
        let (address, version) = (address.to_string(), env!("CARGO_PKG_VERSION"));
        log::info!(target: journal::TARGET, event = "listening", address = address.as_str(), version; "serving");
    }
    Ok(())
}

/// The configuration in force in short: who may publish, the threads, and what differs from the defaults.
fn summary(config: &Config) -> String {
    let server = &config.server;
    let open = if server.allow_anonymous_publish {
        "open mode: everybody who reaches this server may read and publish"
    } else {
        "open mode: clients on this machine may read and publish without a key"
    };
    let mut text = format!(
        "\nTidings {} in {open}\n  reactors {}, workers {}",
        env!("CARGO_PKG_VERSION"),
        server.reactor_count(),
        server.worker_count()
    );
    let differences = config.differences();
    text.push_str(if differences.is_empty() { ", every setting at its default" } else { "; not at their defaults:" });
    for (key, value) in differences {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {key} = {value}");
    }
    text.push_str("\n  (tidings serve --print-config shows every setting with its reason)");
    text
}

/// Where the console is; with the key the page becomes an operator's.
fn open_console(host: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("\n  open http://{host}/#operator={key} in a browser, as operator"),
        None => format!("\n  open http://{host}/ in a browser"),
    }
}

/// What to try, ready to be copied.
fn next_steps(host: &str, console: &str, place: &str, opens_files: bool) -> String {
    let pages = if opens_files {
        ""
    } else {
        "A page that you opened as a file (file://) is not let in: start with `tidings --dev` while you develop.\n"
    };
    let option = if host == "127.0.0.1:8080" { String::new() } else { format!(" --url {host}") };
    format!(
        "\nTry it:{console}
  curl -N -H 'Accept: text/event-stream' http://{host}/channels/news
  curl -H 'Content-Type: application/json' -d '{{\"text\":\"hello\"}}' http://{host}/channels/news
  tidings subscribe news{option}
  tidings publish news '{{\"text\":\"hello\"}}'{option}
  tidings demo{option}
{pages}
The operators' key {place}.
Ctrl-C stops it."
    )
}

/// An address that a person on this machine can use, when the server listens on all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let loopback = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
    SocketAddr::new(loopback.parse().expect("a loopback address is an address"), address.port())
}

#[cfg(test)]
mod tests {
    use super::{configuration, next_steps, open_console, reachable, summary, with_flags};
    use crate::cli::args::ServeArgs;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_defaults() {
        let path = std::env::temp_dir().join(format!("tidings-serve-{}.toml", std::process::id()));
        let text =
            "[server]\nreactors = 3\nworkers = 4\nallow_origin = [\"https://a.example\"]\n[http]\nheaders = 50\n";
        std::fs::write(&path, text).expect("a file");
        let args = ServeArgs {
            config: Some(path.clone()),
            reactors: Some(2),
            allow_origin: vec!["https://b.example".to_owned()],
            ..ServeArgs::default()
        };
        let config = configuration(&args).expect("a configuration");
        std::fs::remove_file(path).expect("the file");
        assert_eq!((config.server.reactors, config.server.workers, config.http.headers), (2, 4, 50));
        assert_eq!(config.server.allow_origin, ["https://a.example", "https://b.example"]);
        assert_eq!(config.server.listen, ["127.0.0.1:8080".parse().expect("an address")]);
        let text = summary(&config);
        assert!(text.contains("reactors 2, workers 4") && text.contains("\n  http.headers = 50"), "{text}");
    }

    #[test]
    fn errors_of_the_library_are_followed_by_the_flags_for_what_they_name() {
        let listen = vec!["0.0.0.0:80".parse().expect("an address")];
        let config = configuration(&ServeArgs { listen, ..ServeArgs::default() }).expect("a configuration");
        let error = with_flags(&config.check().expect_err("open to everybody"));
        assert!(
            error.ends_with("server.allow_anonymous_publish\nOn the command line: --allow-anonymous-publish"),
            "{error}"
        );
        let error = tidings::Config::from_toml("f", "[server]\nqqqqqqqqqqqqqqqqqqqqq = 1").expect_err("an unknown key");
        assert!(with_flags(&error).ends_with("\nOn the command line: --print-config"), "{error}");
        let error = tidings::Config::from_toml("f", "[server]\nreactors = \"two\"").expect_err("a wrong type");
        assert_eq!(with_flags(&error), error.to_string());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let args = ServeArgs { config: Some("/nonexistent/tidings.toml".into()), ..ServeArgs::default() };
        let error = configuration(&args).expect_err("no file").to_string();
        assert!(error.starts_with("/nonexistent/tidings.toml: "), "{error}");
    }

    #[test]
    fn the_hints_name_an_address_that_works() {
        for (address, expected) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("127.0.0.2:1", "127.0.0.2:1")]
        {
            assert_eq!(reachable(address.parse().expect("an address")).to_string(), expected);
        }
        let steps = |host| next_steps(host, &open_console(host, None), "is in a file", false);
        assert!(steps("127.0.0.1:9").contains("tidings demo --url 127.0.0.1:9"));
        assert!(!steps("127.0.0.1:8080").contains("--url"));
        assert!(!steps("127.0.0.1:8080").contains("#operator"), "a key is for a terminal");
        let shown = next_steps("127.0.0.1:9", &open_console("127.0.0.1:9", Some("KEY")), "is in a file", true);
        assert!(steps("127.0.0.1:8080").contains("tidings --dev") && !shown.contains("--dev"));
        assert!(shown.contains("http://127.0.0.1:9/#operator=KEY ") && shown.contains("key is in a file"), "{shown}");
    }

    #[test]
    fn a_console_that_is_switched_off_is_not_recommended() {
        assert!(!next_steps("127.0.0.1:8080", "", "is in a file", true).contains("browser"));
        let with = next_steps("127.0.0.1:8080", &open_console("127.0.0.1:8080", None), "is in a file", true);
        assert!(with.contains("Try it:\n  open http://127.0.0.1:8080/ in a browser\n  curl"), "{with}");
    }
}
