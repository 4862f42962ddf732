//! Which limits there are at all, in one byte: what is not limited costs one look at it.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InForce(u8);

impl InForce {
    /// None.
    pub const NOTHING: InForce = InForce(0);
    /// Not a limit, but a reason for having none: nothing is configured that says who may do what.
    pub(super) const OPEN_MODE: InForce = InForce(1);
    pub(super) const REQUESTS: InForce = InForce(2);
    pub(super) const BYTES: InForce = InForce(4);
    pub(super) const ENTRIES: InForce = InForce(8);
    pub(super) const ADDRESSES: InForce = InForce(16);

    /// The same and `other`, if it `is` in force.
    pub(super) const fn with(self, other: InForce, is: bool) -> InForce {
        if is { InForce(self.0 | other.0) } else { self }
    }

    /// Whether nothing is configured that says who may do what.
    #[must_use]
    pub const fn is_open_mode(self) -> bool {
        self.0 & InForce::OPEN_MODE.0 != 0
    }

    /// Whether anything is limited.
    #[must_use]
    #[inline]
    pub const fn any(self) -> bool {
        self.0 & !InForce::OPEN_MODE.0 != 0
    }

    /// Whether requests or publications are.
    #[must_use]
    #[inline]
    pub const fn requests(self) -> bool {
        self.0 & InForce::REQUESTS.0 != 0
    }

    /// Whether bytes are.
    #[must_use]
    #[inline]
    pub const fn bytes(self) -> bool {
        self.0 & InForce::BYTES.0 != 0
    }

    /// Whether sockets and event streams of users or keys are.
    #[must_use]
    pub const fn entries(self) -> bool {
        self.0 & InForce::ENTRIES.0 != 0
    }

    /// Whether connections of addresses are.
    #[must_use]
    #[inline]
    pub const fn addresses(self) -> bool {
        self.0 & InForce::ADDRESSES.0 != 0
    }
}
