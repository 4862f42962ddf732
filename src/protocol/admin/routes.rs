//! Where the admin API is, and who may ask it.

use super::read::{ActKind, Acting, credential_item, listing_item, reload_item, revocations_item, subscribers_item};
use crate::model::request::Item;
use crate::model::serves::Serves;
use crate::protocol::plan::Plan;
use crate::protocol::routes::{Call, Path, Route, Takes};
use crate::protocol::task::Task;
use crate::protocol::tidings::media::check_encoding;
use crate::protocol::tidings::ticket::Form;
use crate::wire::http::head::Method;

const READS: &[Method] = &[Method::Get, Method::Head];
const POSTS: &[Method] = &[Method::Post];
const REVOKES: &[Method] = &[Method::Post, Method::Delete];

pub(in crate::protocol) const ROUTES: &[Route] = &[
    row(
        "/admin/connections",
        READS,
        |serves| for_operators(serves, READS),
        |call, _| ask(call, listing_item(call.head.query)),
    ),
    row(
        "/admin/subscribers",
        READS,
        |serves| for_operators(serves, READS),
        |call, _| ask(call, subscribers_item(call.head.query)),
    ),
    row(
        "/admin/revocations",
        READS,
        |serves| for_operators(serves, READS),
        |call, _| ask(call, revocations_item(call.head.query)),
    ),
    row("/admin/disconnect", POSTS, |serves| for_operators(serves, POSTS), |call, _| act(call, ActKind::Disconnect)),
    row("/admin/unsubscribe", POSTS, |serves| for_operators(serves, POSTS), |call, _| act(call, ActKind::Unsubscribe)),
    row(
        "/admin/reload",
        POSTS,
        |serves| for_operators(serves, POSTS),
        |call, _| ask(call, reload_item(call.head.query)),
    ),
    row(
        "/admin/revoke",
        REVOKES,
        |serves| for_operators(serves, REVOKES),
        |call, _| match call.head.method {
            Method::Delete => ask(call, credential_item(call.head.query)),
            _ => act(call, ActKind::Revoke),
        },
    ),
];

const fn row(
    path: &'static str,
    methods: &'static [Method],
    elsewhere: fn(Serves) -> &'static [Method],
    plan: fn(&Call<'_, '_>, &str) -> Plan,
) -> Route {
    Route { path: Path::At(path), takes: Takes::Requests, methods, streams: false, elsewhere, plan }
}

fn for_operators(serves: Serves, methods: &'static [Method]) -> &'static [Method] {
    if serves.operators() { methods } else { &[] }
}

/// The refusal for everybody who is no operator.
fn refused(call: &Call<'_, '_>) -> Option<Plan> {
    let access = call.access;
    let operators = &call.scope.policy.rules.operators;
    let is_operator = access.identity.is_operator();
    (!is_operator).then(|| Plan::Refuse(operators.refusal(access.standing, call.head.path).into()))
}

fn ask(call: &Call<'_, '_>, item: Item) -> Plan {
    refused(call).unwrap_or_else(|| Plan::ask(Form::Http.ticket(), item))
}

fn act(call: &Call<'_, '_>, kind: ActKind) -> Plan {
    if let Some(refused) = refused(call) {
        return refused;
    }
    if let Err(refusal) = check_encoding(call.head.encoded) {
        return Plan::Refuse(refusal.into());
    }
    Plan::Collect(Task::Body(Box::new(Acting { kind, content_type: call.head.content_type.map(Box::from) })))
}
