//! Answers on their way out: each in the form in which its request came.

use super::answering::{JSON, Ready, is_for_now};
use super::compression::Windows;
use super::env::{Env, Limits};
use super::plan::Switch;
use super::socket::Socket;
use super::{Connection, Payload, State, Transport};
use crate::close::Reason;
use crate::hub::names::Names;
use crate::hub::publication::Publication;
use crate::metrics::requests::MethodLabel;
use crate::model::code::Code;
use crate::model::ids::{ChannelId, ConnId};
use crate::model::publication::Epoch;
use crate::model::refusal::Refusal;
use crate::model::request::RequestId;
use crate::node::answer::{Answer, Reply};
use crate::protocol::task::{RawWork, Rights, Task};
use crate::protocol::tidings::events;
use crate::protocol::tidings::reply::{self, ReadAnswer};
use crate::protocol::tidings::ticket::Form;
use crate::wire::frame::{Opcode, header, write_frame};
use crate::wire::http::upgrade::write_switching;

impl Connection {
    /// Takes an answer that the hub posted. The reactor has done to its table what the answer says.
    pub fn reply(&mut self, answer: Reply, env: &mut Env) {
        self.answered();
        if let Answer::Refused(refusal) = &answer.answer {
            count_refusal(refusal, env);
        }
        match self.transport() {
            Some(Transport::Http) => self.reply_http(answer, env),
            Some(Transport::WebSocket) => {
                self.reply_socket(answer, env);
                self.end_if_answered(env);
            }
            Some(Transport::EventStream | Transport::TurnedAway) | None => {}
        }
    }

    /// Tells a subscriber that the channel's continuity was lost.
    pub fn push_reset(&mut self, channel: ChannelId, name: &str, epoch: Epoch, env: &mut Env) {
        match &mut self.state {
            State::Socket(socket) => {
                let mut json = Vec::new();
                reply::reset_json(&mut json, name, epoch);
                let mut frame = Vec::new();
                write_frame(&mut frame, Opcode::Text, &json);
                socket.push_frame(channel.0, frame.into(), &mut self.outbox, env);
            }
            State::Stream(stream) => stream.append(&mut self.outbox, env, |out| events::reset_block(out, epoch)),
            State::Http(_) | State::Ending(..) => {}
        }
    }

    /// Tells a subscriber where a publication is that it does not get, so that the hole in its offsets is none.
    pub fn push_excluded(&mut self, publication: &Publication, env: &mut Env) {
        match &mut self.state {
            State::Socket(socket) => {
                let mut json = Vec::new();
                reply::excluded_json(&mut json, publication.channel(), publication.offset());
                let mut frame = Vec::new();
                write_frame(&mut frame, Opcode::Text, &json);
                socket.push_frame(publication.channel_id().0, frame.into(), &mut self.outbox, env);
            }
            State::Stream(stream) => {
                let (epoch, offset) = (publication.epoch(), publication.offset());
                stream.append(&mut self.outbox, env, |out| events::position_block(out, epoch, offset));
            }
            State::Http(_) | State::Ending(..) => {}
        }
    }

    fn reply_socket(&mut self, answer: Reply, env: &mut Env) {
        let State::Socket(socket) = &mut self.state else { return };
        let Reply { to, ticket, id, mut answer } = answer;
        let lent = Lent { to, names: env.names, limits: env.limits };
        if let Answer::SignIn { token } = &answer {
            if env.policy.operators.admits(token) {
                socket.rights = Rights { publish: true, administer: true };
            } else {
                let refusal = env.policy.operators.sign_in_refused();
                count_refusal(&refusal, env);
                answer = Answer::Refused(refusal);
            }
        }
        match (Form::of(ticket), &answer) {
            (Form::Batch(of), _) => {
                let subscribed = live_channel(&answer);
                if let Answer::Unsubscribe { id: Some(id), .. } = &answer {
                    socket.unsubscribed_in_batch(id.0);
                }
                let whole =
                    socket.add_to_batch(of, subscribed, |out| write_answer(out, id.as_ref(), &lent, &answer, false));
                if let Some(batch) = whole {
                    let (array, held) = batch.finish();
                    socket.send(Opcode::Text, &array, &mut self.outbox, env);
                    for frame in held {
                        socket.send_shared(frame, &mut self.outbox, env);
                    }
                }
            }
            (Form::Plain, Answer::Alive) => self.send_text(env.limits.plain_get_text.as_bytes(), env),
            (Form::Plain, Answer::Published { .. }) => self.send_text(env.limits.plain_post_text.as_bytes(), env),
            // Nobody reads the status of a handshake that succeeded.
            (Form::Upgrade, Answer::Refused(refusal)) => self.close_socket(refusal.code, &refusal.message, env),
            // Without an id, what succeeds is silent.
            (
                Form::Text | Form::Binary,
                Answer::Published { .. } | Answer::HistoryDeleted { .. } | Answer::Unsubscribe { .. },
            ) if id.is_none() => {}
            _ => self.send_with(env, |out| write_answer(out, id.as_ref(), &lent, &answer, false)),
        }
    }

