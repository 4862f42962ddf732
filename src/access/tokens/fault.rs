//! What keeps an issuer of the configuration from verifying tokens: its files, and keys that do not fit its algorithms.

use super::key_set::KeySetFault;
use super::pem::PemFault;
use crate::model::algorithm::{Algorithm, Algorithms};
use crate::model::signing_secret::BadSecret;
use std::fmt;
use std::path::PathBuf;

/// What is wrong with a key of an issuer. Nothing of a file is repeated: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFault {
    /// A file cannot be read: why, as the end of a sentence.
    Unreadable(String),
    /// A file holds no secret.
    Secret(BadSecret),
    /// A file holds no public key.
    Pem(PemFault),
    /// A file holds no key set.
    KeySet(KeySetFault),
    /// What it holds can do none of the algorithms that are allowed.
    Useless {
        /// How many keys of a set were of no use from the beginning.
        skipped: usize,
        /// What is allowed.
        allowed: Algorithms,
    },
    /// No key can do an algorithm that is listed.
    NoKeyFor(Algorithm),
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFault::Unreadable(why) => f.write_str(why),
            KeyFault::Secret(bad) => bad.fmt(f),
            KeyFault::Pem(fault) => fault.fmt(f),
            KeyFault::KeySet(fault) => fault.fmt(f),
            KeyFault::Useless { skipped, allowed } => {
                write!(f, "no key here can be used with {allowed}")?;
                if *skipped > 0 {
                    write!(f, "; {skipped} in the set are of other kinds, for another use, or damaged")?;
                }
                Ok(())
            }
            KeyFault::NoKeyFor(algorithm) => match algorithm.secret_bytes_min() {
                Some(min) => {
                    write!(f, "\"algorithms\" has {}, which needs a secret of at least {min} bytes", algorithm.name())
                }
                None => write!(f, "\"algorithms\" has {}, and no key can be used with it", algorithm.name()),
            },
        }
    }
}

/// What is wrong with an issuer, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFault {
    /// Its place in the configuration, from 0.
    pub issuer: usize,
    /// Its name.
    pub name: String,
    /// The file that is meant.
    pub file: Option<PathBuf>,
    /// What is wrong.
    pub fault: KeyFault,
}

impl fmt::Display for IssuerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[[issuer]] {} ({}): ", self.issuer + 1, self.name)?;
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        self.fault.fmt(f)
    }
}

impl std::error::Error for IssuerFault {}
