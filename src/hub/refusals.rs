//! What the hub refuses, each with its status, its stable code and what to do about it.

use crate::model::refusal::Refusal;

const PUBLISHING_NOT_ALLOWED: &str = "This connection may read and not publish: without a key only clients publish that come \
    directly, over HTTP/1.1, from this machine to a loopback Host, without a field that proxies add. Send an operator key, or \
    start the server with --allow-anonymous-publish to let everybody publish who reaches it.";

pub(crate) fn publishing_not_allowed() -> Refusal {
    Refusal::new(403, "publishing_not_allowed", PUBLISHING_NOT_ALLOWED)
}

/// `advice` says how to become an operator.
pub(super) fn operator_needed(advice: &str) -> Refusal {
    Refusal::new(401, "operator_needed", format!("Emptying a channel's history is for operators. {advice}"))
}

pub(super) fn bad_auth(message: &'static str) -> Refusal {
    Refusal::new(400, "bad_request", message)
}

pub(super) fn bad_exclude() -> Refusal {
    let message = "exclude names no connection; give the `connection` that the answer to a GET told.";
    Refusal::new(400, "bad_exclude", message)
}

pub(super) fn key_reused() -> Refusal {
    let message =
        "This idempotency key was used on this channel with another body; use a new key for a new publication.";
    Refusal::new(409, "key_reused", message)
}

pub(super) fn unknown_channel() -> Refusal {
    Refusal::new(404, "unknown_channel", "There is no such channel, so it has no history to empty.")
}

pub(super) fn channels_full() -> Refusal {
    Refusal::new(503, "channels_full", "The server holds as many channels as it may (channels.total); try again later.")
}

pub(super) fn busy() -> Refusal {
    Refusal::new(
        503,
        "busy",
        "The subscribers cannot take more at the moment; nothing was published. Try again later (delivery.mailbox_bytes and mailbox_entries say how much may wait, server.publish_wait for how long).",
    )
}
