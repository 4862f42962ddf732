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

    /// What is summed of a text, if its sum is right.
    fn summed(text: &str) -> Option<&str> {
        let (body, sum) = text.rsplit_once("sum ")?;
        (sum.strip_suffix('\n')? == format!("{:08x}", crc32(0, body.as_bytes()))).then_some(body)
    }

    fn parse(body: &str) -> Option<Meta> {
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
        let Some(body) = Meta::summed(&text) else { return Err(OpenError::Damaged(damage("its checksum is wrong"))) };
        // What another version says below its first line is not known here.
        let title = body.lines().next().unwrap_or_default();
        if title != format!("{TITLE} {VERSION}") {
            return Err(OpenError::Version(title.to_owned()));
        }
        Meta::parse(body).map(Some).ok_or_else(|| OpenError::Damaged(damage("a line is missing")))
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
