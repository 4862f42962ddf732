//! Panics on purpose, in test builds alone: what carries the name of a place panics there, on whatever thread that is.

/// Panics if `bytes` name this place, as `mine:step`.
pub(crate) fn step_on(place: &str, bytes: &[u8]) {
    let mine = format!("mine:{place}");
    assert!(!bytes.windows(mine.len()).any(|window| window == mine.as_bytes()), "stepped on {mine}");
}
