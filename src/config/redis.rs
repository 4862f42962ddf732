//! Whether a configuration says one thing about the Redis of a cluster, and where that is.

use super::choice::EngineKind;
use super::error::ConfigError;
use super::knobs::{Config, RedisConfig};
use super::redis_url::{RedisPlace, RedisUrl};
use crate::model::host_port::HostPort;
use crate::model::password::Password;
use std::fs;
use std::path::PathBuf;

/// Where the Redis of a cluster is, and how nodes sign in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTarget {
    /// Where it accepts connections. With Sentinels they are asked instead.
    pub at: RedisPlace,
    /// Whether it speaks TLS, and its Sentinels too.
    pub tls: bool,
    /// Which of its databases.
    pub database: u32,
    /// Who signs in; `None` is Redis's default user.
    pub user: Option<String>,
    /// With what. `None` for a user that needs none, and where nobody has to sign in.
    pub password: Option<Password>,
    /// Who knows where the primary is. None: it is always at the same place.
    pub sentinels: Vec<HostPort>,
    /// What they call the primary.
    pub primary: String,
    /// What they are signed in to with, if they want that.
    pub sentinel_password: Option<Password>,
    /// A file with certificates to trust besides those that this system trusts.
    pub ca_file: Option<PathBuf>,
}

impl Config {
    /// Where the Redis of the engine "redis" is. Files with passwords are read here, so this is not for a reactor.
    ///
    /// # Errors
    /// Such a file cannot be read, or its first line is no password.
    pub fn redis_target(&self) -> Result<RedisTarget, ConfigError> {
        let redis = &self.redis;
        let own = password_of(&redis.password_file, "redis.password_file");
        let sentinels = password_of(&redis.sentinel_password_file, "redis.sentinel_password_file");
        let problems = [&own, &sentinels].into_iter().filter_map(|read| read.as_ref().err().cloned()).collect();
        let (Ok(own), Ok(sentinel_password)) = (own, sentinels) else { return Err(ConfigError::of(problems)) };
        let RedisUrl { place, tls, database, user, password } = redis.url.clone();
        Ok(RedisTarget {
            at: place,
            tls,
            database,
            user: user.or_else(|| some(&redis.user)),
            password: password.or(own),
            sentinels: redis.sentinels.clone(),
            primary: redis.primary.clone(),
            sentinel_password,
            ca_file: some(&redis.ca_file).map(PathBuf::from),
        })
    }

    /// What is wrong with what is said about Redis.
    pub(super) fn redis_problems(&self) -> Vec<String> {
        match self.server.engine {
            EngineKind::Redis => self.redis.problems(),
            EngineKind::Memory | EngineKind::Disk => self.without_redis().into_iter().collect(),
        }
    }

    /// It would be believed to be in use, and each node would be alone.
    fn without_redis(&self) -> Option<String> {
        let (redis, unset) = (&self.redis, RedisConfig::default());
        let named = [
            ("redis.url", redis.url != unset.url),
            ("redis.sentinels", redis.sentinels != unset.sentinels),
            ("redis.password_file", redis.password_file != unset.password_file),
        ];
        let (name, _) = named.into_iter().find(|(_, is_set)| *is_set)?;
        Some(format!(
            "\"{name}\" needs \"server.engine\" = \"redis\": without it this server shares its channels with no other"
        ))
    }
}

impl RedisConfig {
    fn problems(&self) -> Vec<String> {
        let is_unix = matches!(self.url.place, RedisPlace::Unix(_));
        let wrong = [
            (
                self.url.has_password() && !self.password_file.is_empty(),
                "\"redis.password_file\" and the password in \"redis.url\" are both given; keep one of them",
            ),
            (
                self.url.user.is_some() && !self.user.is_empty(),
                "\"redis.user\" and the user in \"redis.url\" are both given; keep one of them",
            ),
            (
                is_unix && !self.sentinels.is_empty(),
                "\"redis.sentinels\" know hosts alone, and \"redis.url\" is a unix socket; use redis:// or rediss:// with them",
            ),
            (
                self.sentinels.is_empty() && !self.sentinel_password_file.is_empty(),
                "\"redis.sentinel_password_file\" is for the Sentinels, and \"redis.sentinels\" names none",
            ),
            (
                !self.url.tls && !self.ca_file.is_empty(),
                "\"redis.ca_file\" is for TLS, which \"redis.url\" does not ask for; begin that with rediss://",
            ),
        ];
        wrong.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, problem)| problem.to_owned()).collect()
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Reads the first line of a file, if there is one to read. It is never part of a message.
fn password_of(file: &str, setting: &str) -> Result<Option<Password>, String> {
    if file.is_empty() {
        return Ok(None);
    }
    let text = fs::read_to_string(file).map_err(|error| format!("{file} ({setting}): {error}"))?;
    let line = text.lines().next().unwrap_or_default();
    Password::parse(line).map(Some).map_err(|problem| format!("{file} ({setting}): {problem}"))
}
