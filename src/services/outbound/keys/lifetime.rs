//! How long an answer stays fresh, as its Cache-Control says (RFC 9111, 5.2).

use hyper::header::{AGE, CACHE_CONTROL, HeaderMap};
use std::time::Duration;

/// The time that is left of an answer's `max-age`; none where it may not be stored; `None` when it does not say.
pub(super) fn lifetime(fields: &HeaderMap) -> Option<Duration> {
    let texts = || fields.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = || texts().flat_map(|text| text.split(',')).map(str::trim);
    let is = |directive: &str, name: &str| directive.eq_ignore_ascii_case(name);
    if directives().any(|directive| is(directive, "no-store") || is(directive, "no-cache")) {
        return Some(Duration::ZERO);
    }
    let max_age = directives().find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        is(name.trim(), "max-age").then(|| seconds(value.trim().trim_matches('"')))?
    })?;
    // Spent in caches on the way.
    let age = fields.get(AGE).and_then(|value| seconds(value.to_str().ok()?)).unwrap_or(0);
    Some(Duration::from_secs(max_age.saturating_sub(age)))
}

/// Digits; more of them than fit are very many seconds.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::lifetime;
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};
    use std::time::Duration;

    #[test]
    fn max_age_is_found_among_directives_less_the_age() {
        for (given, left) in [
            (&[][..], None),
            (&[("cache-control", "max-age=600")], Some(600)),
            (&[("cache-control", "public, MAX-AGE=600, must-revalidate")], Some(600)),
            (&[("cache-control", "public"), ("cache-control", "max-age=\"600\"")], Some(600)),
            (&[("cache-control", "s-maxage=5, max-age = 600")], Some(600)),
            (&[("cache-control", "max-age=600"), ("age", "200")], Some(400)),
            (&[("cache-control", "max-age=600"), ("age", "700")], Some(0)),
            (&[("cache-control", "max-age=600"), ("age", "?")], Some(600)),
            (&[("cache-control", "max-age=99999999999999999999999")], Some(u64::MAX)),
            (&[("cache-control", "max-age=600, no-store")], Some(0)),
            (&[("cache-control", "No-Cache")], Some(0)),
            (&[("cache-control", "max-age=-1")], None),
            (&[("cache-control", "max-age=+1")], None),
            (&[("cache-control", "max-age=")], None),
            (&[("cache-control", "max-age")], None),
            (&[("cache-control", "x-max-age=600")], None),
            (&[("cache-control", "private=\"max-age")], None),
        ] {
            let mut fields = HeaderMap::new();
            for (name, value) in given {
                fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(lifetime(&fields), left.map(Duration::from_secs), "{given:?}");
        }
    }
}
