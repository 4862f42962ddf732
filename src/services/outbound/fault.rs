//! Why a call failed, in words for the log: what was wrong, and what would allow it. Never a byte of the answer.

use crate::tls::distrust;
use hyper_util::client::legacy;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Why a call failed. Each text ends a sentence that begins with the URL or what it is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// Not a URL, or one with more in it than a host and a path.
    #[error("it is not a URL such as \"https://login.example/keys\": {0}")]
    NotUrl(String),
    /// Another scheme than http and https.
    #[error("it is not a URL that begins with https://")]
    NotHttp,
    /// By http where that is not allowed.
    #[error("it begins with http://, which anybody on the way can change; allow_private_addresses = true allows it")]
    NotHttps,
    /// Its host is, or its name leads to, an address that is no host of the internet.
    #[error("it leads to {address}, {what}; allow_private_addresses = true allows it")]
    NotPublic {
        /// The address.
        address: IpAddr,
        /// What it is.
        what: &'static str,
    },
    /// Its name leads to no address.
    #[error("its name cannot be looked up: {0}")]
    NoAddress(String),
    /// No connection.
    #[error("no connection to it: {0}")]
    Unreachable(String),
    /// Its certificate is not trusted.
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    /// It does not speak TLS, or none that this end speaks.
    #[error("no TLS with it: {0}")]
    NoTls(String),
    /// No whole answer in time.
    #[error("no whole answer within {0:?}")]
    TimedOut(Duration),
    /// It sends elsewhere.
    #[error("it answered {0}, a redirect, and none is followed; give the URL that it leads to")]
    Redirected(u16),
    /// It refused.
    #[error("it answered {0} instead of 200")]
    Status(u16),
    /// Its answer is compressed.
    #[error("its answer has a Content-Encoding, although none was asked for")]
    Encoded,
    /// The head of its answer is too large.
    #[error("the head of its answer has more than {0} bytes")]
    HeadTooLarge(usize),
    /// Its answer is too large.
    #[error("its answer has more than {0} bytes")]
    BodyTooLarge(usize),
    /// Its answer is not HTTP, or ends early.
    #[error("its answer is not whole or not HTTP: {0}")]
    Broken(String),
    /// A defect of this program.
    #[error("the call panicked")]
    Panicked,
}

impl CallFault {
    /// Its name in logs.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            CallFault::NotUrl(_) | CallFault::NotHttp | CallFault::NotHttps => "bad_url",
            CallFault::NotPublic { .. } => "address_not_allowed",
            CallFault::NoAddress(_) => "name_not_found",
            CallFault::Unreachable(_) => "unreachable",
            CallFault::Untrusted(_) => "untrusted",
            CallFault::NoTls(_) => "no_tls",
            CallFault::TimedOut(_) => "timed_out",
            CallFault::Redirected(_) => "redirected",
            CallFault::Status(_) => "bad_status",
            CallFault::Encoded | CallFault::Broken(_) => "bad_answer",
            CallFault::HeadTooLarge(_) | CallFault::BodyTooLarge(_) => "too_large",
            CallFault::Panicked => "panicked",
        }
    }

    /// What stopped a request: whatever in the chain of errors says it best.
    pub(super) fn of_request(error: &legacy::Error, head_bytes_max: usize) -> CallFault {
        let known = chain(error).find_map(|one| of_one(one, head_bytes_max));
        known.unwrap_or_else(|| {
            let words = last_words(error);
            if error.is_connect() { CallFault::Unreachable(words) } else { CallFault::Broken(words) }
        })
    }

    /// What stopped a body on its way.
    pub(super) fn of_body(error: &hyper::Error) -> CallFault {
        CallFault::Broken(last_words(error))
    }
}

/// An error and what it came from.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |one: &&'e (dyn Error + 'static)| (*one).source())
}

/// The innermost says what happened: those around it say what was being done.
fn last_words(error: &(dyn Error + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}

fn of_one(error: &(dyn Error + 'static), head_bytes_max: usize) -> Option<CallFault> {
    if let Some(own) = error.downcast_ref::<CallFault>() {
        return Some(own.clone());
    }
    // Its words tell it from other heads that cannot be parsed: only servers may ask it otherwise.
    if error
        .downcast_ref::<hyper::Error>()
        .is_some_and(|error| error.is_parse() && error.to_string().contains("too large"))
    {
        return Some(CallFault::HeadTooLarge(head_bytes_max));
    }
    // What an I/O error was made of is not among its sources, and may be another one.
    let mut inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    while let Some(next) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        inner = next;
    }
    let tls = inner.downcast_ref::<rustls::Error>()?;
    Some(match (distrust(tls), tls) {
        (Some(problem), _) => CallFault::Untrusted(problem),
        (None, rustls::Error::InvalidMessage(_)) => CallFault::NoTls("its answer is not TLS".to_owned()),
        (None, error) => CallFault::NoTls(error.to_string()),
    })
}
