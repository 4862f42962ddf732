//! Which server a client command talks to, and what it signs in with.

use clap::Args;
use std::fmt;
use std::path::{Path, PathBuf};
use tidings::client::{ClientError, Endpoint, Trust};
use tidings::model::api_key::KeySecret;

/// The variable of the environment that may contain a token, or the secret of a key.
const TOKEN_VARIABLE: &str = "TIDINGS_TOKEN";
/// The variable that may contain the operators' key.
const KEY_VARIABLE: &str = "TIDINGS_OPERATOR_KEY";
/// The variable that may name a file with it.
const KEY_FILE_VARIABLE: &str = "TIDINGS_OPERATOR_KEY_FILE";
/// Where a server on this machine listens by default.
const DEFAULT_URL: &str = "ws://127.0.0.1:8080/ws";

/// Which server a client command talks to.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server: ws://HOST:PORT/ws, http://HOST:PORT or HOST:PORT; wss:// and https:// for TLS
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    pub(crate) url: Endpoint,
    /// Trust the certificates in this file (PEM) and no others, instead of those that the system trusts
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Token to sign in with. Better a file or TIDINGS_TOKEN: all users of a machine can read the arguments of a process,
    /// and a shell keeps them in its history
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["token_file", "key_file", "operator_key_file"])]
    token: Option<Hidden>,
    /// File with a token, read at each connection, and again when the token in use expires [default: TIDINGS_TOKEN]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_file", "operator_key_file"])]
    token_file: Option<PathBuf>,
    /// File with the secret of a key (td_…), as `tidings key new` prints it
    #[arg(long, value_name = "FILE", conflicts_with = "operator_key_file")]
    key_file: Option<PathBuf>,
    /// File with the operators' key, for what the server allows operators only, such as publishing through a proxy
    /// [default: TIDINGS_OPERATOR_KEY or TIDINGS_OPERATOR_KEY_FILE, on this machine or over TLS]
    #[arg(long, value_name = "FILE")]
    operator_key_file: Option<PathBuf>,
}

/// An argument that is never shown.
#[derive(Clone)]
struct Hidden(String);

