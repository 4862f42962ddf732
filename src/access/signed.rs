//! Signed names: addresses of channels that whoever has them may read until a moment, for apps that make no tokens.

use super::alike;
use super::basis::Basis;
use super::identity::{Identity, Who};
use crate::config::{ChannelsConfig, ConfigError};
use crate::model::code::Code;
use crate::model::glob::Glob;
use crate::model::grants::{Action, Actions, Grant, Grants};
use crate::model::name::ChannelName;
use crate::model::refusal::Refusal;
use crate::model::sign_secrets::SignSecrets;
use crate::model::signing_secret::SigningSecret;
use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use data_encoding::HEXLOWER;
use std::{fmt, fs};
use subtle::ConstantTimeEq as _;

/// What is signed begins with this line, so that no signature of another use of the secret counts here.
const PURPOSE: &[u8] = b"tidings-read-v1\n";
/// Bytes of a signature (HMAC-SHA256, RFC 2104).
const SIGNATURE_BYTES: usize = 32;

/// What a signed name allows: to read one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedGrant {
    /// The channel.
    pub channel: ChannelName,
    /// The first second, since 1970, in which it is no longer allowed.
    pub until: u64,
    /// By which secret.
    pub basis: Basis,
}

impl SignedGrant {
    /// A client that reads this channel, and nothing else, until then.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let name = Glob::parse(&self.channel).expect("no channel's name has a star in it");
        let grant = Grant { channels: Box::new([name]), may: Actions::of(&[Action::Read]) };
        Identity { until: Some(self.until), basis: self.basis, ..Identity::new(Who::Signed, Grants::new(vec![grant])) }
    }
}

/// Why a signed name does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedRefused {
    /// `sig` stands without `exp`, or the other way round.
    Half,
    /// The signature is not that of this name and this moment, or one of both is not written in the one way.
    Invalid,
    /// The signature is right, and its moment has passed.
    Expired {
        /// That moment, in seconds since 1970.
        until: u64,
        /// What this server's clock shows.
        now: u64,
    },
}

impl From<SignedRefused> for Refusal {
    fn from(refused: SignedRefused) -> Refusal {
        match refused {
            SignedRefused::Half => {
                Refusal::new(Code::SignatureInvalid, "a signed address has both: ?sig=HEX&exp=SECONDS_SINCE_1970")
            }
            SignedRefused::Invalid => Code::SignatureInvalid.into(),
            SignedRefused::Expired { until, now } => Refusal::new(
                Code::SignatureExpired,
                format!(
                    "this signed address was valid until {until} (seconds since 1970), and it is {now}; ask the app for a new one"
                ),
            ),
        }
    }
}

/// The secrets that sign names: a new one, and the one before it while both count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedNames(Box<[Signer]>);

/// A secret that signs, and what those rest on that it let in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signer {
    secret: SigningSecret,
    basis: Basis,
}

impl SignedNames {
    /// Takes the secrets of a configuration. A file with them is read here, so this is not for a reactor.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn new(settings: &ChannelsConfig) -> Result<SignedNames, ConfigError> {
        if let Some(secrets) = &settings.sign_secret {
            return Ok(SignedNames::with(secrets));
        }
        let file = &settings.sign_secret_file;
        if file.is_empty() {
            return Ok(SignedNames::default());
        }
        let wrong = |problem: &dyn fmt::Display| format!("{file} (channels.sign_secret_file): {problem}");
        let text = fs::read_to_string(file).map_err(|error| wrong(&error));
        let secrets = text.and_then(|text| SignSecrets::parse(&text).map_err(|problem| wrong(&problem)));
        match secrets {
            Ok(secrets) => Ok(SignedNames::with(&secrets)),
            Err(problem) => Err(ConfigError::of(vec![problem])),
        }
    }

    /// Names signed with any of these.
    #[must_use]
    pub fn with(secrets: &SignSecrets) -> SignedNames {
        let signer =
            |secret: &SigningSecret| Signer { secret: secret.clone(), basis: Basis::of(&[b"signed", secret.reveal()]) };
        SignedNames(secrets.iter().map(signer).collect())
    }

    /// Whether any can be signed.
    #[must_use]
    pub fn are_possible(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether those that a secret let in would still be let in.
    #[must_use]
    pub fn hold(&self, basis: Basis) -> bool {
        self.0.iter().any(|signer| signer.basis == basis)
    }

    /// Whether `sig` and `exp` of a query allow to read a channel at the moment `now`, in seconds since 1970. There is no
    /// leeway: the app that signs chooses how long an address is valid, and can add what its clock may be wrong by.
    ///
    /// # Errors
    /// The signature is none for this name and moment, or the moment has passed.
    pub fn verify(&self, name: &ChannelName, sig: &str, exp: &str, now: u64) -> Result<SignedGrant, SignedRefused> {
        let until = moment(exp).ok_or(SignedRefused::Invalid)?;
        let mut signature = [0; SIGNATURE_BYTES];
        // One way to write it, so that an address cannot be changed and stay valid. The form is no secret.
        let is_signature = HEXLOWER.decode_len(sig.len()) == Ok(SIGNATURE_BYTES)
            && HEXLOWER.decode_mut(sig.as_bytes(), &mut signature).is_ok();
        if !is_signature {
            return Err(SignedRefused::Invalid);
        }
        let signed = |signer: &Signer| {
            let mut context = Context::with_key(&Key::new(HMAC_SHA256, signer.secret.reveal()));
            // No name has a line end in it, so no two pairs of name and moment make the same bytes.
            [PURPOSE, name.as_bytes(), b"\n", exp.as_bytes()].iter().for_each(|part| context.update(part));
            context.sign().as_ref().ct_eq(&signature)
        };
        let signer = alike::find(&self.0, signed).ok_or(SignedRefused::Invalid)?;
        // After the signature: whoever made up an address learns nothing of the server's clock.
        if now >= until {
            return Err(SignedRefused::Expired { until, now });
        }
        Ok(SignedGrant { channel: name.clone(), until, basis: signer.basis })
    }
}

