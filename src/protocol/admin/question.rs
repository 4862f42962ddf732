//! What nodes ask each other to answer an operator, in JSON: the members of the operator's own request, and `list`.

use super::read::{LISTING, Members, listing, strict};
use super::reply::Page;
use crate::model::operation::{Listing, Whom};
use crate::model::survey::Question;
use crate::wire::json::{JsonScratch, validate};

const CONNECTIONS: &str = "connections";
const CHANNELS: &str = "channels";

/// Writes a question.
#[must_use]
pub fn write(question: &Question) -> Vec<u8> {
    let (from, listing) = match question {
        Question::Channels => return Page::default().text("list", CHANNELS).body(),
        Question::Connections { from, listing } => (from, listing),
    };
    let Listing { whom, channel, transport, after, max } = listing;
    let Whom { user, key, token, connection, address } = whom;
    let address = address.map(|address| address.to_string());
    let texts = [
        ("from", from.as_deref()),
        ("user", user.as_deref()),
        ("key", key.as_deref()),
        ("token", token.as_deref()),
        ("connection", connection.as_deref()),
        ("address", address.as_deref()),
        ("channel", channel.as_deref()),
        ("transport", transport.map(|transport| transport.word())),
        ("after", after.as_deref()),
    ];
    let page = Page::default().text("list", CONNECTIONS).number("limit", *max as u64);
    let said = texts.iter().filter_map(|(name, text)| Some((name, (*text)?)));
    said.fold(page, |page, (name, text)| page.text(name, text)).body()
}

/// Reads a question; `None` for one that this version does not know.
#[must_use]
pub fn read(text: &[u8]) -> Option<Question> {
    validate(text, &mut JsonScratch::new()).ok()?;
    let mut members: Members = strict(text).ok()?;
    match members.remove("list")?.as_str() {
        CHANNELS if members.is_empty() => Some(Question::Channels),
        CONNECTIONS => {
            let from = members.remove("from").map(String::into_boxed_str);
            let is_known = members.keys().all(|name| LISTING.contains(&name.as_str()));
            is_known.then(|| listing(&members).ok()).flatten().map(|listing| Question::Connections { from, listing })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use crate::model::name::ChannelName;
    use crate::model::operation::{Listing, Whom};
    use crate::model::survey::Question;
    use crate::model::transport::Transport;

    #[test]
    fn a_question_is_read_as_it_was_asked() {
        let nothing = Listing { whom: Whom::default(), channel: None, transport: None, after: None, max: 7 };
        let everything = Listing {
            whom: Whom {
                user: Some("a \"b\"".into()),
                key: Some("k".into()),
                token: Some("t".into()),
                connection: Some("c".into()),
                address: "192.0.2.7".parse().ok(),
            },
            channel: ChannelName::new("chat:1").ok(),
            transport: Transport::parse("websocket"),
            after: Some("name".into()),
            max: 1000,
        };
        for question in [
            Question::Channels,
            Question::Connections { from: None, listing: nothing },
            Question::Connections { from: Some("0a".into()), listing: everything },
        ] {
            assert_eq!(read(&write(&question)), Some(question));
        }
    }

    #[test]
    fn what_a_later_version_may_ask_is_not_answered() {
        for text in ["", "[]", "{}", r#"{"list":"rooms"}"#, r#"{"list":"channels","limit":3}"#] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read(br#"{"list":"connections","color":"red"}"#), None);
        assert_eq!(read(br#"{"list":"connections","limit":"x"}"#), None);
    }
}
