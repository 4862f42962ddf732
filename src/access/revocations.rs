//! Credentials that are refused before their time is over: shared by all threads, bounded, and free while there are none.

use super::identity::{Identity, Who};
use crate::model::code::Code;
use crate::model::operation::Credential;
use crate::model::refusal::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How many there may be where no configuration says it.
const MAX: usize = 100_000;
/// A revocation is kept this much longer than what it refuses would hold, in seconds: a clock may be behind the issuer's, and
/// tokens are taken a little after their end.
const KEPT_AFTER_S: u64 = 600;
/// Revocations that are over and dropped when one is added: each makes room for another, and none delays those that ask.
const DROPPED_AT_ONCE: usize = 64;

/// See the module. Asked whenever a client presents something, and when there is none that is a load.
pub struct Revocations {
    /// Entries of all lists.
    count: AtomicUsize,
    max: usize,
    lists: RwLock<Lists>,
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What is refused.
    pub what: Credential,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// Until when, in seconds since 1970; `None` for as long as the server runs.
    pub until: Option<u64>,
}

#[derive(Default)]
struct Lists {
    tokens: List,
    users: List,
    keys: List,
    /// Those that have an end, the next first.
    ends: BTreeSet<(u64, &'static str, Arc<str>)>,
}

/// In the order of their names, which is that of pages.
type List = BTreeMap<Arc<str>, Term>;

#[derive(Debug, Clone, Copy)]
struct Term {
    since: u64,
    until: Option<u64>,
}

impl Term {
    fn is_over(&self, now: u64) -> bool {
        self.until.is_some_and(|until| now > until.saturating_add(KEPT_AFTER_S))
    }
}

impl Default for Revocations {
    fn default() -> Revocations {
        Revocations::new(MAX)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revocations({} of {})", self.count.load(Ordering::Relaxed), self.max)
    }
}

impl Revocations {
    /// None, of at most `max`.
    #[must_use]
    pub fn new(max: usize) -> Revocations {
        Revocations { count: AtomicUsize::new(0), max, lists: RwLock::default() }
    }

    /// Whether a client may be who its credential says, at a time in seconds since 1970.
    ///
    /// # Errors
    /// 401 `token_revoked`.
    #[inline]
    pub fn judge(&self, identity: &Identity, now: u64) -> Result<(), Refusal> {
        // Acquire, and Release where it grows: whoever has heard that something was revoked finds it.
        if self.count.load(Ordering::Acquire) == 0 || !self.refuse(identity, now) {
            return Ok(());
        }
        Err(Code::TokenRevoked.into())
    }

    /// Whether the credential of an identity is revoked.
    #[must_use]
    pub fn refuse(&self, identity: &Identity, now: u64) -> bool {
        let lists = self.read();
        let held = |list: &List, name: &str| list.get(name).copied().filter(|term| !term.is_over(now));
        let token = identity.token.as_deref();
        if let Some(id) = token.and_then(|token| token.id.as_deref())
            && held(&lists.tokens, id).is_some()
        {
            return true;
        }
        match &identity.who {
            // A token that does not say when it was made may be one of those that were meant.
            Who::User(user) => held(&lists.users, user)
                .is_some_and(|term| token.and_then(|token| token.issued_at).is_none_or(|made| made <= term.since)),
            Who::Key(key) => held(&lists.keys, key).is_some(),
            Who::Anonymous | Who::Signed | Who::Operator => false,
        }
    }

