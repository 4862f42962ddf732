//! What the suites share: a server on port 0, and clients that speak to it over real sockets.

pub(crate) mod cgroup;
pub(crate) mod frames;
pub(crate) mod http;
pub(crate) mod json;
#[cfg(feature = "outbound")]
pub(crate) mod origin;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod relay;
pub(crate) mod resp;
pub(crate) mod sse;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod ws;

use std::net::SocketAddr;
use std::ops::Deref;
use std::time::{Duration, Instant};
use tidings::model::operator_key::OperatorKey;
use tidings::{Config, ConfigError, Server};

/// How long anything that must happen may take: generous, since it is only waited for when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The operators' key of every server that is started here.
pub(crate) const OPERATOR_KEY: &str = "the-key-of-the-tests-0123456789";
/// The field by which an operator is known.
pub(crate) const OPERATOR: (&str, &str) = ("Authorization", "Bearer the-key-of-the-tests-0123456789");

/// A server that stops when it goes out of scope.
pub(crate) struct TestServer {
    server: Option<Server>,
}

impl TestServer {
    /// Starts a server on a free loopback port, with the settings that `adjust` makes.
    pub(crate) fn start(adjust: impl FnOnce(&mut Config)) -> TestServer {
        let mut config = Config::default();
        config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        config.server.reactors = 1;
        config.server.workers = 1;
        config.server.operator_key = OperatorKey::parse(OPERATOR_KEY).ok();
        adjust(&mut config);
        TestServer::of(Server::start(config).expect("the server starts"))
    }

    /// One that was started otherwise.
    pub(crate) fn of(server: Server) -> TestServer {
        TestServer { server: Some(server) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    /// As [`Server::change_rules`]; on return they hold on every reactor. Each takes them up by itself, and on its way there may still
    /// execute by those of before what it has read.
    pub(crate) fn change_rules(&self, config: &Config) -> Result<(), ConfigError> {
        Server::change_rules(self, config)?;
        assert!(self.pulse().beats_within(PATIENCE), "the reactors turn");
        Ok(())
    }

    /// Stops it with a drain; how many connections were cut off.
    pub(crate) fn stop(mut self, drain: Duration) -> usize {
        self.server.take().expect("a server runs until it is stopped").stop(drain)
    }

    /// One number of `/metrics`, summed over its labels unless they are part of `name`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        metric(self.address(), name)
    }
}

/// One number of `/metrics`, summed over its labels unless they are part of `name`.
pub(crate) fn metric(address: SocketAddr, name: &str) -> f64 {
    let page = http::get_as_operator(address, "/metrics");
    assert_eq!(page.status, 200);
    let text = page.text();
    let values = text.lines().filter_map(|line| {
        let (key, value) = line.rsplit_once(' ')?;
        let matches = key == name || key.split('{').next() == Some(name);
        matches.then(|| value.parse::<f64>().expect("a number"))
    });
    values.sum()
}

impl Deref for TestServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.server.as_ref().expect("a server runs until it is stopped")
    }
}

/// Runs a suite against servers with one reactor and with two.
pub(crate) fn with_one_and_two_reactors(suite: impl Fn(usize)) {
    for reactors in [1, 2] {
        suite(reactors);
    }
}

/// Waits until `condition` holds; fails with `what` when it does not in time.
pub(crate) fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_within(PATIENCE, what, condition);
}

/// The same for what others take longer to do.
pub(crate) fn wait_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < until, "waited {limit:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
