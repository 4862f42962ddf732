//! The table of routes of a listener: its paths, the methods each takes, and the protocol that plans the response.
//!
//! OPTIONS, the Allow field, 405 and what a 404 says are there follow from it.

use super::challenge;
use super::files;
use super::plan::Plan;
use super::redirect;
use super::response::Response;
use super::scope::Scope;
use crate::access::{Access, Challenges, preflight_fields};
use crate::model::code::Code;
use crate::model::redirect::Redirect;
use crate::model::serves::Serves;
use crate::wire::http::head::{Head, Method};
use crate::wire::http::upgrade::wants_upgrade;
use std::sync::Arc;

/// What one path is for.
pub struct Route {
    /// Where it is.
    pub path: Path,
    /// What it takes of it.
    pub takes: Takes,
    /// The methods it takes, besides OPTIONS, in the order in which Allow names them.
    pub methods: &'static [Method],
    /// Whether a GET that accepts `text/event-stream` is a live stream.
    pub streams: bool,
    /// The methods it takes on a listener that serves no clients: none when it is not there.
    pub elsewhere: fn(Serves) -> &'static [Method],
    /// Plans the answer; gets what follows the prefix of [`Path::Under`].
    pub plan: fn(&Call<'_, '_>, &str) -> Plan,
}

/// Where a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// At exactly this path.
    At(&'static str),
    /// At all paths that begin so.
    Under {
        /// The beginning, with its last slash.
        prefix: &'static str,
        /// The whole path, for messages.
        shown: &'static str,
    },
}

/// What becomes of a request that asks for a WebSocket, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// No WebSocket is here: one that is asked for is refused.
    Requests,
    /// The same, but it is answered as if it had not been asked for: probes must not fail for a field.
    Probes,
    /// Both: the plan looks.
    Both,
    /// Only a request for a WebSocket finds this.
    Sockets,
}

/// A request's head, with what is known of its client.
pub struct Call<'a, 'h> {
    /// The head.
    pub head: &'a Head<'h>,
    /// What the client may do.
    pub access: &'a Access,
    /// What is lent.
    pub scope: Scope<'a>,
}

impl Call<'_, '_> {
    /// Whether it asks for a WebSocket.
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        wants_upgrade(self.head)
    }
}

/// For routes that are for clients alone.
pub fn nowhere(_: Serves) -> &'static [Method] {
    &[]
}

/// The table of one listener.
pub struct Routes {
    serves: Serves,
    /// Where everything else is sent.
    redirect: Option<Redirect>,
    /// What certificate authorities ask, where they may.
    challenges: Option<Arc<Challenges>>,
    rows: Vec<Row>,
}

/// A route with the methods it takes on this listener.
struct Row {
    route: &'static Route,
    methods: &'static [Method],
}

impl Path {
    /// What follows it in `path`, if that is there.
    fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self {
            Path::At(own) => (*own == path).then_some(""),
            Path::Under { prefix, .. } => path.strip_prefix(prefix),
        }
    }

    fn shown(&self) -> &'static str {
        match self {
            Path::At(shown) | Path::Under { shown, .. } => shown,
        }
    }
}

impl Routes {
    /// The table of a listener that serves these, out of what all protocols have.
    #[must_use]
    pub fn new(serves: Serves) -> Routes {
        let rows = super::ROUTES.iter().copied().flatten().map(|route| {
            // A row without methods is left out below, so that a 404 does not name what this listener does not have.
            let methods = if serves.clients() { route.methods } else { (route.elsewhere)(serves) };
            Row { route, methods }
        });
        Routes { serves, redirect: None, challenges: None, rows: rows.filter(|row| !row.methods.is_empty()).collect() }
    }

    /// The table of a listener that sends everybody elsewhere, but for health checks.
    #[must_use]
    pub fn redirecting(to: Redirect) -> Routes {
        Routes { redirect: Some(to), ..Routes::new(Serves::HEALTH) }
    }

    /// The same, which answers certificate authorities besides.
    #[must_use]
    pub fn answering(self, challenges: Arc<Challenges>) -> Routes {
        Routes { challenges: Some(challenges), ..self }
    }

    /// Whether a request is for a live event stream. It is answered as one even when it is refused.
    #[must_use]
    pub fn is_stream(&self, head: &Head<'_>) -> bool {
        head.method == Method::Get
            && head.accepts_event_stream()
            // A handshake may accept anything; it asks for a socket.
            && !wants_upgrade(head)
            && self.find(head).is_some_and(|(row, _)| row.route.streams)
    }

