//! `redis.url` and `redis.sentinels`: where a Redis or its Sentinels are, read strictly and written without the password.

use super::kind::Kind;
use super::text::{items, list, quoted};
use crate::model::host_port::HostPort;
use crate::model::password::Password;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use toml::de::DeValue;

/// Where Redis listens when nothing is said.
const PORT: u16 = 6379;
/// Where Sentinels listen when nothing is said.
const SENTINEL_PORT: u16 = 26379;
/// Bytes of an address. More are a mistake.
const URL_BYTES_MAX: usize = 4096;
/// Bytes of the path of a unix socket, which the system bounds.
const SOCKET_BYTES_MAX: usize = 107;
/// What is not percent-encoded in an address that is written.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Where a Redis accepts connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisPlace {
    /// On a host.
    Tcp(HostPort),
    /// At a unix socket.
    Unix(PathBuf),
}

impl fmt::Display for RedisPlace {
    /// For people: a host and its port, or a path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RedisPlace::Tcp(at) => at.fmt(f),
            RedisPlace::Unix(path) => path.display().fmt(f),
        }
    }
}

/// The address of a Redis: `redis://[user[:password]@]host[:port][/database]`, the same with `rediss` for TLS, or
/// `unix:///path[?database=n]`. A text becomes one by [`str::parse`]; neither its `Debug` nor its `Display` has the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub(super) place: RedisPlace,
    pub(super) tls: bool,
    pub(super) database: u32,
    pub(super) user: Option<String>,
    pub(super) password: Option<Password>,
}

/// Why a text is not the address of a Redis. The text itself is not repeated: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRedisUrl(&'static str);

impl fmt::Display for BadRedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadRedisUrl {}

const SCHEME: BadRedisUrl = BadRedisUrl(
    "it begins with redis://, rediss:// (TLS) or unix:///, as in redis://127.0.0.1:6379/0 or unix:///run/redis.sock?database=2",
);
const LENGTH: BadRedisUrl = BadRedisUrl("it has at most 4096 bytes");
const SPACE: BadRedisUrl = BadRedisUrl("it has no white space and no control characters: such a byte stands as %20");
const ENCODING: BadRedisUrl =
    BadRedisUrl("a % is followed by two hexadecimal digits, and what they encode is UTF-8: % itself stands as %25");
const RESERVED: BadRedisUrl =
    BadRedisUrl("in a user or a password @ stands as %40, / as %2F, ? as %3F, # as %23 and % as %25");
const HOST: BadRedisUrl =
    BadRedisUrl("after the scheme and the user stand a host and perhaps a port from 1 to 65535, as in localhost:6379");
const DATABASE: BadRedisUrl = BadRedisUrl("a database is a number, as in redis://localhost/2");
const QUERY: BadRedisUrl =
    BadRedisUrl("redis:// and rediss:// take no ? and no #: other settings of this server say the rest");
const SOCKET: BadRedisUrl = BadRedisUrl(
    "a unix socket has an absolute path of at most 107 bytes and perhaps a database, as in unix:///run/redis.sock?database=2",
);
const USER: BadRedisUrl = BadRedisUrl("a user has no white space and no control characters");
const PASSWORD: BadRedisUrl = BadRedisUrl("a password after user: has 1 to 1024 bytes");

impl Default for RedisUrl {
    /// What a Redis on this machine listens on that nobody has configured.
    fn default() -> RedisUrl {
        let place = RedisPlace::Tcp(HostPort { host: "127.0.0.1".to_owned(), port: PORT });
        RedisUrl { place, tls: false, database: 0, user: None, password: None }
    }
}

impl FromStr for RedisUrl {
    type Err = BadRedisUrl;

    fn from_str(text: &str) -> Result<RedisUrl, BadRedisUrl> {
        if text.len() > URL_BYTES_MAX {
            return Err(LENGTH);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(SPACE);
        }
        if let Some(rest) = text.strip_prefix("redis://") {
            over_tcp(rest, false)
        } else if let Some(rest) = text.strip_prefix("rediss://") {
            over_tcp(rest, true)
        } else if let Some(rest) = text.strip_prefix("unix://") {
            at_socket(rest)
        } else {
            Err(SCHEME)
        }
    }
}

impl RedisUrl {
    /// Whether it has a password, which all users of a machine could read on a command line.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }
}

/// Reads what follows `redis://`.
fn over_tcp(rest: &str, tls: bool) -> Result<RedisUrl, BadRedisUrl> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // Such a byte of a password ended it early: the rest is where no @ can be.
    if path.contains('@') || authority.matches('@').count() > 1 {
        return Err(RESERVED);
    }
    let (who, at) = match authority.split_once('@') {
        Some((who, at)) => (Some(who), at),
        None => (None, authority),
    };
    if who.is_some_and(|who| who.contains(['?', '#'])) {
        return Err(RESERVED);
    }
    if at.contains(['?', '#']) || path.contains(['?', '#']) {
        return Err(QUERY);
    }
    let (user, password) = who.map_or(Ok((None, None)), signed_in)?;
    let at = HostPort::parse(at, PORT).ok_or(HOST)?;
    let database = if path.is_empty() { 0 } else { number(path)? };
    Ok(RedisUrl { place: RedisPlace::Tcp(at), tls, database, user, password })
}

