//! How links are opened: an address, two connections, who one is, which generation the data is of, and the scripts. All of it
//! blocks, so a thread of its own does it.

use super::keys::Keys;
use super::link::{Link, LinkFault};
use super::scripts::{self, Scripts};
use super::stream::Stream;
use crate::config::{RedisPlace, RedisTarget};
use crate::engine::bell::Bell;
use crate::handoff::mailbox::Wake as _;
use crate::model::host_port::HostPort;
use crate::model::publication::GENERATIONS;
use crate::node::execute::wall_ms;
use crate::wire::resp::{Reply, RespLimits};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

/// How long each step may take.
const STEP_WAIT: Duration = Duration::from_secs(2);

/// Two links to one server.
pub(super) struct Opened {
    /// Takes commands, and answers them.
    pub(super) orders: Link,
    /// Brings what is published.
    pub(super) feed: Link,
    pub(super) generation: u32,
    /// Which process it is.
    pub(super) run: String,
    pub(super) scripts: Scripts,
    /// Milliseconds that the server's clock is ahead of ours.
    pub(super) ahead_ms: i64,
    /// What the server says that it is.
    pub(super) about: String,
}

/// Why they could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenFault {
    #[error("{0}: {1}")]
    Connect(String, io::Error),
    #[error(transparent)]
    Link(#[from] LinkFault),
    #[error("{0} is a replica: writes are refused there")]
    Replica(String),
    #[error("{0} was restarted while it was connected to")]
    Restarted(String),
    #[error("no Sentinel knows the primary {primary:?} ({last})")]
    NoPrimary { primary: String, last: String },
    #[error("opening it failed unexpectedly")]
    Panicked,
}

/// Who asks for links.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub(super) target: RedisTarget,
    pub(super) keys: Keys,
    /// Whether a restart of the server has lost nothing, by the operator's word.
    pub(super) keeps_data: bool,
    pub(super) limits: RespLimits,
    /// By which the server's operator finds this node's connections.
    pub(super) name: String,
}

/// The thread that opens links. It ends by itself when this is gone, after the step that it is in the midst of.
pub(super) struct Opener {
    asked: Sender<()>,
    opened: Receiver<Result<Box<Opened>, OpenFault>>,
}

impl Opener {
    /// Starts it. It rings when it has done something.
    pub(super) fn start(asking: Asking, bell: Bell) -> io::Result<Opener> {
        let (asked, requests) = bounded(1);
        let (sender, opened) = bounded(1);
        std::thread::Builder::new().name("engine-open".to_owned()).spawn(move || {
            for () in &requests {
                let result = catch_unwind(AssertUnwindSafe(|| open(&asking)));
                let sent = sender.send(result.unwrap_or(Err(OpenFault::Panicked)).map(Box::new));
                bell.wake();
                if sent.is_err() {
                    return;
                }
            }
        })?;
        Ok(Opener { asked, opened })
    }

    /// Asks for links. One answer comes.
    pub(super) fn ask(&self) {
        // Full: it was asked for already.
        let _ = self.asked.try_send(());
    }

    /// The answer, when it is there.
    pub(super) fn answer(&self) -> Option<Result<Box<Opened>, OpenFault>> {
        self.opened.try_recv().ok()
    }
}

fn open(asking: &Asking) -> Result<Opened, OpenFault> {
    let target = &asking.target;
    let place = if target.sentinels.is_empty() { target.at.clone() } else { primary(asking)? };
    let name = place.to_string();
    let mut feed = greet(&place, &name, asking, "feed")?;
    let mut orders = greet(&place, &name, asking, "orders")?;
    let (run, about) = who(&mut orders)?;
    if who(&mut feed)?.0 != run {
        return Err(OpenFault::Restarted(name));
    }
    if orders.ask(&[b"ROLE"], is_replica).unwrap_or(false) {
        return Err(OpenFault::Replica(name));
    }
    // A server that does not say which process it is may be another one each time.
    let run = run.unwrap_or_else(|| format!("unknown-{}", rand::random::<u64>()));
    let generation = generation(&mut orders, asking, &run)?;
    let scripts = Scripts::load(&mut orders)?;
    let ahead_ms = orders.ask(&[b"TIME"], |reply| time_of(&reply))?.map_or(0, ahead_of_us);
    Ok(Opened { orders, feed, generation, run, scripts, ahead_ms, about: format!("{name} ({about})") })
}

/// A connection that is signed in and has its database.
fn greet(place: &RedisPlace, name: &str, asking: &Asking, role: &str) -> Result<Link, OpenFault> {
    let target = &asking.target;
    let stream = Stream::connect(place, target, STEP_WAIT);
    let mut link = Link::new(stream.map_err(|error| OpenFault::Connect(name.to_owned(), error))?, asking.limits);
    if target.user.is_some() || target.password.is_some() {
        let mut parts: Vec<&[u8]> = vec![b"AUTH"];
        parts.extend(target.user.as_ref().map(|user| user.as_bytes()));
        // A user may need none.
        parts.push(target.password.as_ref().map_or("", |password| password.reveal()).as_bytes());
        link.ask(&parts, |_| ())?;
    }
    if target.database != 0 {
        link.ask(&[b"SELECT", target.database.to_string().as_bytes()], |_| ())?;
    }
    // Only a help: a server that forbids it is as good.
    match link.ask(&[b"CLIENT", b"SETNAME", format!("{}-{role}", asking.name).as_bytes()], |_| ()) {
        Ok(()) | Err(LinkFault::Refused(_)) => Ok(link),
        Err(fault) => Err(fault.into()),
    }
}

