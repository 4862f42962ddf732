//! The embedded files over HTTP: which there are, who may read them (everyone), and how they are cached and compressed.

use super::plan::Plan;
use super::response::Response;
use super::scope::Settings;
use crate::web::{Found, find};
use crate::wire::http::head::{Head, Method};

/// What answers a versioned address: it never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What answers any other: a cache may keep it, and asks each time whether it is still the same.
const ASK_FIRST: &str = "no-cache";
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Plans the answer to a request for an embedded file; none when there is no such file here.
///
/// Files contain no secrets and are the same for all clients, so that pages of any origin may load them.
pub fn plan(head: &Head<'_>, settings: &Settings) -> Option<Plan> {
    let found = find(head.path).filter(|found| settings.console || found.asset.is_client())?;
    Some(match head.method {
        Method::Get | Method::Head => Plan::Answer(answer(head, &found)),
        Method::Options => Plan::Answer(options()),
        _ => Plan::not_allowed(head, ALLOW.to_owned()),
    })
}

/// Whether an address is not answered only because the console is switched off.
pub(super) fn is_switched_off(path: &str, settings: &Settings) -> bool {
    !settings.console && find(path).is_some_and(|found| !found.asset.is_client())
}

/// What a 404 says is there of them: what comes before all other paths, and what comes after.
pub(super) fn shown(settings: &Settings) -> (Option<&'static str>, Option<&'static str>) {
    let (before, after) = match settings.console {
        true => (Some("/"), "/tutorial, /tidings.js, /tidings.global.js"),
        false => (None, "/tidings.js, /tidings.global.js"),
    };
    (before, Some(after))
}

fn answer(head: &Head<'_>, found: &Found) -> Response {
    let Found { asset, immutable } = *found;
    // A file that is small, or compressed already, may only grow.
    let gzip = head.cached.prefers_gzip() && asset.gzip.len() < asset.body.len();
    // One tag for each coding: the two bodies must not be taken for each other (RFC 9110 section 8.8.3.3).
    let tag = if gzip { format!("\"{}-gzip\"", asset.etag) } else { format!("\"{}\"", asset.etag) };
    let caching = Some(if immutable { FOR_EVER } else { ASK_FIRST });
    let unchanged = head.cached.holds(&tag);
    let mut response = Response { status: 304, public: caching, ..Response::default() };
    response.extra.push(("ETag", tag));
    if unchanged {
        return response;
    }
    // After the 304, whose reader still has the fields that came with its copy (RFC 9110 section 15.4.5).
    response.extra.push(("Content-Security-Policy", asset.policy.to_owned()));
    if gzip {
        response.extra.push(("Content-Encoding", "gzip".to_owned()));
    }
    let body = if gzip { asset.gzip } else { asset.body };
    Response { status: 200, content_type: Some(asset.content_type), body: body.to_vec(), ..response }
}

/// A page that sends a field of its own with its request asks first; any may.
fn options() -> Response {
    let mut response = Response { status: 204, public: Some(ASK_FIRST), ..Response::default() };
    response.extra.push(("Allow", ALLOW.to_owned()));
    response.extra.push(("Access-Control-Allow-Methods", "GET, HEAD".to_owned()));
    response.extra.push(("Access-Control-Allow-Headers", "*".to_owned()));
    response
}
