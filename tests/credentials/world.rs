//! The issuers of the table: one for each way to give keys, and pairs that must not be taken for one another.

use super::keys::{KEYS, PublicKey, Signer};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use tidings::access::tokens::{Issuers, KeySet};
use tidings::config::IssuerConfig;
use tidings::model::algorithm::Algorithm;
use tidings::model::signing_secret::SigningSecret;

/// What tokens are made for.
pub(crate) const AUDIENCE: &str = "tidings.example";
/// Another audience that all issuers know.
pub(crate) const SECOND_AUDIENCE: &str = "https://push.example/";

/// A secret of a length, unlike those of other letters.
pub(crate) fn secret(letter: char, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| if index % 2 == 0 { letter as u8 } else { b'0' + (index % 10) as u8 }).collect()
}

/// One issuer of the table.
pub(crate) struct Known {
    pub(crate) config: IssuerConfig,
    /// What it signs with: the name of the algorithm, the id of the key if it has one, and the signer.
    pub(crate) signers: Vec<(&'static str, Option<&'static str>, Signer)>,
}

impl Known {
    /// A signer of this issuer that is accepted.
    pub(crate) fn first(&self) -> (&'static str, Option<&'static str>, Signer) {
        self.signers[0].clone()
    }

    pub(crate) fn iss(&self) -> &str {
        &self.config.issuer
    }
}

/// All issuers with their files, and key sets that were fetched.
pub(crate) struct World {
    pub(crate) issuers: Vec<Known>,
    pub(crate) files: HashMap<PathBuf, Vec<u8>>,
    /// By the name of the issuer.
    pub(crate) fetched: HashMap<&'static str, String>,
}

impl World {
    /// The issuer of a name.
    pub(crate) fn known(&self, name: &str) -> &Known {
        self.issuers.iter().find(|known| known.config.name == name).expect(name)
    }

    /// The place of an issuer of a name.
    pub(crate) fn place(&self, name: &str) -> usize {
        self.issuers.iter().position(|known| known.config.name == name).expect(name)
    }

    /// What verifies their tokens.
    pub(crate) fn issuers(&self) -> Issuers {
        let configs: Vec<IssuerConfig> = self.issuers.iter().map(|known| known.config.clone()).collect();
        let mut read = |path: &std::path::Path| self.files.get(path).cloned().ok_or_else(|| "is not there".to_owned());
        let issuers = Issuers::new(&configs, &mut read).unwrap_or_else(|faults| panic!("{faults:?}"));
        for (name, set) in &self.fetched {
            issuers.set_keys(self.place(name), KeySet::from_jwks(set.as_bytes()).expect("a key set"));
        }
        issuers
    }

    pub(crate) fn new() -> World {
        let mut world = World { issuers: Vec::new(), files: HashMap::new(), fetched: HashMap::new() };
        world.add_secrets();
        world.add_public_keys();
        world.add_key_sets();
        world.add_with_settings();
        world
    }

    fn add(
        &mut self,
        name: &str,
        set_up: impl FnOnce(&mut IssuerConfig),
        signers: Vec<(&'static str, Option<&'static str>, Signer)>,
    ) {
        let mut config = IssuerConfig::new(name, &format!("https://{name}.example"), AUDIENCE);
        config.audience.push(SECOND_AUDIENCE.to_owned());
        set_up(&mut config);
        self.issuers.push(Known { config, signers });
    }

    fn add_secrets(&mut self) {
        let long = secret('l', 64);
        let kept = SigningSecret::parse(&long).expect("a secret");
        self.add("secret", |config| config.secrets.push(kept), hmac_signers(&long));
        let short = secret('s', 32);
        self.files.insert("short.secret".into(), [&short[..], b"\n"].concat());
        self.add(
            "short",
            |config| config.secret_files.push("short.secret".into()),
            vec![("HS256", None, Signer::Hs256(short))],
        );
        let narrow = secret('n', 64);
        let kept = SigningSecret::parse(&narrow).expect("a secret");
        self.add(
            "narrow",
            |config| {
                config.secrets.push(kept);
                config.algorithms = vec![Algorithm::Hs384];
            },
            vec![("HS384", None, Signer::Hs384(narrow))],
        );
    }

