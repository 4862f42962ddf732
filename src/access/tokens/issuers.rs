//! The issuers of a configuration with their keys, and the verification of a token by the one that it names.

use super::claims::{self, Claims};
use super::compact::Decoded;
use super::fault::{IssuerFault, KeyFault};
use super::header::Header;
use super::key::Key;
use super::key_set::KeySet;
use super::members::{Members, text};
use super::pem;
use super::refused::TokenRefused;
use crate::access::Basis;
use crate::config::IssuerConfig;
use crate::model::algorithm::{Algorithm, Algorithms};
use crate::model::signing_secret::SigningSecret;
use arc_swap::ArcSwapOption;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// With how many keys one token is tried: it may name none, and each try takes up to 40 µs.
pub(super) const TRIES_MAX: usize = 8;

/// Reads a file: its contents, or the end of a sentence that begins with its path.
pub type ReadFile<'r> = &'r mut dyn FnMut(&Path) -> Result<Vec<u8>, String>;

/// All issuers, in the order of the configuration.
#[derive(Debug, Default)]
pub struct Issuers {
    all: Vec<Issuer>,
    /// The place of each by its `iss`.
    places: HashMap<Box<str>, usize>,
    /// How often keys were replaced.
    key_changes: AtomicU64,
    /// What identities rest on that their keys prove.
    bases: HashSet<Basis>,
}

struct Issuer {
    config: IssuerConfig,
    /// The keys that the configuration gives.
    own: KeySet,
    /// The key set that was fetched last, if one was. Of its own for each issuer: the same id of a key means another key
    /// elsewhere.
    fetched: ArcSwapOption<KeySet>,
    /// What its tokens may be signed with.
    algorithms: Algorithms,
    /// What identities rest on that a key of a fetched set proved: all of them on the address, since its keys come and go.
    fetched_basis: Basis,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Issuer { config, own, fetched, algorithms, .. } = self;
        write!(f, "Issuer({}, {own:?}, {:?}, {algorithms})", config.name, fetched.load())
    }
}

impl Issuers {
    /// Issuers with the keys of their files, which `read` reads. Key sets that are fetched come by [`Issuers::set_keys`].
    ///
    /// # Errors
    /// Every file that cannot be read or has no key, and every algorithm for which there is none.
    pub fn new(configs: &[IssuerConfig], read: ReadFile<'_>) -> Result<Issuers, Vec<IssuerFault>> {
        let (mut issuers, mut faults) = (Issuers::default(), Vec::new());
        for (place, config) in configs.iter().enumerate() {
            let mut complain = |file: Option<&PathBuf>, fault| {
                faults.push(IssuerFault { issuer: place, name: config.name.clone(), file: file.cloned(), fault });
            };
            let mut own = own_keys(config, read, &mut complain);
            let terms = terms_of(config);
            own.rest_on(terms);
            // Without an address nothing rests on it.
            let fetched_basis = terms.and(config.key_set_url.as_deref().unwrap_or_default().as_bytes());
            issuers.bases.extend(own.bases().chain(config.key_set_url.is_some().then_some(fetched_basis)));
            let algorithms = usable_algorithms(config, &own);
            for algorithm in &config.algorithms {
                if !algorithms.include(*algorithm) {
                    complain(None, KeyFault::NoKeyFor(*algorithm));
                }
            }
            // Two of one `iss` are a mistake that the configuration's check finds: the first counts, as everywhere.
            issuers.places.entry(config.issuer.as_str().into()).or_insert(place);
            issuers.all.push(Issuer {
                config: config.clone(),
                own,
                fetched: ArcSwapOption::empty(),
                algorithms,
                fetched_basis,
            });
        }
        if faults.is_empty() { Ok(issuers) } else { Err(faults) }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The configuration of an issuer, by its place.
    #[must_use]
    pub fn config(&self, issuer: usize) -> Option<&IssuerConfig> {
        self.all.get(issuer).map(|issuer| &issuer.config)
    }

    /// The configurations of all issuers, in order.
    pub fn configs(&self) -> impl Iterator<Item = &IssuerConfig> {
        self.all.iter().map(|issuer| &issuer.config)
    }

    /// Replaces the key set that was fetched for an issuer, whole.
    pub fn set_keys(&self, issuer: usize, keys: KeySet) {
        if let Some(issuer) = self.all.get(issuer) {
            issuer.fetched.store(Some(Arc::new(keys)));
            // Afterwards: a reader that sees the number verifies with these keys.
            self.key_changes.fetch_add(1, Ordering::Release);
        }
    }

    /// A number that changes when keys are replaced: what is remembered of tokens that were verified before may rest on a
    /// key that its issuer has withdrawn.
    #[must_use]
    pub fn key_changes(&self) -> u64 {
        self.key_changes.load(Ordering::Acquire)
    }

    /// Forgets the key set that was fetched for an issuer: it is too old.
    pub fn forget_keys(&self, issuer: usize) {
        if let Some(issuer) = self.all.get(issuer) {
            issuer.fetched.store(None);
            self.key_changes.fetch_add(1, Ordering::Release);
        }
    }

    /// Takes over the key sets that were fetched for `before`, where the address is the same: a changed configuration must
    /// not refuse tokens until each is fetched again.
    pub fn keep_keys_of(&self, before: &Issuers) {
        for issuer in &self.all {
            let same = |other: &&Issuer| {
                other.config.issuer == issuer.config.issuer && other.config.key_set_url == issuer.config.key_set_url
            };
            if let Some(keys) = before.all.iter().find(same).and_then(|other| other.fetched.load_full()) {
                issuer.fetched.store(Some(keys));
            }
        }
    }

    /// Whether a token that was verified on this basis would still be: by the same issuer, key and terms.
    #[must_use]
    pub fn hold(&self, basis: Basis) -> bool {
        self.bases.contains(&basis)
    }

    /// Verifies a token at a second of unix time.
    ///
    /// # Errors
    /// The first thing that is wrong with it. Nothing of a claim is said before the signature was verified, except for the
    /// issuer, whose keys are needed for that.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, TokenRefused> {
        self.read(token, |token| token.verify(now))
    }

