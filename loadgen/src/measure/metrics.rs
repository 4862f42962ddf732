//! The numbers that a server tells of itself at `--metrics-url`, in Prometheus' text format.

use crate::plan::Target;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of an answer that is read, in bytes.
const MOST: u64 = 16 << 20;

/// The numbers behind a URL now, by name and labels.
///
/// # Errors
/// The URL is none of `http://`, nobody answers, or not with 200.
pub fn scrape(url: &str) -> Result<BTreeMap<String, f64>, String> {
    let target = Target::parse(url).map_err(|error| error.to_string())?;
    if target.tls {
        return Err(format!("{url}: metrics are read over http:// only"));
    }
    let text = |error: std::io::Error| format!("{url}: {error}");
    let mut stream = TcpStream::connect_timeout(&target.addresses[0], PATIENCE).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    let path = target.path.as_deref().unwrap_or("/metrics");
    let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: text/plain\r\n\r\n", target.authority);
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer).map_err(text)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{url}: an answer that is not HTTP"))?;
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status == "200" { Ok(parse(body)) } else { Err(format!("{url}: the server answered {status}")) }
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
    use super::{difference, parse};

    #[test]
    fn numbers_are_read_and_compared() {
        let before = parse("# HELP x y\n# TYPE x counter\nx 1\ny{a=\"b c\"} 2 1700000000\nsame 3\n");
        assert_eq!(before["y{a=\"b c\"}"], 2.0);
        let after = parse("x 5\ny{a=\"b c\"} 2.5\nsame 3\nnew 1e3\n");
        let change = difference(&before, &after);
        assert_eq!((change["x"], change["y{a=\"b c\"}"], change["new"], change.len()), (4.0, 0.5, 1000.0, 3));
    }
}
