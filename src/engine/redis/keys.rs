//! The names of keys and feeds in Redis. Everything of a channel has its name in braces, so that a cluster keeps it in one slot.

/// The prefix of all of them, which keeps several installations apart that share a Redis.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: Box<str>,
}

/// The names of one channel's keys, and of its feed. They differ in their last byte alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChannelKeys(Vec<u8>);

impl Keys {
    pub(super) fn new(prefix: &str) -> Keys {
        Keys { prefix: prefix.into() }
    }

    /// Which generation the data is of.
    pub(super) fn generation(&self) -> Vec<u8> {
        format!("{}:gen", self.prefix).into_bytes()
    }

    /// What nodes are told to do.
    pub(super) fn control(&self) -> Vec<u8> {
        format!("{}:ctl", self.prefix).into_bytes()
    }

    /// The feed that says that there is something new in it.
    pub(super) fn control_feed(&self) -> Vec<u8> {
        format!("{}:ctl!", self.prefix).into_bytes()
    }

    /// The feed of what nodes ask all others.
    pub(super) fn questions(&self) -> Vec<u8> {
        format!("{}:ask!", self.prefix).into_bytes()
    }

    /// The feed of what one of them is answered.
    pub(super) fn answers(&self, id: &str) -> Vec<u8> {
        format!("{}:ask!{id}", self.prefix).into_bytes()
    }

    /// What a node says of itself.
    pub(super) fn node(&self, id: &str) -> Vec<u8> {
        format!("{}:node:{id}", self.prefix).into_bytes()
    }

    /// All nodes that there may be.
    pub(super) fn nodes(&self) -> Vec<u8> {
        format!("{}:nodes", self.prefix).into_bytes()
    }

    /// Those of a channel.
    pub(super) fn channel(&self, name: &str) -> ChannelKeys {
        let mut text = Vec::with_capacity(self.prefix.len() + name.len() + 4);
        text.extend_from_slice(self.prefix.as_bytes());
        text.extend_from_slice(b":{");
        for byte in name.bytes() {
            // Braces would end the part by which a cluster finds the slot.
            if byte < 0x21 || matches!(byte, b'%' | b'{' | b'}' | 0x7f) {
                text.extend_from_slice(format!("%{byte:02X}").as_bytes());
            } else {
                text.push(byte);
            }
        }
        text.extend_from_slice(b"}f");
        ChannelKeys(text)
    }

    /// The channel that a feed is of; `None` for a feed that is of none.
    pub(super) fn channel_of(&self, feed: &[u8]) -> Option<String> {
        let name = feed.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b":{")?.strip_suffix(b"}f")?;
        let mut bytes = Vec::with_capacity(name.len());
        let mut rest = name;
        while let Some((&byte, after)) = rest.split_first() {
            if byte == b'%' {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[2..];
            } else {
                bytes.push(byte);
                rest = after;
            }
        }
        String::from_utf8(bytes).ok()
    }
}

impl ChannelKeys {
    /// The feed on which its publications come.
    pub(super) fn feed(&self) -> &[u8] {
        &self.0
    }

    /// Its epoch, its offset, and the bytes of its history; in pieces, as the others.
    pub(super) fn meta(&self) -> [&[u8]; 3] {
        [self.stem(), b"m", b""]
    }

    /// Its history.
    pub(super) fn history(&self) -> [&[u8]; 3] {
        [self.stem(), b"h", b""]
    }

    /// What was published under an idempotency key.
    pub(super) fn idempotency<'k>(&'k self, key: &'k str) -> [&'k [u8]; 3] {
        [self.stem(), b"k:", key.as_bytes()]
    }

    fn stem(&self) -> &[u8] {
        &self.0[..self.0.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn names_lie_in_braces_and_come_back() {
        let keys = Keys::new("td");
        let channel = keys.channel("a{b}%\n é");
        assert_eq!(channel.feed(), "td:{a%7Bb%7D%25%0A%20é}f".as_bytes());
        assert_eq!(channel.meta().concat(), "td:{a%7Bb%7D%25%0A%20é}m".as_bytes());
        assert_eq!(keys.channel("a").idempotency("k{}").concat(), b"td:{a}k:k{}");
        assert_eq!(keys.channel_of(channel.feed()).as_deref(), Some("a{b}%\n é"));
    }

    #[test]
    fn a_feed_that_is_of_no_channel_is_told_from_one_that_is() {
        let keys = Keys::new("td");
        for feed in ["td:ctl!", "other:{a}f", "td:{a}m", "td:{%2}f", "td:{%zz}f", ""] {
            assert_eq!(keys.channel_of(feed.as_bytes()), None, "{feed}");
        }
    }
}
