//! What the commands of operators share: whose connections are meant, and the way to ask for them.

use super::{WAIT, explained, note};
use clap::Args;
use tidings::client::{ClientError, Endpoint, Members, ask};
use tidings::server::{name_in_files, operator_key_folder};

/// Whose connections are meant: all that is given must hold.
#[derive(Debug, Default, Args)]
pub(crate) struct WhomArgs {
    /// Those with the key of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// Those with the token of this id (its jti)
    #[arg(long, value_name = "ID")]
    pub(crate) token_id: Option<String>,
    /// The connection with this name, as lists and answers give it
    // A name may begin with a hyphen.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) connection: Option<String>,
    /// Those that came from this address, or unix
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
}

impl WhomArgs {
    /// The names and values of what is given, as the server calls them.
    pub(crate) fn given<'a>(&'a self, user: Option<&'a str>) -> impl Iterator<Item = (&'static str, &'a str)> {
        let all = [
            ("user", user),
            ("key", self.key.as_deref()),
            ("token", self.token_id.as_deref()),
            ("connection", self.connection.as_deref()),
            ("address", self.address.as_deref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

/// The server as its operator asks it.
pub(crate) struct Operator {
    endpoint: Endpoint,
}

impl Operator {
    /// With the key that is named or set, else with the one that a server on this machine has left for its owner.
    pub(crate) fn new(endpoint: Endpoint) -> Operator {
        if endpoint.has_token() || !endpoint.is_here() {
            return Operator { endpoint };
        }
        let address = endpoint.address();
        let port = address.rsplit(':').next().unwrap_or_default();
        // A name, such as localhost, may stand for an address without a file of its own.
        let name = address.parse().map_or_else(|_| port.to_owned(), name_in_files);
        let left = [name.as_str(), port]
            .into_iter()
            .find_map(|name| std::fs::read_to_string(operator_key_folder().join(format!("operator-{name}"))).ok());
        // Without a key the server says what is needed, and where its own is.
        let with_key = left.and_then(|key| endpoint.clone().with_token(key.trim()).ok());
        Operator { endpoint: with_key.unwrap_or(endpoint) }
    }

    /// Asks; reactors that did not answer in time are reported.
    pub(crate) fn ask(&self, method: &str, path: &str, json: Option<&str>) -> Result<Members, String> {
        self.try_ask(method, path, json).map_err(|error| explained(&error))
    }

    /// The same, with the error as it is.
    pub(crate) fn try_ask(&self, method: &str, path: &str, json: Option<&str>) -> Result<Members, ClientError> {
        let answer = ask(&self.endpoint, method, path, json, WAIT)?;
        if let Some(missing) = answer.raw("missing") {
            note(&format!(
                "not all of the server's reactors answered in time (missing: {missing}); they are not counted"
            ));
        }
        Ok(answer)
    }
}

/// A text that a terminal shows and does not obey.
pub(crate) fn shown(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_unicode().collect() } else { vec![c] }).collect()
}
