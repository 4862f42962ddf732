//! HTTP: heads and bodies in, answers out in the order of their requests.

use super::decision::{Decided, Decision};
use super::env::{Env, Limits, Ticks};
use super::exchange::{Exchange, Gathering, Rest};
use super::outbox::Outbox;
use super::responding::RequestContext;
use super::{Connection, Expired, Hold, Payload, State, Step};
use crate::access::{Identity, Unproven, Verified};
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::protocol::Memory;
use crate::protocol::plan::{Asking, Plan};
use crate::protocol::task::{RawWork, Task};
use crate::wire::http::answer::CONTINUE;
use crate::wire::http::body::ChunkDecoder;
use crate::wire::http::gather::HeadGathering;
use crate::wire::http::head::{BodyLength, Version};
use std::sync::Arc;

/// A connection that speaks HTTP.
#[derive(Debug, Default)]
pub(super) struct Http {
    /// The request that is being read or answered; none between requests.
    exchange: Option<Box<Exchange>>,
    /// What most connections do not have most of the time.
    extras: Option<Box<Extras>>,
    /// At least one request was answered, so silence is keep-alive.
    served: bool,
}

/// See [`Http::extras`].
#[derive(Debug, Default)]
struct Extras {
    /// The head whose first bytes have come, and not its last.
    head: Option<HeadGathering>,
    /// The peer itself, once its requests come from clients behind it.
    proxy: Option<PeerAddress>,
    /// What a worker found out about the token of the head that is read next.
    verified: Option<Box<Verified>>,
}

impl Http {
    /// The peer itself, if its requests come from clients behind it.
    #[inline]
    pub(super) fn proxy(&self) -> Option<PeerAddress> {
        self.extras.as_ref().and_then(|extras| extras.proxy)
    }

    /// Notes that requests of `peer` come from clients behind it.
    pub(super) fn note_proxy(&mut self, peer: PeerAddress) {
        self.extras.get_or_insert_default().proxy.get_or_insert(peer);
    }

    /// The head in progress, and what was found out about its token.
    fn take_head(&mut self) -> Option<(Option<HeadGathering>, Option<Box<Verified>>)> {
        let extras = self.extras.as_mut()?;
        let taken = (extras.head.take(), extras.verified.take());
        if extras.proxy.is_none() {
            self.extras = None;
        }
        Some(taken)
    }

    pub(super) fn keep_head(&mut self, gathering: HeadGathering) {
        self.extras.get_or_insert_default().head = Some(gathering);
    }

    pub(super) fn keep_verified(&mut self, verified: Box<Verified>) {
        self.extras.get_or_insert_default().verified = Some(verified);
    }

    pub(super) fn is_answering(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.body.is_none())
    }

    /// Between requests, with nothing begun.
    pub(super) fn is_idle(&self) -> bool {
        self.exchange.is_none() && !self.is_in_head()
    }

    /// Whether a head has begun and not ended.
    fn is_in_head(&self) -> bool {
        let head = self.extras.as_ref().and_then(|extras| extras.head.as_ref());
        head.is_some_and(|head| !head.is_blank())
    }

    pub(super) fn wait(&self, in_flight: bool, outbox: &Outbox, limits: &Limits) -> Ticks {
        if !outbox.is_empty() {
            limits.body_wait
        } else if in_flight || self.is_answering() {
            // Its answer is on its way, and bounded by what it waits for.
            Ticks::MAX
        } else if let Some(exchange) = &self.exchange {
            let received = exchange.body.as_ref().map_or(0, |body| body.bytes.len());
            limits.body_wait.saturating_add(limits.body_progress(received))
        } else if self.is_in_head() || !self.served {
            limits.head_wait
        } else {
            limits.idle_wait
        }
    }

    /// Its answer comes from the hub, after the answers to all that were asked before.
    fn ask(&mut self, asked: RequestContext) {
        match &mut self.exchange {
            Some(exchange) => exchange.follow(asked),
            None => self.exchange = Some(Box::new(Exchange::new(asked, None))),
        }
    }

    /// The answer is written: the next one may come, or the next request.
    pub(super) fn answered(&mut self) {
        self.served = true;
        if !self.exchange.as_mut().is_some_and(|exchange| exchange.go_on()) {
            self.exchange = None;
        }
    }

    /// Whether more may be executed before the last request is answered.
    pub(super) fn may_be_followed(&self) -> bool {
        self.exchange.as_ref().is_none_or(|exchange| exchange.may_be_followed())
    }

    pub(super) fn asked(&self) -> Option<&RequestContext> {
        self.exchange.as_ref().map(|exchange| &exchange.asked)
    }

    /// What is being answered, and what its protocol remembers of it.
    pub(super) fn asked_and_memory(&mut self) -> Option<(&mut RequestContext, &mut Memory)> {
        let exchange = self.exchange.as_mut()?;
        Some((&mut exchange.asked, &mut exchange.memory))
    }
}

