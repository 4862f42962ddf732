//! What operators ask of all nodes: written to a stream in Redis, which each node reads from where it was, so that nobody who
//! was away for a while has missed a revocation.
//!
//! An entry of the stream has members in pairs: `node`, who wrote it; `op`, what is to be done; and what that needs.

use crate::handoff::others::FromThere;
use crate::model::glob::Glob;
use crate::model::operation::{Credential, Operation, Revocable, Whom};
use crate::model::peer_address::PeerAddress;
use crate::wire::resp::Reply;
use crossbeam_channel::{Receiver, Sender};
use std::collections::VecDeque;

/// Entries that are read at a time, and that the stream keeps about.
pub(super) const READ_COUNT: &str = "100";
pub(super) const KEEP_COUNT: &str = "10000";

/// See the module.
pub(super) struct Control {
    /// What operators asked of this node.
    said: Receiver<Operation>,
    /// Where what other nodes were asked is done.
    told: Sender<FromThere>,
    /// What is to be written.
    pending: VecDeque<Operation>,
    /// The last entry that was read: milliseconds and a count.
    last: (u64, u64),
    /// What is older than this was done before this node was there; but what was revoked stays revoked.
    began_ms: Option<u64>,
    is_reading: bool,
    /// There may be more to be read.
    pub(super) is_due: bool,
}

impl Control {
    /// One that hears what operators ask of this node, and passes on what other nodes ask.
    #[must_use]
    pub(super) fn new(said: Receiver<Operation>, told: Sender<FromThere>) -> Control {
        Control { said, told, pending: VecDeque::new(), last: (0, 0), began_ms: None, is_reading: false, is_due: true }
    }

    /// Redis's time when the first link was there.
    pub(super) fn begin(&mut self, its_ms: u64) {
        self.began_ms.get_or_insert(its_ms);
        (self.is_due, self.is_reading) = (true, false);
    }

    /// The next that is to be written, if there is one. It is written once more if the link is lost before the answer.
    pub(super) fn next(&mut self) -> Option<Operation> {
        self.pending.extend(self.said.try_iter());
        self.pending.pop_front()
    }

    /// It was not written for certain.
    pub(super) fn again(&mut self, operation: Operation) {
        self.pending.push_front(operation);
    }

    /// From which entry on is to be read, if it is time to.
    pub(super) fn next_read(&mut self) -> Option<String> {
        if !self.is_due || self.is_reading {
            return None;
        }
        (self.is_due, self.is_reading) = (false, true);
        // Not with `(`, which Redis knows from 6.2 on.
        let (ms, count) = self.last;
        Some(format!("{ms}-{}", count.saturating_add(1)))
    }

    /// It could not be read: it is tried again a second later.
    pub(super) fn not_read(&mut self) {
        self.is_reading = false;
    }

    /// Takes what was read. What this node wrote it has done already.
    pub(super) fn read(&mut self, reply: &Reply<'_>, own: &str) {
        self.is_reading = false;
        let Reply::List(entries) = reply else { return };
        for entry in entries {
            let Some((id, members)) = entry_of(entry) else { continue };
            self.last = self.last.max(id);
            // There may be more than was asked for.
            self.is_due = true;
            let value = |name: &str| members.iter().find(|(member, _)| *member == name).map(|(_, value)| *value);
            if value("node") == Some(own) {
                continue;
            }
            let Some(operation) = operation_of(&value) else {
                log::warn!(event = "control_unreadable"; "another node asked for something that this version does not know: {:?}", value("op"));
                continue;
            };
            let lasts = matches!(operation, Operation::Revoke { .. } | Operation::Restore(_));
            if lasts || self.began_ms.is_some_and(|began| id.0 >= began) {
                // Nobody listens any more: this node ends.
                let _ = self.told.send(FromThere::Do(operation));
            }
        }
    }
}

type Members<'r> = Vec<(&'r str, &'r str)>;

