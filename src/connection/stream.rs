//! An event stream: the transport of `EventSource`.

use super::env::Env;
use super::outbox::Outbox;
use super::responding::RequestContext;
use super::validity::Validity;
use super::{Connection, State};
use crate::access::{Identity, cors_fields};
use crate::hub::publication::Publication;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::node::answer::Answer;
use crate::protocol::blocks;
use crate::protocol::encoders::{EVENT_STREAM, encoded};
use crate::wire::http::answer::{AnswerHead, write_stream_head};
use crate::wire::http::head::Version;
use crate::wire::sse::{self, without_chunk};
use std::sync::Arc;

/// A live `text/event-stream`.
#[derive(Debug)]
pub(super) struct Stream {
    /// HTTP/1.1: in chunks, ended by the last one. HTTP/1.0: bare, ended by the close.
    chunked: bool,
    pub(super) identity: Arc<Identity>,
    pub(super) validity: Validity,
}

impl Stream {
    pub(super) fn new(chunked: bool, identity: Arc<Identity>, validity: Validity) -> Stream {
        Stream { chunked, identity, validity }
    }

    /// Whether it takes the blocks that others take, too.
    #[inline]
    pub(super) fn takes_shared(&self) -> bool {
        self.chunked
    }

    pub(super) fn push(&mut self, publication: &Publication, outbox: &mut Outbox, env: &mut Env) {
        let block = encoded(publication, EVENT_STREAM, env.codec);
        #[cfg(test)]
        crate::hub::mines::step_on("push", &block);
        if self.chunked {
            outbox.push_shared(block, env.buffers);
        } else {
            // HTTP/1.0 is too rare to be worth an encoding of its own.
            outbox.append(env.buffers, |out| out.extend_from_slice(without_chunk(&block)));
        }
    }

    /// Appends what `write` writes, framed as the stream needs it.
    pub(super) fn append(&self, outbox: &mut Outbox, env: &mut Env, write: impl FnOnce(&mut Vec<u8>)) {
        let mut block = Vec::new();
        write(&mut block);
        outbox.append(env.buffers, |out| {
            if self.chunked {
                sse::write_chunk(out, &block);
            } else {
                out.extend_from_slice(&block);
            }
        });
    }
}

impl Connection {
    pub(super) fn begin_stream(&mut self, asked: &RequestContext, answer: &Answer, env: &mut Env) {
        let Answer::Channel { position, recovered, publications, .. } = answer else { return };
        let stream = self.open_stream(asked, env);
        // The position that the reader has before the replay: each block of the replay moves it on.
        let mut before = *position;
        if let Some(first) = publications.first() {
            before.offset = first.offset() - 1;
        }
        let retry_ms = env.around(env.limits.retry_ms);
        stream.append(&mut self.outbox, env, |out| {
            blocks::first_block(out, retry_ms, asked.note.as_deref(), &before, *recovered);
        });
        // Before the replay: `push` writes a block only to a stream.
        self.state = State::Stream(stream);
        self.since = env.now;
        for publication in publications {
            self.push(publication, EVENT_STREAM, env);
        }
        if env.draining {
            self.end_stream(Code::ServerShutdown, env);
        }
    }

    /// Says inside of a stream that there is none for now, and ends it: the browser comes back after a while.
    pub(super) fn refuse_stream(&mut self, asked: &RequestContext, refusal: &Refusal, env: &mut Env) {
        let asked = RequestContext { keep_alive: false, ..asked.clone() };
        let stream = self.open_stream(&asked, env);
        // Not before the time at which it would be allowed.
        let retry_ms = env.around(env.limits.retry_ms).max(u64::from(refusal.retry_after_ms));
        stream.append(&mut self.outbox, env, |out| blocks::refused_block(out, retry_ms, refusal));
        self.state = State::Stream(stream);
        self.end_stream(refusal.code, env);
    }

    /// Answers a HEAD as the GET of a stream would begin.
    pub(super) fn answer_stream_head(&mut self, asked: &RequestContext, env: &mut Env) {
        self.write_stream_head(asked, env);
        self.since = env.now;
        match &mut self.state {
            // To HTTP/1.0 the head said `Connection: close`: a stream without chunks ends with its connection.
            State::Http(http) if asked.keep_alive && asked.version == Version::Http11 => http.answered(),
            _ => self.end(Code::HttpDone, env),
        }
    }

    fn open_stream(&mut self, asked: &RequestContext, env: &mut Env) -> Stream {
        self.write_stream_head(asked, env);
        self.outbox.pin(env.buffers);
        // It was let in, so it has one; what is refused has none, and ends at once.
        let identity = asked.identity.as_ref().unwrap_or(&env.policy.identities.reader);
        let validity = Validity::of(identity, env.unix_s());
        Stream::new(asked.version == Version::Http11, Arc::clone(identity), validity)
    }

    fn write_stream_head(&mut self, asked: &RequestContext, env: &mut Env) {
        env.counters.requests.count(asked.method, 200);
        // A proxy that compresses holds back what it compresses, the head included; RFC 9111 section 5.2.2.6 forbids it.
        let caching = ("Cache-Control", "no-store, no-transform");
        // nginx gathers what it passes on, unless X-Accel-Buffering forbids it.
        let mut extra = vec![("Vary", "Accept, Origin"), caching, ("X-Accel-Buffering", "no")];
        if asked.token_in_query {
            extra.push(("Referrer-Policy", "no-referrer"));
        }
        if let Some(origin) = &asked.cors_origin {
            extra.extend(cors_fields(origin, env.policy));
        }
        let head = AnswerHead {
            status: 200,
            content_type: Some("text/event-stream"),
            keep_alive: asked.keep_alive,
            version: asked.version,
            extra: &extra,
        };
        self.outbox.append(env.buffers, |out| write_stream_head(out, &head, asked.send_body, env.date.as_str()));
    }

    pub(super) fn comment(&mut self, env: &mut Env) {
        if let State::Stream(stream) = &self.state {
            stream.append(&mut self.outbox, env, |out| out.extend_from_slice(sse::COMMENT));
        }
    }

    pub(super) fn end_stream(&mut self, reason: Code, env: &mut Env) {
        if let State::Stream(Stream { chunked: true, .. }) = self.state {
            self.outbox.append(env.buffers, |out| out.extend_from_slice(sse::LAST_CHUNK));
        }
        self.end(reason, env);
    }
}