    /// Verifies a token, unless that takes long and `put_off` says that there is no time for it: `None`.
    ///
    /// # Errors
    /// As [`Issuers::verify`].
    pub fn verify_unless(
        &self,
        token: &str,
        now: u64,
        put_off: impl FnOnce() -> bool,
    ) -> Result<Option<Claims>, TokenRefused> {
        self.read(token, |token| if token.takes_long() && put_off() { Ok(None) } else { token.verify(now).map(Some) })
    }

    /// Reads a token up to the signature and the claims.
    fn read<T>(&self, token: &str, act: impl FnOnce(&Read<'_>) -> Result<T, TokenRefused>) -> Result<T, TokenRefused> {
        let decoded = Decoded::of(token).map_err(TokenRefused::Form)?;
        let header = Header::read(decoded.header()).map_err(TokenRefused::Header)?;
        let payload = Members::of(decoded.payload()).map_err(TokenRefused::Payload)?;
        // What is signed names the issuer, so another one's keys never verify it.
        let named = payload.get("iss").and_then(text).ok_or(TokenRefused::UnknownIssuer)?;
        let place = *self.places.get(&*named).ok_or(TokenRefused::UnknownIssuer)?;
        act(&Read { issuer: &self.all[place], place, header, payload, decoded: &decoded })
    }
}

/// A token that is of the right form, and whose issuer is known: what is left to do is to check its signature and its claims.
struct Read<'t> {
    issuer: &'t Issuer,
    place: usize,
    header: Header<'t>,
    payload: Members<'t>,
    decoded: &'t Decoded<'t>,
}

impl Read<'_> {
    /// Whether its signature is one by a public key, some of which its issuer may have: each try takes 10 times what all else
    /// does.
    fn takes_long(&self) -> bool {
        let algorithm = self.header.algorithm;
        algorithm.secret_bytes_min().is_none() && self.issuer.algorithms.include(algorithm)
    }

    fn verify(&self, now: u64) -> Result<Claims, TokenRefused> {
        let basis = self.issuer.check_signature(self.place, &self.header, self.decoded)?;
        claims::read(&self.payload, (self.place, basis), &self.issuer.config, now)
    }
}

