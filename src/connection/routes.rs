//! What each path and method is for: from a head to the plan that the connection carries out.

use super::answering::{Asked, JSON, Ready};
use super::env::{Env, STRICT_SUBPROTOCOL};
use super::files;
use super::options::{read_item, refused, unknown_option};
use super::plan::{Plan, Planned, Switch, not_allowed};
use super::refused as refusing;
use super::served;
use super::socket::Endpoint;
use crate::access::{Access, AccessFacts, Standing, judge, preflight_fields};
use crate::close::Reason;
use crate::config::EchoFor;
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, Request, Verb};
use crate::protocol::task::{HttpPublish, Page, Rights, Task};
use crate::protocol::tidings::media::{check_encoding, check_media_type};
use crate::protocol::tidings::parse::{Dialect, check_event, check_key};
use crate::protocol::tidings::path::parse_name_in_url;
use crate::protocol::tidings::reply::body_limits;
use crate::protocol::tidings::ticket::Form;
use crate::wire::deflate::Extension;
use crate::wire::http::head::{Head, HeadError, Method, Version};
use crate::wire::http::target::query_pairs;
use crate::wire::http::upgrade::{Upgrade, check_upgrade, wants_upgrade};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Plans the answer to a head. Law 10 is judged before anything else.
pub(super) fn plan(head: &Head<'_>, peer_is_loopback: bool, turned_away: bool, env: &Env) -> Planned {
    let mut asked = Asked::of(head, env);
    let facts = AccessFacts {
        method: head.method,
        upgrade: wants_upgrade(head),
        http11: head.version == Version::Http11,
        health: matches!(head.path, "/livez" | "/readyz"),
        host: head.host,
        origin: head.origin,
        authorization: head.authorization,
        forwarded: head.forwarded,
        peer_is_loopback,
    };
    let plan = match judge(&facts, env.policy) {
        // A browser's socket is upgraded first and then told why (law 9).
        Ok(_) if turned_away && !is_for_operations(head.path) && !(facts.upgrade && facts.origin.is_some()) => {
            asked.keep_alive = false;
            Plan::Refuse { error: one_too_many(), allow: None }
        }
        Ok(access) => {
            if (facts.upgrade || asked.stream)
                && let Err(reason) = env.limits.hooks.may_connect(head, peer_is_loopback)
            {
                let plan = refusing::plan(head, HeadError::new(Reason::Forbidden, reason), env);
                return Planned { asked, plan };
            }
            asked.keep_alive &= !turned_away;
            asked.cors_origin.clone_from(&access.cors_origin);
            asked.as_on_socket = head.method == Method::Post && head.path == "/ws";
            if asked.stream && env.draining { draining() } else { route(head, &access, env) }
        }
        // Files are public: their answers are the same for pages of every origin.
        Err(error)
            if error.reason == Reason::OriginNotAllowed
                && !facts.upgrade
                && !turned_away
                && env.policy.serves.clients() =>
        {
            files::plan(head, env).unwrap_or(Plan::Refuse { error, allow: None })
        }
        Err(error) => refusing::plan(head, error, env),
    };
    Planned { asked, plan }
}

/// What is answered on the connections that are kept free: an orchestrator that gets no answer restarts a server that is
/// only full, and everybody else's reconnects follow.
fn is_for_operations(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics")
}

fn route(head: &Head<'_>, access: &Access, env: &Env) -> Plan {
    let rights = Rights { publish: access.may_publish, administer: access.standing == Standing::Operator };
    if let Some(error) = served::refusal(head, env.policy.serves) {
        return refusing::plan(head, error, env);
    }
    if head.path == "*" {
        return options(head, access, "GET, HEAD, POST, DELETE, OPTIONS");
    }
    if let Some(name) = head.path.strip_prefix("/channels/") {
        return channel(head, name, access, rights, env);
    }
    match head.path {
        "/ws" => socket(head, access, rights, env),
        // What people type: the address of the server alone.
        "/" if wants_upgrade(head) => socket(head, access, rights, env),
        "/echo" => echo(head, access, rights, env),
        path if wants_upgrade(head) && !matches!(path, "/livez" | "/readyz") => {
            refusing::plan(head, no_socket_at(path), env)
        }
        "/channels" => page(head, access, || operator_page(head, access, env, Page::Channels)),
        "/metrics" => page(head, access, || operator_page(head, access, env, Page::Metrics)),
        "/limits" => page(head, access, || limits(env)),
        "/livez" => page(head, access, || text(200, "alive\n")),
        "/readyz" => page(head, access, || if env.leaving { draining() } else { text(200, "ready\n") }),
        path => files::plan(head, env).unwrap_or_else(|| Plan::Refuse { error: nothing_at(path, env), allow: None }),
    }
}

