//! Rules that change while a request is on its way.

use super::{Rehearsal, access_rules};
use crate::access::Operators;
use crate::config::Config;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

const KEY: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const HASH: &str = "sha256:5e445d1704abbbc7d1d7e7e75e83e1c66994c87bdbeb5ae1ea535948bd99f36c";

fn config(blocks: &str) -> Config {
    Config::from_toml("t", blocks).expect("valid")
}

fn key(channel: &str) -> String {
    format!("[[key]]\nname = \"k\"\nhash = \"{HASH}\"\ngrants = [{{ channels = [\"{channel}\"], may = [\"read\"] }}]\n")
}

/// What an event stream of `x` begins with that was asked for with a key, when these blocks take the place of those by which
/// it was let in before its answer comes.
fn stream_under(blocks: &str) -> String {
    let mut server = Rehearsal::new(&config(&key("x")));
    let client = server.connect();
    let head =
        format!("GET /channels/x HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\nAccept: text/event-stream\r\n\r\n");
    server.send(client, head.as_bytes());
    server.engine.set_clock(server.now, UNIX_EPOCH);
    let rules = access_rules(&config(blocks), Arc::new(Operators::default()), Arc::default()).expect("no files");
    server.engine.take_rules_before_letters(&Arc::new(rules));
    server.turn();
    String::from_utf8_lossy(&server.take_writes(client).concat()).into_owned()
}

#[test]
fn a_stream_that_waits_to_begin_is_judged_by_the_rules_that_came_meanwhile() {
    let goes_on = stream_under(&key("x"));
    assert!(goes_on.starts_with("HTTP/1.1 200 ") && goes_on.contains("event: position"), "{goes_on}");
    let gone = stream_under("[[channel]]\nmatch = \"x\"\nread = [\"key\"]\n");
    assert!(gone.starts_with("HTTP/1.1 401 ") && gone.contains("key_invalid"), "{gone}");
    let less = stream_under(&key("y"));
    assert!(less.contains("forbidden") && !less.contains("event: position"), "{less}");
}
