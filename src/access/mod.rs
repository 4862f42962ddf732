//! Who may ask: the Origin and Host of a request judged against the listener, closed by default, the CORS fields, and what
//! the embedding program says.

mod addresses;
#[cfg(test)]
mod addresses_tests;
mod alike;
mod basis;
mod challenges;
mod channels;
#[cfg(test)]
mod channels_tests;
mod cors;
mod credentials;
mod hooks;
mod identity;
mod keys;
mod known;
pub mod limits;
mod operators;
mod revocations;
mod rules;
mod signed;
pub mod tokens;
mod verification;

pub use crate::model::grants::{Action, Actions, Grant, Grants};
pub use addresses::{RequestSource, TrustedProxies, client_address};
pub use basis::Basis;
pub use challenges::{CHALLENGE_PATH, Challenges};
pub use channels::{ChannelRules, Met};
pub use cors::{cors_fields, preflight_fields};
pub use credentials::{Presented, TOKEN_SUBPROTOCOL, Way};
pub use hooks::{Connecting, Denied, Hooks, Reading, Writing};
pub use identity::{App, Identities, Identity, TokenFacts, Who};
pub use keys::{KeyEntry, KeyRefused, Keys};
pub use known::Known;
pub use operators::{Operators, Standing};
pub use revocations::{Revocation, Revocations};
pub use rules::{AccessRules, Refresh};
pub use signed::{SignedGrant, SignedNames, SignedRefused};
pub use verification::{CHECKS_PER_TICK, Checks, Unproven, Verification, Verified};

use crate::model::authority::Authority;
use crate::model::code::Code;
use crate::model::origin::{self, Origin};
use crate::model::peer_address::{AddressPrefix, PeerAddress};
use crate::model::refusal::Refusal;
use crate::model::serves::Serves;
use crate::wire::http::head::{Head, Method};
use std::cell::RefCell;
use std::sync::Arc;

/// How much of a client's own words a message repeats, in characters.
const QUOTED: usize = 400;

/// What a listener allows.
#[derive(Debug, Clone, Default)]
pub struct AccessPolicy {
    /// Whether the listener is bound to a loopback address.
    pub listener_is_loopback: bool,
    /// Origins beside the server's own, like `https://app.example`; `null` only if it is named.
    pub allowed_origins: Vec<String>,
    /// Hosts beside the loopback names; without a port, any port. Named ones hold on every listener.
    pub allowed_hosts: Vec<String>,
    /// Whether every client that reaches the listener may publish, through a proxy as well.
    pub anonymous_publish: bool,
    /// Whether pages of allowed origins may send cookies and the like, and read what comes of it.
    pub allow_credentials: bool,
    /// Whether the listener is a unix socket: its clients are on this machine, and never browsers.
    pub is_unix: bool,
    /// What the listener serves.
    pub serves: Serves,
    /// The listener's port, for messages; 0 for a unix socket.
    pub port: u16,
    /// The proxies that may say where their clients are.
    pub trusted_proxies: TrustedProxies,
    /// Whether connections begin with a PROXY header, which is taken from trusted proxies alone.
    pub proxy_protocol: bool,
    /// Who is who and may do what.
    pub rules: Arc<AccessRules>,
    /// What those are that come in here.
    pub identities: Identities,
    /// The tokens that were verified lately.
    pub known: RefCell<Known>,
    /// How many signatures were checked in this tick.
    pub checks: Checks,
}

impl AccessPolicy {
    /// What the limits of a client at this address count by; none where limits by address do not hold: on this machine, whatever
    /// runs there, and for the proxies that are trusted.
    #[must_use]
    pub fn limited_by(&self, from: PeerAddress) -> Option<AddressPrefix> {
        (!from.is_loopback() && !self.trusted_proxies.include(from)).then(|| from.prefix())
    }
}

/// What is known about a request.
#[derive(Debug, Clone, Copy)]
pub struct AccessFacts<'a> {
    /// The method.
    pub method: Method,
    /// Whether it asks for a WebSocket.
    pub upgrade: bool,
    /// Whether it speaks HTTP/1.1, as proxies do only when configured to.
    pub http11: bool,
    /// Whether it asks whether the server lives, or what shows a certificate authority that a name leads here: anybody may know,
    /// under any name.
    pub health: bool,
    /// The host it asked.
    pub host: Option<&'a str>,
    /// The page it comes from.
    pub origin: Option<&'a str>,
    /// The Authorization field.
    pub authorization: Option<&'a str>,
    /// Whether a proxy left its trace.
    pub forwarded: bool,
    /// Whether the peer itself is on this machine.
    pub peer_is_loopback: bool,
}

