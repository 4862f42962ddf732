//! API keys of backends: the form of their secrets, and the hash of one, which is all that a configuration holds.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// What every secret begins with: so a leaked one is recognised by scanners, and none is taken for a token.
pub const SECRET_PREFIX: &str = "td_";
/// Random bytes of a secret.
pub const SECRET_RANDOM_BYTES: usize = 32;
/// What a hash begins with, so that another function can come later.
const HASH_PREFIX: &str = "sha256:";

/// A text that has the form of a secret: `td_` and 256 bits in base64url (RFC 4648 section 5), without padding. The form is
/// asked for everywhere: a hash without a salt protects only what nobody can guess.
#[derive(Clone, Copy)]
pub struct KeySecret<'t>(&'t str);

/// Why a text is not a secret. The text itself is not repeated: it may be most of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSecret;

impl fmt::Display for BadSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the secret of a key is \"td_\" and 43 letters, digits, - and _ (256 random bits in base64url); make one \
             with: tidings key new NAME",
        )
    }
}

impl std::error::Error for BadSecret {}

impl<'t> KeySecret<'t> {
    /// Reads a secret.
    ///
    /// # Errors
    /// It does not have the form of one.
    pub fn parse(text: &'t str) -> Result<KeySecret<'t>, BadSecret> {
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(BadSecret)?;
        let mut random = [0; SECRET_RANDOM_BYTES];
        // Before decoding, which panics where the output does not have the length of the input.
        let fits = BASE64URL_NOPAD.decode_len(encoded.len()) == Ok(SECRET_RANDOM_BYTES);
        // Bits of the last letter that are not part of the 256 are zero: there is one way to write a secret.
        if fits && BASE64URL_NOPAD.decode_mut(encoded.as_bytes(), &mut random).is_ok() {
            Ok(KeySecret(text))
        } else {
            Err(BadSecret)
        }
    }

    /// Its hash: of the text as it is sent, as `printf %s SECRET | sha256sum` makes it.
    #[must_use]
    pub fn hash(self) -> KeyHash {
        let digest = digest(&SHA256, self.0.as_bytes());
        let mut words = [0; WORDS];
        let chunks = digest.as_ref().chunks_exact(size_of::<u64>());
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = u64::from_be_bytes(chunk.try_into().expect("a chunk is as long as a word"));
        }
        KeyHash(words)
    }
}

/// The secret that these random bytes make.
#[must_use]
pub fn secret_of(random: &[u8; SECRET_RANDOM_BYTES]) -> String {
    format!("{SECRET_PREFIX}{}", BASE64URL_NOPAD.encode(random))
}

/// Words of a hash.
const WORDS: usize = 4;

/// The SHA-256 of a secret. It is no secret itself, but is compared like one.
// Words and not bytes: each request with a key is compared with every key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u64; WORDS]);

/// Why a text is not the hash of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHash {
    /// It is a secret.
    Secret,
    /// It is something else.
    Form,
}

impl fmt::Display for BadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadHash::Secret => f.write_str(
                "this is the secret itself, which does not belong in a file that many can read: write its hash, as \
                 made by: tidings key hash < FILE",
            ),
            BadHash::Form => f.write_str(
                "a hash is \"sha256:\" and the 64 hexadecimal digits, in small letters, of the SHA-256 of a secret; make it \
                 with: tidings key hash < FILE",
            ),
        }
    }
}

impl KeyHash {
    /// Reads a hash as a configuration has it.
    ///
    /// # Errors
    /// It does not have the form of one.
    pub fn parse(text: &str) -> Result<KeyHash, BadHash> {
        if text.starts_with(SECRET_PREFIX) {
            return Err(BadHash::Secret);
        }
        let digits = text.strip_prefix(HASH_PREFIX).ok_or(BadHash::Form)?;
        let bytes = HEXLOWER.decode(digits.as_bytes()).map_err(|_| BadHash::Form)?;
        if bytes.len() != WORDS * size_of::<u64>() {
            return Err(BadHash::Form);
        }
        let mut words = [0; WORDS];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(size_of::<u64>())) {
            *word = u64::from_be_bytes(chunk.try_into().expect("a chunk is as long as a word"));
        }
        Ok(KeyHash(words))
    }
}

impl ConstantTimeEq for KeyHash {
    fn ct_eq(&self, other: &KeyHash) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HASH_PREFIX)?;
        self.0.iter().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{BadHash, KeyHash, KeySecret, secret_of};
    use subtle::ConstantTimeEq as _;

    /// As `printf %s SECRET | sha256sum` says.
    const KNOWN: [(&str, &str); 2] = [
        (
            "td_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "sha256:a391a8389cfaf9dfd492edf96710e34ccd99ec96c3de90b2ffb5eaaa6b954445",
        ),
        (
            "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "sha256:5e445d1704abbbc7d1d7e7e75e83e1c66994c87bdbeb5ae1ea535948bd99f36c",
        ),
    ];

    #[test]
    fn the_hash_of_a_secret_is_that_of_any_other_tool() {
        let counted: [u8; 32] = std::array::from_fn(|index| index as u8);
        assert_eq!([secret_of(&[0; 32]), secret_of(&counted)], KNOWN.map(|(secret, _)| secret.to_owned()));
        for (secret, hash) in KNOWN {
            let found = KeySecret::parse(secret).expect("a secret").hash();
            assert_eq!(found.to_string(), hash);
            assert_eq!(KeyHash::parse(hash), Ok(found));
        }
    }

    #[test]
    fn a_secret_is_written_in_one_way() {
        let good = KNOWN[1].0;
        for bad in [
            "",
            "td_",
            &good[3..],
            &good[..good.len() - 1],
            &format!("{good}A"),
            &format!("{good}="),
            &format!("{good}\n"),
            &format!(" {good}"),
            &good.replace("td_", "TD_"),
            &good.replace("td_", "td-"),
            &good.replace('A', "+"),
            &good.replace('A', "/"),
            &good.replace('A', "é"),
            // 43 letters have 258 bits: here one of the last two is set.
            &format!("{}9", &good[..good.len() - 1]),
        ] {
            assert!(KeySecret::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_whole_hash_in_small_letters_is_one() {
        let good = KNOWN[0].1;
        let upper = good.to_ascii_uppercase().replace("SHA", "sha");
        for bad in ["", "sha256:", &good[7..], &good[..70], &format!("{good}0"), &good.replace("256", "512"), &upper] {
            assert_eq!(KeyHash::parse(bad), Err(BadHash::Form), "{bad}");
        }
        assert_eq!(KeyHash::parse(KNOWN[0].0), Err(BadHash::Secret));
        assert!(!BadHash::Secret.to_string().contains("AAAA"), "what was written is not repeated");
    }

    #[test]
    fn hashes_that_differ_anywhere_are_different() {
        let hash = KeyHash::parse(KNOWN[0].1).expect("a hash");
        assert!(bool::from(hash.ct_eq(&hash)));
        for bit in 0..256 {
            let mut other = hash;
            other.0[bit / 64] ^= 1 << (bit % 64);
            assert!(!bool::from(hash.ct_eq(&other)), "bit {bit}");
        }
    }
}
