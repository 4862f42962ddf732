//! What connections speak: the word for it in answers, and the meaning of such a word.

/// Which transport a connection speaks now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP requests and answers.
    Http,
    /// A WebSocket.
    WebSocket,
    /// An event stream.
    EventStream,
    /// None: it was refused, and waits for its Close to be read.
    TurnedAway,
}

impl Transport {
    /// Those that an operator can ask about.
    pub const LISTED: [Transport; 3] = [Transport::WebSocket, Transport::EventStream, Transport::Http];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Transport::Http => "http",
            Transport::WebSocket => "websocket",
            Transport::EventStream => "event_stream",
            Transport::TurnedAway => "refused",
        }
    }

    /// The meaning of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Transport> {
        Transport::LISTED.into_iter().find(|transport| transport.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::Transport;

    #[test]
    fn each_word_is_one_transport() {
        for transport in Transport::LISTED {
            assert_eq!(Transport::parse(transport.word()), Some(transport));
        }
        assert_eq!((Transport::parse("sse"), Transport::parse("refused")), (None, None));
    }
}
