//! What operators ask about clients and do to them: asked of all reactors at once, and answered with what they say in time.

use crate::access::{Identity, Revocation, Revocations, Who};
use crate::handoff::mailbox::Mailboxes;
use crate::handoff::order::Order;
use crate::handoff::others::{NotTold, Others};
use crate::handoff::walk::{Act, Chosen, Seen, Walk, Walked};
use crate::hub::Hub;
use crate::model::code::Code;
use crate::model::glob::Glob;
use crate::model::ids::ConnId;
use crate::model::operation::{Credential, Listing, Operation, Revocable, Whom};
use crate::model::refusal::Refusal;
use crate::model::reloaded::Reloaded;
use crate::node::answer::Answer;
use crate::protocol::admin::reply::{Listed, ListedRevocation, Page, connection, revocation};
use crate::protocol::response::JSON;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the reactors have to answer.
const WAIT: Duration = Duration::from_secs(1);

/// What operations act on.
pub struct Operations {
    /// The names of connections, and the ids of channels.
    pub hub: Arc<Hub>,
    /// The way to the reactors.
    pub mailboxes: Arc<Mailboxes>,
    /// What was revoked.
    pub revocations: Arc<Revocations>,
    /// What the server's listeners are called, by their numbers.
    pub listeners: Arc<ArcSwap<Vec<String>>>,
    /// Reads the configuration again.
    pub reload: Reload,
    /// The other nodes, which are to do the same; none where there are none, and where one of them asks.
    pub others: Option<Others>,
}

/// Reads the configuration again and changes to it, or says why nothing changed.
pub type Reload = Arc<dyn Fn() -> Result<Reloaded, Refusal> + Send + Sync>;

/// What all reactors together say.
struct Together {
    walked: Vec<Walked>,
    missing: Vec<usize>,
}

impl Together {
    fn count(&self) -> u64 {
        self.walked.iter().map(|walked| walked.count as u64).sum()
    }

    /// When the last of the credentials with which connections were ended is over, if all of them end.
    fn until(&self) -> Option<u64> {
        let ended = self.walked.iter().filter(|walked| walked.count > 0);
        ended.map(|walked| walked.until).reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other)))?
    }
}

