//! The file META: what a store says of itself as a whole. It is replaced as a whole, and durable before anything counts on it.

use super::error::{Damage, OpenError};
use super::files::{self, Files};
use super::segment::{Place, VERSION};
use std::io;
use zlib_rs::crc32::crc32;

/// The file's name.
pub(super) const NAME: &str = "META";
const TITLE: &str = "tidings store";

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    /// Rises each time that something acknowledged may be gone.
    pub(super) generation: u32,
    /// What the checksums of its records begin with.
    pub(super) salt: u32,
    /// The run of the system in which it was opened last; empty if that has no name.
    pub(super) boot: String,
    /// Whether it was closed in order.
    pub(super) clean: bool,
    /// Whether its owner acknowledged only what was synced.
    pub(super) synced_only: bool,
    /// Everything before this place is on the device.
    pub(super) end: Place,
}

impl Meta {
    fn encode(&self) -> String {
        let Meta { generation, salt, boot, clean, synced_only, end } = self;
        let text = format!(
            "{TITLE} {VERSION}\ngeneration {generation}\nsalt {salt}\nboot {boot}\nclean {clean}\nsynced_only {synced_only}\n\
             segment {}\nend {}\n",
            end.segment, end.at
        );
        format!("{text}sum {:08x}\n", crc32(0, text.as_bytes()))
    }

    fn parse(text: &str) -> Option<Meta> {
        let (body, sum) = text.rsplit_once("sum ")?;
        if sum.strip_suffix('\n')? != format!("{:08x}", crc32(0, body.as_bytes())) {
            return None;
        }
        let mut lines = body.lines().skip(1);
        let mut next = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        Some(Meta {
            generation: next("generation")?.parse().ok()?,
            salt: next("salt")?.parse().ok()?,
            boot: next("boot")?.to_owned(),
            clean: next("clean")?.parse().ok()?,
            synced_only: next("synced_only")?.parse().ok()?,
            end: Place { segment: next("segment")?.parse().ok()?, at: next("end")?.parse().ok()? },
        })
    }

    /// What the file says; `None` if there is none.
    pub(super) fn read(files: &dyn Files) -> Result<Option<Meta>, OpenError> {
        let file = match files.open_to_read(NAME) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("open META")(error)),
        };
        let mut bytes = [0; 4096];
        let read = file.read_at(&mut bytes, 0).map_err(OpenError::io("read META"))?;
        let text = String::from_utf8_lossy(&bytes[..read]);
        if let Some(meta) = Meta::parse(&text) {
            let version = text.lines().next().and_then(|line| line.strip_prefix(TITLE)).unwrap_or_default().trim();
            if version == VERSION.to_string() {
                return Ok(Some(meta));
            }
            return Err(OpenError::Version(version.to_owned()));
        }
        Err(OpenError::Damaged(damage("its checksum is wrong")))
    }

    /// Replaces the file; durable when this returns.
    pub(super) fn write(&self, files: &dyn Files) -> io::Result<()> {
        files::replace(files, NAME, self.encode().as_bytes())
    }
}

/// Damage of the file.
pub(super) fn damage(what: &'static str) -> Damage {
    Damage { file: NAME.to_owned(), at: 0, what }
}
