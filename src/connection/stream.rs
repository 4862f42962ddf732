//! An event stream: the transport of `EventSource`.

use super::env::Env;
use super::outbox::Outbox;
use super::{Connection, State};
use crate::close::Reason;
use crate::hub::publication::Publication;
use crate::wire::sse::{self, without_chunk};
use std::sync::Arc;

/// A live `text/event-stream`.
#[derive(Debug)]
pub(super) struct Stream {
    /// HTTP/1.1: in chunks, ended by the last one. HTTP/1.0: bare, ended by the close.
    chunked: bool,
}

impl Stream {
    pub(super) fn new(chunked: bool) -> Stream {
        Stream { chunked }
    }

    pub(super) fn push(&mut self, publication: &Arc<Publication>, outbox: &mut Outbox, env: &mut Env) {
        let block = publication.event_stream();
        if self.chunked {
            outbox.push_shared(block, env.spares);
        } else {
            // HTTP/1.0 is too rare to be worth an encoding of its own.
            outbox.append(env.spares, |out| out.extend_from_slice(without_chunk(&block)));
        }
    }

    /// Appends what `write` writes, framed as the stream needs it.
    pub(super) fn append(&self, outbox: &mut Outbox, env: &mut Env, write: impl FnOnce(&mut Vec<u8>)) {
        let mut block = Vec::new();
        write(&mut block);
        outbox.append(env.spares, |out| {
            if self.chunked {
                sse::write_chunk(out, &block);
            } else {
                out.extend_from_slice(&block);
            }
        });
    }
}

impl Connection {
    pub(super) fn comment(&mut self, env: &mut Env) {
        if let State::Stream(stream) = &self.state {
            stream.append(&mut self.outbox, env, |out| out.extend_from_slice(sse::COMMENT));
        }
    }

    pub(super) fn end_stream(&mut self, reason: Reason, env: &mut Env) {
        if let State::Stream(Stream { chunked: true }) = self.state {
            self.outbox.append(env.spares, |out| out.extend_from_slice(sse::LAST_CHUNK));
        }
        self.end(reason, env);
    }
}