impl Operations {
    /// Does what is asked, at a time in seconds since 1970. Takes a second at most.
    #[must_use]
    pub fn perform(&self, operation: &Operation, now: u64) -> Answer {
        let outcome = match operation {
            Operation::List(listing) => self.list(listing, None),
            Operation::Disconnect { whom, reason } => self.disconnect(operation, whom, reason.as_deref()),
            Operation::Unsubscribe { whom, channels } => self.unsubscribe(operation, whom, channels),
            Operation::Reload => (self.reload)().map(|reloaded| page_of(&reloaded)),
            Operation::Revoke { what, until } => self.revoke(what, *until, now),
            Operation::Restore(credential) => self.tell(operation).map(|()| self.restore(credential)),
            Operation::Revocations { after, max } => Ok(self.revocations(after.as_ref(), *max, now)),
        };
        match outcome {
            Ok(page) => Answer::Page { content_type: JSON, body: page.body() },
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    /// Has the other nodes do it too; what they find is not in this one's answer.
    fn tell(&self, operation: &Operation) -> Result<(), Refusal> {
        let Some(others) = &self.others else { return Ok(()) };
        others.tell(operation.clone()).map_err(|NotTold| {
            let message =
                "the other nodes cannot be told at the moment, and too much waits for them already; nothing was done";
            Refusal::new(Code::EngineUnavailable, message)
        })
    }

    /// A page of this node's connections. As `node` of a cluster it says with each whose it is.
    pub(super) fn list(&self, listing: &Listing, node: Option<&str>) -> Result<Page, Refusal> {
        let Listing { whom, channel, transport, after, max } = listing;
        let name = |rows: &[Seen]| rows.last().map(|seen| self.hub.names().name(seen.id));
        let after = match after {
            Some(name) => Some(self.find("after", name)?.ok_or_else(|| {
                Refusal::new(Code::BadRequest, "after is of a server that ran before this one; begin again without it")
            })?),
            None => None,
        };
        // A channel that does not exist has no subscribers.
        let known = channel.as_ref().map(|name| self.hub.id_of(name));
        let chosen = self.chosen(whom)?.filter(|_| known != Some(None));
        let Some(chosen) = chosen else { return Ok(self.page(&[], node, None, &[])) };
        // One more than the page has, to know whether another one follows.
        let chosen = Chosen { channel: known.flatten(), transport: *transport, after, ..chosen };
        let Together { walked, missing } = self.walk(chosen, Act::List(max.saturating_add(1)));
        let mut rows: Vec<Seen> = walked.into_iter().flat_map(|walked| walked.seen).collect();
        let has_more = rows.len() > *max;
        rows.truncate(*max);
        let next = name(&rows).filter(|_| has_more);
        Ok(self.page(&rows, node, next.as_deref(), &missing))
    }

    fn page(&self, rows: &[Seen], node: Option<&str>, next: Option<&str>, missing: &[usize]) -> Page {
        let page = Page::default().list("connections", rows, |page, seen| {
            let page = self.row(page, seen);
            node.into_iter().fold(page, |page, node| page.text("node", node))
        });
        match next {
            Some(next) => page.text("next", next),
            None => page,
        }
        .missing(missing)
    }

    fn row(&self, page: Page, seen: &Seen) -> Page {
        let identity = seen.identity.as_deref();
        let address = seen.address.to_string();
        let (who, name) = match identity.map(|identity| &identity.who) {
            None => (None, None),
            Some(Who::Anonymous) => (Some("anonymous"), None),
            Some(Who::User(name)) => (Some("user"), Some(&**name)),
            Some(Who::Signed) => (Some("signed"), None),
            Some(Who::Key(name)) => (Some("key"), Some(&**name)),
            Some(Who::Operator) => (Some("operator"), None),
        };
        let listeners = self.listeners.load();
        let listed = Listed {
            connection: &self.hub.names().name(seen.id),
            who,
            name,
            token: identity.and_then(token_of),
            address: &address,
            listener: listeners.get(usize::from(seen.listener)).map_or("", String::as_str),
            transport: seen.transport.word(),
            since_ms: u64::from(seen.since) * 1000,
            transferred: seen.transferred,
            lag: seen.lag as u64,
            subscriptions: seen.subscriptions as u64,
        };
        connection(page, &listed)
    }

    fn disconnect(&self, asked: &Operation, whom: &Whom, reason: Option<&str>) -> Result<Page, Refusal> {
        let refusal = match reason {
            Some(reason) => Refusal::new(Code::Disconnected, reason.to_owned()),
            None => Code::Disconnected.into(),
        };
        self.act("disconnected", asked, whom, Act::End(refusal))
    }

    fn unsubscribe(&self, asked: &Operation, whom: &Whom, channels: &Glob) -> Result<Page, Refusal> {
        self.act("unsubscribed", asked, whom, Act::Unsubscribe(channels.clone(), Code::Unsubscribed.into()))
    }

    fn act(&self, what: &str, asked: &Operation, whom: &Whom, act: Act) -> Result<Page, Refusal> {
        // Before the other nodes are told: what is refused here must not be done there.
        let chosen = self.chosen(whom)?;
        self.tell(asked)?;
        let Some(chosen) = chosen else { return Ok(Page::default().number(what, 0)) };
        let together = self.walk(chosen, act);
        log::info!(event = "operated", action = what, connections = together.count(); "an operator ended connections or subscriptions");
        Ok(Page::default().number(what, together.count()).missing(&together.missing))
    }

    fn revoke(&self, what: &Revocable, until: Option<u64>, now: u64) -> Result<Page, Refusal> {
        if until.is_some_and(|until| until <= now) {
            let message =
                "until is a time that is over, in seconds since 1970: what is revoked would hold no longer anyway";
            return Err(Refusal::new(Code::BadRequest, message));
        }
        let (credential, until) = match what {
            Revocable::Credential(credential) => (credential.clone(), until),
            Revocable::Of(connection) => {
                let identity = self.identity_of(connection)?;
                (credential_of(&identity)?, until.or(identity.until))
            }
        };
        self.tell(&Operation::Revoke { what: Revocable::Credential(credential.clone()), until })?;
        // Before the connections end: one that comes back at once is refused.
        self.revocations.add(&credential, until, now)?;
        let name = || Some(Box::from(credential.name()));
        let whom = match &credential {
            Credential::Token(_) => Whom { token: name(), ..Whom::default() },
            Credential::User(_) => Whom { user: name(), ..Whom::default() },
            Credential::Key(_) => Whom { key: name(), ..Whom::default() },
        };
        let together = self.walk(Chosen { whom, ..Chosen::default() }, Act::End(Code::TokenRevoked.into()));
        let found = together.until().filter(|_| until.is_none() && matches!(credential, Credential::Token(_)));
        if let Some(found) = found {
            self.revocations.end_at(&credential, found);
        }
        log::info!(event = "revoked", kind = credential.kind(), connections = together.count(); "an operator revoked a credential");
        let page = Page::default().text(credential.kind(), credential.name());
        let page = match until.or(found) {
            Some(until) => page.number("until", until),
            None => page,
        };
        Ok(page.number("disconnected", together.count()).missing(&together.missing))
    }

    fn restore(&self, credential: &Credential) -> Page {
        let restored = self.revocations.remove(credential);
        Page::default().text(credential.kind(), credential.name()).flag("restored", restored)
    }

    fn revocations(&self, after: Option<&Credential>, max: usize, now: u64) -> Page {
        let (rows, has_more) = self.revocations.page(after, max, now);
        let page = Page::default().list("revocations", &rows, |page, row| revocation(page, &listed(row)));
        match rows.last().filter(|_| has_more) {
            Some(last) => page.text("next", &format!("{}:{}", last.what.kind(), last.what.name())),
            None => page,
        }
    }

    /// Who the client of a connection is.
    fn identity_of(&self, connection: &str) -> Result<Arc<Identity>, Refusal> {
        let id = self.find("connection", connection)?;
        let chosen = id.map(|id| Chosen { connection: Some(id), ..Chosen::default() });
        let seen = chosen.map(|chosen| self.walk(chosen, Act::List(1)));
        let mut rows = seen.into_iter().flat_map(|together| together.walked).flat_map(|walked| walked.seen);
        rows.next().and_then(|seen| seen.identity).ok_or_else(|| {
            let message = "there is no such connection, or nobody has signed in on it; revoke by user, key or token";
            Refusal::new(Code::BadRequest, message)
        })
    }

    /// Which connections are meant; `None` when it is certain that there are none.
    fn chosen(&self, whom: &Whom) -> Result<Option<Chosen>, Refusal> {
        let connection = match &whom.connection {
            Some(name) => match self.find("connection", name)? {
                Some(id) => Some(id),
                None => return Ok(None),
            },
            None => None,
        };
        Ok(Some(Chosen { whom: whom.clone(), connection, ..Chosen::default() }))
    }

    /// The connection that a name stands for; `None` for that of a server that ran before.
    fn find(&self, member: &str, name: &str) -> Result<Option<ConnId>, Refusal> {
        self.hub.names().find(name).map_err(|_| {
            let message = format!(
                "{member} is no connection's name; it has 27 characters, as \"connection\" in lists and answers"
            );
            Refusal::new(Code::BadRequest, message)
        })
    }

    fn walk(&self, chosen: Chosen, act: Act) -> Together {
        let (walk, answers) = Walk::new(chosen, act, self.mailboxes.reactor_count());
        // Handed over, so that the wait is over when the last reactor has answered or ended.
        self.mailboxes.order_all(&Order::Walk(walk));
        let (walked, missing) = answers.wait(Instant::now() + WAIT);
        Together { walked, missing }
    }
}

fn page_of(reloaded: &Reloaded) -> Page {
    let page = Page::default()
        .texts("changed", &reloaded.changed)
        .texts("needs_restart", &reloaded.needs_restart)
        .texts("opened", &reloaded.opened)
        .texts("closed", &reloaded.closed);
    page.missing(&reloaded.missing)
}

fn listed(row: &Revocation) -> ListedRevocation<'_> {
    let Revocation { what, since, until } = row;
    ListedRevocation { kind: what.kind(), name: what.name(), since_s: *since, until_s: *until }
}

fn token_of(identity: &Identity) -> Option<&str> {
    identity.token.as_deref()?.id.as_deref()
}

/// What a client came with: its token by the id of that, or its key.
fn credential_of(identity: &Identity) -> Result<Credential, Refusal> {
    let token = token_of(identity).map(|id| Credential::Token(id.into()));
    match &identity.who {
        Who::User(_) => token.ok_or_else(|| {
            Refusal::new(Code::BadRequest, "the token of this connection has no id (jti); revoke its user instead")
        }),
        Who::Key(name) => Ok(Credential::Key(name.clone())),
        Who::Anonymous | Who::Signed | Who::Operator => {
            Err(Refusal::new(Code::BadRequest, "nobody has signed in on this connection with a token or a key"))
        }
    }
}
