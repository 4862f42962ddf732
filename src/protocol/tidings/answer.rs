//! Answers on their way out: each in the form in which its request came.

use super::batch::Batch;
use super::reply::{self, ReadAnswer};
use super::ticket::Form;
use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::request::RequestId;
use crate::node::answer::{Answer, Reply};
use crate::protocol::response::{Responded, Response, is_for_now};
use crate::protocol::scope::Scope;
use crate::protocol::{Event, Memory, Next, Outlet};
use crate::wire::frame::{Opcode, SharedFrame, write_frame};

/// Sends the answer to a request of a socket.
pub(in crate::protocol) fn on_socket(
    reply: &Reply,
    memory: &mut Memory,
    scope: &Scope<'_>,
    out: &mut impl Outlet,
) -> Next {
    let Reply { to, ticket, id, answer } = reply;
    let writer = Writer { to: *to, id: id.as_ref(), scope, over_http: false };
    match (Form::of(*ticket), answer) {
        // Before all others: in a batch each answer has its place, silent ones and refusals too.
        (Form::Batch(of), _) => {
            if let Some(batch) = add_to_batch(memory, of, answer, &writer) {
                let (array, held) = batch.finish();
                out.text(|out| out.extend_from_slice(&array));
                // After the array, whose answers say at which position each channel was subscribed.
                held.for_each(|frame| out.frame(frame));
            }
        }
        (Form::Plain, Answer::Alive) => out.text(|out| out.extend_from_slice(scope.settings.plain_get_text.as_bytes())),
        (Form::Plain, Answer::Published { .. }) => {
            out.text(|out| out.extend_from_slice(scope.settings.plain_post_text.as_bytes()));
        }
        // Nobody reads the status of a handshake that succeeded.
        (Form::Upgrade, Answer::Refused(refusal)) => return Next::Close(refusal.clone()),
        // Without an id, what succeeds is silent.
        (
            Form::Text | Form::Binary,
            Answer::Published { .. } | Answer::HistoryDeleted { .. } | Answer::Unsubscribe { .. },
        ) if id.is_none() => {}
        _ => out.text(|out| writer.write(out, answer)),
    }
    Next::Continue
}

/// What the answer to a request becomes over HTTP.
pub(in crate::protocol) fn over_http(reply: Reply, memory: &mut Memory, scope: &Scope<'_>) -> Responded {
    let Reply { to, ticket, id, answer } = reply;
    let writer = Writer { to, id: id.as_ref(), scope, over_http: true };
    match (Form::of(ticket), answer) {
        (Form::EventStream, answer @ Answer::Channel { .. }) => Responded::Stream(answer),
        (Form::EventStream, Answer::Refused(refusal)) if is_for_now(refusal.status()) => {
            Responded::RefusedStream(refusal)
        }
        (_, Answer::Page { content_type, body }) => {
            Responded::Whole(Response { status: 200, content_type: Some(content_type), body, ..Response::default() })
        }
        (Form::HttpPlain, Answer::Published { .. }) => {
            Responded::Whole(Response::text(200, scope.settings.plain_post_text.as_bytes()))
        }
        (Form::Batch(of), answer) => match add_to_batch(memory, of, &answer, &writer) {
            // No frames are held: over HTTP every GET of a batch is a `once`.
            Some(batch) => Responded::Whole(Response::json(200, batch.finish().0)),
            None => Responded::Partly,
        },
        (form, answer) => Responded::Whole(response(form, &answer, &writer)),
    }
}

/// What happened to a channel, as a text frame.
pub(in crate::protocol) fn event(event: &Event<'_>) -> SharedFrame {
    let mut json = Vec::new();
    match event {
        Event::Reset { channel, position } => reply::reset_json(&mut json, channel, position),
        Event::Ended { channel, refusal } => reply::ended_json(&mut json, channel, refusal),
        Event::Expiring { in_s } => reply::expiring_json(&mut json, *in_s),
        Event::Reconnect { after_ms } => reply::reconnect_json(&mut json, *after_ms),
        Event::Excluded(publication) => reply::excluded_json(&mut json, publication.channel(), publication.offset()),
    }
    let mut frame = Vec::new();
    write_frame(&mut frame, Opcode::Text, &json);
    frame.into()
}

