//! CORS: the fields by which the page of an allowed origin may ask, and read the answer.

use super::AccessPolicy;
use crate::model::token::is_token;
use smallvec::SmallVec;

/// The fields that pages may send when a preflight does not say which it wants.
const USUAL_HEADERS: &str = "Content-Type, Authorization, Idempotency-Key, Last-Event-ID";

/// A field of an answer.
type Field<'a> = (&'static str, &'a str);

/// The fields that let the page of an allowed origin read an answer. The caller's Vary names Origin.
#[must_use]
pub fn cors_fields<'a>(origin: &'a str, policy: &AccessPolicy) -> SmallVec<[Field<'a>; 3]> {
    let mut fields = SmallVec::new();
    // Never `*`: browsers refuse it with credentials, and the pages of all origins could read the answer.
    fields.push(("Access-Control-Allow-Origin", origin));
    // Without it the Fetch standard hides this field from a page that is to wait as long as it says.
    fields.push(("Access-Control-Expose-Headers", "Retry-After"));
    if policy.allow_credentials {
        fields.push(("Access-Control-Allow-Credentials", "true"));
    }
    fields
}

/// What the answer (204) to a preflight of an allowed origin has beside [`cors_fields`]. What was asked for is granted: what a
/// field does is judged when it comes, and proxies and tracers add fields of their own (Cache-Control, traceparent).
#[must_use]
pub fn preflight_fields(requested: Option<&str>) -> [(&'static str, String); 3] {
    [
        ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS".to_owned()),
        // Names and not `*`, which does not cover Authorization and is no wildcard with credentials (Fetch standard).
        ("Access-Control-Allow-Headers", requested.and_then(listed).unwrap_or_else(|| USUAL_HEADERS.to_owned())),
        ("Access-Control-Max-Age", "600".to_owned()),
    ]
}

/// The names of fields that a preflight asks for, written anew; `None` when there is none, or something else among them.
fn listed(requested: &str) -> Option<String> {
    let names = requested.split(',').map(|name| name.trim_matches([' ', '\t'])).filter(|name| !name.is_empty());
    let names: Vec<&str> = names.collect();
    (!names.is_empty() && names.iter().all(|name| is_token(name))).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{AccessPolicy, USUAL_HEADERS, cors_fields, preflight_fields};

    #[test]
    fn an_answer_names_one_origin_and_never_all() {
        let fields = cors_fields("https://app.example", &AccessPolicy::default());
        assert_eq!(fields[0], ("Access-Control-Allow-Origin", "https://app.example"));
        assert!(fields.iter().all(|(name, _)| *name != "Access-Control-Allow-Credentials"));
        let credentials = AccessPolicy { allow_credentials: true, ..AccessPolicy::default() };
        assert!(
            cors_fields("https://app.example", &credentials).contains(&("Access-Control-Allow-Credentials", "true"))
        );
    }

    /// `fetch` with Cache-Control, or with a tracer's traceparent, failed in its preflight.
    #[test]
    fn a_preflight_grants_the_fields_that_it_asks_for() {
        for (requested, granted) in [
            (None, USUAL_HEADERS),
            (Some("cache-control,traceparent"), "cache-control, traceparent"),
            (Some(" X-Own , ,x-other "), "X-Own, x-other"),
            (Some(""), USUAL_HEADERS),
            (Some("a b"), USUAL_HEADERS),
            (Some("x, \"y\""), USUAL_HEADERS),
        ] {
            assert_eq!(preflight_fields(requested)[1].1, granted, "{requested:?}");
        }
    }
}