/// A page that can only be read.
fn page(head: &Head<'_>, access: &Access, make: impl FnOnce() -> Plan) -> Plan {
    const ALLOW: &str = "GET, HEAD, OPTIONS";
    match head.method {
        Method::Get | Method::Head => make(),
        Method::Options => options(head, access, ALLOW),
        _ => not_allowed(head, ALLOW),
    }
}

fn channel(head: &Head<'_>, name: &str, access: &Access, rights: Rights, env: &Env) -> Plan {
    const ALLOW: &str = "GET, HEAD, POST, DELETE, OPTIONS";
    if head.method == Method::Options {
        return options(head, access, ALLOW);
    }
    let channel = match parse_name_in_url(name) {
        Ok(channel) => channel,
        Err(refusal) if head.method == Method::Post => return refuse_item(refusal, rights),
        Err(refusal) if wants_upgrade(head) && head.origin.is_some() => {
            return upgrade(head, dialect_of, rights, Some(refused(refusal)), env);
        }
        Err(refusal) => return Plan::Request { item: refused(refusal), ticket: Form::Http.ticket(), rights },
    };
    match head.method {
        Method::Get if wants_upgrade(head) => {
            let item = read_item(head, channel, false);
            upgrade(head, dialect_of, rights, Some(item), env)
        }
        Method::Get if head.accepts_event_stream() => {
            Plan::Request { item: read_item(head, channel, false), ticket: Form::EventStream.ticket(), rights }
        }
        Method::Head if head.accepts_event_stream() => Plan::StreamHead,
        Method::Get | Method::Head => {
            Plan::Request { item: read_item(head, channel, true), ticket: Form::Http.ticket(), rights }
        }
        Method::Post => publish(head, channel, rights),
        Method::Delete if access.standing == Standing::Unknown => {
            let refusal = env.policy.operators.refusal(access.standing, "Emptying a channel's history");
            Plan::Request { item: refused(refusal), ticket: Form::Http.ticket(), rights }
        }
        Method::Delete => {
            let verb = Verb::DeleteHistory { channel };
            Plan::Request { item: Ok(Request { id: None, verb }), ticket: Form::Http.ticket(), rights }
        }
        _ => not_allowed(head, ALLOW),
    }
}

fn publish(head: &Head<'_>, channel: ChannelName, rights: Rights) -> Plan {
    let (mut event, mut exclude) = (None, None);
    for (name, value) in query_pairs(head.query.unwrap_or_default()) {
        match &*name {
            "event" => event = Some(Box::from(&*value)),
            "exclude" => exclude = Some(Box::from(&*value)),
            _ => return refuse_item(unknown_option(&name, &["event", "exclude"]), rights),
        }
    }
    let key: Option<Box<str>> = head.idempotency_key.map(Box::from);
    let checked = event.as_deref().map_or(Ok(()), check_event).and_then(|()| key.as_deref().map_or(Ok(()), check_key));
    let checked = checked.and_then(|()| check_encoding(head.encoded));
    let checked = checked.and_then(|()| if head.expect_continue { check_before_body(head, rights) } else { Ok(()) });
    if let Err(refusal) = checked {
        return refuse_item(refusal, rights);
    }
    let content_type = head.content_type.map(Box::from);
    let publish = HttpPublish { channel, content_type, event, key, exclude };
    Plan::Collect { task: Task::Publish(Box::new(publish)), ticket: Form::Http.ticket(), rights }
}

/// What can be refused while the client still holds its body back.
fn check_before_body(head: &Head<'_>, rights: Rights) -> Result<(), Refusal> {
    if rights.publish { check_media_type(head.content_type) } else { Err(Code::PublishingNotAllowed.into()) }
}

fn socket(head: &Head<'_>, access: &Access, rights: Rights, env: &Env) -> Plan {
    const ALLOW: &str = "GET, POST, OPTIONS";
    match head.method {
        Method::Get => upgrade(head, dialect_of, rights, None, env),
        // Whatever Upgrade fields it carries: RFC 9110 section 7.8 lets a server ignore them.
        Method::Post => {
            if let Err(refusal) = check_encoding(head.encoded) {
                return refuse_item(refusal, rights);
            }
            let task = Task::PlainBody(head.content_type.map(Box::from));
            Plan::Collect { task, ticket: Form::Http.ticket(), rights }
        }
        Method::Options => options(head, access, ALLOW),
        _ => not_allowed(head, ALLOW),
    }
}

fn echo(head: &Head<'_>, access: &Access, rights: Rights, env: &Env) -> Plan {
    const ALLOW: &str = "GET, OPTIONS";
    match head.method {
        Method::Get if !echo_is_open(access, env) => Plan::Refuse { error: echo_is_closed(), allow: None },
        Method::Get => upgrade(head, |_| Endpoint::Echo, rights, None, env),
        Method::Options => options(head, access, ALLOW),
        _ => not_allowed(head, ALLOW),
    }
}