/// Adds an answer to the batch in progress; the whole batch when it was the last.
fn add_to_batch(memory: &mut Memory, of: u8, answer: &Answer, writer: &Writer<'_>) -> Option<Box<Batch>> {
    let batch = memory.batch.get_or_insert_with(|| Box::new(Batch::new(of)));
    let subscribed = match answer {
        // A `once` subscribes nothing: pushes for a subscription that was there before need not wait for this batch.
        Answer::Channel { live: true, id, .. } => Some(id.0),
        _ => None,
    };
    if let Answer::Unsubscribe { id: Some(id), .. } = answer {
        batch.unsubscribed(id.0);
    }
    let is_whole = batch.add(subscribed, |out| writer.write(out, answer));
    if is_whole { memory.batch.take() } else { None }
}

/// An answer as a response: what the status and the path say already is left out, unless a socket would get it.
fn response(form: Form, answer: &Answer, writer: &Writer<'_>) -> Response {
    let mut response = Response::json(200, Vec::new());
    let body = &mut response.body;
    match answer {
        // First: what came to `/ws` is answered with what a socket would get, whatever it is.
        answer if form == Form::HttpAsSocket => writer.write(body, answer),
        Answer::Channel { channel, position, recovered, publications, .. } => {
            let read = ReadAnswer { channel, position: *position, recovered: *recovered, connection: None };
            reply::body_snapshot(body, &read, publications.iter().map(|publication| publication.view()));
            // Of the same address nothing else decides what is in it: what comes changes the position, what goes the first.
            let first = publications.first().map_or(position.offset + 1, |first| first.offset());
            response.tag = Some(format!("\"{position}:{first}\""));
        }
        Answer::Published { channel, position, kept } => reply::body_published(body, channel, position, *kept),
        Answer::HistoryDeleted { channel, position } => reply::body_published(body, channel, position, true),
        Answer::Refused(refusal) => reply::body_refused(body, refusal),
        other => writer.write(body, other),
    }
    if let Answer::Refused(refusal) = answer {
        response.status = refusal.status();
        response.retry_after_ms = refusal.retry_after_ms;
        // RFC 9110 section 12.5.3: only where the encoding alone was wrong, not on any other 415.
        if refusal.code == Code::UnsupportedEncoding {
            response.extra.push(("Accept-Encoding", "identity".to_owned()));
        }
    }
    // For a terminal, where the prompt would otherwise follow the brace.
    response.body.push(b'\n');
    response
}

/// What some answers say besides what the hub gave.
struct Writer<'a> {
    to: ConnId,
    id: Option<&'a RequestId>,
    scope: &'a Scope<'a>,
    /// Leaves the connection's name out: there is nothing to exclude.
    over_http: bool,
}

impl Writer<'_> {
    /// Writes an answer as JSON, as on the socket.
    fn write(&self, out: &mut Vec<u8>, answer: &Answer) {
        let id = self.id;
        match answer {
            Answer::Channel { channel, position, recovered, publications, live, .. } => {
                let name = (*live && !self.over_http).then(|| self.scope.names.name(self.to));
                let connection = name.as_deref();
                let read = ReadAnswer { channel, position: *position, recovered: *recovered, connection };
                reply::answer_read(out, id, &read, publications.iter().map(|publication| publication.view()));
            }
            Answer::Published { channel, position, kept } => {
                reply::answer_published(out, id, channel, position, *kept);
            }
            Answer::HistoryDeleted { channel, position } => reply::answer_published(out, id, channel, position, true),
            Answer::Unsubscribe { channel, .. } => reply::answer_done(out, id, channel),
            Answer::Limits => reply::answer_limits(out, id, self.scope.settings),
            // Requests of a socket have no verb for it: only a path over HTTP asks for a page.
            Answer::Page { body, .. } => out.extend_from_slice(body),
            // A sign-in that succeeded has nothing to say beyond its status: the answer of `/livez`.
            Answer::Alive | Answer::SignIn { .. } => reply::answer_alive(out, id),
            Answer::Refused(refusal) => reply::answer_error(out, id, refusal),
        }
    }
}
