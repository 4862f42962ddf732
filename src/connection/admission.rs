//! Whether a request is let in, and what is planned for it: law 10 is judged before anything else.

use super::decision::{Decided, Decision, Peer};
use super::env::Env;
use super::handshake;
use super::responding::RequestContext;
use crate::access::{Access, AccessFacts, CHALLENGE_PATH, Identity, Unproven, Verification, client_address, judge};
use crate::journal::{Kind, Words};
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::protocol::files;
use crate::protocol::pages::draining;
use crate::protocol::plan::Plan;
use crate::protocol::routes::Call;
use crate::protocol::tidings::signed::signed_reader;
use crate::wire::http::head::{BodyLength, Head, Method, Version};
use crate::wire::http::upgrade::wants_upgrade;
use std::sync::Arc;

/// Where the sender of a head is: `peer`, or what the trusted proxies of the listener say.
pub(super) fn source_of(head: &Head<'_>, peer: PeerAddress, env: &Env) -> PeerAddress {
    let trusted = &env.policy.trusted_proxies;
    if trusted.is_empty() {
        return peer;
    }
    let source = client_address(peer, trusted, &head.sender);
    if let Some(field) = source.unreadable {
        // It is no fault of the client's, which is served as the proxy itself would be.
        env.notes.note_once_a_minute(Kind::Unreadable, (field, peer), env.now_ms(), || {
            let message = format!(
                "a trusted proxy passed on an {field} in which the next hop is no address; the last one that is counts"
            );
            Words::new("", message)
        });
    }
    source.address
}

/// Decides what is done about a head of `used` bytes.
///
/// # Errors
/// Who asks has to be found out first. Nothing was done then that must not be done twice.
pub(super) fn decide(head: &Head<'_>, used: usize, peer: Peer, env: &Env) -> Result<Decided, Unproven> {
    let mut asked = RequestContext::of(head, env);
    let mut identity = None;
    env.meter.comes_from(peer.address, env.policy);
    let mut plan = plan(head, peer, &mut asked, &mut identity, env).map_err(Unproven::Later)?;
    if env.meter.in_force().requests() && counts_by_head(&plan) && !env.routes.is_for_operations(head) {
        let asker = identity.as_ref().unwrap_or(&env.policy.identities.reader);
        plan = env.meter.admit_head(asker).map_or_else(|refusal| Plan::Refuse(refusal.into()), |()| plan);
    }
    let decision = match plan {
        Plan::Upgrade(opening) => handshake::open(head, opening, env),
        Plan::Refuse(refused) => handshake::refuse(head, refused, env),
        plan => Decision::Plan(plan),
    };
    let opens =
        matches!(&decision, Decision::Switch(_)) || (asked.stream && matches!(&decision, Decision::Plan(Plan::Ask(_))));
    if !opens && env.meter.has_places() {
        drop(env.meter.take_places());
    }
    // Refused before anything was granted.
    let identity = identity.unwrap_or_else(|| Arc::clone(&env.policy.identities.reader));
    Ok(Decided { asked, decision, identity, body: head.body, expects_continue: head.expect_continue, used })
}