    /// Whether an answer is for monitoring: a probe, or the server's metrics.
    #[must_use]
    pub fn is_for_operations(&self, head: &Head<'_>) -> bool {
        self.find(head).is_some_and(|(row, _)| !(row.route.elsewhere)(Serves::METRICS).is_empty())
    }

    /// Whether it matters for the answer who asks: not for probes, nor for what is no route, such as a file.
    #[must_use]
    pub fn asks_who(&self, head: &Head<'_>) -> bool {
        self.find(head).is_some_and(|(row, _)| row.route.takes != Takes::Probes)
    }

    /// Plans the answer to a request.
    #[must_use]
    pub fn plan(&self, call: &Call<'_, '_>) -> Plan {
        let head = call.head;
        // No row is at `*`; a listener without clients refuses it as it does any path that it lacks.
        if head.path == "*" && self.serves.clients() {
            return options(call, &self.all_methods());
        }
        let Some((row, rest)) = self.find(head) else { return self.nothing(call) };
        // Before the method: a 200 to a handshake would be a failure without a reason to its client.
        if call.wants_upgrade() && row.route.takes == Takes::Requests {
            return no_socket_at(head.path);
        }
        if row.methods.contains(&head.method) {
            return (row.route.plan)(call, rest);
        }
        match head.method {
            Method::Options => options(call, &allow(row.methods)),
            // 405 would be untrue: the path does take this method, on a listener for clients.
            method if row.route.methods.contains(&method) => self.not_here(head),
            _ => Plan::not_allowed(head, allow(row.methods)),
        }
    }

    fn find<'p>(&self, head: &Head<'p>) -> Option<(&Row, &'p str)> {
        let upgrade = wants_upgrade(head);
        // `/` is a socket to those who ask for one, and a page to all others: for them no row is there.
        let finds = |row: &&Row| row.route.takes != Takes::Sockets || upgrade;
        self.rows.iter().filter(finds).find_map(|row| row.route.path.rest(head.path).map(|rest| (row, rest)))
    }

    /// The value of Allow that names every method that something here takes.
    #[must_use]
    pub fn all_methods(&self) -> String {
        let mut all = Vec::new();
        // First, so that the methods are named in the order in which that route names them.
        let longest = self.rows.iter().map(|row| row.methods).max_by_key(|methods| methods.len()).unwrap_or_default();
        for method in longest.iter().chain(self.rows.iter().flat_map(|row| row.methods)) {
            if !all.contains(method) {
                all.push(*method);
            }
        }
        allow(&all)
    }

    fn nothing(&self, call: &Call<'_, '_>) -> Plan {
        let (head, settings) = (call.head, call.scope.settings);
        // Before the redirect: the authority asks by plain HTTP while there may be nothing at https:// yet.
        if let Some(plan) = self.challenges.as_ref().and_then(|challenges| challenge::plan(challenges, head)) {
            return plan;
        }
        if let Some(redirect) = &self.redirect {
            return redirect::plan(redirect, head);
        }
        if !self.serves.clients() {
            return self.not_here(head);
        }
        // Before the files: a file is no answer to a handshake.
        if call.wants_upgrade() {
            return no_socket_at(head.path);
        }
        files::plan(head, settings).unwrap_or_else(|| {
            let shown = start_of(head.path, 60);
            if files::is_switched_off(head.path, settings) {
                let message =
                    format!("{shown:?} is part of the console, which is switched off here (web.console = false)");
                return Plan::refuse(Code::NotFound, message);
            }
            let rows = self.rows.iter().filter(|row| row.route.takes != Takes::Sockets);
            let (first, last) = files::shown(settings);
            let known: Vec<&str> =
                first.iter().copied().chain(rows.map(|row| row.route.path.shown())).chain(last).collect();
            Plan::refuse(Code::NotFound, format!("there is nothing at {shown:?}; the paths are {}", known.join(", ")))
        })
    }

    /// A listener that serves no clients names what it has, and which kind of listener has the rest.
    fn not_here(&self, head: &Head<'_>) -> Plan {
        let there: Vec<String> = self.rows.iter().map(Row::shown).collect();
        let message = format!(
            "{} {:?} is not available on this listener, which serves {}: {}; use one that serves clients",
            head.method_name,
            start_of(head.path, 40),
            self.serves,
            listed(&there),
        );
        Plan::refuse(Code::NotFound, message)
    }
}

