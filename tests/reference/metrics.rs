//! `docs/reference/metrics.md`: every family of `/metrics` with its type, labels and help.

use super::cell;
use std::fmt::Write as _;
use std::sync::Arc;
use tidings::metrics::certificates::Expiry;
use tidings::metrics::key_sets::KeySetFigures;
use tidings::metrics::process::Process;
use tidings::metrics::requests::MethodLabel;
use tidings::metrics::{Counters, Shared, exposition};

const HEAD: &str = "\
# Metrics

Everything that `GET /metrics` says, in the text format of Prometheus. Operators read it, or whoever reaches a listener that serves
`metrics`: [monitoring](../monitoring.md) has examples and what to watch, the [runbook](../runbook.md) what to do.

Counters end in `_total` and begin at 0 at each start. A histogram has `_bucket` with the label `le`, `_sum` and `_count`.

| metric | type | labels | what it is |
|---|---|---|---|
";

/// So many values of a label are listed.
const LISTED: usize = 8;

/// A family while its samples are read.
struct Family {
    name: String,
    kind: String,
    help: String,
    /// Each label with its values.
    labels: Vec<(String, Vec<String>)>,
}

impl Family {
    fn note(&mut self, labels: &str) {
        for pair in labels.split("\",") {
            let (name, value) = pair.split_once("=\"").expect("a label has a value");
            let value = value.trim_end_matches('"').to_owned();
            match self.labels.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) if values.contains(&value) => {}
                Some((_, values)) => values.push(value),
                None => self.labels.push((name.to_owned(), vec![value])),
            }
        }
    }

    fn labels(&self) -> String {
        let shown = |(name, values): &(String, Vec<String>)| match name.as_str() {
            "reason" => "`reason`: a [code](codes.md)".to_owned(),
            "le" => format!("`le`: {} to {} seconds", values[0], values[values.len() - 2]),
            "issuer" => "`issuer`: its `name`".to_owned(),
            "certificate" => "`certificate`: its first name".to_owned(),
            "version" | "commit" => format!("`{name}`"),
            _ => {
                assert!(values.len() <= LISTED, "{} has {} values of {name}", self.name, values.len());
                format!("`{name}`: {}", values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "))
            }
        };
        self.labels.iter().map(shown).collect::<Vec<_>>().join("; ")
    }
}

/// A page on which every family has samples.
fn everything() -> String {
    let issuer = KeySetFigures::new("NAME");
    issuer.hold(0);
    let expiries = Arc::new(vec![Expiry { certificate: "NAME".into(), at_s: 0 }]);
    let engine = Some(Arc::default());
    let shared = Shared { key_sets: Arc::new(vec![Arc::new(issuer)]), expiries, engine, ..Shared::default() };
    let process = Process {
        cpu_s: Some(0.0),
        start_s: Some(0.0),
        resident_bytes: Some(0),
        virtual_bytes: Some(0),
        descriptors: Some(0),
        descriptors_max: Some(0),
    };
    let counters = Counters::default();
    use MethodLabel::{Delete, Get, Head, Options, Other, Post};
    for method in [Get, Head, Post, Delete, Options, Other] {
        (1..=5).for_each(|class| counters.requests.count(method, class * 100));
    }
    exposition(&[Arc::new(counters)], &shared, &process)
}

fn families(text: &str) -> Vec<Family> {
    let mut all: Vec<Family> = Vec::new();
    for line in text.lines() {
        let last = all.last_mut();
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            let (name, help) = (name.to_owned(), help.to_owned());
            all.push(Family { name, help, kind: String::new(), labels: Vec::new() });
        } else if let Some((_, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut last.expect("HELP comes before TYPE").kind);
        } else if let Some((_, rest)) = line.split_once('{') {
            last.expect("a family comes before its samples").note(rest.rsplit_once('}').expect("a closing brace").0);
        }
    }
    all
}

#[test]
fn the_page_of_metrics_is_what_the_code_says() {
    let mut page = String::from(HEAD);
    let families = families(&everything());
    assert!(families.len() > 40, "{} families", families.len());
    for family in &families {
        let (name, kind, help) = (&family.name, &family.kind, cell(&family.help));
        let _ = writeln!(page, "| `{name}` | {kind} | {} | {help} |", family.labels());
    }
    super::check("metrics.md", &page);
}