fn entry_of<'r>(entry: &'r Reply<'_>) -> Option<((u64, u64), Members<'r>)> {
    let Reply::List(parts) = entry else { return None };
    let [Reply::Bytes(id), Reply::List(members)] = &parts[..] else { return None };
    let (ms, count) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let text = |reply: &'r Reply<'_>| match reply {
        Reply::Bytes(text) => std::str::from_utf8(text).ok(),
        _ => None,
    };
    let pair = |pair: &'r [Reply<'_>]| Some((text(pair.first()?)?, text(pair.get(1)?)?));
    Some(((ms.parse().ok()?, count.parse().ok()?), members.chunks(2).filter_map(pair).collect()))
}

/// The members of an operation; none for one that is this node's alone.
pub(super) fn members_of(operation: &Operation) -> Vec<(&'static str, String)> {
    match operation {
        Operation::Disconnect { whom, reason } => {
            let reason = reason.as_ref().map(|reason| ("reason", reason.to_string()));
            [("op", "disconnect".to_owned())].into_iter().chain(whose(whom)).chain(reason).collect()
        }
        Operation::Unsubscribe { whom, channels } => {
            let op = [("op", "unsubscribe".to_owned()), ("channels", channels.as_str().to_owned())];
            op.into_iter().chain(whose(whom)).collect()
        }
        Operation::Revoke { what: Revocable::Credential(credential), until } => {
            let until = until.map(|until| ("until", until.to_string()));
            [("op", "revoke".to_owned())].into_iter().chain(named(credential)).chain(until).collect()
        }
        Operation::Restore(credential) => [("op", "restore".to_owned())].into_iter().chain(named(credential)).collect(),
        Operation::Revoke { what: Revocable::Of(_), .. }
        | Operation::List(_)
        | Operation::Reload
        | Operation::Revocations { .. } => Vec::new(),
    }
}

