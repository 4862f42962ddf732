//! The certificate that the server orders itself: where it is kept, and what it is ordered with.

use super::state;
use crate::config::{AcmeChallenge, AcmeConfig, Config, ConfigError};
use crate::metrics::certificates::AcmeFigures;
use crate::services::outbound::{AcmeHost, AcmeWork, ChallengeKind, Store, Wanted};
use crate::tls::{Trust, roots};
use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of the certificate, if one is to be ordered.
pub(super) fn certificate(config: &Config) -> Option<PathBuf> {
    let folder = folder(&config.acme).filter(|_| config.acme.is_wanted())?;
    Some(Store::certificate_in(&folder))
}

/// Whether one can be ordered, as far as files say. Nothing is written.
///
/// # Errors
/// There is no folder, or a file cannot be used: all of them, each with what is wrong.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let acme = &config.acme;
    if !acme.is_wanted() {
        return Ok(());
    }
    let folder = match folder(acme) {
        None => Some(
            "\"acme.folder\" must be set: neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME says where it could be"
                .to_owned(),
        ),
        Some(path) if path.exists() && !path.is_dir() => {
            Some(format!("\"acme.folder\": {} is no folder", path.display()))
        }
        Some(_) => None,
    };
    let trusted = roots(&trust(acme)).err().map(|problem| format!("\"acme.ca_file\": {problem}"));
    // Without one of its own, the system's are read when they are needed.
    let trusted = trusted.filter(|_| !acme.ca_file.is_empty());
    ConfigError::unless_empty([folder, trusted, external(acme).err()].into_iter().flatten().collect())
}

/// What is ordered, if anything is.
///
/// # Errors
/// As [`check`], or nothing can be written to the folder.
pub(super) fn work(
    acme: &AcmeConfig,
    host: Arc<dyn AcmeHost>,
    figures: Arc<AcmeFigures>,
) -> Result<Option<AcmeWork>, ConfigError> {
    let Some(folder) = folder(acme).filter(|_| acme.is_wanted()) else { return Ok(None) };
    let failed = |problem: String| ConfigError::of(vec![problem]);
    let store = Store::open(&folder).map_err(|problem| failed(format!("\"acme.folder\": {problem}")))?;
    let challenge = match acme.challenge {
        AcmeChallenge::TlsAlpn01 => ChallengeKind::TlsAlpn,
        AcmeChallenge::Http01 => ChallengeKind::Http,
    };
    let wanted = Wanted {
        domains: acme.domains.iter().map(|name| name.to_ascii_lowercase()).collect(),
        email: acme.email.clone(),
        directory: acme.directory.clone(),
        challenge,
        external: external(acme).map_err(failed)?,
        renew_before: acme.renew_before,
    };
    Ok(Some(AcmeWork { wanted, store, trust: trust(acme), host, figures }))
}

fn trust(acme: &AcmeConfig) -> Trust {
    if acme.ca_file.is_empty() { Trust::System } else { Trust::File(PathBuf::from(&acme.ca_file)) }
}

/// The account that there is with the authority already: the id of its key, and the key.
fn external(acme: &AcmeConfig) -> Result<Option<(String, Vec<u8>)>, String> {
    let path = Path::new(&acme.external_key_file);
    if acme.external_account.is_empty() || acme.external_key_file.is_empty() {
        return Ok(None);
    }
    let bad = |problem: &str| format!("\"acme.external_key_file\": {}: {problem}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| bad(&error.to_string()))?;
    let text = text.trim().as_bytes();
    let key = BASE64URL_NOPAD.decode(text).or_else(|_| BASE64URL.decode(text));
    match key {
        Ok(key) if !key.is_empty() => Ok(Some((acme.external_account.clone(), key))),
        _ => Err(bad("there is no key (base64url) in it")),
    }
}

/// The folder that is set, or that of the server's state.
fn folder(acme: &AcmeConfig) -> Option<PathBuf> {
    state::folder(&acme.folder, "acme")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::config::Config;

    #[test]
    fn what_an_order_needs_is_read_before_and_nothing_is_written() {
        let base = std::env::temp_dir().join(format!("tidings-ordered-{}", std::process::id()));
        std::fs::create_dir_all(&base).expect("a folder");
        let (file, key) = (base.join("file"), base.join("key"));
        std::fs::write(&file, "nothing").expect("a file");
        std::fs::write(&key, "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH\n").expect("a file");
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let problems = |set: &dyn Fn(&mut Config)| {
            let mut config = Config::default();
            config.acme.domains = vec!["a.example".to_owned()];
            config.acme.folder = text(&base.join("new"));
            set(&mut config);
            check(&config).err().map_or_else(String::new, |error| error.to_string())
        };
        assert_eq!(problems(&|_| ()), "");
        assert!(!base.join("new").exists());
        assert!(problems(&|own| own.acme.folder = text(&file)).ends_with("file is no folder"));
        let wrong = problems(&|own| own.acme.ca_file = text(&file));
        assert!(wrong.contains("\"acme.ca_file\": ") && wrong.contains("no certificate (PEM)"), "{wrong}");
        let external = |file: &std::path::Path| {
            problems(&|own| {
                own.acme.external_account = "kid-1".to_owned();
                own.acme.external_key_file = text(file);
            })
        };
        assert_eq!(external(&key), "");
        std::fs::write(&file, "no key!").expect("a file");
        assert!(external(&file).ends_with("there is no key (base64url) in it"));
        assert!(external(&base.join("missing")).contains("No such file"));
        std::fs::remove_dir_all(&base).expect("it was made");
    }
}
