//! nchan, the push module of nginx: a location to subscribe at and one to publish at, a channel in each path.

use super::{Adapter, Event, HttpRequest, Job, Kind, Memory, Opening, Outlet, Payload, Peer, ProtocolError, Transport};
use crate::percent;

/// Speaks to nchan over WebSocket, and publishes over HTTP, too.
#[derive(Debug, Clone)]
pub struct Nchan {
    /// Where subscribers connect; `{channel}` is replaced.
    pub subscribe_path: String,
    /// Where publishers connect, and POST to.
    pub publish_path: String,
}

impl Adapter for Nchan {
    fn opening(&self, peer: &Peer<'_>, _memory: &Memory) -> Opening {
        let path = match peer.job {
            // A publisher's socket belongs to one channel: that of its number.
            Job::Publish => self.publish_path.replace("{channel}", &percent::segment(&own_channel(peer))),
            _ => self.subscribe_path.replace("{channel}", &percent::segment(&own_channel(peer))),
        };
        Opening { transport: Transport::WebSocket, path, headers: Vec::new(), subprotocol: None }
    }

    fn opened(&self, _peer: &Peer<'_>, _memory: &mut Memory, _out: &mut dyn Outlet, emit: &mut dyn FnMut(Event<'_>)) {
        emit(Event::Ready);
    }

    fn read(
        &self,
        peer: &Peer<'_>,
        _memory: &mut Memory,
        message: &[u8],
        _out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        // A publisher learns how many messages the channel keeps: that is the acknowledgement.
        emit(match peer.job {
            Job::Publish if message.starts_with(b"queued messages:") => Event::Ack,
            Job::Publish => Event::Refused(String::from_utf8_lossy(message).into_owned()),
            _ => Event::Message(message),
        });
        Ok(())
    }

    fn publish(&self, _memory: &mut Memory, _channel: &str, payload: Payload<'_>, out: &mut dyn Outlet) -> bool {
        out.send(Kind::Text, payload.text.as_bytes());
        true
    }

    fn http_publish(&self, channel: &str, payload: Payload<'_>) -> Option<HttpRequest> {
        let path = self.publish_path.replace("{channel}", &percent::segment(channel));
        Some(HttpRequest { method: "POST", path, headers: Vec::new(), body: payload.text.as_bytes().to_vec() })
    }

    fn acknowledges(&self) -> bool {
        true
    }

    fn one_channel_each(&self) -> bool {
        true
    }
}

fn own_channel(peer: &Peer<'_>) -> String {
    peer.naming.name(u32::try_from(peer.number % u64::from(peer.naming.channels.max(1))).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::{Adapter, Event, Job, Memory, Naming, Peer};
    use super::Nchan;

    /// As nchan 1.3.6 sends it.
    #[test]
    fn the_count_of_kept_messages_is_an_acknowledgement() {
        let adapter = Nchan { subscribe_path: "/sub/{channel}".into(), publish_path: "/pub/{channel}".into() };
        let naming = Naming { prefix: "c".into(), channels: 4, per_connection: 1 };
        let text = b"queued messages: 1\r\nlast requested: 0 sec. ago\r\nactive subscribers: 3\r\nlast message id: 1763900000:0\r\n";
        for (job, path) in [(Job::Publish, "/pub/c2"), (Job::Subscribe, "/sub/c2")] {
            let peer = Peer { number: 6, job, naming: &naming, tokens: None };
            assert_eq!(adapter.opening(&peer, &Memory::default()).path, path);
            let read = adapter.read(&peer, &mut Memory::default(), text, &mut Vec::new(), &mut |event| {
                assert_eq!(matches!(event, Event::Ack), job == Job::Publish);
            });
            assert_eq!(read, Ok(()));
        }
    }
}