fn named(credential: &Credential) -> [(&'static str, String); 2] {
    [("kind", credential.kind().to_owned()), ("name", credential.name().to_owned())]
}

fn whose(whom: &Whom) -> impl Iterator<Item = (&'static str, String)> {
    let Whom { user, key, token, connection, address } = whom;
    let texts = [("user", user), ("key", key), ("token", token), ("connection", connection)];
    let texts = texts.map(|(name, text)| Some((name, text.as_ref()?.to_string())));
    let address = address.as_ref().map(|address| ("address", address.to_string()));
    texts.into_iter().chain([address]).flatten()
}

fn operation_of<'r>(value: &impl Fn(&'static str) -> Option<&'r str>) -> Option<Operation> {
    let text = |name: &'static str| value(name).map(Box::from);
    let whom = || {
        let address = match value("address") {
            Some(address) => Some(address.parse::<PeerAddress>().ok()?),
            None => None,
        };
        let whom = Whom {
            user: text("user"),
            key: text("key"),
            token: text("token"),
            connection: text("connection"),
            address,
        };
        // Nobody is meant by nothing: what is meant may be a member that only a later version knows.
        (!whom.is_everybody()).then_some(whom)
    };
    let credential = || Credential::of(value("kind")?, value("name")?);
    Some(match value("op")? {
        "disconnect" => Operation::Disconnect { whom: whom()?, reason: text("reason") },
        "unsubscribe" => Operation::Unsubscribe { whom: whom()?, channels: Glob::parse(value("channels")?).ok()? },
        "revoke" => {
            let until = match value("until") {
                Some(until) => Some(until.parse().ok()?),
                None => None,
            };
            Operation::Revoke { what: Revocable::Credential(credential()?), until }
        }
        "restore" => Operation::Restore(credential()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Control, members_of};
    use crate::handoff::others::FromThere;
    use crate::model::glob::Glob;
    use crate::model::operation::{Credential, Operation, Revocable, Whom};
    use crate::wire::resp::Reply;
    use crossbeam_channel::{Receiver, unbounded};

    fn operations() -> Vec<Operation> {
        let address = Some("127.0.0.1".parse().expect("an address"));
        let one = Whom { user: Some("ann".into()), connection: Some("c".into()), address, ..Whom::default() };
        let two = Whom { key: Some("k".into()), token: Some("t".into()), ..Whom::default() };
        let revoke = |credential, until| Operation::Revoke { what: Revocable::Credential(credential), until };
        vec![
            Operation::Disconnect { whom: one.clone(), reason: Some("late".into()) },
            Operation::Unsubscribe { whom: two, channels: Glob::parse("a:*").expect("a pattern") },
            Operation::Disconnect { whom: one, reason: None },
            revoke(Credential::User("ann".into()), Some(7)),
            revoke(Credential::Token("t".into()), None),
            Operation::Restore(Credential::Key("k".into())),
        ]
    }

    /// Entries of the stream, each a millisecond after the one before, as texts.
    fn entries(node: &str) -> Vec<(String, Vec<String>)> {
        let entry = |(at, operation): (usize, &Operation)| {
            let members = members_of(operation).into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
            (format!("{at}-0"), ["node".to_owned(), node.to_owned()].into_iter().chain(members).collect())
        };
        operations().iter().enumerate().map(|(at, operation)| entry((at + 1, operation))).collect()
    }

    fn reply<'e>(entries: &'e [(String, Vec<String>)]) -> Reply<'e> {
        let entry = |(id, members): &'e (String, Vec<String>)| {
            let members = members.iter().map(|text| Reply::Bytes(text.as_bytes())).collect();
            Reply::List(vec![Reply::Bytes(id.as_bytes()), Reply::List(members)])
        };
        Reply::List(entries.iter().map(entry).collect())
    }

    fn to_do(done: &Receiver<FromThere>) -> Vec<Operation> {
        let operation = |wanted| match wanted {
            FromThere::Do(operation) => operation,
            FromThere::Ask(..) => panic!("{wanted:?}"),
        };
        done.try_iter().map(operation).collect()
    }

    #[test]
    fn what_another_node_wrote_is_done_here_and_what_this_one_wrote_is_not_done_twice() {
        let ((_said, heard), (told, done)) = (unbounded(), unbounded());
        let mut control = Control::new(heard, told);
        control.begin(0);
        assert_eq!(control.next_read().as_deref(), Some("0-1"));
        assert_eq!(control.next_read(), None, "one at a time");
        control.read(&reply(&entries("other")), "own");
        assert_eq!(to_do(&done), operations());
        assert_eq!(control.next_read().as_deref(), Some("6-1"), "there may be more");
        control.read(&reply(&entries("own")), "own");
        assert_eq!((done.try_iter().count(), control.next_read().is_some()), (0, true));
        control.read(&Reply::List(Vec::new()), "own");
        assert_eq!(control.next_read(), None, "that was all");
    }

    #[test]
    fn a_node_that_starts_learns_what_is_revoked_and_ends_nobody_for_what_was_asked_before() {
        let ((_said, heard), (told, done)) = (unbounded(), unbounded());
        let mut control = Control::new(heard, told);
        control.begin(1_000);
        control.next_read();
        control.read(&reply(&entries("other")), "own");
        assert_eq!(to_do(&done), operations()[3..]);
    }

    #[test]
    fn nonsense_ends_nobody() {
        let ((_said, heard), (told, done)) = (unbounded(), unbounded());
        let mut control = Control::new(heard, told);
        control.begin(0);
        for members in [
            &["node", "other", "op", "disconnect"][..],
            &["op", "disconnect", "address", "nowhere"],
            &["op", "unsubscribe", "user", "ann"],
            &["op", "revoke", "kind", "what", "name", "n"],
            &["op", "revoke", "kind", "user", "name", "n", "until", "soon"],
            &["op", "restart"],
            &["odd"],
            &[],
        ] {
            let members = members.iter().map(ToString::to_string).collect();
            control.read(&reply(&[("1-0".to_owned(), members)]), "own");
        }
        control.read(&Reply::List(vec![Reply::Nothing, Reply::List(vec![Reply::Number(1)])]), "own");
        control.read(&Reply::Number(1), "own");
        assert_eq!(done.try_iter().count(), 0);
    }
}