/// A body that is to be read.
struct ToRead {
    task: Task,
    identity: Arc<Identity>,
    length: BodyLength,
    /// Whether the client waits for a word before it sends the body.
    expects_continue: bool,
}

impl Connection {
    pub(super) fn step_http<'b>(&'b mut self, input: &'b mut [u8], env: &mut Env) -> (usize, Step<'b>) {
        let State::Http(http) = &mut self.state else { return (0, Step::NeedMore) };
        let is_owed = http.is_answering();
        if http.exchange.is_some() && !is_owed {
            return self.gather(input, env);
        }
        if input.is_empty() {
            return (0, Step::NeedMore);
        }
        // The time of a first head counts from the accept, that of others from their first byte. Empty lines begin no
        // request (RFC 9112 section 2.2), so they win a silent peer no time.
        let begins = !http.is_in_head() && !input.iter().all(|byte| b"\r\n".contains(byte));
        let (head, verified) = http.take_head().unwrap_or_default();
        if begins && http.served {
            self.since = env.now;
        }
        // Until its head is read, a request is the proxy's: the next client's may be another than the last one's.
        if begins
            && !is_owed
            && let Some(proxy) = http.proxy()
        {
            self.peer = proxy;
        }
        let is_second_try = verified.is_some();
        if let Some(verified) = verified {
            env.policy.hand_over(verified);
        }
        let read = self.read_head(head, input, is_owed, env);
        if is_second_try {
            env.policy.end_of_second_try();
        }
        match read {
            Ok(Some(decided)) if !is_owed || matches!(decided.decision, Decision::Plan(Plan::Collect(_))) => {
                env.counters.http_heads.add(1);
                self.begin(decided, input, env)
            }
            // What is not for the hub would be answered at once: it is read again after the answers that come before its own.
            _ if is_owed => {
                self.hold = Hold::Answers;
                (0, Step::Continue)
            }
            Ok(_) => (input.len(), Step::NeedMore),
            Err(Unproven::Later(verification)) => (0, Step::Verify(verification)),
            Err(Unproven::Refused(error)) => {
                self.refuse_unread(error, env);
                (input.len(), Step::Continue)
            }
        }
    }

    /// Acts on a head: answers it, hands its work out, or begins to gather its body.
    fn begin<'b>(&'b mut self, decided: Decided, input: &'b mut [u8], env: &mut Env) -> (usize, Step<'b>) {
        let Decided { mut asked, decision, identity, body, expects_continue, used } = decided;
        self.since = env.now;
        let State::Http(http) = &mut self.state else { return (input.len(), Step::NeedMore) };
        let has_body = body.has_body();
        let plan = match decision {
            Decision::Plan(Plan::Collect(task)) => {
                let to_read = ToRead { task, identity, length: body, expects_continue };
                let (taken, step) = self.collect(asked, to_read, &mut input[used..], env);
                return (used + taken, step);
            }
            Decision::Switch(switch) => {
                let work = self.become_socket(*switch, identity, env);
                return (used, work.map_or(Step::Continue, Step::Work));
            }
            Decision::TurnAway(refused) => {
                self.turn_away_socket(&refused, env);
                return (used, Step::Continue);
            }
            Decision::Plan(plan) => plan,
        };
        let task = match plan {
            Plan::Ask(asking) if !has_body => {
                let Asking { ticket, item, note } = *asking;
                asked.note = note;
                Task::Request(Box::new((ticket, item)))
            }
            plan => {
                // A body that this method does not take is not read, so the next request could not be found after it.
                asked.keep_alive &= !has_body;
                self.answer_at_once(&asked, plan, env);
                return (used, Step::Continue);
            }
        };
        http.ask(asked);
        (used, Step::Work(RawWork { task, payload: Payload::Borrowed(&[]), identity }))
    }

    /// Answers what needs nothing but its head.
    fn answer_at_once(&mut self, asked: &RequestContext, plan: Plan, env: &mut Env) {
        match plan {
            Plan::Answer(response) => self.answer(asked, &response, env),
            Plan::StreamHead => self.answer_stream_head(asked, env),
            Plan::Refuse(refused) => self.answer_refused(asked, refused, env),
            // Only those with a body come here, which none of them takes.
            Plan::Ask(_) | Plan::Collect(_) | Plan::Upgrade(_) => {
                let message = "this request has a body, but its method takes none; leave Content-Length and Transfer-Encoding out";
                self.answer_refusal(asked, Refusal::new(Code::BadRequest, message), env);
            }
        }
    }

    /// Begins to read a body: hands its work out at once when it is here whole.
    fn collect<'b>(
        &'b mut self,
        asked: RequestContext,
        to_read: ToRead,
        input: &'b mut [u8],
        env: &mut Env,
    ) -> (usize, Step<'b>) {
        let ToRead { task, identity, length, expects_continue } = to_read;
        let announced = length.announced();
        // Before a 100, so that a client that waits for it need not send the body at all.
        if announced > env.limits.body_bytes {
            self.answer_refusal(&asked, too_large(env.limits.body_bytes), env);
            return (0, Step::Continue);
        }
        // HTTP/1.0 knows no 100, and a body that has begun to come needs none (RFC 9110 section 10.1.1).
        let waits = expects_continue && asked.version == Version::Http11 && input.is_empty();
        let State::Http(http) = &mut self.state else { return (0, Step::NeedMore) };
        if waits && task.is_parsed() {
            // Refused by its head, so no 100 is sent. Its body may still come: only the end of the connection is sure to end it.
            http.ask(RequestContext { keep_alive: false, ..asked });
            return (0, Step::Work(RawWork { task, payload: Payload::Borrowed(&[]), identity }));
        }
        if length != BodyLength::Chunked && announced <= input.len() {
            http.ask(asked);
            return (
                announced,
                Step::Work(RawWork { task, payload: Payload::Borrowed(&input[..announced]), identity }),
            );
        }
        if waits {
            self.outbox.append(env.buffers, |out| out.extend_from_slice(CONTINUE));
        }
        let rest = match length {
            BodyLength::Chunked => Rest::Chunks(ChunkDecoder::new()),
            BodyLength::None | BodyLength::Length(_) => Rest::Length(announced),
        };
        // Without capacity: memory follows bytes received, never bytes announced (law 5).
        let body = Some(Gathering { bytes: Vec::new(), rest, task: Some(task), identity });
        http.exchange = Some(Box::new(Exchange::new(asked, body)));
        (0, Step::Continue)
    }

    /// Gathers a body; hands its work out when it is whole.
    fn gather<'b>(&'b mut self, input: &'b mut [u8], env: &mut Env) -> (usize, Step<'b>) {
        let State::Http(Http { exchange: Some(exchange), .. }) = &mut self.state else { return (0, Step::NeedMore) };
        let Some(body) = &mut exchange.body else { return (0, Step::NeedMore) };
        let outcome = match &mut body.rest {
            Rest::Length(length) => {
                let taken = input.len().min(*length - body.bytes.len());
                body.bytes.extend_from_slice(&input[..taken]);
                Ok((taken, body.bytes.len() == *length))
            }
            Rest::Chunks(decoder) => decoder.decode(input, &mut body.bytes, env.limits.body_bytes),
        };
        match outcome {
            Ok((taken, false)) => (taken, Step::NeedMore),
            Ok((taken, true)) => {
                let Some(Gathering { bytes, task: Some(task), identity, .. }) = exchange.body.take() else {
                    return (taken, Step::NeedMore);
                };
                // Once more: its head may have come a minute ago, and what counts no longer must not act.
                let identity = match env.policy.rules.still(identity, self.peer, env.unix_s()) {
                    Ok(identity) => identity,
                    Err(refusal) => {
                        let asked = exchange.asked.clone();
                        self.answer_refusal(&asked, refusal, env);
                        return (taken, Step::Continue);
                    }
                };
                (taken, Step::Work(RawWork { task, payload: Payload::Owned(bytes), identity }))
            }
            Err(error) => {
                let mut asked = exchange.asked.clone();
                asked.keep_alive = false;
                self.answer_refusal(&asked, Refusal::new(error.reason, error.message), env);
                (input.len(), Step::Continue)
            }
        }
    }

    /// A deadline of an HTTP connection passed.
    pub(super) fn expire_http(&mut self, env: &mut Env) -> Expired {
        let State::Http(http) = &self.state else { return Expired::Continue };
        if !self.outbox.is_empty() {
            // It does not read what it has been sent, so it would not read a refusal either.
            return Expired::Drop(Code::IdleTimeout);
        }
        let error = match &http.exchange {
            Some(_) => Refusal::new(
                Code::BodyTimeout,
                "the body did not arrive in time; send all the bytes that Content-Length announces without a pause",
            ),
            None if http.is_in_head() => Refusal::new(
                Code::HeadTimeout,
                "the request's head did not arrive in time; send it at once and end it with an empty line",
            ),
            // Nothing was asked: a 408 could be taken for the answer to a request that crosses it.
            None => return Expired::Drop(if http.served { Code::IdleTimeout } else { Code::HeadTimeout }),
        };
        self.refuse_unread(error, env);
        Expired::Continue
    }

    /// This connection is one too many for this reason: its first request will be refused.
    pub fn turn_away(&mut self, reason: Code) {
        self.turned_away = Some(reason);
    }

    /// The answer to what was asked last will be the last.
    pub(super) fn close_after_answer(&mut self) {
        if let State::Http(Http { exchange: Some(exchange), .. }) = &mut self.state {
            exchange.last_asked().keep_alive = false;
        }
        if self.in_flight > 0 && self.hold == Hold::No {
            self.hold = Hold::Answers;
        }
    }
}

fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        Code::BodyTooLarge,
        format!("the body is larger than {limit} bytes (http.body_bytes); send it in parts, as binary publications"),
    )
}
