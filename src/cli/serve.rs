//! `tidings serve`: runs the server, and tells the person who started it how to use it.

use super::again::Again;
use super::args::ServeArgs;
use super::notify::{self, Notify};
use super::settings::{self, level, named_as_here, with_flags};
use super::{LEFT, Misconfigured, Outcome, code_of, passed, takeover};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tidings::config::{ListenAt, ListenerConfig, LogFormat, Settings};
use tidings::journal::line::Format;
use tidings::journal::{self, Logger};
use tidings::model::origin;
use tidings::model::serves::Serves;
use tidings::server::{GivenSocket, Interrupts, Outcome as Ended, Pulse, name_in_files, operator_key_folder};
use tidings::{Config, Hooks, Server, StartError};

/// How long the end of the process waits until the last lines of the log are written.
const LAST_LINES_WAIT: Duration = Duration::from_secs(1);

/// Serves until a signal, or prints the configuration.
pub(crate) fn run(args: &ServeArgs) -> Outcome {
    let mut settings = settings::gather(&args.settings).map_err(Misconfigured)?;
    if args.accept_loss {
        settings.change("store.accept_loss", "--accept-loss", |config| config.store.accept_loss = true);
    }
    if args.print_config {
        settings.readable().map_err(|error| Misconfigured(with_flags(&error)))?;
        // Before the check: a configuration with a mistake is printed too, and then the mistake is named.
        io::stdout().write_all(settings.config().describe().as_bytes())?;
    }
    settings.check().map_err(|error| Misconfigured(with_flags(&error)))?;
    if args.print_config {
        return Ok(ExitCode::SUCCESS);
    }
    let sockets = passed::sockets().map_err(Misconfigured)?;
    start(args, &settings, sockets)
}

/// Serves until a signal. From here on nothing waits for standard output or standard error: the programs at their other end
/// may have stopped reading.
fn start(args: &ServeArgs, settings: &Settings, sockets: Vec<GivenSocket>) -> Outcome {
    let config = settings.config();
    let log = journal::install(line_format(config), level(config))?;
    log_panics(&log);
    for warning in settings.warnings() {
        log::warn!(target: journal::TARGET, event = "unknown_variable"; "{}", named_as_here(warning));
    }
    let ended = serve(args, config, sockets, &log).unwrap_or_else(|error| {
        if config.log.format == LogFormat::Json && log::log_enabled!(target: journal::TARGET, log::Level::Error) {
            log::error!(target: journal::TARGET, event = "cannot_serve"; "{error}");
        } else {
            log.say(format!("tidings: {error}\n"));
        }
        code_of(error.as_ref())
    });
    // Lines that cannot be written in this time are lost: a process must end even if standard error blocks.
    let _ = log.finish(LAST_LINES_WAIT);
    Ok(ended)
}

/// A drain that cut connections off before they had everything, or was cut short, is not a clean end: connections were left.
fn serve(args: &ServeArgs, config: &Config, sockets: Vec<GivenSocket>, log: &Logger) -> Outcome {
    // Before the server announces itself: from then on a signal must drain it, not kill it.
    let interrupts = Interrupts::install()?;
    let in_force = completed(config.clone());
    let (before, taken_over) = if args.takeover { takeover::ask(&in_force)? } else { (None, Vec::new()) };
    let sockets = sockets.into_iter().chain(taken_over).collect();
    let server = Server::start_on(in_force, Hooks::default(), sockets).map_err(|error| not_started(&error))?;
    let notify = Arc::new(Notify::from_environment());
    let again =
        Again { settings: args.settings.clone(), log: log.clone(), notify: Arc::clone(&notify), complete: completed };
    server.reload_from(again);
    // As it was set: what the server has chosen itself is no news to whoever started it.
    announce(&server, config, log)?;
    if let Some(before) = before {
        takeover::accepting(before);
        // The manager has started the other process, and knows only that.
        notify.say(&format!("MAINPID={}", std::process::id()));
    }
    notify.say("READY=1");
    if let Some(every) = notify::watchdog() {
        watch(every, server.pulse(), Arc::clone(&notify))?;
    }
    let interrupts = interrupts.before_drain(move || {
        notify.say("STOPPING=1");
    });
    let ended = server.run_until(interrupts)?;
    Ok(match ended {
        Ended::Drained => ExitCode::SUCCESS,
        Ended::CutOff(_) | Ended::Forced => ExitCode::from(LEFT),
        Ended::Failed => ExitCode::FAILURE,
    })
}

