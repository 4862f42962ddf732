//! Answers over HTTP: what they need to know of their request, and how answers and refusals are written.

use super::env::Env;
use super::options::ignored;
use super::{Connection, State};
use crate::access::cors_fields;
use crate::close::Reason;
use crate::metrics::requests::MethodLabel;
use crate::model::refusal::Refusal;
use crate::protocol::response::refusal_body;
use crate::wire::http::answer::{AnswerHead, write_answer};
use crate::wire::http::head::{Head, HeadError, Method, Version};
use crate::wire::http::upgrade::{UPGRADE_REQUIRED_FIELDS, wants_upgrade};
use smallvec::SmallVec;

/// The media type of every JSON answer.
pub(super) const JSON: &str = "application/json";

/// What an answer needs to know of its request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: MethodLabel,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    /// False for HEAD.
    pub(super) send_body: bool,
    /// `POST /ws`: its answer is the one that a socket would get.
    pub(super) as_on_socket: bool,
    /// GET of an event stream.
    pub(super) stream: bool,
    /// What of its query such a stream ignores.
    pub(super) ignored: Option<Box<str>>,
    /// The origin whose pages may read the answer.
    pub(super) cors_origin: Option<Box<str>>,
}

/// An answer that is ready.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) status: u16,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Vec<u8>,
    /// Of a file that everybody may read: its Cache-Control.
    pub(super) public: Option<&'static str>,
    /// Fields for this answer alone.
    pub(super) extra: SmallVec<[(&'static str, String); 2]>,
}

impl Asked {
    pub(super) fn of(head: &Head<'_>, env: &Env) -> Asked {
        let is_get = head.method == Method::Get && !wants_upgrade(head);
        let stream = is_get && head.accepts_event_stream() && head.path.starts_with("/channels/");
        Asked {
            method: label(head.method),
            version: head.version,
            keep_alive: head.keep_alive && !env.draining,
            send_body: head.method != Method::Head,
            as_on_socket: false,
            stream,
            ignored: if stream { ignored(head) } else { None },
            cors_origin: None,
        }
    }
}

/// Whether a status says that the same may be asked again later. `EventSource` does not: it gives up for good on any
/// status but 200.
pub(super) const fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
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
    pub(super) fn answer(&mut self, asked: &Asked, ready: &Ready, env: &mut Env) {
        env.counters.requests.count(asked.method, ready.status);
        let seconds;
        let mut extra: SmallVec<[(&str, &str); 8]> = SmallVec::new();
        if let Some(caching) = ready.public {
            extra.push(("Vary", "Accept-Encoding"));
            extra.push(("Cache-Control", caching));
            extra.push(("Access-Control-Allow-Origin", "*"));
            extra.push(("Cross-Origin-Resource-Policy", "cross-origin"));
        } else {
            extra.push(("Vary", "Accept, Origin"));
            extra.push(("Cache-Control", "no-store"));
        }
        extra.extend(ready.extra.iter().map(|(name, value)| (*name, value.as_str())));
        if ready.status == 401 {
            extra.push(("WWW-Authenticate", "Bearer"));
        }
        if matches!(ready.status, 429 | 503) {
            seconds = env.around(env.limits.retry_ms).div_ceil(1000).max(1).to_string();
            extra.push(("Retry-After", &seconds));
        }
        if let (Some(origin), None) = (&asked.cors_origin, ready.public) {
            extra.extend(cors_fields(origin, env.policy));
        }
        let head = AnswerHead {
            status: ready.status,
            content_type: ready.content_type,
            keep_alive: asked.keep_alive,
            version: asked.version,
            extra: &extra,
        };
        self.outbox.append(env.spares, |out| write_answer(out, &head, &ready.body, asked.send_body, env.date));
        self.since = env.now;
        if !asked.keep_alive {
            let reason = if env.draining { Reason::ServerShutdown } else { Reason::HttpDone };
            if ready.status >= 400 {
                self.end_refused(reason, env);
            } else {
                self.end(reason, env);
            }
        } else if let State::Http(http) = &mut self.state {
            http.answered();
        }
    }

    pub(super) fn answer_refusal(&mut self, asked: &Asked, error: &HeadError, env: &mut Env) {
        self.answer_refusal_with(asked, error, None, env);
    }

    pub(super) fn answer_refusal_with(
        &mut self,
        asked: &Asked,
        error: &HeadError,
        allow: Option<&'static str>,
        env: &mut Env,
    ) {
        env.refuse(error.reason, &error.message);
        let status = error.reason.http_status();
        if asked.stream && is_for_now(status) {
            let refusal = Refusal::new(error.reason, error.message.clone());
            return self.refuse_stream(asked, &refusal, env);
        }
        let mut ready = Ready {
            status,
            content_type: Some(JSON),
            body: refusal_body(error.reason.label(), &error.message),
            ..Ready::default()
        };
        // What could not be read as a request names no place, so all methods of the server are named.
        let allow = allow.or((status == 405).then_some("GET, HEAD, POST, DELETE, OPTIONS"));
        ready.extra.extend(allow.map(|methods| ("Allow", methods.to_owned())));
        if ready.status == 426 {
            ready.extra.extend(UPGRADE_REQUIRED_FIELDS.map(|(name, value)| (name, value.to_owned())));
        }
        let closes = matches!(ready.status, 413) || !asked.keep_alive;
        let asked = Asked { keep_alive: !closes, ..asked.clone() };
        self.answer(&asked, &ready, env);
        if !asked.keep_alive && self.ending().is_some() {
            self.end_refused(error.reason, env);
        }
    }

    /// Refuses what could not be read as a request. Nobody knows where the next one begins, so the connection ends.
    pub(super) fn refuse_unread(&mut self, error: &HeadError, env: &mut Env) {
        let asked = Asked {
            method: MethodLabel::Other,
            version: Version::Http11,
            keep_alive: false,
            send_body: true,
            as_on_socket: false,
            stream: false,
            ignored: None,
            cors_origin: None,
        };
        self.answer_refusal(&asked, error, env);
    }
}
