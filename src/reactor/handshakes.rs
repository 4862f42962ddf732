//! TLS handshakes: how they begin, what became of them, and how many may be in progress.

use super::core::Core;
use super::entry::{Entry, Sealing, Socket, Turn};
use crate::journal::{Kind, Words};
use crate::model::code::Code;
use crate::tls::failure::Failure;
use crate::tls::session::{Fault, Session};

impl Core {
    /// A connection came in: from here on what it reads and writes is sealed, where its listener speaks TLS.
    #[inline]
    pub(super) fn begin_tls<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        if self.setup.listeners[usize::from(entry.listener)].tls.is_some() {
            self.begin_handshake(slot, entry);
        }
    }

    #[cold]
    fn begin_handshake<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let listener = &self.setup.listeners[usize::from(entry.listener)];
        let (Some(acceptor), counters) = (&listener.tls, &self.setup.counters) else { return };
        // Nothing can be said to it in a way that it would read.
        if counters.tls_handshaking.get() >= self.setup.limits.handshakes as u64 {
            self.count_failure(Failure::TooMany);
            self.note_failure(Failure::TooMany, "more handshakes than tls.handshakes are in progress on its reactor");
            return self.close_now(slot, entry, Code::TlsFailed);
        }
        match Session::new(acceptor) {
            Ok(session) => {
                entry.rest.begin_sealing(Sealing::new(session, listener.policy.proxy_protocol));
                counters.tls_handshaking.add(1);
                // A handshake is much work: it waits for those that have had theirs.
                entry.turn = Turn::Heavy;
            }
            Err(fault) => {
                self.count_failure(fault.failure());
                self.note_fault(&fault);
                self.close_now(slot, entry, Code::InternalError);
            }
        }
    }

    /// The handshake of a connection may have come to its end.
    pub(super) fn judge_handshake(&self, sealing: &mut Sealing) {
        if sealing.is_handshaking() || !sealing.take_counted() {
            return;
        }
        let counters = &self.setup.counters;
        counters.tls_handshaking.sub(1);
        let done = if sealing.is_resumed() { &counters.tls_resumed } else { &counters.tls_full };
        done.add(1);
    }

    /// It failed, unless it had come to its end or failed before.
    pub(super) fn fail_handshake(&self, sealing: &mut Sealing, failure: Failure) {
        if sealing.take_counted() {
            self.setup.counters.tls_handshaking.sub(1);
            self.count_failure(failure);
        }
    }

    /// A connection over TLS is gone.
    #[cold]
    pub(super) fn forget_handshake<S: Socket>(&self, entry: &mut Entry<S>, reason: Code) {
        if let Some(sealing) = entry.rest.sealing_mut() {
            let late = matches!(reason, Code::HeadTimeout | Code::ProxyHeader);
            self.fail_handshake(sealing, if late { Failure::Timeout } else { Failure::Gone });
        }
    }

    /// A session is broken, in its handshake or later.
    pub(super) fn note_fault(&self, fault: &Fault) {
        self.note_failure(fault.failure(), fault);
    }

    fn note_failure(&self, failure: Failure, message: impl std::fmt::Display) {
        self.notes.note(Kind::Unsealed, self.now_ms(), || Words::new(failure.label(), message));
    }

    fn count_failure(&self, failure: Failure) {
        let counters = &self.setup.counters;
        let counter = match failure {
            Failure::Invalid => &counters.tls_invalid,
            Failure::Incompatible => &counters.tls_incompatible,
            Failure::Alert => &counters.tls_alert,
            Failure::Misbehaved => &counters.tls_misbehaved,
            Failure::PlainHttp => &counters.tls_plain_http,
            Failure::Timeout => &counters.tls_timeout,
            Failure::Gone => &counters.tls_gone,
            Failure::TooMany => &counters.tls_too_many,
            Failure::Internal => &counters.tls_internal,
        };
        counter.add(1);
    }
}
