//! What the owner of a store decides: sizes, limits, and what it vouches for.

const MIB: u64 = 1024 * 1024;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The size at which a segment is full, in bytes.
    pub segment_bytes: u64,
    /// The size of all files together, in bytes, above which the oldest segment is dropped.
    pub bytes_max: u64,
    /// How many channels there may be.
    pub channels_max: u32,
    /// Milliseconds without activity after which a channel of which nothing is kept is forgotten.
    pub forget_after: u64,
    /// The greatest record, in bytes.
    pub record_bytes_max: u32,
    /// The greatest size of all small values together, in bytes; they are held in memory.
    pub values_bytes_max: u64,
    /// The newest bytes of which every record is checked when the store is opened. Older ones are checked when they are read.
    pub verify_bytes: u64,
    /// What names this run of the system. `None` is unknown, and counts as another one than before.
    pub boot: Option<String>,
    /// Where the checksums of a new store begin; drawn at random by the caller, so that no body can be made that looks like
    /// records of the store.
    pub random: u64,
    /// Open a damaged store without what is damaged.
    pub accept_loss: bool,
    /// The owner acknowledges nothing before it is synced, so that a power failure loses nothing that was acknowledged.
    pub synced_only: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: 64 * MIB,
            bytes_max: 1024 * MIB,
            channels_max: 1_000_000,
            forget_after: 30 * DAY_MS,
            record_bytes_max: 16 * 1024 * 1024,
            values_bytes_max: 64 * MIB,
            verify_bytes: 1024 * MIB,
            boot: None,
            random: 0,
            accept_loss: false,
            synced_only: false,
        }
    }
}

/// What a channel keeps. A segment is dropped when each channel in it keeps only newer publications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Its newest publications.
    pub count: u64,
    /// Its newest bytes of bodies.
    pub bytes: u64,
    /// Publications that are at most this old, in milliseconds.
    pub age: u64,
}

impl Keep {
    /// Everything, as far as the limit of the whole store allows.
    pub const ALL: Keep = Keep { count: u64::MAX, bytes: u64::MAX, age: u64::MAX };
}
