//! Answers over HTTP: what they need to know of their request, and how answers and refusals are written.

use super::env::Env;
use super::{Connection, State};
use crate::access::{Identity, cors_fields};
use crate::metrics::requests::MethodLabel;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::protocol::plan::Refused;
use crate::protocol::response::{Response, is_for_now, refused};
use crate::wire::http::answer::{AnswerHead, write_answer};
use crate::wire::http::caching::holds;
use crate::wire::http::head::{Head, Method, Version};
use crate::wire::http::upgrade::UPGRADE_REQUIRED_FIELDS;
use smallvec::SmallVec;
use std::sync::Arc;

/// What an answer needs to know of its request.
#[derive(Debug, Clone)]
pub(super) struct RequestContext {
    pub(super) method: MethodLabel,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    /// False for HEAD.
    pub(super) send_body: bool,
    /// GET of an event stream.
    pub(super) stream: bool,
    /// What such a stream says in a comment.
    pub(super) note: Option<Box<str>>,
    /// Its URL has a token, which no page that follows from it may be told.
    pub(super) token_in_query: bool,
    /// Who asks, for an event stream.
    pub(super) identity: Option<Arc<Identity>>,
    /// The origin whose pages may read the answer.
    pub(super) cors_origin: Option<Box<str>>,
    /// The entity tags of what the client holds.
    pub(super) held: Option<Box<str>>,
}

impl RequestContext {
    pub(super) fn of(head: &Head<'_>, env: &Env) -> RequestContext {
        RequestContext {
            method: label(head.method),
            version: head.version,
            keep_alive: head.keep_alive && !env.draining,
            send_body: head.method != Method::Head,
            stream: env.routes.is_stream(head),
            note: None,
            token_in_query: env.policy.rules.token_in_query(head.query).is_some(),
            identity: None,
            cors_origin: None,
            held: head.cached.held(),
        }
    }

    /// Whether the client holds what would be answered.
    fn holds(&self, response: &Response) -> bool {
        let (held, tag) = (self.held.as_deref(), response.tag.as_deref());
        held.zip(tag).is_some_and(|(held, tag)| holds(held, tag))
    }
}

fn label(method: Method) -> MethodLabel {
    match method {
        Method::Get => MethodLabel::Get,
        Method::Head => MethodLabel::Head,
        Method::Post => MethodLabel::Post,
        Method::Delete => MethodLabel::Delete,
        Method::Options => MethodLabel::Options,
        Method::Put | Method::Patch | Method::Other => MethodLabel::Other,
    }
}

impl Connection {
    /// Writes the answer to the current request, and ends the connection if that was its last.
    pub(super) fn answer(&mut self, asked: &RequestContext, response: &Response, env: &mut Env) {
        if response.status == 200 && asked.holds(response) {
            let unchanged = Response { status: 304, tag: response.tag.clone(), ..Response::default() };
            return self.answer(asked, &unchanged, env);
        }
        env.counters.requests.count(asked.method, response.status);
        let seconds;
        let mut extra: SmallVec<[(&str, &str); 8]> = SmallVec::new();
        if let Some(caching) = response.public {
            extra.push(("Vary", "Accept-Encoding"));
            extra.push(("Cache-Control", caching));
            extra.push(("Access-Control-Allow-Origin", "*"));
            extra.push(("Cross-Origin-Resource-Policy", "cross-origin"));
        } else {
            extra.push(("Vary", "Accept, Origin"));
            // What has a tag may be kept by its reader alone, who asks each time whether it has changed; not by an address with a
            // token in it.
            let may_keep = response.tag.is_some() && !asked.token_in_query;
            extra.push(("Cache-Control", if may_keep { "private, no-cache" } else { "no-store" }));
        }
        if let Some(tag) = &response.tag {
            extra.push(("ETag", tag));
        }
        extra.extend(response.extra.iter().map(|(name, value)| (*name, value.as_str())));
        if asked.token_in_query {
            extra.push(("Referrer-Policy", "no-referrer"));
        }
        if response.status == 401 {
            // A 401 must carry a challenge (RFC 9110 section 15.5.2).
            extra.push(("WWW-Authenticate", "Bearer"));
        }
        if matches!(response.status, 429 | 503) || response.retry_after_ms > 0 {
            // A limit of this client alone says the true time. Where many clients wait for the same, it is drawn: they must not
            // come back at once.
            let after_ms = match response.retry_after_ms {
                0 => env.around(env.limits.retry_ms),
                known => u64::from(known),
            };
            // Whole seconds (RFC 9110 section 10.2.3), and never 0.
            seconds = after_ms.div_ceil(1000).max(1).to_string();
            extra.push(("Retry-After", &seconds));
        }
        // A public answer allows every origin above, and browsers refuse a field with two values.
        if let (Some(origin), None) = (&asked.cors_origin, response.public) {
            extra.extend(cors_fields(origin, env.policy));
        }
        let head = AnswerHead {
            status: response.status,
            content_type: response.content_type,
            keep_alive: asked.keep_alive,
            version: asked.version,
            extra: &extra,
        };
        self.outbox
            .append(env.buffers, |out| write_answer(out, &head, &response.body, asked.send_body, env.date.as_str()));
        self.since = env.now;
        if !asked.keep_alive {
            let reason = if env.draining { Code::ServerShutdown } else { Code::HttpDone };
            if response.status >= 400 {
                self.end_refused(reason, env);
            } else {
                self.end(reason, env);
            }
        } else if let State::Http(http) = &mut self.state {
            http.answered();
        }
    }

    pub(super) fn answer_refusal(&mut self, asked: &RequestContext, refusal: Refusal, env: &mut Env) {
        self.answer_refused(asked, refusal.into(), env);
    }

    pub(super) fn answer_refused(&mut self, asked: &RequestContext, refusing: Refused, env: &mut Env) {
        let Refused { refusal, allow } = refusing;
        env.refuse(refusal.code, &refusal.message);
        let status = refusal.status();
        // An `EventSource` gives up for ever after a status other than 200; after the end of a stream it comes back.
        if asked.stream && is_for_now(status) {
            return self.refuse_stream(asked, &refusal, env);
        }
        let mut response = refused(&refusal);
        // What could not be read as a request names no place, so all methods of the server are named.
        let allow = allow.or_else(|| (status == 405).then(|| env.routes.all_methods()));
        response.extra.extend(allow.map(|methods| ("Allow", methods)));
        if response.status == 426 {
            response.extra.extend(UPGRADE_REQUIRED_FIELDS.map(|(name, value)| (name, value.to_owned())));
        }
        // A body that is too large is not read, so the next request could not be found after it.
        let closes = matches!(response.status, 413) || !asked.keep_alive;
        let asked = RequestContext { keep_alive: !closes, ..asked.clone() };
        self.answer(&asked, &response, env);
        // `answer` knows no refusal: what is counted, and lets an upload be taken to its end, is this reason.
        if !asked.keep_alive && self.ending().is_some() {
            self.end_refused(refusal.code, env);
        }
    }

    /// Refuses what could not be read as a request. Where the next one begins is unknown, so the connection ends.
    pub(super) fn refuse_unread(&mut self, refusal: Refusal, env: &mut Env) {
        let asked = RequestContext {
            method: MethodLabel::Other,
            version: Version::Http11,
            keep_alive: false,
            send_body: true,
            stream: false,
            token_in_query: false,
            note: None,
            identity: None,
            cors_origin: None,
            held: None,
        };
        self.answer_refusal(&asked, refusal, env);
    }
}
