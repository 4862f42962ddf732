//! Keys of backends: which of them was presented, found so that the time it takes says nothing, and from where it may come.

use super::alike;
use super::basis::Basis;
use super::identity::{Identity, Who};
use crate::config::{ConfigError, KeySecretFrom, KeySettings};
use crate::model::api_key::{KeyHash, KeySecret};
use crate::model::code::Code;
use crate::model::grants::Grants;
use crate::model::network::Network;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use std::fs;
use std::path::Path;
use subtle::ConstantTimeEq as _;

/// A key that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    name: Box<str>,
    hash: KeyHash,
    grants: Grants,
    /// Empty: from anywhere.
    networks: Box<[Network]>,
    /// That of its hash: a key with another secret is another key.
    basis: Basis,
}

impl KeyEntry {
    fn new(settings: &KeySettings, hash: KeyHash) -> KeyEntry {
        KeyEntry {
            name: settings.name.as_str().into(),
            hash,
            grants: Grants::new(settings.grants.clone()),
            networks: settings.networks.as_slice().into(),
            basis: Basis::of(&[b"key", hash.to_string().as_bytes()]),
        }
    }

    /// Its name, for logs and messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its holder may do.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Who its holder is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { basis: self.basis, ..Identity::new(Who::Key(self.name.clone()), self.grants.clone()) }
    }

    fn admit(&self, from: PeerAddress) -> Result<&KeyEntry, KeyRefused> {
        if self.networks.is_empty() || self.networks.iter().any(|network| network.holds(from)) {
            Ok(self)
        } else {
            Err(KeyRefused::Network { name: self.name.clone(), from })
        }
    }
}

/// Why a key does not count. What was presented is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRefused {
    /// It is none of the keys.
    Unknown,
    /// It is the key of this name, but comes from an address that is in none of its networks.
    Network {
        /// The name of the key.
        name: Box<str>,
        /// Where it came from.
        from: PeerAddress,
    },
}

impl From<KeyRefused> for Refusal {
    fn from(refused: KeyRefused) -> Refusal {
        match refused {
            KeyRefused::Unknown => Code::KeyInvalid.into(),
            KeyRefused::Network { name, from } => {
                let from = from.ip().map_or_else(|| "a unix socket".to_owned(), |address| address.to_string());
                Refusal::new(
                    Code::KeyNetwork,
                    format!("the key {name:?} may not be used from {from}: the networks of its [[key]] do not have it"),
                )
            }
        }
    }
}

/// All keys of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(Box<[KeyEntry]>);