/// Says that the server lives, as long as all its reactors turn: one that hangs has the service manager start another server.
fn watch(every: Duration, pulse: Pulse, notify: Arc<Notify>) -> io::Result<()> {
    // Twice in the time that is given, as sd_watchdog_enabled(3) asks for, each time after an answer within half of that.
    let half = every / 2;
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        loop {
            if pulse.beats_within(half / 2) {
                notify.say("WATCHDOG=1");
            }
            std::thread::sleep(half / 2);
        }
    })?;
    Ok(())
}

/// Whether a start failed for its configuration, or for what another start may find changed.
fn not_started(error: &StartError) -> Box<dyn Error> {
    let text = with_flags(error);
    match error {
        StartError::Config(_) | StartError::Given { .. } | StartError::OperatorKey(_) => Misconfigured(text).into(),
        _ => text.into(),
    }
}

fn line_format(config: &Config) -> Format {
    match config.log.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    }
}

/// Panics are log lines, too: the default message would block a reactor until standard error takes it.
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

/// A server of its own leaves a key that it made where the programs of its operators look for it, and there the next server
/// asks for its sockets.
fn completed(mut config: Config) -> Config {
    let server = &mut config.server;
    if server.operator_key_folder.is_empty() {
        server.operator_key_folder = operator_key_folder().to_string_lossy().into_owned();
    }
    let first = server.listen.first().filter(|address| address.port() != 0);
    if let Some(address) = first.filter(|_| server.handover.is_empty()) {
        server.handover = format!("{}/handover-{}", server.operator_key_folder, name_in_files(*address));
    }
    config
}

/// Tells programs on standard output that the server is ready, and people on standard error what to do with it.
///
/// A server whose standard output was closed, or is a full pipe, serves all the same: that must not affect its clients. The
/// log says so, and where it listens.
fn announce(server: &Server, config: &Config, log: &Logger) -> io::Result<()> {
    let lines: String =
        server.listeners().iter().map(|listener| format!("listening on {}\n", shown(listener))).collect();
    // A thread of its own, which nothing waits for: a full pipe may block it for ever.
    std::thread::Builder::new().name("announce".to_owned()).spawn(move || {
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
            log::warn!(
                target: journal::TARGET, event = "standard_output_closed", error = error.to_string().as_str();
                "standard output is closed, so where this server listens could not be printed there; it serves"
            );
        }
    })?;
    if config.log.format == LogFormat::Text {
        log.say(summary(config) + "\n");
        let mut clients = server.listeners().iter().filter(|listener| listener.serves.clients());
        if let Some((address, tls)) = clients.find_map(|listener| Some((listener.at.address()?, listener.tls))) {
            let base = base(address, tls);
            let opens_files = config.server.allow_origin.iter().any(|origin| origin::allows(origin, "null"));
            // Only a terminal gets the secret: a file or a journal would keep it.
            let key = io::stderr().is_terminal().then(|| server.operator_key());
            let console = if config.web.console { open_console(&base, key) } else { String::new() };
            log.say(next_steps(&base, &console, server.operator_key_place(), opens_files) + "\n\n");
        }
    }
    for listener in server.listeners() {
        let (address, serves, version) =
            (listener.at.to_string(), listener.serves.to_string(), env!("CARGO_PKG_VERSION"));
        log::info!(target: journal::TARGET, event = "listening", address = address.as_str(), serves = serves.as_str(), version; "serving");
    }
    Ok(())
}

/// A listener as programs read it: what it serves is added where that is not clients alone.
fn shown(listener: &ListenerConfig) -> String {
    let at = match &listener.at {
        ListenAt::Address(address) if listener.tls => format!("https://{address}"),
        ListenAt::Address(address) => format!("http://{address}"),
        ListenAt::Path { .. } => listener.at.to_string(),
    };
    if listener.serves == Serves::CLIENTS { at } else { format!("{at} for {}", listener.serves) }
}