impl From<String> for Hidden {
    fn from(text: String) -> Hidden {
        Hidden(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl ServerArgs {
    /// The server, which certificates it may have, and what to sign in with.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, String> {
        self.endpoint_in(variable)
    }

    /// The same for a command of operators: of the variables their key counts first.
    pub(crate) fn for_operators(&self) -> Result<Endpoint, String> {
        let keys = [KEY_VARIABLE, KEY_FILE_VARIABLE];
        let has_key = keys.iter().any(|name| variable(name).is_some());
        self.endpoint_in(|name| variable(name).filter(|_| !has_key || keys.contains(&name)))
    }

    /// The same for what needs none: what is wrong with a token does not matter then.
    pub(crate) fn without_credentials(&self) -> Result<Endpoint, String> {
        self.trusting()
    }

    fn endpoint_in(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Endpoint, String> {
        let endpoint = self.trusting()?;
        if let Some(Hidden(token)) = &self.token {
            return with_token(endpoint, token, "--token");
        }
        if let Some(file) = self.token_file.clone() {
            return Ok(endpoint.with_tokens(move || read(&file)));
        }
        if let Some(file) = &self.key_file {
            let (text, name) = (read(file)?, file.display().to_string());
            KeySecret::parse(text.trim()).map_err(|problem| format!("{name}: {problem}"))?;
            return with_token(endpoint, &text, &name);
        }
        if let Some(file) = &self.operator_key_file {
            return with_token(endpoint, &read(file)?, &file.display().to_string());
        }
        // Before the operators' key: this variable is for clients, the other one may be there for a server.
        if let Some(token) = variable(TOKEN_VARIABLE) {
            return with_token(endpoint, &token, TOKEN_VARIABLE);
        }
        // The variable may be meant for a server on this machine: the key is not sent unencrypted to another one.
        if endpoint.is_exposed() {
            return Ok(endpoint);
        }
        match (variable(KEY_VARIABLE), variable(KEY_FILE_VARIABLE)) {
            (Some(_), Some(_)) => {
                Err(format!("{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both given; keep one of them"))
            }
            (Some(key), None) => with_token(endpoint, &key, KEY_VARIABLE),
            (None, Some(file)) => with_token(endpoint, &read(Path::new(&file))?, &file),
            (None, None) => Ok(endpoint),
        }
    }

    fn trusting(&self) -> Result<Endpoint, String> {
        match &self.ca {
            None => Ok(self.url.clone()),
            Some(_) if !self.url.is_encrypted() => Err(format!(
                "--ca is for TLS, which {} does not use; begin the address with wss:// or https://",
                self.url
            )),
            Some(file) => Ok(self.url.clone().trusting(Trust::File(file.clone()))),
        }
    }
}

/// The value of a variable of the environment that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// The endpoint with a token that comes from `place`.
fn with_token(endpoint: Endpoint, token: &str, place: &str) -> Result<Endpoint, String> {
    // Most files end with a line end, which is no part of the token.
    endpoint.with_token(token.trim()).map_err(|error| format!("{place}: {error}"))
}

/// Whether a command that goes on for long comes back after this: with another token, where there may be one.
pub(crate) fn comes_back(endpoint: &Endpoint, error: &ClientError) -> bool {
    error.is_temporary() || (endpoint.renews_tokens() && error.label() == Some("token_expired"))
}

#[cfg(test)]
mod tests {
    use super::{ServerArgs, comes_back};
    use crate::cli::args::{Arguments, Command};
    use clap::Parser as _;
    use tidings::client::{ClientError, Endpoint};

    const SECRET: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn server(arguments: &[&str]) -> Result<ServerArgs, String> {
        let parsed = Arguments::try_parse_from([&["tidings", "demo"], arguments].concat());
        match parsed.map_err(|error| error.to_string())?.command {
            Some(Command::Demo(args)) => Ok(args.server),
            other => panic!("{other:?}"),
        }
    }

    /// A file that is removed when it goes out of scope.
    struct File(String);

    impl File {
        fn new(name: &str, text: &str) -> File {
            let path = std::env::temp_dir().join(format!("tidings-server-{}-{name}", std::process::id()));
            std::fs::write(&path, text).expect("a writable folder");
            File(path.to_str().expect("UTF-8").to_owned())
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn endpoint(url: &str, token: Option<&str>) -> Endpoint {
        let endpoint: Endpoint = url.parse().expect(url);
        token.map_or(endpoint.clone(), |token| endpoint.with_token(token).expect("a token"))
    }

    #[test]
    fn certificates_are_for_addresses_with_tls() {
        let endpoint = |url: &str| server(&["--url", url, "--ca", "ca.pem"]).expect(url).endpoint_in(|_| None);
        assert_eq!(endpoint("https://a").expect("with TLS").to_string(), "wss://a/ws");
        let error = endpoint("http://a").expect_err("without TLS");
        assert!(error.contains("--ca is for TLS, which ws://a/ws does not use"), "{error}");
    }

    #[test]
    fn what_a_flag_gives_wins_over_variables_and_a_token_over_the_operators_key() {
        let (key, operators) = (File::new("key", &format!("{SECRET}\n")), File::new("operators", "of-the-file\n"));
        let both = [("TIDINGS_TOKEN", "of-the-variable"), ("TIDINGS_OPERATOR_KEY", "of-the-operators")];
        let (here, there) = ("ws://127.0.0.1:1", "ws://push.example");
        for (arguments, variables, url, token) in [
            (vec!["--token", "of-the-flag"], &both[..], here, Some("of-the-flag")),
            (vec!["--key-file", &key.0], &both, there, Some(SECRET)),
            (vec!["--operator-key-file", &operators.0], &both, there, Some("of-the-file")),
            (vec![], &both, there, Some("of-the-variable")),
            (vec![], &both[1..], here, Some("of-the-operators")),
            (vec![], &both[1..], "wss://push.example", Some("of-the-operators")),
            (vec![], &both[1..], there, None),
            (vec![], &[], here, None),
        ] {
            let args = server(&[&["--url", url], &arguments[..]].concat()).expect("arguments");
            let variable = |name: &str| Some(variables.iter().find(|(known, _)| *known == name)?.1.to_owned());
            assert_eq!(args.endpoint_in(variable), Ok(endpoint(url, token)), "{arguments:?} {variables:?} {url}");
        }
        let twice = |name: &str| name.starts_with("TIDINGS_OPERATOR").then(|| "x".to_owned());
        assert!(server(&[]).expect("arguments").endpoint_in(twice).expect_err("two keys").contains("keep one of them"));
    }

    #[test]
    fn only_one_of_them_is_given() {
        let given = [["--token", "a"], ["--token-file", "b"], ["--key-file", "c"], ["--operator-key-file", "d"]];
        for (index, one) in given.iter().enumerate() {
            server(one).expect("one");
            for other in &given[index + 1..] {
                let error = server(&[one.as_slice(), other.as_slice()].concat()).expect_err("two");
                assert!(error.contains("cannot be used with"), "{error}");
            }
        }
    }

    #[test]
    fn a_file_without_a_secret_is_named_and_what_is_in_it_is_not_shown() {
        let file = File::new("none", "hunter2\n");
        let args = server(&["--key-file", &file.0]).expect("arguments");
        let error = args.endpoint_in(|_| None).expect_err("no secret");
        assert!(error.starts_with(&file.0) && error.contains("\"td_\" and 43 letters"), "{error}");
        assert!(!error.contains("hunter2"));
        let args = server(&["--token", "hunter 2"]).expect("arguments");
        assert!(
            !format!("{args:?}").contains("hunter") && !args.endpoint_in(|_| None).expect_err("").contains("hunter")
        );
    }

    #[test]
    fn a_file_with_a_token_is_read_again_at_each_connection() {
        let file = File::new("token", "first\n");
        let endpoint = server(&["--token-file", &file.0]).expect("arguments").endpoint_in(|_| None).expect("a file");
        let expired = ClientError::Closed { code: 4401, reason: "token_expired: it was valid until now".to_owned() };
        assert!(endpoint.renews_tokens() && comes_back(&endpoint, &expired));
        let fixed = super::with_token(endpoint.clone(), "first", "--token").expect("a token");
        assert!(!comes_back(&fixed, &expired) && comes_back(&fixed, &ClientError::TimedOut));
        let revoked = ClientError::Closed { code: 4401, reason: "token_revoked".to_owned() };
        assert!(!comes_back(&endpoint, &revoked));
    }
}