fn echo_is_open(access: &Access, env: &Env) -> bool {
    match env.limits.echo {
        EchoFor::Auto => access.direct || access.standing == Standing::Operator,
        EchoFor::On => true,
        EchoFor::Off => false,
    }
}

fn echo_is_closed() -> HeadError {
    HeadError::new(
        Reason::Forbidden,
        "/echo is not open to this connection: without websocket.echo = \"on\" it is for operators, and for clients that \
         come directly from this machine to a server in open mode; try /ws",
    )
}

fn upgrade(
    head: &Head<'_>,
    endpoint: fn(&Upgrade) -> Endpoint,
    rights: Rights,
    subscribe: Option<Item>,
    env: &Env,
) -> Plan {
    let mut share = None;
    let agree = |offers: &[Extension<'_>]| {
        let (agreement, taken) = env.limits.deflate.as_ref()?.agree(offers)?;
        share = taken;
        Some(agreement)
    };
    match check_upgrade(head, &env.limits.subprotocols, agree) {
        // A program cannot read why a handshake failed, and a browser's cannot even see that it did: it is told by a
        // Close (law 9). Everybody else is told by the status.
        Ok(_) if env.draining && head.origin.is_none() => draining(),
        Ok(upgrade) => {
            let endpoint = endpoint(&upgrade);
            Plan::Upgrade(Box::new(Switch { upgrade, share, endpoint, rights, subscribe }))
        }
        Err(error) => Plan::Refuse { error, allow: None },
    }
}

fn dialect_of(upgrade: &Upgrade) -> Endpoint {
    let strict = upgrade.protocol.as_deref() == Some(STRICT_SUBPROTOCOL);
    Endpoint::Channels(if strict { Dialect::Strict } else { Dialect::Open })
}

fn refuse_item(refusal: Refusal, rights: Rights) -> Plan {
    // The body is still to come; a task that ignores it answers when it has.
    Plan::Collect { task: Task::Request(Box::new(refused(refusal))), ticket: Form::Http.ticket(), rights }
}

fn options(head: &Head<'_>, access: &Access, allow: &'static str) -> Plan {
    let mut extra: SmallVec<[(&'static str, String); 2]> = SmallVec::new();
    extra.push(("Allow", allow.to_owned()));
    if head.is_preflight() && access.cors_origin.is_some() {
        extra.extend(preflight_fields(head.preflight_headers));
    }
    Plan::Answer(Ready { status: 204, extra, ..Ready::default() })
}

fn no_socket_at(path: &str) -> HeadError {
    let shown: String = path.chars().take(40).collect();
    let message = format!("no WebSocket is at {shown:?}: connect to /ws, or to /channels/{{name}} to be subscribed");
    HeadError::new(Reason::NotFound, message)
}

fn nothing_at(path: &str, env: &Env) -> HeadError {
    let shown: String = path.chars().take(60).collect();
    if files::is_switched_off(path, env) {
        let message = format!("{shown:?} is part of the console, which is switched off here (web.console = false)");
        return HeadError::new(Reason::NotFound, message);
    }
    let known = "/, /ws, /echo, /channels/{name}, /channels, /limits, /livez, /readyz, /metrics, /tidings.js";
    let known = if env.limits.console { known } else { &known["/, ".len()..] };
    HeadError::new(Reason::NotFound, format!("nothing is at {shown:?}; there are {known}"))
}

fn operator_page(head: &Head<'_>, access: &Access, env: &Env, page: Page) -> Plan {
    let is_open = page == Page::Metrics && env.policy.serves.metrics();
    if access.standing == Standing::Operator || is_open {
        return Plan::Page(page);
    }
    let refusal = env.policy.operators.refusal(access.standing, head.path);
    env.refuse(refusal.code, &refusal.message);
    let body = crate::protocol::response::refusal_body(refusal.label(), &refusal.message);
    Plan::Answer(Ready { status: refusal.status(), content_type: Some(JSON), body, ..Ready::default() })
}

/// What a client may send: asked by clients before they queue anything that would be refused.
fn limits(env: &Env) -> Plan {
    let mut body = Vec::new();
    body_limits(&mut body, &env.limits.to_send());
    body.push(b'\n');
    Plan::Answer(Ready { status: 200, content_type: Some(JSON), body, ..Ready::default() })
}

fn text(status: u16, body: &'static str) -> Plan {
    Plan::Answer(Ready {
        status,
        content_type: Some("text/plain; charset=utf-8"),
        body: body.into(),
        ..Ready::default()
    })
}

fn draining() -> Plan {
    let message = Cow::Borrowed("this server is shutting down; come back in a moment, another one may take over");
    Plan::Refuse { error: HeadError { reason: Reason::ServerShutdown, message }, allow: None }
}

fn one_too_many() -> HeadError {
    HeadError::new(
        Reason::TooManyConnections,
        "this server holds as many connections as it may (server.connections); try again later",
    )
}
