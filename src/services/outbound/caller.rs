//! Calls over HTTP/1.1: one request, one whole answer, within bounds.

use super::connect::Connector;
use super::fault::CallFault;
use super::reach::Reach;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, USER_AGENT};
use hyper::http::response;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Bytes of an answer's head: what it takes is read before anything of it is judged.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// What this end calls itself.
pub(super) const AGENT: &str = concat!("tidings/", env!("CARGO_PKG_VERSION"));
/// Connections that are kept for the next call of one server, and for how long.
const IDLE_MAX: usize = 4;
const IDLE_TIME: Duration = Duration::from_secs(30);

/// What a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// From the name's look-up to the last byte.
    pub(super) time: Duration,
    pub(super) body_bytes: usize,
}

/// A whole answer with status 200.
pub(super) struct Answer {
    pub(super) fields: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Calls other servers, as far as its reach goes. Clones share their connections.
#[derive(Clone)]
pub(super) struct Caller {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
}

impl Caller {
    /// `no_roots` says why no certificate can be trusted, if none can; `lookups` has a permit for each thread that may look
    /// names up.
    pub(super) fn new(reach: Reach, tls: ClientConfig, no_roots: Option<String>, lookups: Arc<Semaphore>) -> Caller {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector::new(reach, no_roots, lookups));
        let client = Client::builder(TokioExecutor::new())
            // Without a timer of its own the pool would keep idle connections for ever.
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Caller { client }
    }

    /// GETs a URL.
    ///
    /// # Errors
    /// Anything but a whole answer with status 200 within the bounds.
    pub(super) async fn get(&self, url: Uri, accept: &'static str, bounds: Bounds) -> Result<Answer, CallFault> {
        let request = Request::get(url)
            .header(ACCEPT, accept)
            .header(ACCEPT_ENCODING, "identity")
            .header(USER_AGENT, AGENT)
            .body(Full::default())
            .map_err(|error| CallFault::NotUrl(error.to_string()))?;
        // The client has no limit of time by itself.
        let call = tokio::time::timeout(bounds.time, self.call(request, bounds.body_bytes));
        call.await.unwrap_or(Err(CallFault::TimedOut(bounds.time)))
    }

    async fn call(&self, request: Request<Full<Bytes>>, body_bytes_max: usize) -> Result<Answer, CallFault> {
        let answer = self.answer(request).await?;
        match answer.status().as_u16() {
            200 => {}
            status @ (301 | 302 | 303 | 307 | 308) => return Err(CallFault::Redirected(status)),
            status => return Err(CallFault::Status(status)),
        }
        if answer.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(CallFault::Encoded);
        }
        let (head, body) = whole(answer, body_bytes_max).await?;
        Ok(Answer { fields: head.headers, body })
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallFault> {
        let answered = self.client.request(request).await;
        answered.map_err(|error| CallFault::of_request(&error, HEAD_BYTES_MAX))
    }

    /// Sends a request and takes whatever is answered.
    ///
    /// # Errors
    /// Anything but a whole answer within the bounds.
    #[cfg(feature = "acme")]
    pub(super) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        bounds: Bounds,
    ) -> Result<(response::Parts, Vec<u8>), CallFault> {
        let exchange = async { whole(self.answer(request).await?, bounds.body_bytes).await };
        tokio::time::timeout(bounds.time, exchange).await.unwrap_or(Err(CallFault::TimedOut(bounds.time)))
    }
}

/// Reads a body to its end. What it announces to be is not looked at: memory follows what has come.
async fn whole(answer: Response<Incoming>, body_bytes_max: usize) -> Result<(response::Parts, Vec<u8>), CallFault> {
    let (head, mut incoming) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| CallFault::of_body(&error))?;
        // Trailers say nothing of interest.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > body_bytes_max - body.len() {
            return Err(CallFault::BodyTooLarge(body_bytes_max));
        }
        body.extend_from_slice(&data);
    }
    Ok((head, body))
}