    fn reply_http(&mut self, answer: Reply, env: &mut Env) {
        let State::Http(http) = &self.state else { return };
        let Some(asked) = http.asked().cloned() else { return };
        let Reply { to, ticket, id, answer } = answer;
        let lent = Lent { to, names: env.names, limits: env.limits };
        match (Form::of(ticket), &answer) {
            (Form::EventStream, Answer::Channel { .. }) => self.begin_stream(&asked, &answer, env),
            (Form::EventStream, Answer::Refused(refusal)) if is_for_now(refusal.status()) => {
                self.refuse_stream(&asked, refusal, env);
            }
            (_, Answer::Page { content_type, body }) => {
                let ready =
                    Ready { status: 200, content_type: Some(content_type), body: body.clone(), ..Ready::default() };
                self.answer(&asked, &ready, env);
            }
            (Form::HttpPlain, Answer::Published { .. }) => {
                let body = env.limits.plain_post_text.clone().into_bytes();
                let content_type = Some("text/plain; charset=utf-8");
                self.answer(&asked, &Ready { status: 200, content_type, body, ..Ready::default() }, env);
            }
            (Form::Batch(of), _) => {
                let mut body = Vec::new();
                write_answer(&mut body, id.as_ref(), &lent, &answer, true);
                if let Some(array) = self.add_to_http_batch(of, &body) {
                    let ready = Ready { status: 200, content_type: Some(JSON), body: array, ..Ready::default() };
                    self.answer(&asked, &ready, env);
                }
            }
            _ => {
                let ready = http_answer(id.as_ref(), &lent, &answer, asked.as_on_socket);
                self.answer(&asked, &ready, env);
            }
        }
    }

    /// Switches to a WebSocket; the subscription that the path asked for, as work.
    pub(super) fn become_socket(&mut self, switch: Switch, env: &mut Env) -> Option<RawWork<Payload<'static>>> {
        let Switch { upgrade, share, endpoint, rights, subscribe } = switch;
        env.counters.requests.count(MethodLabel::Get, 101);
        self.outbox.append(env.spares, |out| write_switching(out, &upgrade, env.date));
        self.outbox.pin(env.spares);
        let agreement = upgrade.deflate.as_ref();
        let windows = agreement.zip(share).map(|(agreed, share)| Windows::new(agreed, share, env.codec));
        self.state = State::Socket(Socket::new(endpoint, rights, agreement, windows));
        self.since = env.now;
        if env.draining || self.turned_away {
            let reason = if env.draining { Reason::ServerShutdown } else { Reason::TooManyConnections };
            self.close_socket(reason, "", env);
            return None;
        }
        let task = Task::Request(Box::new(subscribe?));
        Some(RawWork { ticket: Form::Upgrade.ticket(), task, payload: Payload::Borrowed(&[]), rights })
    }

    fn send_text(&mut self, text: &[u8], env: &mut Env) {
        if let State::Socket(socket) = &mut self.state {
            socket.send(Opcode::Text, text, &mut self.outbox, env);
        }
    }

    /// Sends a text frame whose payload `write` appends.
    fn send_with(&mut self, env: &mut Env, write: impl FnOnce(&mut Vec<u8>)) {
        if let State::Socket(socket) = &mut self.state
            && socket.may_pack()
        {
            let mut text = Vec::new();
            write(&mut text);
            return socket.send(Opcode::Text, &text, &mut self.outbox, env);
        }
        env.counters.frames_out.add(1);
        self.outbox.append(env.spares, |out| {
            let start = out.len();
            write(out);
            let (bytes, size) = header(Opcode::Text, out.len() - start);
            out.splice(start..start, bytes[..size].iter().copied());
        });
    }
}