impl Keys {
    /// Takes the keys of a configuration. Secrets in files are read here, so this is for the start and for a change of the
    /// configuration, not for a reactor.
    ///
    /// # Errors
    /// A file cannot be read or holds no secret, or two keys have the same one.
    pub fn new(settings: &[KeySettings]) -> Result<Keys, ConfigError> {
        let (mut entries, mut problems) = (Vec::<KeyEntry>::with_capacity(settings.len()), Vec::new());
        for (index, key) in settings.iter().enumerate() {
            let hash = match &key.secret {
                KeySecretFrom::Hash(hash) => Ok(*hash),
                KeySecretFrom::File(path) => hash_in(path),
            };
            // Hashes that stand in the configuration were compared when it was read, those of files were not.
            let hash = hash.and_then(|hash| match entries.iter().find(|other| other.hash == hash) {
                Some(other) => Err(format!("it has the secret of the key {:?}; each key has its own", other.name)),
                None => Ok(hash),
            });
            match hash {
                Ok(hash) => entries.push(KeyEntry::new(key, hash)),
                Err(problem) => problems.push(format!("[[key]] {}: {problem}", index + 1)),
            }
        }
        ConfigError::unless_empty(problems).map(|()| Keys(entries.into_boxed_slice()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that was presented. All of them are compared, each whole, so that the time shows neither which one was right
    /// nor how much of it.
    ///
    /// # Errors
    /// It is none of them, or comes from where it may not.
    pub fn find(&self, presented: &str, from: PeerAddress) -> Result<&KeyEntry, KeyRefused> {
        // Sooner than for a wrong secret: what has another form is none, whatever the keys are.
        let hash = KeySecret::parse(presented).map_err(|_| KeyRefused::Unknown)?.hash();
        let key = alike::find(&self.0, |key| key.hash.ct_eq(&hash)).ok_or(KeyRefused::Unknown)?;
        // Only now: whoever has no secret of a key learns nothing about where it may come from.
        key.admit(from)
    }

    /// The key by which an identity was proved, perhaps by its rules of before: its name, its grants and its networks may be
    /// others now.
    ///
    /// # Errors
    /// It is no key any more, or may not be used from there.
    pub fn still(&self, basis: Basis, from: PeerAddress) -> Result<&KeyEntry, KeyRefused> {
        self.0.iter().find(|key| key.basis == basis).ok_or(KeyRefused::Unknown)?.admit(from)
    }
}

fn hash_in(path: &Path) -> Result<KeyHash, String> {
    let wrong = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    // Most files end with a line end, which is no part of the secret.
    KeySecret::parse(text.trim_end()).map(KeySecret::hash).map_err(|problem| wrong(&problem))
}

#[cfg(test)]
mod tests {
    use super::{KeyRefused, Keys};
    use crate::access::Action;
    use crate::config::{KeySecretFrom, KeySettings};
    use crate::model::api_key::{KeySecret, secret_of};
    use crate::model::glob::Glob;
    use crate::model::grants::{Actions, Grant};
    use crate::model::name::ChannelName;
    use crate::model::network::Network;
    use crate::model::peer_address::PeerAddress;
    use crate::model::refusal::Refusal;
    use std::net::IpAddr;

    fn secret(number: u8) -> String {
        secret_of(&[number; 32])
    }

    fn settings(number: u8, networks: &[&str]) -> KeySettings {
        let channels = Box::new([Glob::parse(&format!("c{number}")).expect("a pattern")]);
        KeySettings {
            name: format!("key-{number}"),
            secret: KeySecretFrom::Hash(KeySecret::parse(&secret(number)).expect("a secret").hash()),
            grants: vec![Grant { channels, may: Actions::of(&[Action::Read]) }],
            networks: networks.iter().map(|text| Network::parse(text).expect("a network")).collect(),
        }
    }

    fn peer(address: &str) -> PeerAddress {
        address.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn each_key_is_found_with_its_own_grants_and_no_other() {
        let all: Vec<KeySettings> = (0..200).map(|number| settings(number, &[])).collect();
        let keys = Keys::new(&all).expect("keys");
        for number in 0..200 {
            let key = keys.find(&secret(number), PeerAddress::UNIX).expect("a key");
            assert_eq!(key.name(), format!("key-{number}"));
            for other in [0, number, 199] {
                let channel = ChannelName::new(&format!("c{other}")).expect("a name");
                assert_eq!(key.grants().allow(Action::Read, &channel), other == number);
            }
        }
        assert_eq!(keys.find(&secret(200), PeerAddress::UNIX), Err(KeyRefused::Unknown));
        assert_eq!(Keys::default().find(&secret(0), PeerAddress::UNIX), Err(KeyRefused::Unknown), "without keys");
    }

    #[test]
    fn a_right_key_from_elsewhere_is_named_and_a_wrong_one_is_not() {
        let keys = Keys::new(&[settings(1, &["192.0.2.0/24", "unix"]), settings(2, &["2001:db8::/32"])]).expect("keys");
        for (number, from, may) in [
            (1, peer("192.0.2.7"), true),
            (1, peer("::ffff:192.0.2.7"), true),
            (1, PeerAddress::UNIX, true),
            (1, peer("192.0.3.7"), false),
            (1, peer("2001:db8::1"), false),
            (2, peer("2001:db8::1"), true),
            (2, PeerAddress::UNIX, false),
        ] {
            let found = keys.find(&secret(number), from).map(|key| key.name().to_owned());
            let name = format!("key-{number}");
            let expected = if may { Ok(name.clone()) } else { Err(KeyRefused::Network { name: name.into(), from }) };
            assert_eq!(found, expected, "{number} {from:?}");
        }
        let refusal = |number, from| Refusal::from(keys.find(&secret(number), from).expect_err("no key"));
        let elsewhere = refusal(1, peer("198.51.100.1"));
        assert_eq!((elsewhere.status(), elsewhere.label()), (403, "key_network"));
        assert!(elsewhere.message.contains("key-1") && elsewhere.message.contains("198.51.100.1"));
        assert!(!elsewhere.message.contains("192.0.2"), "where it may come from is not told: {}", elsewhere.message);
        assert!(refusal(2, PeerAddress::UNIX).message.contains("a unix socket"));
        let unknown = refusal(3, peer("198.51.100.1"));
        assert_eq!((unknown.status(), unknown.label()), (401, "key_invalid"));
        assert!(!unknown.message.contains("key-") && !unknown.message.contains(&secret(3)));
    }
}
