//! The keys of tickets, by which clients that were here before skip a part of the handshake: all reactors share them, and several
//! servers may.
//!
//! A ticket is the name of a key (16 bytes), a nonce (12), and what rustls wants to have back, sealed by AES-256-GCM-SIV: servers
//! that share a key draw their nonces independently, and SIV survives two that are equal (RFC 8452).

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER_PERMISSIVE;
use rustls::server::ProducesTickets;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a key's name.
const NAME_BYTES: usize = 16;
/// Keys in a file at most: each ticket's key is looked for among them.
pub const KEYS_MAX: usize = 16;
/// How long a key of the server's own makes tickets. After that it only opens them, for as long again.
pub const OWN_KEY_LASTS: Duration = Duration::from_secs(6 * 60 * 60);
/// What clients are told of a ticket's age: no longer than twice that.
const LIFETIME_SECONDS: u32 = 12 * 60 * 60;

/// One key, with the name by which it is found: a part of its hash.
struct Key {
    name: [u8; NAME_BYTES],
    key: RandomizedNonceKey,
}

impl Key {
    fn new(bytes: &[u8; KEY_BYTES]) -> Key {
        let hash = digest(&SHA256, &[b"tidings ticket key\0", &bytes[..]].concat());
        let name = hash.as_ref().first_chunk().copied().expect("a hash is longer than a name");
        Key { name, key: RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).expect("a key of this algorithm's length") }
    }
}

/// Keys of tickets: the first makes them, and all open them.
pub struct TicketKeys(Vec<Arc<Key>>);

impl TicketKeys {
    /// One that nobody else has.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<TicketKeys, rustls::Error> {
        let mut bytes = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| rustls::Error::FailedToGetRandomBytes)?;
        Ok(TicketKeys(vec![Arc::new(Key::new(&bytes))]))
    }

    /// Reads those in a file: each on a line of its own, 64 hexadecimal digits; lines that begin with `#` are for people.
    ///
    /// # Errors
    /// It cannot be read, or something else is in it: a whole sentence with the file, without its text.
    pub fn read(path: &Path) -> Result<TicketKeys, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        TicketKeys::parse(&text).map_err(|problem| format!("{}: {problem}", path.display()))
    }

    fn parse(text: &str) -> Result<TicketKeys, String> {
        let lines = text.lines().map(str::trim).enumerate();
        let mut keys = Vec::new();
        for (place, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let bytes = HEXLOWER_PERMISSIVE.decode(line.as_bytes()).ok();
            let Some(bytes) = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok()) else {
                return Err(format!(
                    "line {} is no key of tickets: it must be 64 hexadecimal digits, as `openssl rand -hex 32` makes them",
                    place + 1
                ));
            };
            keys.push(Arc::new(Key::new(&bytes)));
        }
        match keys.len() {
            0 => Err("there is no key of tickets in it; `openssl rand -hex 32` makes one".to_owned()),
            1..=KEYS_MAX => Ok(TicketKeys(keys)),
            many => Err(format!("there are {many} keys of tickets in it, of at most {KEYS_MAX}: leave old ones out")),
        }
    }
}

/// See the module.
pub struct Tickets(ArcSwap<TicketKeys>);

impl Tickets {
    /// Those that these keys make and open.
    #[must_use]
    pub fn new(keys: TicketKeys) -> Arc<Tickets> {
        Arc::new(Tickets(ArcSwap::from_pointee(keys)))
    }

    /// Takes these keys in place of those of before.
    pub fn replace(&self, keys: TicketKeys) {
        self.0.store(Arc::new(keys));
    }

    /// Makes tickets by a new key. The one that did so opens those that it made; older ones open nothing any more.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn rotate(&self) -> Result<(), rustls::Error> {
        let mut keys = TicketKeys::random()?;
        keys.0.extend(self.0.load().0.first().map(Arc::clone));
        self.replace(keys);
        Ok(())
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME_SECONDS
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.0.load();
        let Key { name, key } = &**keys.0.first()?;
        let mut sealed = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(name), &mut sealed).ok()?;
        Some([&name[..], nonce.as_ref(), &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.0.load();
        let key = keys.0.iter().find(|key| key.name == *name)?;
        let mut sealed = sealed.to_vec();
        let plain = key.key.open_in_place(Nonce::from(nonce), Aad::from(name), &mut sealed).ok()?.len();
        sealed.truncate(plain);
        Some(sealed)
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tickets").field("keys", &self.0.load().0.len()).finish()
    }
}

impl std::fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketKeys").field("keys", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS_MAX, TicketKeys, Tickets};
    use rustls::server::ProducesTickets as _;

    fn keys(lines: &[&str]) -> TicketKeys {
        TicketKeys::parse(&lines.join("\n")).expect("keys")
    }

    #[test]
    fn what_a_ticket_holds_comes_back_from_whoever_has_its_key_and_from_nobody_else() {
        let (a, b) = ("a1".repeat(32), "B2".repeat(32));
        let first = Tickets::new(keys(&["# the first", &a]));
        let ticket = first.encrypt(b"what was agreed").expect("a ticket");
        assert!(!ticket.windows(8).any(|part| part == b"what was"), "it is sealed");
        assert_ne!(first.encrypt(b"what was agreed").expect("a ticket"), ticket, "each has its own nonce");
        let opened = |keys: &TicketKeys| Tickets::new(TicketKeys(keys.0.clone())).decrypt(&ticket);
        for other in [&[a.as_str()][..], &[&b, &a], &["", &a, "# old", &b]] {
            assert_eq!(opened(&keys(other)).as_deref(), Some(&b"what was agreed"[..]), "{other:?}");
        }
        assert_eq!(opened(&keys(&[&b])), None);
        assert_eq!(opened(&TicketKeys::random().expect("bytes")), None);
        for place in 0..ticket.len() {
            let mut bent = ticket.clone();
            bent[place] ^= 1;
            assert_eq!(first.decrypt(&bent), None, "byte {place}");
            assert_eq!(first.decrypt(&ticket[..place]), None, "{place} bytes");
        }
    }

    #[test]
    fn a_key_of_the_servers_own_opens_for_one_rotation_more() {
        let tickets = Tickets::new(TicketKeys::random().expect("bytes"));
        let ticket = tickets.encrypt(b"x").expect("a ticket");
        for opens in [true, false] {
            tickets.rotate().expect("bytes");
            assert_eq!(tickets.decrypt(&ticket).is_some(), opens);
        }
    }

    #[test]
    fn a_file_has_one_key_at_least_and_sixteen_at_most() {
        let of = |count: usize| {
            let lines: Vec<String> = (0..count).map(|number| format!("{number:064x}")).collect();
            TicketKeys::parse(&lines.join("\n"))
        };
        assert!(of(0).expect_err("none").contains("openssl rand -hex 32"));
        assert!(of(1).is_ok() && of(KEYS_MAX).is_ok());
        assert!(of(KEYS_MAX + 1).expect_err("too many").contains("at most 16"));
        for bad in ["a1", &"g1".repeat(32), &"a1".repeat(33)] {
            let error = TicketKeys::parse(&format!("\n{bad}")).expect_err("no key");
            assert!(error.contains("line 2") && !error.contains(bad), "{error}");
        }
    }
}