/// A summary of the configuration in force: who may publish, the threads, and what differs from the defaults.
fn summary(config: &Config) -> String {
    let server = &config.server;
    let open = if !config.is_open() {
        let (rules, issuers, keys) = (config.channel_rules.len(), config.issuers.len(), config.keys.len());
        &format!(", closed: {rules} rules, {issuers} issuers and {keys} keys say who may read and publish")
    } else if server.allow_anonymous_publish {
        " in open mode: everyone who reaches this server may read and publish"
    } else {
        " in open mode: clients on this machine may read and publish without a key"
    };
    let mut text = format!(
        "\nTidings {}{open}\n  reactors {}, workers {}",
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
    text.push_str(
        "\n  (tidings config show: where each value comes from; tidings config default: every setting with its reason)",
    );
    text
}

/// The address of the console; with the key its page is an operator's.
fn open_console(base: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("\n  open {base}/#operator={key} in a browser, as operator"),
        None => format!("\n  open {base}/ in a browser"),
    }
}

/// What to try, ready to be copied.
fn next_steps(base: &str, console: &str, place: &str, opens_files: bool) -> String {
    let pages = if opens_files {
        ""
    } else {
        "A page that you opened as a file (file://) is refused: start with `tidings --dev` while you develop.\n"
    };
    let option = match base.strip_prefix("http://") {
        Some("127.0.0.1:8080") => String::new(),
        plain => format!(" --url {}", plain.unwrap_or(base)),
    };
    // The address is seldom one of the certificate's names.
    let names = if base.starts_with("https:") {
        "The host has to be one of the certificate's names (wss:// for sockets).\n"
    } else {
        ""
    };
    format!(
        "\nTry it:{console}
  curl -N -H 'Accept: text/event-stream' {base}/channels/news
  curl -H 'Content-Type: application/json' -d '{{\"text\":\"hello\"}}' {base}/channels/news
  tidings subscribe news{option}
  tidings publish news '{{\"text\":\"hello\"}}'{option}
  tidings demo{option}
{names}{pages}
The operators' key {place}.
Ctrl-C stops it."
    )
}

/// What every address of a server begins with.
fn base(address: SocketAddr, tls: bool) -> String {
    format!("{}://{}", if tls { "https" } else { "http" }, reachable(address))
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
    use super::{base, next_steps, open_console, summary};

    #[test]
    fn the_summary_names_what_differs_from_the_defaults() {
        let mut config = tidings::Config::default();
        (config.server.reactors, config.server.workers, config.http.headers) = (2, 4, 50);
        let text = summary(&config);
        assert!(text.contains("reactors 2, workers 4") && text.contains("\n  http.headers = 50"), "{text}");
    }

    #[test]
    fn the_hints_name_an_address_that_works() {
        for (address, expected) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("127.0.0.2:1", "127.0.0.2:1")]
        {
            assert_eq!(base(address.parse().expect("an address"), false), format!("http://{expected}"));
        }
        let steps = |base| next_steps(base, &open_console(base, None), "is in a file", false);
        assert!(steps("http://127.0.0.1:9").contains("tidings demo --url 127.0.0.1:9"));
        let secure = base("0.0.0.0:9".parse().expect("an address"), true);
        let sealed = steps(&secure);
        assert!(!sealed.contains("http://") && sealed.contains("tidings demo --url https://127.0.0.1:9"), "{sealed}");
        assert!(
            sealed.contains("one of the certificate's names") && !steps("http://127.0.0.1:9").contains("certificate")
        );
        assert!(!steps("http://127.0.0.1:8080").contains("--url"));
        assert!(!steps("http://127.0.0.1:8080").contains("#operator"), "a key is for a terminal");
        let shown =
            next_steps("http://127.0.0.1:9", &open_console("http://127.0.0.1:9", Some("KEY")), "is in a file", true);
        assert!(steps("http://127.0.0.1:8080").contains("tidings --dev") && !shown.contains("--dev"));
        assert!(shown.contains("http://127.0.0.1:9/#operator=KEY ") && shown.contains("key is in a file"), "{shown}");
    }

    #[test]
    fn a_console_that_is_switched_off_is_not_recommended() {
        assert!(!next_steps("http://127.0.0.1:8080", "", "is in a file", true).contains("browser"));
        let with =
            next_steps("http://127.0.0.1:8080", &open_console("http://127.0.0.1:8080", None), "is in a file", true);
        assert!(with.contains("Try it:\n  open http://127.0.0.1:8080/ in a browser\n  curl"), "{with}");
    }
}
