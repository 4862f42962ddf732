//! One request over HTTP and its answer, and the requests that are executed before it is answered.

use super::responding::RequestContext;
use crate::access::Identity;
use crate::metrics::requests::MethodLabel;
use crate::protocol::Memory;
use crate::protocol::task::Task;
use crate::wire::http::body::ChunkDecoder;
use std::collections::VecDeque;
use std::sync::Arc;

/// One request and its answer, and the requests that were executed after it before it was answered.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) asked: RequestContext,
    pub(super) body: Option<Gathering>,
    /// What its protocol remembers of it.
    pub(super) memory: Memory,
    /// Executed already; their answers follow in this order (RFC 9112 section 9.3.2).
    later: VecDeque<RequestContext>,
}

/// A body that arrives in pieces.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) bytes: Vec<u8>,
    pub(super) rest: Rest,
    pub(super) task: Option<Task>,
    pub(super) identity: Arc<Identity>,
}

#[derive(Debug)]
pub(super) enum Rest {
    Length(usize),
    Chunks(ChunkDecoder),
}

impl Exchange {
    pub(super) fn new(asked: RequestContext, body: Option<Gathering>) -> Exchange {
        Exchange { asked, body, memory: Memory::default(), later: VecDeque::new() }
    }

    /// Another request was executed before this one is answered.
    pub(super) fn follow(&mut self, asked: RequestContext) {
        self.later.push_back(asked);
    }

    /// It is answered: goes on to the next request that was executed; false when there is none.
    pub(super) fn go_on(&mut self) -> bool {
        let next = self.later.pop_front();
        let goes_on = next.is_some();
        if let Some(next) = next {
            self.asked = next;
        }
        goes_on
    }

    /// What was asked last.
    pub(super) fn last_asked(&mut self) -> &mut RequestContext {
        self.later.back_mut().unwrap_or(&mut self.asked)
    }

    /// Whether more may be executed before the last request is answered. Only POSTs come in numbers, and their answers are
    /// short: what reads waits for its turn, so that one long answer at a time bounds the outbox, and after an event stream
    /// or a `Connection: close` there is no next request.
    pub(super) fn may_be_followed(&self) -> bool {
        let last = self.later.back().unwrap_or(&self.asked);
        last.method == MethodLabel::Post && last.keep_alive
    }
}
