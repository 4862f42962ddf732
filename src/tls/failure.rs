//! Why a handshake failed, in the few words that metrics and logs have for it.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// What came is no TLS, or broken.
    Invalid,
    /// No version, cipher or protocol suits both sides.
    Incompatible,
    /// The client refused: it does not trust the certificate, for example.
    Alert,
    /// The client did what no client may do.
    Misbehaved,
    /// Plain HTTP came.
    PlainHttp,
    /// The client did not go on in time.
    Timeout,
    /// The client left.
    Gone,
    /// Too many were in progress.
    TooMany,
    /// Something of ours: there is no certificate, for example.
    Internal,
}

impl Failure {
    /// The label in metrics and logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Failure::Invalid => "invalid",
            Failure::Incompatible => "incompatible",
            Failure::Alert => "alert",
            Failure::Misbehaved => "misbehaved",
            Failure::PlainHttp => "plain_http",
            Failure::Timeout => "timeout",
            Failure::Gone => "gone",
            Failure::TooMany => "too_many",
            Failure::Internal => "internal",
        }
    }
}