fn plan(
    head: &Head<'_>,
    peer: Peer,
    asked: &mut RequestContext,
    identity: &mut Option<Arc<Identity>>,
    env: &Env,
) -> Result<Plan, Box<Verification>> {
    let upgrade = wants_upgrade(head);
    let mut access = match judge(&facts(head, peer, upgrade), env.policy) {
        Ok(access) => access,
        // Files are public: their answers are the same for pages of every origin.
        Err(refusal) => {
            let is_public = refusal.code == Code::OriginNotAllowed && env.policy.serves.clients();
            let file = if is_public && !upgrade && peer.turned_away.is_none() {
                files::plan(head, env.settings())
            } else {
                None
            };
            return Ok(file.unwrap_or_else(|| Plan::Refuse(refusal.into())));
        }
    };
    // A browser's socket is upgraded first and then told why (law 9). An orchestrator that gets no answer restarts a
    // server that is only full, and everybody else's reconnects follow.
    if let Some(reason) = peer.turned_away
        && !env.routes.is_for_operations(head)
    {
        asked.keep_alive = false;
        if reason != Code::TooManyConnections {
            return Ok(Plan::Refuse(env.meter.turned_away(reason, peer.address, env.policy).into()));
        }
        if !(upgrade && head.origin.is_some()) {
            return Ok(one_too_many());
        }
    }
    // Asked before the program that embeds the server is, which would be asked again at the second try.
    let proven = match env.policy.identify_head(head, peer.address, env.unix_s()) {
        Ok(proven) => Ok(proven),
        Err(Unproven::Refused(refusal)) => Err(refusal),
        Err(Unproven::Later(verification)) => return Err(verification),
    };
    if (upgrade || asked.stream)
        && let Err(reason) = env.limits.hooks.may_connect(head, peer.address, peer.is_loopback)
    {
        return Ok(Plan::refuse(Code::Forbidden, reason));
    }
    asked.keep_alive &= peer.turned_away.is_none();
    asked.cors_origin.clone_from(&access.cors_origin);
    if let Err(refusal) = take_proofs(head, proven, &mut access, env) {
        return Ok(Plan::Refuse(refusal.into()));
    }
    *identity = Some(Arc::clone(&access.identity));
    if asked.stream {
        asked.identity = Some(Arc::clone(&access.identity));
    }
    if asked.stream && env.draining {
        return Ok(draining());
    }
    if (upgrade || asked.stream)
        && let Err(refusal) = enter(&access.identity, peer, env)
    {
        return Ok(Plan::Refuse(refusal.into()));
    }
    Ok(env.routes.plan(&Call { head, access: &access, scope: env.scope() }))
}

/// Makes of a client what it proved: by what it presents, and by a signed address.
fn take_proofs(
    head: &Head<'_>,
    proven: Result<Option<Arc<Identity>>, Refusal>,
    access: &mut Access,
    env: &Env,
) -> Result<(), Refusal> {
    match proven {
        Ok(Some(proven)) => access.proven(proven),
        Ok(None) => {}
        // A page loads, and a probe is answered, whatever old cookie it brings along.
        Err(_) if !env.routes.asks_who(head) => {}
        Err(refusal) => return Err(refusal),
    }
    if let Some(reader) = signed_reader(head, env.policy, &access.identity, env.unix_s())? {
        access.proven(reader);
    }
    Ok(())
}

/// Lets a client open a socket or an event stream.
fn enter(identity: &Identity, peer: Peer, env: &Env) -> Result<(), Refusal> {
    env.meter.enter_as(identity)?;
    // Otherwise its connection was counted when it was accepted.
    if peer.is_proxied { env.meter.enter_from(peer.address, env.policy, false) } else { Ok(()) }
}

/// Whether it counts as a request by its head. What is asked of channels is counted when it is executed: a batch counts each
/// of its requests. A socket that is opened is a connection.
fn counts_by_head(plan: &Plan) -> bool {
    match plan {
        Plan::Answer(_) | Plan::Refuse(_) | Plan::StreamHead => true,
        Plan::Ask(_) | Plan::Collect(_) | Plan::Upgrade(_) => false,
    }
}

fn facts<'h>(head: &Head<'h>, peer: Peer, upgrade: bool) -> AccessFacts<'h> {
    AccessFacts {
        method: head.method,
        upgrade,
        http11: head.version == Version::Http11,
        health: matches!(head.path, "/livez" | "/readyz") || head.path.starts_with(CHALLENGE_PATH),
        host: head.host,
        origin: head.origin,
        authorization: head.authorization,
        forwarded: head.forwarded,
        peer_is_loopback: peer.is_loopback,
    }
}

fn one_too_many() -> Plan {
    Plan::refuse(
        Code::TooManyConnections,
        "this server has reached its maximum number of connections (server.connections); try again later",
    )
}

/// Whether it is a POST that is here whole, `available` bytes after its head, so that nothing has to be said before it is
/// executed.
pub(super) fn is_whole_post(head: &Head<'_>, available: usize, body_bytes_max: usize) -> bool {
    head.method == Method::Post
        && head.body != BodyLength::Chunked
        && head.body.announced() <= available.min(body_bytes_max)
}
