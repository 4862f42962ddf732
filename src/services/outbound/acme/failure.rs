//! Why there is no new certificate, in words for the log, with what the authority says about it.

use crate::services::outbound::fault::CallFault;
use instant_acme::{Error, Problem};

/// What the type of every problem begins with (RFC 8555 section 6.7).
const TYPE_PREFIX: &str = "urn:ietf:params:acme:error:";

/// Whose fault it is: that says how soon it is worth a try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The network's, or this machine's.
    Way,
    /// The authority refused, mostly for a reason that an operator has to mend.
    Refusal,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Failure {
    /// Its name in logs.
    pub(super) label: &'static str,
    /// The type of the authority's problem document, if there is one.
    pub(super) kind: Option<String>,
    /// What happened: a sentence.
    pub(super) problem: String,
    pub(super) blame: Blame,
}

impl Failure {
    /// Something here.
    pub(super) fn own(label: &'static str, problem: impl Into<String>) -> Failure {
        Failure { label, kind: None, problem: problem.into(), blame: Blame::Way }
    }

    /// The authority does not do what is needed.
    pub(super) fn refused(problem: impl Into<String>) -> Failure {
        Failure { label: "refused", kind: None, problem: problem.into(), blame: Blame::Refusal }
    }

    /// The authority said why, about a name or about everything.
    pub(super) fn of_problem(problem: &Problem, name: Option<&str>) -> Failure {
        let kind = problem.r#type.as_deref().map(|kind| kind.strip_prefix(TYPE_PREFIX).unwrap_or(kind).to_owned());
        let detail = problem.detail.as_deref().unwrap_or("it says no more");
        let mut text = match (name, &kind) {
            (Some(name), Some(kind)) => format!("{name}: {kind}: {detail}"),
            (Some(name), None) => format!("{name}: {detail}"),
            (None, Some(kind)) => format!("{kind}: {detail}"),
            (None, None) => detail.to_owned(),
        };
        for own in &problem.subproblems {
            text.push_str(&format!("; {own}"));
        }
        // A nonce that was used up is nobody's fault, and neither are its own troubles.
        let blame = match kind.as_deref() {
            Some("badNonce" | "serverInternal") => Blame::Way,
            _ => Blame::Refusal,
        };
        Failure { label: "refused", kind, problem: text, blame }
    }

    /// Whether the authority does not know the account.
    pub(super) fn is_stranger(&self) -> bool {
        self.kind.as_deref() == Some("accountDoesNotExist")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Api(problem) => Failure::of_problem(&problem, None),
            Error::Timeout(_) => Failure::own("timed_out", "it did not come to an end in time"),
            Error::Json(error) => Failure::own("bad_answer", format!("its answer is not what ACME has: {error}")),
            Error::Other(other) => match other.downcast_ref::<CallFault>() {
                Some(fault) => Failure::own(fault.label(), fault.to_string()),
                None => Failure::own("failed", other.to_string()),
            },
            other => Failure::own("failed", other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Blame, Failure};
    use crate::services::outbound::fault::CallFault;
    use instant_acme::{Error, Problem};

    fn problem(kind: Option<&str>, detail: Option<&str>) -> Problem {
        let (kind, detail) = (kind.map(str::to_owned), detail.map(str::to_owned));
        Problem { r#type: kind, detail, status: Some(403), subproblems: Vec::new() }
    }

    #[test]
    fn what_the_authority_says_is_repeated() {
        let given = problem(Some("urn:ietf:params:acme:error:unauthorized"), Some("wrong answer"));
        let failure = Failure::of_problem(&given, Some("a.example"));
        assert_eq!(failure.problem, "a.example: unauthorized: wrong answer");
        assert_eq!(
            (failure.kind.as_deref(), failure.blame, failure.label),
            (Some("unauthorized"), Blame::Refusal, "refused")
        );
        let failure = Failure::from(Error::Api(problem(Some("about:blank"), None)));
        assert_eq!(failure.problem, "about:blank: it says no more");
        let failure = Failure::from(Error::Api(problem(None, Some("no"))));
        assert_eq!((failure.problem.as_str(), failure.is_stranger()), ("no", false));
        let unknown = problem(Some("urn:ietf:params:acme:error:accountDoesNotExist"), None);
        assert!(Failure::of_problem(&unknown, None).is_stranger());
        let nonce = problem(Some("urn:ietf:params:acme:error:badNonce"), None);
        assert_eq!(Failure::of_problem(&nonce, None).blame, Blame::Way);
    }

    #[test]
    fn what_happened_on_the_way_keeps_its_name() {
        let failure = Failure::from(Error::Other(Box::new(CallFault::Status(502))));
        assert_eq!((failure.label, failure.problem.as_str()), ("bad_status", "it answered 502 instead of 200"));
        assert_eq!(failure.blame, Blame::Way);
        let failure = Failure::from(Error::Str("x"));
        assert_eq!((failure.label, failure.problem.as_str()), ("failed", "missing data: x"));
    }
}