/// What an acceptable request may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Who asks, and what that allows.
    pub identity: Arc<Identity>,
    /// It comes directly from this machine, to a listener of this machine.
    pub direct: bool,
    /// What it presented to be taken for an operator.
    pub standing: Standing,
    /// The origin that [`cors_fields`] names; none when the request has none.
    pub cors_origin: Option<Box<str>>,
}

impl Access {
    /// It proved to be somebody.
    pub fn proven(&mut self, identity: Arc<Identity>) {
        self.standing = if identity.is_operator() { Standing::Operator } else { Standing::Unknown };
        self.identity = identity;
    }
}

/// The host that was asked, read once.
struct AskedHost<'a> {
    name: Authority<'a>,
    is_loopback: bool,
}

/// Judges a request.
///
/// # Errors
/// 421 when the Host is none of this listener's, 403 when the Origin is not allowed. The message says what would allow it.
pub fn judge(facts: &AccessFacts<'_>, policy: &AccessPolicy) -> Result<Access, Refusal> {
    let standing = match policy.rules.operators.standing(facts.authorization) {
        Standing::Anonymous if policy.serves.operators() && is_no_strangers_page(facts) => Standing::Operator,
        standing => standing,
    };
    let host = facts.host.and_then(Authority::parse).map(|name| AskedHost { is_loopback: name.is_loopback(), name });
    let mut cors_origin = facts.origin;
    if facts.health {
        cors_origin = cors_origin.filter(|origin| origin_is_allowed(origin, host.as_ref(), policy));
    } else {
        check_host(facts, host.as_ref(), policy)?;
        if let Some(origin) = facts.origin {
            check_origin(origin, host.as_ref(), policy)?;
        }
    }
    let direct = (policy.listener_is_loopback || policy.is_unix) && comes_directly(facts, host.as_ref());
    let identities = &policy.identities;
    let identity = match standing {
        Standing::Operator => &identities.operator,
        _ if policy.anonymous_publish || direct => &identities.publisher,
        _ => &identities.reader,
    };
    Ok(Access { identity: Arc::clone(identity), direct, standing, cors_origin: cors_origin.map(Box::from) })
}

/// A listener that serves operators makes one of every client that reaches it, but not of a page of another origin, even an
/// allowed one: it acts for the person who looks at it, not for an operator.
fn is_no_strangers_page(facts: &AccessFacts<'_>) -> bool {
    let host = facts.host.and_then(Authority::parse);
    let same =
        |origin: &str| Origin::parse(origin).zip(host.as_ref()).is_some_and(|(origin, host)| origin.same_as_host(host));
    facts.origin.is_none_or(same)
}

/// Whether a request can be taken for one of a client on this machine. A proxy that hides itself whole cannot be told from
/// one, so no address makes an operator.
fn comes_directly(facts: &AccessFacts<'_>, host: Option<&AskedHost<'_>>) -> bool {
    let asks_this_machine = host.is_some_and(|host| host.is_loopback);
    facts.peer_is_loopback && !facts.forwarded && facts.http11 && (asks_this_machine || is_article(facts, host))
}

/// The requests that a well-known article prints, word for word: no browser sends them, so no DNS can have led them here.
fn is_article(facts: &AccessFacts<'_>, host: Option<&AskedHost<'_>>) -> bool {
    facts.origin.is_none()
        && (facts.upgrade || facts.method == Method::Post)
        && host
            .zip(Authority::parse("example.com").as_ref())
            .is_some_and(|(host, article)| host.name.same_host(article))
}

