//! A server's certificates: read from files, and chosen by the name that a client asks for (SNI, RFC 6066 section 3).

use super::validity::Validity;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a certificate or its key is of no use: with the file, a whole sentence.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct BadCertificate {
    /// The file.
    pub path: PathBuf,
    /// The end of the sentence.
    pub problem: String,
}

impl BadCertificate {
    fn new(path: &Path, problem: impl Into<String>) -> BadCertificate {
        BadCertificate { path: path.to_owned(), problem: problem.into() }
    }
}

/// A chain of certificates with the key of the first.
#[derive(Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    /// The names that it is for, in lower case; one may begin with `*.`.
    names: Vec<String>,
    validity: Option<Validity>,
}

impl Certificate {
    /// Reads a chain, the server's own certificate first, and the key of that one. Both are PEM, and may be one file.
    ///
    /// # Errors
    /// A file cannot be read, has nothing of the kind in it, or the two do not belong together.
    pub fn read(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<Certificate, BadCertificate> {
        let certificates = certificates(chain)?;
        let nothing = "there is no private key (PEM) in it; one that is encrypted is not read";
        let secret =
            PrivateKeyDer::from_pem_file(key).map_err(|error| BadCertificate::new(key, not_read(&error, nothing)))?;
        let made = CertifiedKey::from_der(certificates, secret, provider).map_err(|error| {
            let problem = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("this is not the key of the certificate in {}", chain.display())
                }
                other => format!("this key is of no use: {other}"),
            };
            BadCertificate::new(key, problem)
        })?;
        let names = names(&made, chain)?;
        let validity = made.end_entity_cert().ok().and_then(|first| Validity::of(first));
        Ok(Certificate { key: Arc::new(made), names, validity })
    }

    /// The names that it is for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// When it is valid, if that can be read.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.validity
    }
}

fn certificates(chain: &Path) -> Result<Vec<CertificateDer<'static>>, BadCertificate> {
    let found = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let nothing = "there is no certificate (PEM) in it";
    let found = found.map_err(|error| BadCertificate::new(chain, not_read(&error, nothing)))?;
    if found.is_empty() { Err(BadCertificate::new(chain, nothing)) } else { Ok(found) }
}

/// Why a file could not be read: the end of a sentence.
fn not_read(error: &pem::Error, nothing: &str) -> String {
    match error {
        pem::Error::NoItemsFound => nothing.to_owned(),
        pem::Error::Io(error) => error.to_string(),
        // Lines as lists of numbers help nobody.
        pem::Error::MissingSectionEnd { .. } => "a PEM section in it has no end".to_owned(),
        other => format!("it is no PEM file: {other}"),
    }
}

fn names(made: &CertifiedKey, chain: &Path) -> Result<Vec<String>, BadCertificate> {
    let first = made.end_entity_cert().map_err(|error| BadCertificate::new(chain, error.to_string()))?;
    let parsed = webpki::EndEntityCert::try_from(first)
        .map_err(|error| BadCertificate::new(chain, format!("its first certificate cannot be read: {error}")))?;
    Ok(parsed.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// See the module. A client that asks for no name, or for one that none is for, gets the first.
pub struct Certificates {
    first: Arc<CertifiedKey>,
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows the `*.`, which stands for one label (RFC 9525 section 6.3).
    below: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    /// Of several for one name the earliest counts. `None` if there are none.
    #[must_use]
    pub fn new(all: &[Certificate]) -> Option<Certificates> {
        let first = Arc::clone(&all.first()?.key);
        let (mut exact, mut below) = (HashMap::new(), HashMap::new());
        for certificate in all {
            for name in &certificate.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut below, rest),
                    None => (&mut exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_insert_with(|| Arc::clone(&certificate.key));
            }
        }
        Some(Certificates { first, exact, below })
    }

    /// The one for a name.
    fn of(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        self.exact.get(&name).or_else(|| self.below.get(name.split_once('.')?.1))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let own = hello.server_name().and_then(|name| self.of(name));
        Some(Arc::clone(own.unwrap_or(&self.first)))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("exact", &self.exact.keys()).field("below", &self.below.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificate, Certificates};
    use crate::tls::provider;
    use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tidings-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Writes a pair for these names: the files of its chain and its key.
    fn pair(folder: &Path, file: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let CertifiedKey { cert, signing_key }: CertifiedKey<KeyPair> =
            generate_simple_self_signed(names).expect("a certificate");
        let (chain, key) = (folder.join(format!("{file}.pem")), folder.join(format!("{file}.key")));
        fs::write(&chain, cert.pem()).expect("a file");
        fs::write(&key, signing_key.serialize_pem()).expect("a file");
        (chain, key)
    }

    #[test]
    fn the_certificate_is_the_one_for_the_name_that_is_asked_for() {
        let folder = folder("names");
        let read = |file: &str, names: &[&str]| {
            let (chain, key) = pair(&folder, file, names);
            Certificate::read(&chain, &key, &provider()).expect("a pair")
        };
        let all = [
            read("a", &["example.com", "*.example.com"]),
            read("b", &["api.example.com"]),
            read("c", &["*.example.com", "other.org"]),
        ];
        assert_eq!(all[0].names(), ["example.com", "*.example.com"]);
        let certificates = Certificates::new(&all).expect("three");
        let place = |name: &str| {
            let found = certificates.of(name)?;
            all.iter().position(|one| Arc::ptr_eq(&one.key, found))
        };
        for (name, expected) in [
            ("example.com", Some(0)),
            ("www.example.com", Some(0)),
            ("WWW.Example.COM", Some(0)),
            ("api.example.com", Some(1)),
            ("other.org", Some(2)),
            // A star is one label, and the whole of it.
            ("a.b.example.com", None),
            ("www.other.org", None),
            ("com", None),
            ("", None),
        ] {
            assert_eq!(place(name), expected, "{name}");
        }
        assert!(Certificates::new(&[]).is_none());
        fs::remove_dir_all(&folder).expect("it was made");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_path() {
        let folder = folder("files");
        let (chain, key) = pair(&folder, "a", &["a.example"]);
        let (_, other) = pair(&folder, "b", &["a.example"]);
        let (nothing, cut) = (folder.join("nothing"), folder.join("cut"));
        fs::write(&nothing, "nothing\n").expect("a file");
        fs::write(&cut, "-----BEGIN CERTIFICATE-----\nAAAA\n").expect("a file");
        for (chain, key, path, problem) in [
            (&nothing, &key, &nothing, "no certificate (PEM)"),
            (&cut, &key, &cut, "has no end"),
            (&key, &key, &key, "no certificate (PEM)"),
            (&chain, &nothing, &nothing, "no private key (PEM)"),
            (&chain, &chain, &chain, "no private key (PEM)"),
            (&chain, &other, &other, "not the key of the certificate in "),
            (&folder.join("missing"), &key, &folder.join("missing"), "No such file"),
        ] {
            let bad = Certificate::read(chain, key, &provider()).expect_err("it is wrong");
            assert_eq!(&bad.path, path, "{bad}");
            assert!(bad.to_string().contains(problem), "{bad}");
        }
        fs::remove_dir_all(&folder).expect("it was made");
    }
}
