//! One list out of those of all nodes: they come from other nodes by way of Redis, and are held for no more than bytes.

use super::reply::Page;
use crate::model::survey::NodeAnswer;
use crate::wire::json::scanner::{Member, items, members};
use crate::wire::json::text::unquote;
use crate::wire::json::{JsonScratch, validate};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub struct Gathered {
    /// What each node said, by their names.
    bodies: BTreeMap<Box<str>, Box<[u8]>>,
    /// Those that said nothing in time, or not everything.
    missing: Vec<Box<str>>,
    /// Whether others could not be asked.
    is_alone: bool,
}

impl Gathered {
    /// Of one node, since the others cannot be asked.
    #[must_use]
    pub fn alone() -> Gathered {
        Gathered { is_alone: true, ..Gathered::default() }
    }

    /// Adds what a node says. Bytes that are no JSON are as good as nothing.
    pub fn add(&mut self, answer: NodeAnswer) {
        let NodeAnswer { node, body } = answer;
        if validate(&body, &mut JsonScratch::new()).is_ok() {
            self.bodies.insert(node, body);
        }
    }

    /// Whether a node has said something.
    #[must_use]
    pub fn has(&self, node: &str) -> bool {
        self.bodies.contains_key(node)
    }

    /// Notes that a node has said nothing.
    pub fn misses(&mut self, node: Box<str>) {
        self.missing.push(node);
    }

    /// A page of connections, node by node: `next` is the node and the name of its last row.
    #[must_use]
    pub fn connections(mut self, max: usize) -> Page {
        let (mut rows, mut next) = (Vec::new(), None);
        let mut has_more = false;
        for (node, body) in &self.bodies {
            let own = member(body, "connections").map(items);
            for row in own.into_iter().flatten() {
                if has_more || rows.len() >= max {
                    has_more = true;
                    break;
                }
                next = member(row, "connection").and_then(unquote).map(|name| format!("{node}.{name}"));
                rows.push(row);
            }
            // Its own page was full: what comes next is of this node still.
            has_more |= member(body, "next").is_some();
            if member(body, "missing").is_some() {
                self.missing.push(node.clone());
            }
        }
        let page = Page::default().raw_list("connections", &rows);
        let page = match next.filter(|_| has_more) {
            Some(next) => page.text("next", &next),
            None => page,
        };
        self.end(page)
    }

    /// Channels, each once with its subscribers at all nodes together; at most so many of them.
    #[must_use]
    pub fn channels(self, max: usize) -> Page {
        let mut channels: BTreeMap<&[u8], Channel<'_>> = BTreeMap::new();
        let mut most = 0;
        for body in self.bodies.values() {
            most = most.max(member(body, "total").map_or(0, number));
            for row in member(body, "channels").into_iter().flat_map(items) {
                let Some((name, channel)) = Channel::of(row) else { continue };
                channels.entry(name).or_default().meet(&channel);
            }
        }
        let total = most.max(channels.len() as u64);
        let page = Page::default().list("channels", channels.iter().take(max), |page, (name, channel)| {
            let page = page.raw("channel", name).raw("epoch", channel.epoch).number("offset", channel.offset);
            page.number("subscribers", channel.subscribers)
        });
        let page = page.number("total", total);
        self.end(page)
    }

    fn end(self, page: Page) -> Page {
        let page = if self.is_alone { page.flag("alone", true) } else { page };
        if self.missing.is_empty() {
            return page;
        }
        let missing: Vec<String> = self.missing.into_iter().map(String::from).collect();
        page.texts("missing_nodes", &missing)
    }
}

/// A channel in the list of a node.
#[derive(Debug, Default)]
struct Channel<'b> {
    epoch: &'b [u8],
    offset: u64,
    subscribers: u64,
}

impl<'b> Channel<'b> {
    fn of(row: &'b [u8]) -> Option<(&'b [u8], Channel<'b>)> {
        let (name, epoch) = (member(row, "channel")?, member(row, "epoch")?);
        let channel =
            Channel { epoch, offset: number(member(row, "offset")?), subscribers: number(member(row, "subscribers")?) };
        let are_texts = name.starts_with(b"\"") && epoch.starts_with(b"\"");
        are_texts.then_some((name, channel))
    }