/// A name that an attacker's DNS points to this machine must open neither a loopback listener nor one whose names are
/// known to the attacker's page.
fn check_host(facts: &AccessFacts<'_>, host: Option<&AskedHost<'_>>, policy: &AccessPolicy) -> Result<(), Refusal> {
    // Where no key is needed, a name whose DNS points here would make its page an operator; an address is no name.
    let makes_operators = policy.serves.operators() && !policy.is_unix;
    if !policy.listener_is_loopback && !makes_operators && policy.allowed_hosts.is_empty() {
        return Ok(());
    }
    let allowed = match facts.host {
        Some(_) => {
            host.is_some_and(|host| host_is_allowed(host, policy) || (makes_operators && host.name.is_address()))
                || (policy.listener_is_loopback && is_article(facts, host))
        }
        // No browser leaves out Host, and without a name there is nothing to rebind; monitors that speak HTTP/1.0 do.
        None => facts.origin.is_none(),
    };
    if allowed { Ok(()) } else { Err(misdirected(facts.host, policy)) }
}

fn host_is_allowed(host: &AskedHost<'_>, policy: &AccessPolicy) -> bool {
    let named = policy.allowed_hosts.iter().filter_map(|allowed| Authority::parse(allowed));
    host.is_loopback
        || named
            .into_iter()
            .any(|allowed| allowed.same_host(&host.name) && (allowed.port.is_none() || allowed.port == host.name.port))
}

fn misdirected(host: Option<&str>, policy: &AccessPolicy) -> Refusal {
    let port = policy.port;
    let message = match host {
        Some(host) => {
            let host = quoted(host);
            format!(
                "start the server with --allow-host {host} to have it answer for this host, or ask http://localhost:{port}/"
            )
        }
        None => format!("a request with an Origin needs a Host; ask http://localhost:{port}/"),
    };
    Refusal::new(Code::MisdirectedRequest, message)
}

fn check_origin(text: &str, host: Option<&AskedHost<'_>>, policy: &AccessPolicy) -> Result<(), Refusal> {
    if origin_is_allowed(text, host, policy) {
        return Ok(());
    }
    let origin = quoted(text);
    let message = if !origin::is_origin(text) {
        format!(
            "the Origin {origin:?} is none that browsers send, so nothing allows it; it looks like https://app.example.com"
        )
    } else if matches!(text, "null" | "file://") {
        format!("start the server with --dev or --allow-origin {origin} to let in pages that were opened as files")
    } else {
        format!("start the server with --allow-origin {origin} to let in pages of this origin")
    };
    Err(Refusal::new(Code::OriginNotAllowed, message))
}

impl AccessPolicy {
    /// Whether a page of this head's origin is allowed for what it is, and not since every page is: cookies count for those
    /// alone.
    fn is_allowed_by_name(&self, head: &Head<'_>) -> bool {
        let host = head.host.and_then(Authority::parse).map(|name| AskedHost { is_loopback: name.is_loopback(), name });
        let named = self.allowed_origins.iter().filter(|allowed| !origin::is_anybodys(allowed));
        head.origin.is_some_and(|origin| origin_is_among(origin, host.as_ref(), self, named))
    }
}

fn origin_is_allowed(text: &str, host: Option<&AskedHost<'_>>, policy: &AccessPolicy) -> bool {
    origin_is_among(text, host, policy, policy.allowed_origins.iter())
}

