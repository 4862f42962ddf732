//! Connections that go only where they may: each address is judged after its name was looked up, and is the very one that
//! is connected to.

use super::fault::CallFault;
use super::reach::Reach;
use hyper::Uri;
use hyper::http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower_service::Service;

/// How long a name may take to be looked up. The system's own limit is several times that for each server it asks.
const LOOKUP_MAX: Duration = Duration::from_secs(2);
/// How long all addresses of a name together may take to answer: one that does not leaves time for the next.
const CONNECT_MAX: Duration = Duration::from_secs(4);

type Pending<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
type AnyError = Box<dyn Error + Send + Sync>;

/// Looks names up on threads of their own, since the system's resolver blocks.
#[derive(Clone)]
pub(super) struct Resolver {
    reach: Reach,
    /// One permit for each thread there may be.
    turns: Arc<Semaphore>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = CallFault;
    type Future = Pending<Self::Response, CallFault>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallFault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Resolver { reach, turns } = self.clone();
        Box::pin(async move {
            let found = tokio::time::timeout(LOOKUP_MAX, look_up(name, turns)).await;
            let found = found.unwrap_or_else(|_| Err(format!("no answer within {LOOKUP_MAX:?}")));
            let addresses = found.map_err(CallFault::NoAddress)?;
            // One that may not be called spoils the name: whoever mixes them in means harm or has made a mistake.
            addresses.as_slice().iter().try_for_each(|address| reach.admit(address.ip()))?;
            Ok(addresses)
        })
    }
}

async fn look_up(name: Name, turns: Arc<Semaphore>) -> Result<std::vec::IntoIter<SocketAddr>, String> {
    let turn = turns.acquire_owned().await.map_err(|error| error.to_string())?;
    let lookup = tokio::task::spawn_blocking(move || {
        let found = (name.as_str(), 0).to_socket_addrs();
        // Kept until the thread is free, and not until its caller has given up: those that wait would pile up there.
        drop(turn);
        found
    });
    lookup.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Opens connections.
#[derive(Clone)]
pub(super) struct Connector {
    reach: Reach,
    /// Why no certificate can be trusted, if none can.
    no_roots: Option<String>,
    tcp: HttpConnector<Resolver>,
}

impl Connector {
    /// `turns` has a permit for each thread that may look names up.
    pub(super) fn new(reach: Reach, no_roots: Option<String>, turns: Arc<Semaphore>) -> Connector {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { reach, turns });
        // The scheme is judged here: TLS comes on top.
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        tcp.set_nodelay(true);
        Connector { reach, no_roots, tcp }
    }

    /// Judges a URL before anything is done for it. The resolver never sees a host that is an address already.
    fn admit(&self, url: &Uri) -> Result<(), CallFault> {
        self.reach.admit_url(url)?;
        match &self.no_roots {
            Some(problem) if url.scheme() == Some(&Scheme::HTTPS) => Err(CallFault::Untrusted(problem.clone())),
            _ => Ok(()),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = AnyError;
    type Future = Pending<Self::Response, AnyError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.tcp.poll_ready(context).map_err(AnyError::from)
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        if let Err(fault) = self.admit(&url) {
            return Box::pin(async move { Err(fault.into()) });
        }
        let connecting = self.tcp.call(url);
        Box::pin(async move { connecting.await.map_err(AnyError::from) })
    }
}
