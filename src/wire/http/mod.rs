//! HTTP/1.x as bytes and values: heads, bodies, targets, answers, and the WebSocket handshake.
//!
//! RFC 9112 is applied strictly: what two parsers could read differently is refused, and every refusal is a
//! [`Refusal`](crate::model::refusal::Refusal) with its code and a sentence that says what was expected.

pub mod answer;
pub mod body;
pub mod caching;
pub mod gather;
pub mod head;
pub mod target;
pub mod upgrade;

mod fields;
#[cfg(test)]
mod head_cases;
pub(super) mod scan;
mod sender;
mod terms;