fn origin_is_among<'a>(
    text: &str,
    host: Option<&AskedHost<'_>>,
    policy: &AccessPolicy,
    mut allowed: impl Iterator<Item = &'a String>,
) -> bool {
    if let Some(origin) = Origin::parse(text) {
        let own = host.is_some_and(|host| origin.same_as_host(&host.name));
        if own || (policy.listener_is_loopback && origin.is_loopback_page()) {
            return true;
        }
    }
    allowed.any(|allowed| origin::allows(allowed, text))
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::{AccessFacts, AccessPolicy, AccessRules, Action, Operators, Standing, judge};
    use crate::model::operator_key::OperatorKey;
    use crate::wire::http::head::Method;
    use std::sync::Arc;

    /// Which listener a row asks.
    #[derive(Debug, Clone, Copy)]
    enum On {
        /// Loopback, nothing configured.
        Loopback,
        /// Loopback with an origin, `null` and hosts configured.
        Configured,
        /// Elsewhere, with an origin configured.
        Public,
        /// Elsewhere, with a host configured.
        Named,
    }
    use On::{Configured, Loopback, Named, Public};

    fn rules(key: OperatorKey) -> Arc<AccessRules> {
        Arc::new(AccessRules { operators: Arc::new(Operators::new(key, "")), ..AccessRules::default() })
    }

    fn policy(on: On) -> AccessPolicy {
        let listed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let basis = AccessPolicy { port: 8080, ..AccessPolicy::default() };
        match on {
            Loopback => AccessPolicy { listener_is_loopback: true, ..basis },
            Configured => AccessPolicy {
                listener_is_loopback: true,
                allowed_origins: listed(&[
                    "https://app.example",
                    "null",
                    "HTTP://other.example:8000/",
                    "https://*.sub.example",
                    "chrome-extension://abcdef",
                ]),
                allowed_hosts: listed(&["push.example", "exact.example:9000"]),
                ..basis
            },
            Named => AccessPolicy { allowed_hosts: listed(&["push.example"]), ..basis },
            Public => AccessPolicy { allowed_origins: listed(&["https://app.example"]), ..basis },
        }
    }

    /// Method (with `WS` for an upgrade), Host, Origin (`-` for none), status (200 when it may pass).
    const ROWS: &[(On, &str, &str, &str, u16)] = &[
        // No Origin, loopback: a plain read needs a host of this server, the rest comes from no browser.
        (Loopback, "GET", "localhost:8080", "-", 200),
        (Loopback, "GET", "LOCALHOST", "-", 200),
        (Loopback, "GET", "127.0.0.1:8080", "-", 200),
        (Loopback, "GET", "127.0.0.2", "-", 200),
        (Loopback, "GET", "[::1]:8080", "-", 200),
        (Loopback, "GET", "localhost.:8080", "-", 200),
        (Loopback, "GET", "app.localhost:8080", "-", 200),
        (Loopback, "GET", "[::ffff:127.0.0.1]:8080", "-", 200),
        (Loopback, "WS", "localhost:8080", "http://app.localhost:5173", 200),
        (Loopback, "GET", "-", "-", 200),
        (Loopback, "GET", "example.com", "-", 421),
        (Loopback, "HEAD", "example.com", "-", 421),
        (Loopback, "GET", "localhost.evil.example", "-", 421),
        (Loopback, "GET", "127.0.0.1.evil.example:8080", "-", 421),
        (Loopback, "GET", "192.168.0.7:8080", "-", 421),
        (Loopback, "GET", "0.0.0.0:8080", "-", 421),
        // An article's requests, word for word, and nothing near them.
        (Loopback, "WS", "example.com", "-", 200),
        (Loopback, "POST", "example.com", "-", 200),
        (Loopback, "POST", "Example.COM:80", "-", 200),
        (Loopback, "DELETE", "example.com", "-", 421),
        (Loopback, "OPTIONS", "example.com", "-", 421),
        (Loopback, "POST", "www.example.com", "-", 421),
        (Loopback, "POST", "evil.example", "-", 421),
        (Loopback, "WS", "evil.example", "-", 421),
        (Loopback, "DELETE", "evil.example", "-", 421),
        (Loopback, "POST", "example.com", "http://example.com", 421),
        // Configured hosts.
        (Configured, "GET", "push.example", "-", 200),
        (Configured, "GET", "PUSH.example:1234", "-", 200),
        (Configured, "GET", "exact.example:9000", "-", 200),
        (Configured, "GET", "exact.example", "-", 421),
        (Configured, "GET", "exact.example:9001", "-", 421),
        (Configured, "GET", "example.com", "-", 421),
        // Pages of this machine, loopback.
        (Loopback, "WS", "localhost:8080", "http://localhost:8080", 200),
        (Loopback, "WS", "localhost:8080", "http://localhost:3000", 200),
        (Loopback, "WS", "127.0.0.1:8080", "https://localhost", 200),
        (Loopback, "POST", "localhost:8080", "http://127.0.0.1:5173", 200),
        (Loopback, "GET", "localhost:8080", "http://[::1]:1", 200),
        (Loopback, "DELETE", "localhost:8080", "HTTP://LOCALHOST", 200),
        (Loopback, "WS", "localhost:8080", "http://127.0.0.2:8080", 403),
        (Loopback, "WS", "127.0.0.2:8080", "http://127.0.0.2:8080", 200),
        (Loopback, "WS", "localhost:8080", "ftp://localhost", 403),
        // Other pages, loopback.
        (Loopback, "WS", "localhost:8080", "http://evil.example", 403),
        (Loopback, "GET", "localhost:8080", "http://evil.example", 403),
        (Loopback, "HEAD", "localhost:8080", "http://evil.example", 403),
        (Loopback, "POST", "localhost:8080", "http://evil.example", 403),
        (Loopback, "PUT", "localhost:8080", "http://evil.example", 403),
        (Loopback, "DELETE", "localhost:8080", "http://evil.example", 403),
        (Loopback, "OPTIONS", "localhost:8080", "http://evil.example", 403),
        (Loopback, "WS", "localhost:8080", "null", 403),
        (Loopback, "WS", "localhost:8080", "", 403),
        (Loopback, "WS", "localhost:8080", "*", 403),
        (Loopback, "WS", "localhost:8080", "localhost:8080", 403),
        (Loopback, "WS", "localhost:8080", "http://localhost:8080/", 403),
        (Loopback, "WS", "localhost:8080", "http://localhost.evil.example", 403),
        (Loopback, "WS", "localhost:8080", "http://localhost@evil.example", 403),
        (Loopback, "WS", "localhost:8080", "http://localhost http://evil.example", 403),
        // DNS rebinding: the page's own host, which is none of this server's.
        (Loopback, "WS", "evil.example:8080", "http://evil.example:8080", 421),
        (Loopback, "POST", "evil.example:8080", "http://evil.example:8080", 421),
        (Loopback, "OPTIONS", "evil.example", "http://evil.example", 421),
        (Loopback, "WS", "evil.example:8080", "http://localhost:8080", 421),
        (Loopback, "POST", "-", "http://localhost:8080", 421),
        // Configured origins.
        (Configured, "WS", "localhost:8080", "https://app.example", 200),
        (Configured, "WS", "localhost:8080", "https://APP.example:443", 200),
        (Configured, "WS", "localhost:8080", "http://app.example", 403),
        (Configured, "WS", "localhost:8080", "https://app.example:8443", 403),
        (Configured, "WS", "localhost:8080", "https://sub.app.example", 403),
        (Configured, "POST", "localhost:8080", "http://other.example:8000", 200),
        (Configured, "WS", "localhost:8080", "null", 200),
        (Configured, "WS", "localhost:8080", "file://", 403),
        (Configured, "WS", "localhost:8080", "https://a.sub.example", 200),
        (Configured, "WS", "localhost:8080", "https://sub.example", 403),
        (Configured, "WS", "localhost:8080", "chrome-extension://abcdef", 200),
        (Configured, "WS", "localhost:8080", "chrome-extension://abcdeg", 403),
        (Configured, "WS", "push.example", "https://push.example", 200),
        (Configured, "WS", "app.example", "https://app.example", 421),
        // A host that was set holds on every listener.
        (Named, "GET", "push.example", "-", 200),
        (Named, "GET", "localhost:8080", "-", 200),
        (Named, "GET", "whatever.example", "-", 421),
        (Named, "WS", "evil.example", "http://evil.example", 421),
        (Named, "POST", "evil.example", "-", 421),
        (Named, "POST", "example.com", "-", 421),
        // A listener elsewhere: no Host check, and localhost pages are strangers.
        (Public, "GET", "whatever.example", "-", 200),
        (Public, "WS", "push.example:8080", "http://push.example:8080", 200),
        (Public, "WS", "push.example", "https://push.example", 200),
        (Public, "WS", "push.example", "http://push.example", 200),
        (Public, "WS", "push.example:443", "https://push.example", 200),
        (Public, "WS", "push.example:80", "https://push.example", 403),
        (Public, "WS", "push.example", "http://push.example:8080", 403),
        (Public, "WS", "push.example:8080", "http://localhost:3000", 403),
        (Public, "WS", "push.example:8080", "null", 403),
        (Public, "POST", "push.example:8080", "https://app.example", 200),
        (Public, "POST", "push.example:8080", "https://evil.example", 403),
        (Public, "POST", "push.example:8080", "-", 200),
        (Public, "POST", "-", "https://app.example", 200),
        (Public, "POST", "-", "https://evil.example", 403),
    ];

    fn facts<'a>(method: &str, host: &'a str, origin: &'a str) -> AccessFacts<'a> {
        let given = |text: &'a str| (text != "-").then_some(text);
        let method_value = match method {
            "GET" | "WS" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            _ => Method::Options,
        };
        AccessFacts {
            method: method_value,
            upgrade: method == "WS",
            http11: true,
            health: false,
            host: given(host),
            origin: given(origin),
            authorization: None,
            forwarded: false,
            peer_is_loopback: true,
        }
    }

    #[test]
    fn host_and_origin_are_judged_by_the_listener() {
        for (on, method, host, origin, status) in ROWS {
            let verdict = judge(&facts(method, host, origin), &policy(*on));
            let got = verdict.as_ref().map_or_else(|error| error.code.http_status(), |_| 200);
            assert_eq!(got, *status, "{on:?} {method} Host {host} Origin {origin}");
            if let Ok(access) = verdict {
                assert_eq!(access.cors_origin.as_deref(), (*origin != "-").then_some(*origin));
            }
        }
    }

    /// Behind a plain proxy on the same machine everybody was an operator and published.
    #[test]
    fn an_address_makes_no_operator_and_only_direct_clients_publish_unasked() {
        let direct = AccessFacts { ..facts("POST", "localhost", "-") };
        let changed: [(&str, AccessFacts<'_>, bool); 9] = [
            ("direct", direct, true),
            ("another loopback name", AccessFacts { host: Some("127.0.0.1:8080"), ..direct }, true),
            ("the article's", AccessFacts { host: Some("example.com"), ..direct }, true),
            ("a proxy's field", AccessFacts { forwarded: true, ..direct }, false),
            ("HTTP/1.0", AccessFacts { http11: false, ..direct }, false),
            ("another peer", AccessFacts { peer_is_loopback: false, ..direct }, false),
            ("an allowed host", AccessFacts { host: Some("push.example"), ..direct }, false),
            ("no host", AccessFacts { host: None, ..direct }, false),
            ("the article's by a field", AccessFacts { host: Some("example.com"), forwarded: true, ..direct }, false),
        ];
        let key = OperatorKey::parse("0123456789abcdef").expect("a key");
        for (what, facts, may_publish) in changed {
            for (listener_is_loopback, flag) in [(true, false), (true, true), (false, false), (false, true)] {
                let policy = AccessPolicy {
                    listener_is_loopback,
                    anonymous_publish: flag,
                    allowed_hosts: vec!["push.example".to_owned()],
                    rules: rules(key.clone()),
                    ..AccessPolicy::default()
                };
                let Ok(access) = judge(&facts, &policy) else {
                    assert!(!listener_is_loopback && facts.host == Some("example.com"), "{what}");
                    continue;
                };
                let expected = flag || (listener_is_loopback && may_publish);
                assert_eq!(
                    (access.identity.grants.include(Action::Write), access.standing),
                    (expected, Standing::Anonymous),
                    "{what} {policy:?}"
                );
                let facts = AccessFacts { authorization: Some("Bearer 0123456789abcdef"), ..facts };
                let access = judge(&facts, &policy).expect("judged the same");
                assert_eq!(
                    (access.identity.grants.include(Action::Write), access.standing),
                    (true, Standing::Operator),
                    "{what}"
                );
                let facts = AccessFacts { authorization: Some("Bearer something-else-entirely"), ..facts };
                let access = judge(&facts, &policy).expect("judged the same");
                assert_eq!(
                    (access.identity.grants.include(Action::Write), access.standing),
                    (expected, Standing::Unknown),
                    "{what}"
                );
            }
        }
    }

    #[test]
    fn health_is_told_under_any_name_and_to_any_page() {
        for (host, origin, named) in [
            ("evil.example", "-", false),
            ("evil.example", "http://evil.example:1", false),
            ("localhost", "http://localhost:3000", true),
            ("localhost", "null", false),
        ] {
            let facts = AccessFacts { health: true, ..facts("GET", host, origin) };
            let access = judge(&facts, &policy(On::Loopback)).expect("anybody may know");
            assert_eq!(access.cors_origin.is_some(), named, "{host} {origin}");
        }
    }
}
