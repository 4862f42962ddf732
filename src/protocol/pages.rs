//! Pages about the server: health checks, its figures, its channels.

use super::plan::Plan;
use super::response::Response;
use super::routes::{Call, Path, Route, Takes};
use super::tidings::ticket::Form;
use crate::model::code::Code;
use crate::model::request::{Page, Request, Verb};
use crate::model::serves::Serves;
use crate::wire::http::head::Method;

const READS: &[Method] = &[Method::Get, Method::Head];

pub(super) const ROUTES: &[Route] = &[
    // Alive while it drains, too: a supervisor that restarted it then would cut off the clients that it still serves.
    page("/livez", Takes::Probes, |_| READS, |_, _| Plan::Answer(Response::text(200, "alive\n"))),
    page(
        "/readyz",
        Takes::Probes,
        |_| READS,
        |call, _| match (call.scope.leaving, call.scope.away) {
            (true, _) => draining(),
            (false, true) => away(),
            (false, false) => Plan::Answer(Response::text(200, "ready\n")),
        },
    ),
    page(
        "/metrics",
        Takes::Requests,
        |serves| if serves.operators() || serves.metrics() { READS } else { &[] },
        |call, _| for_operators(call, Page::Metrics, call.scope.policy.serves.metrics()),
    ),
    page(
        "/channels",
        Takes::Requests,
        |serves| if serves.operators() { READS } else { &[] },
        |call, _| for_operators(call, Page::Channels, false),
    ),
    page(
        "/cluster",
        Takes::Requests,
        |serves| if serves.operators() { READS } else { &[] },
        |call, _| for_operators(call, Page::Cluster, false),
    ),
];

/// A page that can only be read.
pub(super) const fn page(
    path: &'static str,
    takes: Takes,
    elsewhere: fn(Serves) -> &'static [Method],
    plan: fn(&Call<'_, '_>, &str) -> Plan,
) -> Route {
    Route { path: Path::At(path), takes, methods: READS, streams: false, elsewhere, plan }
}

/// What is refused while the server shuts down.
#[must_use]
pub fn draining() -> Plan {
    Plan::refuse(Code::ServerShutdown, "this server is shutting down; come back in a moment, another one may take over")
}

/// What a health check learns while the engine cannot be reached.
fn away() -> Plan {
    Plan::refuse(Code::EngineUnavailable, "the engine cannot be reached; this server goes on as soon as it can")
}

fn for_operators(call: &Call<'_, '_>, page: Page, is_open: bool) -> Plan {
    if call.access.identity.is_operator() || is_open {
        return Plan::ask(Form::Http.ticket(), Ok(Request { id: None, verb: Verb::Inspect(page) }));
    }
    Plan::Refuse(call.scope.policy.rules.operators.refusal(call.access.standing, call.head.path).into())
}
