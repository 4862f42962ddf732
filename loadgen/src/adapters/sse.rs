//! Event streams (HTML standard, "server-sent events") with publishers over HTTP: Tidings' own, Mercure-like and others.

use super::{Adapter, Event, HttpRequest, Memory, Opening, Outlet, Payload, Peer, ProtocolError, Transport};
use crate::percent;
use crate::reason::worded;

/// Reads one channel per connection as an event stream.
#[derive(Debug, Clone)]
pub struct Sse {
    /// Where streams are; `{channel}` is replaced.
    pub subscribe_path: String,
    /// Where publications are POSTed.
    pub publish_path: String,
    /// Whether who comes back asks for what it missed.
    pub resume: bool,
}

impl Adapter for Sse {
    fn opening(&self, peer: &Peer<'_>, memory: &Memory) -> Opening {
        let channel = peer.naming.of(peer.number).next().map_or_else(String::new, |channel| peer.naming.name(channel));
        let mut headers = vec![("Accept".to_owned(), "text/event-stream".to_owned())];
        headers.extend(peer.token(0).map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))));
        let last = memory.positions.as_ref().filter(|_| self.resume).and_then(|positions| positions.first());
        headers.extend(last.map(|id| ("Last-Event-ID".to_owned(), id.clone())));
        let path = self.subscribe_path.replace("{channel}", &percent::segment(&channel));
        Opening { transport: Transport::EventStream, path, headers, subprotocol: None }
    }

    fn opened(&self, _peer: &Peer<'_>, _memory: &mut Memory, _out: &mut dyn Outlet, emit: &mut dyn FnMut(Event<'_>)) {
        emit(Event::Ready);
    }

    fn read(
        &self,
        _peer: &Peer<'_>,
        memory: &mut Memory,
        block: &[u8],
        _out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        let text = std::str::from_utf8(block).map_err(|_| ProtocolError("an event that is not UTF-8".to_owned()))?;
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_start);
        if let (true, Some(id)) = (self.resume, field("id")) {
            memory.positions = Some(Box::new(vec![id.to_owned()]));
        }
        match (field("event"), field("data")) {
            // Tidings' first block says where the channel is, and whether something is missing.
            (Some("position"), Some(data)) if data.contains("\"recovered\":") => {
                emit(Event::Resumed { complete: data.contains("\"recovered\":true") });
            }
            // EventSource would give up for good at a status, so a refusal is an event.
            (Some("refused"), data) => {
                let reason = worded("the server refused a stream", data.unwrap_or_default().as_bytes());
                return Err(ProtocolError(reason));
            }
            (Some("position" | "reset"), _) | (_, None) => {}
            (_, Some(_)) => emit(Event::Message(block)),
        }
        Ok(())
    }

    fn publish(&self, _memory: &mut Memory, _channel: &str, _payload: Payload<'_>, _out: &mut dyn Outlet) -> bool {
        false
    }

    fn http_publish(&self, channel: &str, payload: Payload<'_>) -> Option<HttpRequest> {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let path = self.publish_path.replace("{channel}", &percent::segment(channel));
        Some(HttpRequest { method: "POST", path, headers, body: payload.as_json().into_bytes() })
    }

    fn publishes_over_sockets(&self) -> bool {
        false
    }

    fn resumes(&self) -> bool {
        self.resume
    }

    fn one_channel_each(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Adapter, Job, Memory, Naming, Peer};
    use super::Sse;

    #[test]
    fn positions_and_comments_are_no_messages_and_the_last_id_is_asked_for() {
        let adapter = Sse {
            subscribe_path: "/channels/{channel}".into(),
            publish_path: "/channels/{channel}".into(),
            resume: true,
        };
        let naming = Naming { prefix: "c".into(), channels: 1, per_connection: 1 };
        let peer = Peer { number: 0, job: Job::Subscribe, naming: &naming, tokens: None };
        let (mut memory, mut heard) = (Memory::default(), Vec::new());
        for block in [
            "retry: 2000\nevent: position\nid: e:41\ndata: {\"epoch\":\"e\",\"offset\":41}",
            ": ping",
            "id: e:42\ndata: {\"t\":1}",
            "event: position\nid: e:42\ndata: {\"recovered\":false}",
        ] {
            adapter
                .read(&peer, &mut memory, block.as_bytes(), &mut Vec::new(), &mut |event| {
                    heard.push(format!("{event:?}"))
                })
                .expect("sense");
        }
        assert!(
            heard.len() == 2 && heard[0].starts_with("Message") && heard[1].contains("complete: false"),
            "{heard:?}"
        );
        let headers = adapter.opening(&peer, &memory).headers;
        assert!(headers.contains(&("Last-Event-ID".to_owned(), "e:42".to_owned())), "{headers:?}");
    }
}
