//! `[[channel]]` as it stands in a file.

use super::{Block, Kind};
use crate::config::channel::ChannelRule;
use crate::config::choice::Durability;
use crate::config::kind::{Bytes, Count, DAY, GIB, SECOND, Time};
use crate::config::knobs::Config;
use crate::config::rate::{Counted, RateOf};
use crate::config::text::quoted;
use crate::model::callers::Callers;
use crate::model::glob::Glob;

impl Kind for ChannelRule {
    const NAME: &'static str = "channel";
    const KEYS: &'static [&'static str] = &[
        "match",
        "read",
        "write",
        "presence",
        "create",
        "history_count",
        "history_bytes",
        "history_age",
        "durability",
        "publication_bytes",
        "publish_rate",
        "client_publish_rate",
    ];
    const ABOUT: &'static str = "Rules for channels, each a block: [[channel]] with match = \"chat:*\" (* is a run without \
        : / and ., ** is anything) and lists of who may read, write, see presence, create (streams): \"anyone\", \"token\" \
        (users whose token grants it), \"key\" (keys that grant it), \"nobody\". The first block that matches a name counts; \
        what it leaves out, and where none matches, is [\"token\", \"key\"]. history_count, history_bytes, history_age, durability and \
        publication_bytes replace what holds for all; publish_rate limits the publications in each channel, and \
        client_publish_rate those of each client in all of them, as in \"10/s burst 50\". Without any rule, key or issuer the server is open to this machine.";

    fn list(config: &mut Config) -> &mut Vec<ChannelRule> {
        &mut config.channel_rules
    }

    fn read(block: &mut Block<'_>) -> Option<ChannelRule> {
        const PATTERN: &str = "a pattern of channel names such as \"chat:*\"";
        if !block.has("match") {
            block.complain_of_all("a [[channel]] needs a \"match\": the channels that it is for, such as \"chat:*\"");
        }
        let pattern = block.take::<String>("match", PATTERN).and_then(|text| match Glob::parse(text.get_ref()) {
            Ok(glob) => Some(glob),
            Err(fault) => {
                let shown = quoted(text.get_ref());
                block.complain(text.span().start, format!("\"channel.match\" cannot be {shown}: {fault}"));
                None
            }
        });
        let (read, write) = (callers(block, "read"), callers(block, "write"));
        let (presence, create) = (callers(block, "presence"), callers(block, "create"));
        let history_count = block.take_value("history_count", &Count { of: "publications", min: 0, max: 10_000_000 });
        let bytes = |max| Bytes { min: 0, max, or_inf: false };
        let history_bytes = block.take_value("history_bytes", &bytes(1024 * GIB));
        let history_age = block.take_value("history_age", &Time { min: SECOND, max: 365 * DAY });
        let durability = block.take_value("durability", &Durability::WORDS);
        let publication_bytes = block.take_value("publication_bytes", &bytes(GIB));
        let rate = RateOf(Counted::Pieces);
        let publish_rate = block.take_value("publish_rate", &rate).flatten();
        let client_publish_rate = block.take_value("client_publish_rate", &rate).flatten();
        let basis = ChannelRule::new(pattern?);
        Some(ChannelRule {
            read: read.unwrap_or(basis.read),
            write: write.unwrap_or(basis.write),
            presence: presence.unwrap_or(basis.presence),
            create: create.unwrap_or(basis.create),
            history_count,
            history_bytes,
            history_age,
            durability,
            publication_bytes,
            publish_rate,
            client_publish_rate,
            ..basis
        })
    }
}

/// A list of callers.
fn callers(block: &mut Block<'_>, key: &str) -> Option<Callers> {
    let known: Vec<&str> = Callers::words().collect();
    let words = block.take_words(key, &known, Callers::parse)?;
    let together = words.iter().map(|(_, one)| *one).reduce(Callers::or)?;
    // A list that names nobody beside others was meant to close something, and would not.
    if let Some((at, _)) = words.iter().find(|(_, one)| *one == Callers::NOBODY)
        && words.len() > 1
    {
        block.complain(*at, format!("\"channel.{key}\" has \"nobody\" beside others: it stands alone, or not at all"));
    }
    Some(together)
}
