//! The head of a request: in place when it is here whole, otherwise gathered over as many reads as it takes.

use super::admission::{decide, is_whole_post, source_of};
use super::decision::Decided;
use super::env::Env;
use super::{Connection, State};
use crate::access::{Unproven, Verified};
use crate::wire::http::gather::{Gathered, HeadGathering};
use crate::wire::http::head::parse_head;

impl Connection {
    /// Reads a head. `None` when all bytes belong to it and it is not complete, or when it has to wait for what `is_owed` to the
    /// requests before it.
    ///
    /// Where it has to wait for who its client is, nothing of `input` was taken, and nothing was done that must not be done
    /// twice: a head is judged from its first byte to its last, or not yet.
    pub(super) fn read_head(
        &mut self,
        gathering: Option<HeadGathering>,
        input: &[u8],
        is_owed: bool,
        env: &Env,
    ) -> Result<Option<Decided>, Unproven> {
        let limits = &env.limits.head;
        let peer = self.hop();
        if gathering.is_none()
            && let Some((head, used)) = parse_head(input, limits)?
        {
            let address = source_of(&head, peer, env);
            // What is owed to one client is answered before another's request is taken, so that log lines name the right one.
            let may_follow = || address == self.peer && is_whole_post(&head, input.len() - used, env.limits.body_bytes);
            if is_owed && !may_follow() {
                return Ok(None);
            }
            self.come_from(address);
            return decide(&head, used, self.asker(peer, env), env).map(Some);
        }
        if is_owed {
            return Ok(None);
        }
        let mut gathering = gathering.unwrap_or_default();
        let before = gathering.mark();
        let mut decided = Ok(None);
        if let Gathered::Complete(used) = gathering.take(input, limits)?
            && let Some((head, _)) = gathering.parse(limits)?
        {
            self.come_from(source_of(&head, peer, env));
            decided = decide(&head, used, self.asker(peer, env), env).map(Some);
        }
        match &decided {
            Ok(None) => self.keep_head(gathering),
            Err(Unproven::Later(_)) => {
                gathering.return_to(before);
                self.keep_head(gathering);
            }
            Ok(Some(_)) | Err(Unproven::Refused(_)) => {}
        }
        decided
    }

    fn keep_head(&mut self, gathering: HeadGathering) {
        if let State::Http(http) = &mut self.state {
            http.keep_head(gathering);
        }
    }

    /// What a worker found out about the token of the head that waits for it. The head is read once more.
    pub fn verified(&mut self, verified: Box<Verified>, env: &mut Env) {
        if let State::Http(http) = &mut self.state {
            http.keep_verified(verified);
        }
        self.returned(env);
    }
}
