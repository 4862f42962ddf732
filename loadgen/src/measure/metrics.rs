//! The numbers that a server publishes at `--metrics-url`, in Prometheus' text format.

use super::operator::Key;
use crate::plan::Target;
use crate::reason::worded;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of a response is read at most, in bytes.
const MOST: u64 = 16 << 20;

/// A page of metrics, and what opens it.
#[derive(Debug, Clone)]
pub struct Page {
    target: Target,
    key: Option<Key>,
}

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// The page is at an https:// URL.
    #[error("{0}: metrics are read over http:// only")]
    Tls(String),
    /// Nobody answers, or not in time.
    #[error("{0}: {1}")]
    Unreachable(String, #[source] io::Error),
    /// What answers does not speak HTTP.
    #[error("{0}: an answer that is not HTTP")]
    NotHttp(String),
    /// The page has none.
    #[error("{0}: there are no metrics on this page: is it /metrics?")]
    NoMetrics(String),
    /// The server answered with another status than 200.
    #[error("{url}: {reason}{remedy}")]
    Refused {
        /// The page.
        url: String,
        /// What the server says.
        reason: String,
        /// What may be done about it; empty where that is not known.
        remedy: String,
    },
}

impl Page {
    /// The page at a URL, requested with this key.
    ///
    /// # Errors
    /// The URL is none of `http://`.
    pub fn at(target: Target, key: Option<Key>) -> Result<Page, ScrapeError> {
        if target.tls {
            return Err(ScrapeError::Tls(target.url));
        }
        Ok(Page { target, key })
    }

    /// The numbers now, by name and labels.
    ///
    /// # Errors
    /// Nobody answers, or not with 200, or the page has no numbers.
    pub fn scrape(&self) -> Result<BTreeMap<String, f64>, ScrapeError> {
        let url = || self.target.url.clone();
        let text = |error: io::Error| ScrapeError::Unreachable(url(), error);
        let mut stream = self.connect().map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(text)?;
        stream.write_all(self.request().as_bytes()).map_err(text)?;
        let mut answer = Vec::new();
        stream.take(MOST).read_to_end(&mut answer).map_err(text)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| ScrapeError::NotHttp(url()))?;
        match head.split_whitespace().nth(1).unwrap_or_default() {
            "200" => {
                Some(parse(body)).filter(|numbers| !numbers.is_empty()).ok_or_else(|| ScrapeError::NoMetrics(url()))
            }
            status => Err(ScrapeError::Refused {
                url: url(),
                reason: worded(&format!("the server answered {status}"), body.as_bytes()),
                remedy: self.remedy(status),
            }),
        }
    }

    /// All addresses of the name are tried.
    fn connect(&self) -> io::Result<TcpStream> {
        let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in &self.target.addresses {
            match TcpStream::connect_timeout(address, PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn request(&self) -> String {
        let path = self.target.path.as_deref().unwrap_or("/metrics");
        let bearer = self.key.as_ref().map(|key| format!("Bearer {}", key.secret));
        let authorization = self.target.authorization.clone().or(bearer);
        let authorization = authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        let host = &self.target.authority;
        format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: text/plain\r\n{authorization}\r\n")
    }

    /// What may be done about a refusal.
    fn remedy(&self, status: &str) -> String {
        match (status, &self.key) {
            ("401" | "403", None) => {
                format!(": give the server's operator key with --operator-key-file or {}", super::operator::VARIABLE)
            }
            ("401" | "403", Some(key)) => {
                format!(": the key of {} does not open it; give another one with --operator-key-file", key.from)
            }
            _ => String::new(),
        }
    }
}

/// What changed from one look to the next.
#[must_use]
pub fn difference(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let changed = after.iter().map(|(name, value)| (name.clone(), value - before.get(name).copied().unwrap_or(0.0)));
    changed.filter(|(_, change)| *change != 0.0).collect()
}

fn parse(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let end = line.rfind('}').map_or_else(|| line.find(' '), |brace| Some(brace + 1))?;
            let value = line[end..].split_whitespace().next()?.parse().ok()?;
            Some((line[..end].to_owned(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Key, Page, Target, difference, parse};
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn numbers_are_read_and_compared() {
        let before = parse("# HELP x y\n# TYPE x counter\nx 1\ny{a=\"b c\"} 2 1700000000\nsame 3\n");
        assert_eq!(before["y{a=\"b c\"}"], 2.0);
        let after = parse("x 5\ny{a=\"b c\"} 2.5\nsame 3\nnew 1e3\n");
        let change = difference(&before, &after);
        assert_eq!((change["x"], change["y{a=\"b c\"}"], change["new"], change.len()), (4.0, 0.5, 1000.0, 3));
    }

    /// What a page at a server is asked with, and what becomes of the answer.
    fn asked(answer: &'static str, key: Option<&str>) -> (String, Result<usize, String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).expect("a request");
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).expect("it reads");
            String::from_utf8(request).expect("UTF-8")
        });
        let key = key.map(|secret| Key { secret: secret.to_owned(), from: "a test".to_owned() });
        let page = Page::at(Target::parse(&url).expect("a target"), key).expect("a page");
        let numbers = page.scrape().map(|numbers| numbers.len()).map_err(|error| error.to_string());
        (server.join().expect("no panic"), numbers)
    }

    #[test]
    fn the_operators_key_is_sent_and_a_refusal_says_what_would_mend_it() {
        let (request, numbers) = asked("HTTP/1.1 200 OK\r\n\r\nx 1\n", Some("s3cret"));
        assert_eq!((numbers, request.contains("\r\nAuthorization: Bearer s3cret\r\n")), (Ok(1), true), "{request}");
        let refusal =
            "HTTP/1.1 401 Unauthorized\r\n\r\n{\"error\":{\"code\":\"operator_needed\",\"message\":\"see the file\"}}";
        let (request, numbers) = asked(refusal, None);
        let error = numbers.expect_err("refused");
        assert!(!request.contains("Authorization"), "{request}");
        assert!(
            error.contains(
                "401: operator_needed: see the file: give the server's operator key with --operator-key-file"
            ),
            "{error}"
        );
        let error = asked("HTTP/1.1 403 Forbidden\r\n\r\n", Some("wrong")).1.expect_err("refused");
        assert!(error.contains("the key of a test does not open it") && !error.contains("wrong;"), "{error}");
        let error = asked("HTTP/1.1 200 OK\r\n\r\n<html>console</html>", None).1.expect_err("no metrics");
        assert!(error.contains("no metrics"), "{error}");
    }
}