    fn add_public_keys(&mut self) {
        let keys = &*KEYS;
        for (name, key) in
            [("rsa", PublicKey::rsa(&keys.rsa)), ("ec", PublicKey::ec(&keys.ec)), ("ed", PublicKey::ed(&keys.ed))]
        {
            self.files.insert(format!("{name}.pem").into(), key.pem().into_bytes());
        }
        let rsa = vec![("RS256", None, Signer::Rs256(&keys.rsa)), ("PS256", None, Signer::Ps256(&keys.rsa))];
        self.add("rsa", |config| config.public_key_files.push("rsa.pem".into()), rsa);
        let ec = vec![("ES256", None, Signer::Ec(&keys.ec))];
        self.add("ec", |config| config.public_key_files.push("ec.pem".into()), ec);
        let ed = vec![("EdDSA", None, Signer::Ed(&keys.ed))];
        self.add("ed", |config| config.public_key_files.push("ed.pem".into()), ed);
        let pss = vec![("PS256", None, Signer::Ps256(&keys.rsa))];
        self.add(
            "pss",
            |config| {
                config.public_key_files.push("rsa.pem".into());
                config.algorithms = vec![Algorithm::Ps256];
            },
            pss,
        );
        // A secret and public keys of one issuer: the public ones must not become secrets.
        let mixed = secret('m', 48);
        let kept = SigningSecret::parse(&mixed).expect("a secret");
        let signers = vec![
            ("HS256", None, Signer::Hs256(mixed.clone())),
            ("HS384", None, Signer::Hs384(mixed)),
            ("RS256", None, Signer::Rs256(&keys.rsa)),
            ("PS256", None, Signer::Ps256(&keys.rsa)),
            ("ES256", None, Signer::Ec(&keys.ec)),
        ];
        self.add(
            "mixed",
            |config| {
                config.secrets.push(kept);
                config.public_key_files = vec!["rsa.pem".into(), "ec.pem".into()];
            },
            signers,
        );
    }

    fn add_key_sets(&mut self) {
        let keys = &*KEYS;
        let set = format!(
            r#"{{"keys":[{{"kid":"r","alg":"RS256","use":"sig",{}}},{{"kid":"k1",{}}},{{"kid":"d","key_ops":["verify"],{}}},{{"kid":"x",{}}}]}}"#,
            PublicKey::rsa(&keys.rsa).rsa_members(),
            PublicKey::ec(&keys.ec).ec_members("P-256"),
            PublicKey::ed(&keys.ed).ed_members(),
            PublicKey::ec(&keys.p384).ec_members("P-384"),
        );
        let signers = vec![
            ("ES256", Some("k1"), Signer::Ec(&keys.ec)),
            ("RS256", Some("r"), Signer::Rs256(&keys.rsa)),
            ("EdDSA", Some("d"), Signer::Ed(&keys.ed)),
        ];
        self.files.insert("set.json".into(), set.into_bytes());
        self.add("set", |config| config.key_set_files.push("set.json".into()), signers);
        // The same ids for other keys: an id means nothing without its issuer.
        let twin = format!(
            r#"{{"keys":[{{"kid":"k1",{}}},{{"kid":"r",{}}},{{"kid":"r",{}}}]}}"#,
            PublicKey::ec(&keys.other_ec).ec_members("P-256"),
            PublicKey::rsa(&keys.other_rsa).rsa_members(),
            PublicKey::ed(&keys.other_ed).ed_members(),
        );
        let signers = vec![
            ("ES256", Some("k1"), Signer::Ec(&keys.other_ec)),
            ("RS256", Some("r"), Signer::Rs256(&keys.other_rsa)),
            ("PS256", Some("r"), Signer::Ps256(&keys.other_rsa)),
            ("EdDSA", Some("r"), Signer::Ed(&keys.other_ed)),
        ];
        let fetched = |config: &mut IssuerConfig| config.key_set_url = Some("https://keys.example/jwks".to_owned());
        self.add("twin", fetched, signers);
        self.fetched.insert("twin", twin);
        let nameless = format!(
            r#"{{"keys":[{{{}}},{{{}}}]}}"#,
            PublicKey::ec(&keys.ec).ec_members("P-256"),
            PublicKey::ec(&keys.other_ec).ec_members("P-256")
        );
        let signers = vec![("ES256", None, Signer::Ec(&keys.ec)), ("ES256", None, Signer::Ec(&keys.other_ec))];
        self.add("nameless", fetched, signers);
        self.fetched.insert("nameless", nameless);
        self.add("unloaded", fetched, Vec::new());
    }

    fn add_with_settings(&mut self) {
        let own = secret('o', 32);
        let kept = SigningSecret::parse(&own).expect("a secret");
        self.add(
            "other-names",
            |config| {
                config.secrets.push(kept);
                config.require_exp = false;
                config.leeway = Duration::ZERO;
                let claims = &mut config.claims;
                claims.user = "https://tidings.example/user".to_owned();
                claims.info = "about".to_owned();
                claims.grants = "https://tidings.example/grants".to_owned();
                claims.subs = "begin".to_owned();
            },
            vec![("HS256", None, Signer::Hs256(own))],
        );
    }
}

fn hmac_signers(secret: &[u8]) -> Vec<(&'static str, Option<&'static str>, Signer)> {
    vec![
        ("HS256", None, Signer::Hs256(secret.to_vec())),
        ("HS384", None, Signer::Hs384(secret.to_vec())),
        ("HS512", None, Signer::Hs512(secret.to_vec())),
    ]
}
