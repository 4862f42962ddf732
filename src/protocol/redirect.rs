//! What a listener answers that sends everybody to https://.

use super::plan::Plan;
use super::response::Response;
use crate::model::code::Code;
use crate::model::redirect::Redirect;
use crate::wire::http::head::{Head, Method};

/// 301 for what only reads, since the oldest clients know it, and 308 for what must be sent again as it was.
pub(super) fn plan(redirect: &Redirect, head: &Head<'_>) -> Plan {
    let origin = match (redirect, head.host) {
        (Redirect::Origin(origin), _) => origin.clone(),
        (Redirect::SameHost, Some(host)) => format!("https://{}", without_port(host)),
        (Redirect::SameHost, None) => {
            return Plan::refuse(
                Code::BadRequest,
                "everything is at https://, and without a Host this listener cannot say on which; send one",
            );
        }
    };
    // `OPTIONS *` asks about the whole server.
    let path = if head.path == "*" { "/" } else { head.path };
    let query = head.query.map(|query| format!("?{query}")).unwrap_or_default();
    let status = if matches!(head.method, Method::Get | Method::Head) { 301 } else { 308 };
    let mut response = Response::text(status, format!("everything is at {origin}/\n"));
    response.extra.push(("Location", format!("{origin}{path}{query}")));
    Plan::Answer(response)
}

/// The host of a valid `host[:port]`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_host_is_kept_without_its_port() {
        for (host, expected) in
            [("a", "a"), ("a:80", "a"), ("1.2.3.4:80", "1.2.3.4"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]")]
        {
            assert_eq!(without_port(host), expected);
        }
    }
}
