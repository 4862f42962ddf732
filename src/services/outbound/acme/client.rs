//! HTTP to an authority, by the one outbound stack: over TLS alone, within bounds, and with an ear for how long to wait.

use crate::services::outbound::caller::{AGENT, Bounds, Caller};
use crate::services::outbound::fault::CallFault;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Request, StatusCode};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// One call to an authority. Its largest answers are chains of certificates.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(30), body_bytes: 256 << 10 };

/// See the module. Clones share what they heard.
#[derive(Clone)]
pub(super) struct Client {
    caller: Caller,
    /// Seconds that a refusal asked for last; 0 for none.
    asked_s: Arc<AtomicU64>,
}

type Answering = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

impl Client {
    pub(super) fn new(caller: Caller) -> Client {
        Client { caller, asked_s: Arc::default() }
    }

    /// How long the authority asked to be left alone since this was asked before.
    pub(super) fn take_asked(&self) -> Option<Duration> {
        Some(self.asked_s.swap(0, Relaxed)).filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, CallFault> {
        // What is signed may be read by anybody, but what comes back says where to go next.
        if request.uri().scheme() != Some(&Scheme::HTTPS) {
            return Err(CallFault::NotHttp);
        }
        let (mut head, body) = request.into_parts();
        head.headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let Ok(body) = body.collect().await;
        let request = Request::from_parts(head, Full::new(body.to_bytes()));
        let (parts, body) = self.caller.exchange(request, BOUNDS).await?;
        let (status, fields) = (parts.status, &parts.headers);
        if !status.is_success() {
            let asked = fields.get(RETRY_AFTER).and_then(|value| wait(value, SystemTime::now()));
            self.asked_s.store(asked.map_or(0, |asked| asked.as_secs()), Relaxed);
        }
        judge(status, fields)?;
        Ok(BytesResponse { parts, body: Box::new(Bytes::from(body)) })
    }
}

impl HttpClient for Client {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answering {
        let own = self.clone();
        Box::pin(async move { own.send(request).await.map_err(|fault| Error::Other(Box::new(fault))) })
    }
}

/// Refuses what is no answer of an authority, but of something before it.
fn judge(status: StatusCode, fields: &HeaderMap) -> Result<(), CallFault> {
    let is_json = fields.get(CONTENT_TYPE).is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("json")));
    match status {
        status if status.is_redirection() => Err(CallFault::Redirected(status.as_u16())),
        status if status.is_success() || is_json => Ok(()),
        status => Err(CallFault::Status(status.as_u16())),
    }
}

/// What a Retry-After asks for (RFC 9110 section 10.2.3): seconds, or the time of a day.
fn wait(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::{judge, wait};
    use crate::services::outbound::fault::CallFault;
    use hyper::StatusCode;
    use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("Wed, 31 Dec 2025 23:59:59 GMT", None),
            ("soon", None),
            ("-1", None),
        ] {
            let value = HeaderValue::from_static(text);
            assert_eq!(wait(&value, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_page_of_something_before_the_authority_is_no_problem_document() {
        let fields = |kind: &'static str| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let judge = |status, kind| judge(StatusCode::from_u16(status).expect("a status"), &fields(kind));
        assert_eq!(judge(429, "application/problem+json"), Ok(()));
        assert_eq!(judge(200, "application/pem-certificate-chain"), Ok(()));
        assert_eq!(judge(502, "text/html"), Err(CallFault::Status(502)));
        assert_eq!(judge(302, "application/json"), Err(CallFault::Redirected(302)));
    }
}