    /// The same channel at another node, which may be a moment ahead.
    fn meet(&mut self, other: &Channel<'b>) {
        if self.epoch.is_empty() || other.offset > self.offset {
            (self.epoch, self.offset) = (other.epoch, other.offset);
        }
        self.subscribers = self.subscribers.saturating_add(other.subscribers);
    }
}

/// A member of an object, by a name that needs no escapes.
fn member<'b>(object: &'b [u8], name: &str) -> Option<&'b [u8]> {
    let is_it = |key: &[u8]| key.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\"")) == Some(name.as_bytes());
    members(object).find(|Member { key, .. }| is_it(key)).map(|Member { value, .. }| value)
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Gathered;
    use crate::model::survey::NodeAnswer;
    use crate::protocol::admin::reply::Page;

    fn gathered(answers: &[(&str, &str)]) -> Gathered {
        let mut all = Gathered::default();
        for (node, body) in answers {
            all.add(NodeAnswer { node: (*node).into(), body: body.as_bytes().into() });
        }
        all
    }

    fn text(page: Page) -> String {
        String::from_utf8(page.body()).expect("UTF-8").trim_end().to_owned()
    }

    #[test]
    fn a_page_has_connections_node_by_node_and_says_where_it_ended() {
        let (first, second) =
            (r#"{"connections":[{"connection":"A"},{"connection":"B"}]}"#, r#"{"connections":[{"connection":"C"}]}"#);
        let both = |max| text(gathered(&[("2", second), ("1", first)]).connections(max));
        let all = r#"{"connections":[{"connection":"A"},{"connection":"B"},{"connection":"C"}]}"#;
        assert_eq!((both(4), both(3)), (all.to_owned(), all.to_owned()));
        let two = r#"{"connections":[{"connection":"A"},{"connection":"B"}],"next":"1.B"}"#;
        assert_eq!(both(2), two);
        assert_eq!(both(1), r#"{"connections":[{"connection":"A"}],"next":"1.A"}"#);
        // The first has more than it said: the second comes after that.
        let full = r#"{"connections":[{"connection":"A"},{"connection":"B"}],"next":"B"}"#;
        assert_eq!(text(gathered(&[("1", full), ("2", second)]).connections(5)), two);
        assert_eq!(text(gathered(&[]).connections(5)), r#"{"connections":[]}"#);
    }

    #[test]
    fn who_says_nothing_is_named() {
        let mut all = gathered(&[("1", r#"{"connections":[],"missing":[1]}"#), ("2", "no JSON"), ("3", "[]")]);
        assert!(all.has("1") && !all.has("2"));
        all.misses("2".into());
        assert_eq!(text(all.connections(5)), r#"{"connections":[],"missing_nodes":["2","1"]}"#);
        assert_eq!(text(Gathered::alone().channels(5)), r#"{"channels":[],"total":0,"alone":true}"#);
    }

    #[test]
    fn a_channel_is_listed_once_with_its_subscribers_everywhere() {
        let row = |name: &str, offset, subscribers| {
            format!(r#"{{"channel":"{name}","epoch":"e","offset":{offset},"subscribers":{subscribers}}}"#)
        };
        let body = |rows: &[String], total| format!(r#"{{"channels":[{}],"total":{total}}}"#, rows.join(","));
        let (one, other) = (body(&[row("a", 4, 1), row("b", 1, 2)], 2), body(&[row("c", 9, 0), row("a", 3, 5)], 7));
        let page = |max| text(gathered(&[("1", &one), ("2", &other)]).channels(max));
        assert_eq!(page(9), body(&[row("a", 4, 6), row("b", 1, 2), row("c", 9, 0)], 7));
        assert_eq!(page(1), body(&[row("a", 4, 6)], 7));
        // What is no list of channels, though it is JSON.
        for strange in
            [r#"{"channels":{"a":1}}"#, r#"{"channels":[1,{"channel":1,"epoch":2,"offset":3,"subscribers":4}]}"#, "7"]
        {
            assert_eq!(text(gathered(&[("1", strange)]).channels(9)), body(&[], 0), "{strange}");
        }
    }
}
