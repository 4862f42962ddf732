//! A bare WebSocket server: what is sent to its echo path comes back; what is sent to its publishing path comes to all
//! who are connected to its subscribing path.

use super::{Adapter, Event, HttpRequest, Job, Kind, Memory, Opening, Outlet, Payload, Peer, ProtocolError, Transport};

/// Speaks nothing on top of WebSocket.
#[derive(Debug, Clone)]
pub struct Raw {
    /// Where echoes and idle connections go.
    pub echo_path: String,
    /// Where subscribers connect.
    pub subscribe_path: String,
    /// Where publishers connect: each message is a publication.
    pub publish_path: String,
}

impl Adapter for Raw {
    fn opening(&self, peer: &Peer<'_>, _memory: &Memory) -> Opening {
        let path = match peer.job {
            Job::Echo | Job::Idle | Job::SignIn => &self.echo_path,
            Job::Subscribe => &self.subscribe_path,
            Job::Publish => &self.publish_path,
        };
        Opening { transport: Transport::WebSocket, path: path.clone(), headers: Vec::new(), subprotocol: None }
    }

    fn opened(&self, _peer: &Peer<'_>, _memory: &mut Memory, _out: &mut dyn Outlet, emit: &mut dyn FnMut(Event<'_>)) {
        emit(Event::Ready);
    }

    fn read(
        &self,
        _peer: &Peer<'_>,
        _memory: &mut Memory,
        message: &[u8],
        _out: &mut dyn Outlet,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), ProtocolError> {
        emit(Event::Message(message));
        Ok(())
    }

    fn publish(&self, _memory: &mut Memory, _channel: &str, payload: Payload<'_>, out: &mut dyn Outlet) -> bool {
        out.send(Kind::Text, payload.text.as_bytes());
        true
    }

    fn http_publish(&self, _channel: &str, _payload: Payload<'_>) -> Option<HttpRequest> {
        None
    }
}
