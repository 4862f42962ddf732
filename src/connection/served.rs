//! What a listener serves. Anything else is not there, and who asks for it reads what is.

use crate::close::Reason;
use crate::model::serves::Serves;
use crate::wire::http::head::{Head, HeadError, Method};

/// Why a request is not for this listener; none when it is.
pub(super) fn refusal(head: &Head<'_>, serves: Serves) -> Option<HeadError> {
    if serves.clients() || is_served(head.method, head.path, serves) {
        return None;
    }
    let shown: String = head.path.chars().take(40).collect();
    let there = match (serves.operators(), serves.metrics()) {
        (true, _) => "/metrics, /channels, DELETE /channels/{name}, /livez and /readyz",
        (false, true) => "/metrics, /livez and /readyz",
        (false, false) => "/livez and /readyz",
    };
    let message = format!(
        "{} {shown:?} is not for this listener, which serves {serves}: {there}; ask one that serves clients",
        head.method_name
    );
    Some(HeadError::new(Reason::NotFound, message))
}

/// Whether a listener that serves no clients has it.
fn is_served(method: Method, path: &str, serves: Serves) -> bool {
    match path {
        "/livez" | "/readyz" => true,
        "/metrics" => serves.operators() || serves.metrics(),
        "/channels" => serves.operators(),
        _ => serves.operators() && method == Method::Delete && path.starts_with("/channels/"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_served;
    use crate::model::serves::Serves;
    use crate::wire::http::head::Method;

    #[test]
    fn each_listener_has_its_own_pages_and_no_others() {
        let both = Serves::OPERATORS.and(Serves::HEALTH);
        for (method, path, serving) in [
            (Method::Get, "/livez", vec![Serves::OPERATORS, Serves::METRICS, Serves::HEALTH, both]),
            (Method::Get, "/readyz", vec![Serves::OPERATORS, Serves::METRICS, Serves::HEALTH, both]),
            (Method::Get, "/metrics", vec![Serves::OPERATORS, Serves::METRICS, both]),
            (Method::Get, "/channels", vec![Serves::OPERATORS, both]),
            (Method::Delete, "/channels/a", vec![Serves::OPERATORS, both]),
            (Method::Get, "/channels/a", vec![]),
            (Method::Post, "/channels/a", vec![]),
            (Method::Get, "/ws", vec![]),
            (Method::Get, "/echo", vec![]),
            (Method::Get, "/", vec![]),
            (Method::Get, "/limits", vec![]),
            (Method::Options, "*", vec![]),
        ] {
            for serves in [Serves::OPERATORS, Serves::METRICS, Serves::HEALTH, both] {
                assert_eq!(is_served(method, path, serves), serving.contains(&serves), "{path} {serves}");
            }
        }
    }
}