impl Issuer {
    fn check_signature(&self, place: usize, header: &Header<'_>, token: &Decoded<'_>) -> Result<Basis, TokenRefused> {
        let (algorithm, id) = (header.algorithm, header.key_id.as_deref());
        if !self.algorithms.include(algorithm) {
            return Err(TokenRefused::Algorithm { expected: self.algorithms });
        }
        let fetched = self.fetched.load();
        let sets = || [Some(&self.own), fetched.as_deref()].into_iter().flatten();
        let own = || self.own.of(algorithm).map(|key| (key, key.basis));
        let of_fetched = |set| KeySet::of(set, algorithm).map(|key| (key, self.fetched_basis));
        let keys = || own().chain(fetched.iter().flat_map(|set| of_fetched(set)));
        // Several may have the id that is named: sets are made by many programs. Keys without an id may be meant, too, and
        // all of them by a token that names none.
        let named = keys().filter(|(key, _)| id.is_some() && key.id.as_deref() == id);
        let others = keys().filter(|(key, _)| id.is_none() || key.id.is_none());
        let mut tried = 0;
        for (key, basis) in named.chain(others).take(TRIES_MAX) {
            if key.verifies(token.signed, token.signature()) {
                return Ok(basis);
            }
            tried += 1;
        }
        let (may_come, is_known) =
            (may_be_fetched(&self.config, algorithm), id.map(|id| sets().any(|set| set.has(id))));
        Err(match is_known {
            // Some other key of the set that is still to come may have made it.
            None | Some(false) if may_come && fetched.is_none() => TokenRefused::KeysUnavailable { issuer: place },
            Some(false) if may_come || tried == 0 => TokenRefused::UnknownKey { issuer: place },
            _ if tried == 0 => TokenRefused::Algorithm { expected: self.algorithms },
            _ => TokenRefused::Signature,
        })
    }
}

/// What of an issuer's block its tokens are judged by, besides its keys: those that were taken by other terms may not be taken
/// by these, and they are not there to be looked at again.
fn terms_of(config: &IssuerConfig) -> Basis {
    let IssuerConfig { issuer, audience, algorithms, require_exp, claims, .. } = config;
    Basis::of(&[b"issuer", format!("{:?}", (issuer, audience, algorithms, require_exp, claims)).as_bytes()])
}

/// What the tokens of an issuer may be signed with: what is allowed, as far as its keys can do it.
fn usable_algorithms(config: &IssuerConfig, own: &KeySet) -> Algorithms {
    let (allowed, possible) = (config.allowed_algorithms(), own.algorithms());
    allowed.iter().filter(|algorithm| possible.include(*algorithm) || may_be_fetched(config, *algorithm)).collect()
}

/// Whether keys for an algorithm may be in a set that is fetched: what it holds changes, but never is it a secret.
fn may_be_fetched(config: &IssuerConfig, algorithm: Algorithm) -> bool {
    config.key_set_url.is_some() && algorithm.secret_bytes_min().is_none()
}

/// The keys that a configuration gives, from its values and its files.
fn own_keys(config: &IssuerConfig, read: ReadFile<'_>, complain: &mut dyn FnMut(Option<&PathBuf>, KeyFault)) -> KeySet {
    let (mut keys, allowed) = (KeySet::default(), config.allowed_algorithms());
    let mut take = |file: Option<&PathBuf>, found: Result<KeySet, KeyFault>| match found {
        Ok(found) if !found.algorithms().iter().any(|algorithm| allowed.include(algorithm)) => {
            complain(file, KeyFault::Useless { skipped: found.skipped(), allowed });
        }
        Ok(found) => keys.extend(found),
        Err(fault) => complain(file, fault),
    };
    let one = |found: Vec<Key>| {
        let mut set = KeySet::default();
        set.add(found);
        set
    };
    for secret in &config.secrets {
        take(None, Ok(one(Key::of_secret(secret))));
    }
    for file in &config.secret_files {
        let secret = read(file)
            .map_err(KeyFault::Unreadable)
            .and_then(|bytes| SigningSecret::parse(&bytes).map_err(KeyFault::Secret));
        take(Some(file), secret.map(|secret| one(Key::of_secret(&secret))));
    }
    for file in &config.public_key_files {
        let key = read(file).map_err(KeyFault::Unreadable).and_then(|bytes| pem::read(&bytes).map_err(KeyFault::Pem));
        take(Some(file), key.map(one));
    }
    for file in &config.key_set_files {
        let set = read(file)
            .map_err(KeyFault::Unreadable)
            .and_then(|bytes| KeySet::from_jwks(&bytes).map_err(KeyFault::KeySet));
        take(Some(file), set);
    }
    keys
}
