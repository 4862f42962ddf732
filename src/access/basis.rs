//! What an identity rests on: the key that was presented, or the issuer and the key that signed a token. What was presented
//! is not kept, so this is what is looked for when the rules change.

use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;

/// A short hash of it; that of nothing for who proved nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Basis([u8; 8]);

impl Basis {
    /// That of these parts.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Basis {
        let mut context = Context::new(&SHA256);
        for part in parts {
            // No two lists of parts make the same bytes.
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut basis = Basis::default();
        basis.0.copy_from_slice(&context.finish().as_ref()[..8]);
        basis
    }

    /// That of this part of what has this basis.
    #[must_use]
    pub fn and(self, part: &[u8]) -> Basis {
        Basis::of(&[&self.0, part])
    }

    /// Its bytes, to be part of another.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Basis {
    /// Some are made of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Basis(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Basis;

    #[test]
    fn other_parts_make_another_basis() {
        let all = [
            Basis::default(),
            Basis::of(&[]),
            Basis::of(&[b"ab", b"c"]),
            Basis::of(&[b"a", b"bc"]),
            Basis::of(&[b"abc"]),
            Basis::of(&[b"ab"]).and(b"c"),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[..place].iter().all(|other| other != one), "{place}");
        }
        assert_eq!(Basis::of(&[b"ab", b"c"]), all[2]);
        assert_eq!(format!("{:?}", all[2]), "Basis(…)");
    }
}