impl Row {
    /// The path, after the methods it takes where these are not all that it has elsewhere.
    fn shown(&self) -> String {
        let path = self.route.path.shown();
        if self.methods == self.route.methods {
            return path.to_owned();
        }
        format!("{} {path}", self.methods.iter().map(|method| method.name()).collect::<Vec<_>>().join(", "))
    }
}

/// The value of Allow.
fn allow(methods: &[Method]) -> String {
    methods.iter().chain([&Method::Options]).map(|method| method.name()).collect::<Vec<_>>().join(", ")
}

fn listed(words: &[String]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The first characters of a path, which may be long.
fn start_of(path: &str, characters: usize) -> String {
    path.chars().take(characters).collect()
}

fn options(call: &Call<'_, '_>, allow: &str) -> Plan {
    let mut response = Response { status: 204, ..Response::default() };
    response.extra.push(("Allow", allow.to_owned()));
    // For the page of any other origin the absence of these fields is the refusal.
    if call.head.is_preflight() && call.access.cors_origin.is_some() {
        response.extra.extend(preflight_fields(call.head.preflight_headers));
    }
    Plan::Answer(response)
}

fn no_socket_at(path: &str) -> Plan {
    let shown = start_of(path, 40);
    let message =
        format!("there is no WebSocket at {shown:?}: connect to /ws, or to /channels/{{name}} to be subscribed");
    Plan::refuse(Code::NotFound, message)
}

#[cfg(test)]
mod tests {
    use super::{Routes, allow, listed};
    use crate::model::serves::Serves;
    use crate::wire::http::head::{Head, HeadLimits, Method, parse_head};

    fn with_head<T>(text: &str, look: impl FnOnce(&Head<'_>) -> T) -> T {
        let text = format!("{text} HTTP/1.1\r\nHost: a\r\n\r\n");
        look(&parse_head(text.as_bytes(), &HeadLimits::default()).expect("valid").expect("whole").0)
    }

    /// Whether a listener takes a method at a path.
    fn takes(serves: Serves, method: Method, path: &str) -> bool {
        let routes = Routes::new(serves);
        with_head(&format!("{} {path}", method.name()), |head| {
            routes.find(head).is_some_and(|(row, _)| row.methods.contains(&head.method))
        })
    }

    #[test]
    fn each_listener_has_its_own_pages_and_no_others() {
        let both = Serves::OPERATORS.and(Serves::HEALTH);
        for (method, path, serving) in [
            (Method::Get, "/livez", vec![Serves::OPERATORS, Serves::METRICS, Serves::HEALTH, both]),
            (Method::Get, "/readyz", vec![Serves::OPERATORS, Serves::METRICS, Serves::HEALTH, both]),
            (Method::Get, "/metrics", vec![Serves::OPERATORS, Serves::METRICS, both]),
            (Method::Get, "/channels", vec![Serves::OPERATORS, both]),
            (Method::Delete, "/channels/a", vec![Serves::OPERATORS, both]),
            (Method::Get, "/channels/a", vec![]),
            (Method::Post, "/channels/a", vec![]),
            (Method::Get, "/ws", vec![]),
            (Method::Get, "/echo", vec![]),
            (Method::Get, "/", vec![]),
            (Method::Get, "/limits", vec![]),
        ] {
            for serves in [Serves::OPERATORS, Serves::METRICS, Serves::HEALTH, both] {
                assert_eq!(takes(serves, method, path), serving.contains(&serves), "{path} {serves}");
            }
            assert_eq!(takes(Serves::CLIENTS, method, path), path != "/", "{path}: a socket alone is at /");
        }
    }

    #[test]
    fn what_a_listener_takes_is_said_in_one_order() {
        assert_eq!(Routes::new(Serves::CLIENTS).all_methods(), "GET, HEAD, POST, DELETE, OPTIONS");
        assert_eq!(allow(&[Method::Get]), "GET, OPTIONS");
        let words = |words: &[&str]| listed(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!([words(&[]), words(&["a"]), words(&["a", "b", "c"])], ["nothing", "a", "a, b and c"]);
    }

    #[test]
    fn what_watches_over_the_server_is_known_from_what_uses_it() {
        let routes = Routes::new(Serves::CLIENTS);
        for (path, expected) in [
            ("/livez", true),
            ("/readyz", true),
            ("/metrics", true),
            ("/channels", false),
            ("/ws", false),
            ("/", false),
        ] {
            assert_eq!(with_head(&format!("GET {path}"), |head| routes.is_for_operations(head)), expected, "{path}");
        }
    }
}
