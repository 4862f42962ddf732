//! The texts that stand beside a publication's data: the name of its event, its media type, its idempotency key. Their rules, wherever
//! they come from.

use super::code::Code;
use super::refusal::Refusal;
use std::borrow::Cow;

/// The longest event name, idempotency key and media type, in bytes.
const LABEL_BYTES_MAX: usize = 200;

/// What readers of event streams take for the browser's own events or for the server's: a publisher that used such a name
/// could tell all readers of a channel that it was reset, or that they are refused.
const RESERVED_EVENTS: [&str; 8] = ["error", "open", "position", "reset", "closed", "join", "leave", "refused"];

/// The rules of an event's name, wherever it comes from.
///
/// # Errors
/// 400 `bad_request`, with the rule that was broken; 400 `bad_event` for a name that is reserved for the server.
pub fn check_event(text: &str) -> Result<(), Refusal> {
    if text.len() > LABEL_BYTES_MAX {
        return Err(bad_request(format!("an \"event\" has at most {LABEL_BYTES_MAX} bytes, not {}", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(bad_request("an \"event\" has no control characters"));
    }
    if RESERVED_EVENTS.contains(&text) {
        let kept = RESERVED_EVENTS.join(", ");
        let message = format!(
            "no publication is an \"event\" {text:?}: readers would take it for the server's own ({kept} are reserved)"
        );
        return Err(Refusal::new(Code::BadEvent, message));
    }
    Ok(())
}

/// The rules of an idempotency key, wherever it comes from.
///
/// # Errors
/// 400 `bad_request`, with the rule that was broken.
pub fn check_key(text: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > LABEL_BYTES_MAX {
        let length = text.len();
        return Err(bad_request(format!("an idempotency key has 1 to {LABEL_BYTES_MAX} bytes, not {length}")));
    }
    Ok(())
}

/// The rules of a media type, wherever it comes from.
///
/// # Errors
/// 400 `bad_request`, with the rule that was broken.
pub fn check_content_type(text: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > LABEL_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(bad_request(format!("a content type has 1 to {LABEL_BYTES_MAX} bytes and no control characters")));
    }
    Ok(())
}

fn bad_request(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::BadRequest, message)
}