/// Which process it is, as far as it says so, and what of.
fn who(link: &mut Link) -> Result<(Option<String>, String), LinkFault> {
    let read = |reply: Reply<'_>| match reply {
        Reply::Bytes(text) => {
            let text = String::from_utf8_lossy(text).into_owned();
            let value = |name: &str| text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
            let version = value("valkey_version:").map(|version| format!("Valkey {version}"));
            let version = version.or_else(|| Some(format!("Redis {}", value("redis_version:")?)));
            (value("run_id:"), version.unwrap_or_else(|| "of unknown version".to_owned()))
        }
        _ => (None, "of unknown version".to_owned()),
    };
    match link.ask(&[b"INFO", b"server"], read) {
        Err(LinkFault::Refused(text)) if !is_for_now(&text) => Ok((None, "of unknown version".to_owned())),
        other => other,
    }
}

/// Whether a refusal is one of the whole server, for as long as it loads or is no primary.
pub(super) fn is_for_now(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default();
    matches!(word, "LOADING" | "MASTERDOWN" | "READONLY" | "CLUSTERDOWN" | "NOAUTH" | "WRONGPASS" | "NOSCRIPT")
}

#[expect(clippy::needless_pass_by_value, reason = "a reply is given by value")]
fn is_replica(reply: Reply<'_>) -> bool {
    matches!(&reply, Reply::List(role) if matches!(role.first(), Some(Reply::Bytes(b"slave" | b"replica"))))
}

fn generation(link: &mut Link, asking: &Asking, run: &str) -> Result<u32, OpenFault> {
    let vouched: &[u8] = if asking.keeps_data { b"1" } else { b"" };
    let random = rand::random_range(1..GENERATIONS).to_string();
    let key = asking.keys.generation();
    let parts = [b"EVAL", scripts::GREET.as_bytes(), b"1", &key[..], run.as_bytes(), vouched, random.as_bytes()];
    let found = link.ask(&parts, |reply| generation_of(&reply))?;
    Ok(found.ok_or_else(|| LinkFault::Refused("the key of the generation holds something else".to_owned()))?)
}

/// The generation that a script has answered.
pub(super) fn generation_of(reply: &Reply<'_>) -> Option<u32> {
    match reply {
        Reply::Bytes(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// The time of a reply to TIME, in milliseconds since 1970.
pub(super) fn time_of(reply: &Reply<'_>) -> Option<u64> {
    let Reply::List(parts) = reply else { return None };
    let number = |part: &Reply<'_>| match part {
        Reply::Bytes(text) => std::str::from_utf8(text).ok()?.parse::<u64>().ok(),
        _ => None,
    };
    Some(number(parts.first()?)? * 1000 + number(parts.get(1)?)? / 1000)
}

fn ahead_of_us(server_ms: u64) -> i64 {
    server_ms.cast_signed() - wall_ms(SystemTime::now()).cast_signed()
}

/// Where the primary is, by the first Sentinel that knows it.
fn primary(asking: &Asking) -> Result<RedisPlace, OpenFault> {
    let target = &asking.target;
    let mut last = "none was asked".to_owned();
    for sentinel in &target.sentinels {
        match ask_sentinel(&RedisPlace::Tcp(sentinel.clone()), asking) {
            Ok(Some(primary)) => return Ok(primary),
            Ok(None) => last = format!("{sentinel} does not watch it"),
            Err(fault) => last = format!("{sentinel}: {fault}"),
        }
    }
    Err(OpenFault::NoPrimary { primary: target.primary.clone(), last })
}

fn ask_sentinel(place: &RedisPlace, asking: &Asking) -> Result<Option<RedisPlace>, OpenFault> {
    let stream = Stream::connect(place, &asking.target, STEP_WAIT);
    let mut link = Link::new(stream.map_err(|error| OpenFault::Connect(place.to_string(), error))?, asking.limits);
    if let Some(password) = &asking.target.sentinel_password {
        link.ask(&[b"AUTH", password.reveal().as_bytes()], |_| ())?;
    }
    let place = |reply: Reply<'_>| match reply {
        Reply::List(parts) => match &parts[..] {
            [Reply::Bytes(host), Reply::Bytes(port)] => {
                let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
                Some(RedisPlace::Tcp(HostPort { host: text(host)?, port: text(port)?.parse().ok()? }))
            }
            _ => None,
        },
        _ => None,
    };
    let name = asking.target.primary.as_bytes();
    Ok(link.ask(&[b"SENTINEL", b"get-master-addr-by-name", name], place)?)
}