/// Reads `user`, `user:password` or `:password`.
fn signed_in(who: &str) -> Result<(Option<String>, Option<Password>), BadRedisUrl> {
    let (user, password) = match who.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (who, None),
    };
    let user = decoded(user)?;
    if !is_user(&user) {
        return Err(USER);
    }
    let password = password.map(|password| Password::parse(&password).map_err(|_| PASSWORD)).transpose()?;
    Ok(((!user.is_empty()).then_some(user), password))
}

/// Reads what follows `unix://`.
fn at_socket(rest: &str) -> Result<RedisUrl, BadRedisUrl> {
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = decoded(path)?;
    if !path.starts_with('/') || path.len() > SOCKET_BYTES_MAX || path.contains(['\0', '#']) || path.ends_with('/') {
        return Err(SOCKET);
    }
    let database = match query {
        Some(query) => number(query.strip_prefix("database=").ok_or(SOCKET)?)?,
        None => 0,
    };
    Ok(RedisUrl { place: RedisPlace::Unix(path.into()), tls: false, database, user: None, password: None })
}

fn number(text: &str) -> Result<u32, BadRedisUrl> {
    // `parse` alone would take a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(DATABASE)
}

/// Percent-decodes a text exactly once.
fn decoded(text: &str) -> Result<String, BadRedisUrl> {
    // The decoder leaves a % that encodes nothing where it is: a password with one would be another than was meant.
    let encodes = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(encodes) {
        return Err(ENCODING);
    }
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| ENCODING)
}

/// Whether a text can be the name of a user of Redis, or empty for none.
pub(super) fn is_user(text: &str) -> bool {
    text.len() <= 256 && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

impl fmt::Display for RedisUrl {
    /// As it is read, without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            RedisPlace::Tcp(at) => {
                f.write_str(if self.tls { "rediss://" } else { "redis://" })?;
                if let Some(user) = &self.user {
                    write!(f, "{}@", utf8_percent_encode(user, ENCODED))?;
                }
                at.fmt(f)?;
                if self.database == 0 { Ok(()) } else { write!(f, "/{}", self.database) }
            }
            RedisPlace::Unix(path) => {
                write!(f, "unix://{}", utf8_percent_encode(&path.to_string_lossy(), ENCODED))?;
                if self.database == 0 { Ok(()) } else { write!(f, "?database={}", self.database) }
            }
        }
    }
}

/// The address of a Redis.
pub(super) struct Url;

impl Kind<RedisUrl> for Url {
    fn expected(&self) -> String {
        "the address of a Redis such as \"redis://127.0.0.1:6379\"".to_owned()
    }

    fn unit(&self) -> String {
        "the address of a Redis, always shown without its password".to_owned()
    }

    fn value_of<'t>(&self, texts: &'t [String]) -> DeValue<'t> {
        DeValue::String(texts.last().map_or("", String::as_str).into())
    }

    fn read(&self, value: &DeValue<'_>) -> Option<RedisUrl> {
        value.as_str()?.parse().ok()
    }

    /// The default message shows what was written, which may have a password in it.
    fn read_checked(&self, value: &DeValue<'_>) -> Result<RedisUrl, String> {
        let text = value.as_str().ok_or_else(|| format!("must be {}", self.expected()))?;
        text.parse().map_err(|problem: BadRedisUrl| format!("is not the address of a Redis: {problem}"))
    }

    fn write(&self, value: &RedisUrl) -> String {
        quoted(&value.to_string())
    }

    fn check(&self, _: &RedisUrl) -> Result<(), String> {
        Ok(())
    }
}

/// Where Sentinels are.
pub(super) struct Sentinels;

impl Kind<Vec<HostPort>> for Sentinels {
    fn expected(&self) -> String {
        "a list of hosts with ports such as [\"10.0.0.1:26379\", \"10.0.0.2:26379\"]".to_owned()
    }

    fn unit(&self) -> String {
        "list of hosts, each perhaps with its port instead of 26379".to_owned()
    }

    fn value_of<'t>(&self, texts: &'t [String]) -> DeValue<'t> {
        items(texts)
    }

    fn is_list(&self) -> bool {
        true
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Vec<HostPort>> {
        value.as_array()?.iter().map(|item| HostPort::parse(item.get_ref().as_str()?, SENTINEL_PORT)).collect()
    }

    fn write(&self, value: &Vec<HostPort>) -> String {
        let texts: Vec<String> = value.iter().map(HostPort::to_string).collect();
        list(texts.iter().map(String::as_str))
    }

    fn check(&self, _: &Vec<HostPort>) -> Result<(), String> {
        Ok(())
    }
}
