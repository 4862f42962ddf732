//! The algorithms that sign tokens (RFC 7518 section 3.1, RFC 8037): those that are accepted at all, by name, and sets of them.

use std::fmt;

/// An algorithm that signs tokens. There is none without a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// EdDSA on Curve25519 (Ed25519).
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 7] = [
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::EdDsa,
    ];

    /// The algorithm of a name, as `alg` has it: letter case counts (RFC 7515 section 4.1.1).
    #[must_use]
    pub fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Its name in tokens, key sets and settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
            Algorithm::Rs256 => "RS256",
            Algorithm::Ps256 => "PS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    /// For an algorithm of secrets, the fewest bytes of one: those of the hash (RFC 7518 section 3.2). `None` for one of
    /// public keys.
    #[must_use]
    pub const fn secret_bytes_min(self) -> Option<usize> {
        match self {
            Algorithm::Hs256 => Some(32),
            Algorithm::Hs384 => Some(48),
            Algorithm::Hs512 => Some(64),
            Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 | Algorithm::EdDsa => None,
        }
    }
}

/// A set of algorithms. Displays their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Algorithms(u8);

impl Algorithms {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one is in it.
    #[must_use]
    pub const fn include(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u8) != 0
    }

    /// Each of them, in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.include(*algorithm))
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Algorithms {
        Algorithms(algorithms.into_iter().fold(0, |bits, algorithm| bits | 1 << algorithm as u8))
    }
}

impl fmt::Display for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Algorithm::name).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Algorithms};

    #[test]
    fn names_are_read_exactly_and_none_is_no_algorithm() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
        for name in ["", "none", "None", "nOnE", "NONE", "hs256", "HS256 ", "EDDSA", "eddsa", "ES384", "RS512", "HS1"] {
            assert_eq!(Algorithm::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_set_has_what_was_put_into_it() {
        for one in Algorithm::ALL {
            let set: Algorithms = [one].into_iter().collect();
            for other in Algorithm::ALL {
                assert_eq!(set.include(other), one == other, "{one:?} {other:?}");
            }
        }
        let set: Algorithms = [Algorithm::EdDsa, Algorithm::Hs256].into_iter().collect();
        assert_eq!(set.to_string(), "HS256, EdDSA");
        assert!(Algorithms::default().is_empty() && !set.is_empty());
    }
}
