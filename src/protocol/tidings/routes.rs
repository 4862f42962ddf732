//! Where this protocol is: `/channels/{name}` over HTTP, as an event stream and as a socket; `/ws`; `/limits`.

use super::media::{check_encoding, check_media_type};
use super::options::{TOKEN_OPTION, if_match, ignored, read_item, refused, unknown_option};
use super::parse::Dialect;
use super::path::parse_name_in_url;
use super::read::{HttpPublish, PlainBody};
use super::reply::body_limits;
use super::ticket::Form;
use crate::access::{Action, ChannelRules, Identity, Standing};
use crate::model::code::Code;
use crate::model::labels::{check_event, check_key};
use crate::model::name::ChannelName;
use crate::model::refusal::Refusal;
use crate::model::request::{GetOptions, Item, Request, Verb};
use crate::model::ticket::Ticket;
use crate::protocol::Session;
use crate::protocol::pages::page;
use crate::protocol::plan::{Asking, Opening, Plan};
use crate::protocol::response::Response;
use crate::protocol::routes::{Call, Path, Route, Takes, nowhere};
use crate::protocol::scope::Settings;
use crate::protocol::task::Task;
use crate::wire::http::head::{Head, Method};
use crate::wire::http::target::query_pairs;

/// The subprotocol without the plain forms.
pub const STRICT_SUBPROTOCOL: &str = "tidings.v1";

pub(in crate::protocol) const ROUTES: &[Route] = &[
    Route {
        path: Path::Under { prefix: "/channels/", shown: "/channels/{name}" },
        takes: Takes::Both,
        methods: &[Method::Get, Method::Head, Method::Post, Method::Delete],
        streams: true,
        elsewhere: |serves| if serves.operators() { &[Method::Delete] } else { &[] },
        plan: channel,
    },
    Route {
        path: Path::At("/ws"),
        takes: Takes::Both,
        methods: &[Method::Get, Method::Post],
        streams: false,
        elsewhere: nowhere,
        plan: socket,
    },
    // What people type: the address of the server alone.
    Route {
        path: Path::At("/"),
        takes: Takes::Sockets,
        methods: &[Method::Get],
        streams: false,
        elsewhere: nowhere,
        plan: socket,
    },
    page("/limits", Takes::Requests, nowhere, |call, _| limits(call.scope.settings)),
];

fn channel(call: &Call<'_, '_>, name: &str) -> Plan {
    let head = call.head;
    let channel = match parse_name_in_url(name) {
        Ok(channel) => channel,
        Err(refusal) if head.method == Method::Post => return refuse_after_body(Form::Http, refusal),
        // A page cannot read the status of a failed handshake: it gets a socket, and the refusal in its Close.
        Err(refusal) if call.wants_upgrade() && head.origin.is_some() => return upgrade(call, Some(refused(refusal))),
        Err(refusal) => return Plan::ask(Form::Http.ticket(), refused(refusal)),
    };
    // A token that is not looked at would be in logs for nothing.
    let has_token = || head.query.is_some_and(|query| query_pairs(query).any(|(name, _)| name == TOKEN_OPTION));
    if head.query.is_some() && !call.scope.policy.rules.take_tokens_in_query() && has_token() {
        let message =
            "token= is not taken in a query here: no [[issuer]] has token_in_query; send Authorization: Bearer";
        let refusal = Refusal::new(Code::UnknownOption, message);
        return if head.method == Method::Post {
            refuse_after_body(Form::Http, refusal)
        } else {
            Plan::Refuse(refusal.into())
        };
    }
    let signs = call.scope.policy.rules.signed.are_possible();
    match head.method {
        Method::Post => publish(call, channel),
        Method::Delete => empty(call, channel),
        // Before the event stream: what a handshake accepts does not matter.
        Method::Get if call.wants_upgrade() => upgrade(call, Some(read_item(head, channel, false, signs))),
        Method::Get if head.accepts_event_stream() => stream(head, channel, signs),
        Method::Head if head.accepts_event_stream() => Plan::StreamHead,
        _ => Plan::ask(Form::Http.ticket(), read_item(head, channel, true, signs)),
    }
}

fn stream(head: &Head<'_>, channel: ChannelName, signs: bool) -> Plan {
    let item = read_item(head, channel, false, signs);
    Plan::Ask(Box::new(Asking { ticket: Form::EventStream.ticket(), item, note: ignored(head, signs) }))
}

fn empty(call: &Call<'_, '_>, channel: ChannelName) -> Plan {
    // Here, where the head is: the hub sees only an identity, and that of a wrong key is the same as that of none.
    let item = if call.access.standing == Standing::Unknown {
        let operators = &call.scope.policy.rules.operators;
        refused(operators.refusal(call.access.standing, "Emptying a channel's history"))
    } else {
        Ok(Request { id: None, verb: Verb::DeleteHistory { channel } })
    };
    Plan::ask(Form::Http.ticket(), item)
}