fn live_channel(answer: &Answer) -> Option<u64> {
    match answer {
        Answer::Channel { live: true, id, .. } => Some(id.0),
        _ => None,
    }
}

fn count_refusal(refusal: &Refusal, env: &Env) {
    let code = refusal.code;
    if code.is_policy() {
        return env.refuse(code, &refusal.message);
    }
    // The message may quote what was sent, which no log should hold.
    match code.allowed_by() {
        "" => env.refuse(code, format_args!("a request was refused: {}", code.label())),
        allowed_by => {
            env.refuse(code, format_args!("a request was refused: {}; it takes {allowed_by}", code.label()));
        }
    }
}

/// What some answers tell besides what the hub says.
struct Lent<'a> {
    to: ConnId,
    names: &'a Names,
    limits: &'a Limits,
}

/// Writes an answer as JSON, as on the socket. `once` leaves the connection's name out: there is nothing to exclude.
fn write_answer(out: &mut Vec<u8>, id: Option<&RequestId>, lent: &Lent<'_>, answer: &Answer, over_http: bool) {
    match answer {
        Answer::Channel { channel, position, recovered, publications, live, .. } => {
            let name = (*live && !over_http).then(|| lent.names.name(lent.to));
            let read = ReadAnswer { channel, position: *position, recovered: *recovered, connection: name.as_deref() };
            reply::answer_read(out, id, &read, publications.iter().map(|publication| publication.view()));
        }
        Answer::Published { channel, position, kept } => reply::answer_published(out, id, channel, position, *kept),
        Answer::HistoryDeleted { channel, position } => reply::answer_published(out, id, channel, position, true),
        Answer::Unsubscribe { channel, .. } => reply::answer_done(out, id, channel),
        Answer::Limits => reply::answer_limits(out, id, &lent.limits.to_send()),
        // No socket asks for one.
        Answer::Page { body, .. } => out.extend_from_slice(body),
        // What was let in is answered as what is alive.
        Answer::Alive | Answer::SignIn { .. } => reply::answer_alive(out, id),
        Answer::Refused(refusal) => reply::answer_error(out, id, refusal),
    }
}

/// An answer as an HTTP body: what the status and the path say already is left out, unless a socket would be told.
fn http_answer(id: Option<&RequestId>, lent: &Lent<'_>, answer: &Answer, as_on_socket: bool) -> Ready {
    let mut ready = Ready { status: 200, content_type: Some(JSON), ..Ready::default() };
    let body = &mut ready.body;
    match answer {
        answer if as_on_socket => write_answer(body, id, lent, answer, true),
        Answer::Channel { channel, position, recovered, publications, .. } => {
            let read = ReadAnswer { channel, position: *position, recovered: *recovered, connection: None };
            reply::body_snapshot(body, &read, publications.iter().map(|publication| publication.view()));
        }
        Answer::Published { channel, position, kept } => reply::body_published(body, channel, position, *kept),
        Answer::HistoryDeleted { channel, position } => reply::body_published(body, channel, position, true),
        Answer::Refused(refusal) => reply::body_refused(body, refusal.label(), &refusal.message),
        other => write_answer(body, id, lent, other, true),
    }
    if let Answer::Refused(refusal) = answer {
        ready.status = refusal.status();
        // RFC 9110 section 12.5.3: only where the encoding alone was wrong, not on any other 415.
        if refusal.code == Code::UnsupportedEncoding {
            ready.extra.push(("Accept-Encoding", "identity".to_owned()));
        }
        if refusal.status() == 405 {
            ready.extra.push(("Allow", "GET, HEAD, POST, DELETE, OPTIONS".to_owned()));
        }
    }
    ready.body.push(b'\n');
    ready
}