/// A moment as it is signed: decimal digits without leading zeros.
fn moment(text: &str) -> Option<u64> {
    // `parse` alone would take "+5" and "05", which are the same moment under another signature.
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{SignedNames, SignedRefused};
    use crate::model::name::ChannelName;
    use crate::model::refusal::Refusal;
    use crate::model::sign_secrets::SignSecrets;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "tidings-example-secret-of-32-bytes-or-more";

    /// Secret, name, moment, and the signature as Python's hmac makes it.
    const VECTORS: &[(&str, &str, &str, &str)] = &[
        (SECRET, "orders:42", "1893456000", "38160bf65808bf2f36e27adc75842c13de1cdb1305a072c03d3ce34ed3b85df5"),
        (SECRET, "a b/消息", "1893456000", "47ae4fbceb5fd956e916b2e863d26a29a106f49a15f81735fbedfc4e60af0d27"),
        (SECRET, "+%", "1", "0f9e44f8c7bcd69fdb99b3324b9e5721ff66a7a0f9fd504952152496ac47b78a"),
        (SECRET, "x", "18446744073709551615", "a3042fe23c3fd73c1e1e7c6b08959cfe4a1f10505d6490e5611cc08ef869a8b2"),
        (OTHER, "orders:42", "1893456000", "8794df40b2f93acbb27f136472f3c14feedbe0ec77012ba930c92e80426ba6e1"),
    ];

    fn name(text: &str) -> ChannelName {
        ChannelName::new(text).expect(text)
    }

    fn names(secrets: &[&str]) -> SignedNames {
        match secrets {
            [] => SignedNames::default(),
            lines => SignedNames::with(&SignSecrets::parse(&lines.join("\n")).expect("secrets")),
        }
    }

    #[test]
    fn a_signature_is_what_another_implementation_makes_it() {
        for (secret, text, exp, sig) in VECTORS {
            let until: u64 = exp.parse().expect("a number");
            let granted = Ok((name(text), until));
            assert_eq!(
                names(&[secret]).verify(&name(text), sig, exp, 0).map(|granted| (granted.channel, granted.until)),
                granted,
                "{text}"
            );
            // Two secrets count at once, in either order.
            for secrets in [[SECRET, OTHER], [OTHER, SECRET]] {
                assert_eq!(
                    names(&secrets).verify(&name(text), sig, exp, 0).map(|granted| (granted.channel, granted.until)),
                    granted,
                    "{text}"
                );
            }
        }
        let (_, text, exp, sig) = VECTORS[0];
        assert_eq!(names(&[OTHER]).verify(&name(text), sig, exp, 0), Err(SignedRefused::Invalid));
        assert_eq!(names(&[]).verify(&name(text), sig, exp, 0), Err(SignedRefused::Invalid), "without a secret");
    }

    #[test]
    fn a_signature_ends_with_its_second() {
        let (secret, text, exp, sig) = VECTORS[0];
        let until = 1_893_456_000;
        let at = |now| names(&[secret]).verify(&name(text), sig, exp, now).map(|granted| granted.until);
        assert_eq!((at(0), at(until - 1)), (Ok(until), Ok(until)));
        for now in [until, until + 1, u64::MAX] {
            assert_eq!(at(now), Err(SignedRefused::Expired { until, now }));
        }
    }

    #[test]
    fn nothing_else_is_a_signature() {
        let (secret, text, exp, sig) = VECTORS[0];
        let other_sig = VECTORS[1].3;
        let flipped = |at: usize| {
            let mut sig = sig.as_bytes().to_vec();
            sig[at] = if sig[at] == b'0' { b'1' } else { b'0' };
            String::from_utf8(sig).expect("hexadecimal")
        };
        for (text, sig, exp) in [
            (text, flipped(0).as_str(), exp),
            (text, flipped(63).as_str(), exp),
            (text, &sig.to_uppercase(), exp),
            (text, &sig[..62], exp),
            (text, &sig[1..], exp),
            (text, &format!("{sig}00"), exp),
            (text, &format!(" {sig}"), exp),
            (text, "", exp),
            (text, &"é".repeat(32), exp),
            (text, &"z".repeat(64), exp),
            (text, other_sig, exp),
            ("orders:43", sig, exp),
            ("Orders:42", sig, exp),
            (text, sig, "1893456001"),
            (text, sig, "01893456000"),
            (text, sig, "+1893456000"),
            (text, sig, "1893456000.0"),
            (text, sig, "1893456000 "),
            (text, sig, "-1"),
            (text, sig, ""),
            (text, sig, "18446744073709551616"),
        ] {
            let refused = names(&[secret, OTHER]).verify(&name(text), sig, exp, u64::MAX);
            assert_eq!(refused, Err(SignedRefused::Invalid), "{text} {sig} {exp}: not even said to be expired");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_shows_no_signature() {
        for (refused, status, code) in [
            (SignedRefused::Half, 403, "signature_invalid"),
            (SignedRefused::Invalid, 403, "signature_invalid"),
            (SignedRefused::Expired { until: 5, now: 9 }, 403, "signature_expired"),
        ] {
            let refusal = Refusal::from(refused);
            assert_eq!((refusal.status(), refusal.label()), (status, code));
        }
        assert!(!format!("{:?}", names(&[SECRET])).contains("0123"));
    }
}
