//! What a thread counts in a window.

use super::gather::gathered;
use serde::{Deserialize, Serialize};

gathered! {
/// Counters of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages or publications sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Of these, what came for the first time.
    pub answered: u64,
    /// Connections that became usable.
    pub opened: u64,
    /// Connections that could not be opened.
    pub refused: u64,
    /// Connections that the other side ended.
    pub dropped: u64,
    /// Connections that the other side ended since their token expired.
    pub expired: u64,
    /// Everything that went wrong.
    pub errors: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Publications that the server said it has taken.
    pub acknowledged: u64,
}
}
