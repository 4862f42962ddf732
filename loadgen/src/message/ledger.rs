//! The accounts of all messages.

use super::gather::gathered;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

gathered! {
/// The accounts of all messages of a thread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What should have come to the receivers of this thread.
    pub expected: u64,
    /// What came, each message once.
    pub came: u64,
    /// What never came.
    pub lost: u64,
    /// What came again.
    pub duplicated: u64,
    /// What came after a later one.
    pub reordered: u64,
    /// What came with other bytes than were sent.
    pub corrupted: u64,
    /// Messages that were due and not sent.
    pub unsent: u64,
    /// What should have come of these.
    pub unsent_due: u64,
    /// Subscriptions that were resumed.
    pub resumed: u64,
    /// Resumed subscriptions whose answer said that something is missing.
    pub gaps: u64,
    /// Connections that were cut off from here, to reconnect.
    pub cut: u64,
    /// Slow readers that the server has cut off.
    pub slow_cut: u64,
    /// Connections read by tungstenite's client.
    pub checked: u64,
    /// What tungstenite's client objected to.
    pub objections: u64,
    /// What the server did about each kind of attack.
    pub attacks: BTreeMap<String, u64>,
    /// Errors by their text.
    pub errors: BTreeMap<String, u64>,
    /// Limits of this machine that were hit, by their text.
    pub limits: Vec<String>,
}
}