    /// Refuses something from now on; `until` is when it would not hold any more anyway.
    ///
    /// # Errors
    /// 507 `revocations_full`: as many as may be are kept, and none of them is over.
    pub fn add(&self, what: &Credential, until: Option<u64>, now: u64) -> Result<(), Refusal> {
        let mut lists = self.write();
        let lists = &mut *lists;
        lists.drop_what_is_over(now, &self.count);
        let known = lists.list(what.kind()).get(what.name()).copied();
        if known.is_none() && self.count.load(Ordering::Relaxed) >= self.max {
            return Err(Code::RevocationsFull.into());
        }
        // The later end of both: an earlier revocation may be meant for other tokens of the same user.
        let until = known.map_or(until, |term| term.until.zip(until).map(|(one, other)| one.max(other)));
        lists.put(what, Term { since: now, until });
        if known.is_none() {
            self.count.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Gives a revocation that has no end one: what it refuses was found to hold no longer.
    pub fn end_at(&self, what: &Credential, until: u64) {
        let mut lists = self.write();
        if let Some(Term { since, until: None }) = lists.list(what.kind()).get(what.name()).copied() {
            lists.put(what, Term { since, until: Some(until) });
        }
    }

    /// Takes a revocation back; whether there was one.
    pub fn remove(&self, what: &Credential) -> bool {
        let was = self.write().take(what.kind(), what.name());
        if was {
            self.count.fetch_sub(1, Ordering::Release);
        }
        was
    }

    /// At most `max` of them after `after`, in the order of kinds and names, and whether there are more.
    #[must_use]
    pub fn page(&self, after: Option<&Credential>, max: usize, now: u64) -> (Vec<Revocation>, bool) {
        let lists = self.read();
        let all = [("token", &lists.tokens), ("user", &lists.users), ("key", &lists.keys)];
        let first = after.and_then(|after| all.iter().position(|(kind, _)| *kind == after.kind())).unwrap_or(0);
        let mut page = Vec::new();
        for (place, (kind, list)) in all.into_iter().enumerate().skip(first) {
            let start =
                after.filter(|_| place == first).map_or(Bound::Unbounded, |after| Bound::Excluded(after.name()));
            for (name, term) in list.range::<str, _>((start, Bound::Unbounded)).filter(|(_, term)| !term.is_over(now)) {
                if page.len() == max {
                    return (page, true);
                }
                let what = Credential::of(kind, name).expect("each list is of a kind");
                page.push(Revocation { what, since: term.since, until: term.until });
            }
        }
        (page, false)
    }

    fn read(&self) -> RwLockReadGuard<'_, Lists> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Lists> {
        self.lists.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lists {
    fn list(&mut self, kind: &str) -> &mut List {
        match kind {
            "token" => &mut self.tokens,
            "user" => &mut self.users,
            _ => &mut self.keys,
        }
    }

    fn put(&mut self, what: &Credential, term: Term) {
        let kind = what.kind();
        self.take(kind, what.name());
        let name: Arc<str> = what.name().into();
        self.ends.extend(term.until.map(|until| (until, kind, Arc::clone(&name))));
        self.list(kind).insert(name, term);
    }

    fn take(&mut self, kind: &'static str, name: &str) -> bool {
        let Some((name, term)) = self.list(kind).remove_entry(name) else { return false };
        if let Some(until) = term.until {
            self.ends.remove(&(until, kind, name));
        }
        true
    }

    fn drop_what_is_over(&mut self, now: u64, count: &AtomicUsize) {
        for _ in 0..DROPPED_AT_ONCE {
            let Some((until, kind, name)) = self.ends.first().cloned() else { return };
            if now <= until.saturating_add(KEPT_AFTER_S) {
                return;
            }
            self.take(kind, &name);
            count.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT_AFTER_S, Revocations};
    use crate::access::{Grants, Identity, TokenFacts, Who};
    use crate::model::operation::Credential;

    fn credential(kind: &str, name: &str) -> Credential {
        Credential::of(kind, name).expect("a kind")
    }

    fn user(name: &str, id: Option<&str>, issued_at: Option<u64>) -> Identity {
        let token = TokenFacts { id: id.map(Box::from), issued_at, ..TokenFacts::default() };
        Identity { token: Some(Box::new(token)), ..Identity::new(Who::User(name.into()), Grants::default()) }
    }

    #[test]
    fn what_was_revoked_is_refused_and_nothing_else_is() {
        let revocations = Revocations::new(10);
        let ada = user("ada", Some("t1"), Some(100));
        assert_eq!(revocations.judge(&ada, 200), Ok(()));
        revocations.add(&credential("token", "t1"), None, 150).expect("room");
        assert_eq!(revocations.judge(&ada, 200).expect_err("revoked").label(), "token_revoked");
        for other in [user("ada", Some("t2"), Some(100)), user("ada", None, None), user("t1", None, None)] {
            assert_eq!(revocations.judge(&other, 200), Ok(()), "{other:?}");
        }
        assert!(revocations.remove(&credential("token", "t1")) && !revocations.remove(&credential("token", "t1")));
        assert_eq!(revocations.judge(&ada, 200), Ok(()));
        revocations.add(&credential("key", "ada"), None, 150).expect("room");
        assert_eq!(revocations.judge(&ada, 200), Ok(()), "a key of this name is no user");
        let key = Identity::new(Who::Key("ada".into()), Grants::default());
        assert!(revocations.refuse(&key, 200));
    }

    #[test]
    fn tokens_of_a_user_that_were_made_after_the_revocation_are_taken() {
        let revocations = Revocations::new(10);
        revocations.add(&credential("user", "ada"), None, 150).expect("room");
        for (issued_at, refused) in [(None, true), (Some(149), true), (Some(150), true), (Some(151), false)] {
            assert_eq!(revocations.refuse(&user("ada", None, issued_at), 200), refused, "{issued_at:?}");
            assert!(!revocations.refuse(&user("bob", None, issued_at), 200));
        }
        revocations.add(&credential("user", "ada"), None, 160).expect("room");
        assert!(revocations.refuse(&user("ada", None, Some(151)), 200), "revoked again");
    }

    #[test]
    fn they_are_kept_to_their_end_and_make_room_then() {
        let revocations = Revocations::new(2);
        revocations.add(&credential("token", "a"), Some(1_000), 1).expect("room");
        revocations.add(&credential("token", "b"), None, 1).expect("room");
        let kept = 1_000 + KEPT_AFTER_S;
        let full = revocations.add(&credential("token", "c"), None, kept).expect_err("full");
        assert_eq!((full.status(), full.label()), (507, "revocations_full"));
        revocations.add(&credential("token", "b"), None, kept).expect("it is there already");
        assert!(revocations.refuse(&user("x", Some("a"), None), kept));
        assert!(!revocations.refuse(&user("x", Some("a"), None), kept + 1));
        revocations.add(&credential("token", "c"), None, kept + 1).expect("the first is over");
        assert!(revocations.refuse(&user("x", Some("b"), None), kept + 1));
        revocations.end_at(&credential("token", "b"), 2_000);
        revocations.end_at(&credential("token", "b"), 9_000);
        revocations.add(&credential("token", "d"), None, 2_001 + KEPT_AFTER_S).expect("the second is over");
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let revocations = Revocations::new(100);
        let mut expected = Vec::new();
        for kind in ["token", "user", "key"] {
            for number in 0..5 {
                expected.push(credential(kind, &format!("n{number}")));
            }
        }
        expected.iter().rev().for_each(|what| revocations.add(what, None, 7).expect("room"));
        for max in [1, 2, 4, 5, 15, 20] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let (page, more) = revocations.page(after.as_ref(), max, 8);
                assert!(page.len() <= max && (page.len() == max || !more));
                found.extend(page.into_iter().map(|revocation| revocation.what));
                after = found.last().cloned();
                if !more {
                    break;
                }
            }
            assert_eq!(found, expected, "{max} at a time");
        }
    }
}