fn publish(call: &Call<'_, '_>, channel: ChannelName) -> Plan {
    let head = call.head;
    let (mut event, mut exclude) = (None, None);
    for (name, value) in query_pairs(head.query.unwrap_or_default()) {
        match &*name {
            "event" => event = Some(Box::from(&*value)),
            "exclude" => exclude = Some(Box::from(&*value)),
            TOKEN_OPTION => {}
            _ => return refuse_after_body(Form::Http, unknown_option(&name, &["event", "exclude"])),
        }
    }
    let key: Option<Box<str>> = head.idempotency_key.map(Box::from);
    let checked = event.as_deref().map_or(Ok(()), check_event).and_then(|()| key.as_deref().map_or(Ok(()), check_key));
    let checked = checked.and_then(|()| check_encoding(head.encoded));
    // Only for a client that waits: the body of any other is coming already, and is judged when it is here.
    let checked = checked.and_then(|()| if head.expect_continue { check_before_body(call, &channel) } else { Ok(()) });
    if let Err(refusal) = checked {
        return refuse_after_body(Form::Http, refusal);
    }
    let if_match = match if_match(&head.cached.if_match) {
        Ok(if_match) => if_match,
        Err(refusal) => return refuse_after_body(Form::Http, refusal),
    };
    let content_type = head.content_type.map(Box::from);
    Plan::Collect(Task::Body(Box::new(HttpPublish { channel, content_type, event, key, exclude, if_match })))
}

/// What can be refused while the client still holds its body back.
fn check_before_body(call: &Call<'_, '_>, channel: &ChannelName) -> Result<(), Refusal> {
    call.scope.policy.rules.channels.judge(&call.access.identity, Action::Write, channel)?;
    check_media_type(call.head.content_type)
}

fn socket(call: &Call<'_, '_>, _: &str) -> Plan {
    // Whatever Upgrade fields a POST carries: RFC 9110 section 7.8 lets a server ignore them.
    if call.head.method == Method::Get {
        return upgrade(call, None);
    }
    match check_encoding(call.head.encoded) {
        Ok(()) => Plan::Collect(Task::Body(Box::new(PlainBody(call.head.content_type.map(Box::from))))),
        Err(refusal) => refuse_after_body(Form::HttpAsSocket, refusal),
    }
}

/// A socket, which is subscribed at once to what its path says, and to the channels that the client's token names.
fn upgrade(call: &Call<'_, '_>, first: Option<Item>) -> Plan {
    let asked = |name: &ChannelName| {
        first.iter().flatten().any(|item| matches!(&item.verb, Verb::Get { channel, .. } if channel == name))
    };
    let named = subscriptions(&call.access.identity, &call.scope.policy.rules.channels, asked);
    let items: Vec<Item> = first.into_iter().chain(named).collect();
    let first = (!items.is_empty()).then(|| Box::new((Form::Upgrade.ticket(), items)));
    Plan::Upgrade(Opening { session: session_of, first })
}

/// What a socket asks for whose client has just signed in: the channels that its token names, but for those that it `has`.
/// Nothing after an AUTH in a batch, whose answers are in progress.
pub(in crate::protocol) fn signed_in(
    ticket: Ticket,
    identity: &Identity,
    rules: &ChannelRules,
    has: impl Fn(&ChannelName) -> bool,
) -> Option<Task> {
    if matches!(Form::of(ticket), Form::Batch(_)) {
        return None;
    }
    let items = subscriptions(identity, rules, has);
    (!items.is_empty()).then(|| Task::Several(Box::new((Form::Upgrade.ticket(), items))))
}

/// The subscriptions that a token names. What the rules do not allow is left out: the client did not ask for it, so a refusal
/// would say nothing to it.
fn subscriptions(identity: &Identity, rules: &ChannelRules, has: impl Fn(&ChannelName) -> bool) -> Vec<Item> {
    let named = identity.token.iter().flat_map(|token| &token.subs);
    named
        .filter(|name| !has(name) && rules.judge(identity, Action::Read, name).is_ok())
        .map(|name| {
            let verb = Verb::Get { channel: ChannelName::clone(name), options: GetOptions::default() };
            Ok(Request { id: None, verb })
        })
        .collect()
}

fn session_of(subprotocol: Option<&str>) -> Session {
    let strict = subprotocol == Some(STRICT_SUBPROTOCOL);
    Session::Tidings(if strict { Dialect::Strict } else { Dialect::Open })
}

/// The body is still to come; a task that ignores it answers when it has.
fn refuse_after_body(form: Form, refusal: Refusal) -> Plan {
    Plan::Collect(Task::Request(Box::new((form.ticket(), refused(refusal)))))
}

/// What a client may send: asked by clients before they queue anything that would be refused.
fn limits(settings: &Settings) -> Plan {
    let mut body = Vec::new();
    body_limits(&mut body, settings);
    body.push(b'\n');
    Plan::Answer(Response::json(200, body))
}
