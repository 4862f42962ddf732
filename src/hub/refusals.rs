//! What the hub refuses, each with its status, its stable code and what to do about it.

use crate::wire::refusal::Refusal;

pub(crate) fn publishing_not_allowed() -> Refusal {
    Refusal::new(403, "publishing_not_allowed", "This connection may read channels but not publish to them.")
}

pub(super) fn admin_only() -> Refusal {
    Refusal::new(403, "admin_only", "Emptying a channel's history is left to administrators.")
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
    Refusal::new(503, "channels_full", "The server holds as many channels as it may; try again later.")
}

pub(super) fn history_full() -> Refusal {
    Refusal::new(503, "history_full", "The server holds as much history as it may; try again later.")
}

pub(super) fn busy() -> Refusal {
    Refusal::new(503, "busy", "The subscribers cannot take more at the moment; nothing was published. Try again later.")
}
