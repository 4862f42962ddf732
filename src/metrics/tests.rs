//! The page is valid as Prometheus defines its text format, and adds up what the threads counted.

use super::key_sets::KeySetFigures;
use super::process::Process;
use super::requests::MethodLabel;
use super::{Counters, CurrentPhase, Phase, Shared, exposition};
use crate::model::code::Code;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Names and values.
type Labels = Vec<(String, String)>;

/// One family with its samples: labels in order, and the value.
#[derive(Debug)]
struct Family {
    kind: String,
    samples: Vec<(String, Labels, f64)>,
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Labels between braces, with the escapes that the format has.
fn labels(mut text: &str) -> Labels {
    let mut all = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("name=\"");
        assert!(is_name(name), "{name:?}");
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next().expect("a closing quotation mark") {
                (at, '"') => break at,
                (_, '\\') => match chars.next().expect("an escape").1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    c => panic!("no such escape: {c}"),
                },
                (_, c) => value.push(c),
            }
        };
        all.push((name.to_owned(), value));
        text = &rest[end + 1..];
        text = text.strip_prefix(',').unwrap_or(text);
    }
    all
}

/// Reads a page strictly: HELP, TYPE and then all samples of a family, nothing twice.
fn read(text: &str) -> HashMap<String, Family> {
    assert!(text.ends_with('\n'));
    let mut families: HashMap<String, Family> = HashMap::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).expect(line);
        assert!(is_name(name) && help == help.trim() && help.ends_with('.'), "{line:?}");
        let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE ")?.strip_prefix(name)?.strip_prefix(' '));
        let kind = kind.expect(name).to_owned();
        assert!(["counter", "gauge", "histogram"].contains(&&*kind), "{kind}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        let mut family = Family { kind, samples: Vec::new() };
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (key, value) = line.rsplit_once(' ').expect(line);
            let (sample, inside) = match key.split_once('{') {
                Some((sample, rest)) => (sample, rest.strip_suffix('}').expect(line)),
                None => (key, ""),
            };
            let ends = if family.kind == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""] };
            assert!(sample.strip_prefix(name).is_some_and(|end| ends.contains(&end)), "{line}");
            family.samples.push((sample.to_owned(), labels(inside), value.parse().expect(line)));
        }
        let series: HashSet<String> =
            family.samples.iter().map(|(sample, labels, _)| format!("{sample}{labels:?}")).collect();
        assert_eq!(series.len(), family.samples.len(), "{name} has a series twice");
        assert!(families.insert(name.to_owned(), family).is_none(), "{name} is declared twice");
    }
    families
}

fn check_histogram(name: &str, family: &Family) {
    let mut last = (f64::NEG_INFINITY, 0.0);
    let mut count = None;
    for (sample, labels, value) in &family.samples {
        match sample.strip_prefix(name).expect(name) {
            "_bucket" => {
                let bound: f64 = labels.iter().find(|(name, _)| name == "le").expect("le").1.parse().expect("a bound");
                assert!(bound > last.0 && *value >= last.1, "{name} {bound}");
                last = (bound, *value);
            }
            "_count" => count = Some(*value),
            _ => assert!(*value >= 0.0),
        }
    }
    assert_eq!((last.0, Some(last.1)), (f64::INFINITY, count), "{name}");
}

#[test]
fn the_page_is_valid_and_threads_are_added_up() {
    let threads = [Arc::new(Counters::default()), Arc::new(Counters::default())];
    threads[0].opened.add(3);
    threads[1].opened.add(4);
    threads[1].closed.count(Code::PingTimeout);
    threads[1].closed.count(Code::PingTimeout);
    threads[0].requests.count(MethodLabel::Get, 200);
    threads[1].requests.count(MethodLabel::Get, 204);
    threads[0].count_tick(75);
    threads[0].count_tick(2_000_000);
    threads[1].delivery.observe(100);
    let shared = Shared { channels: 9, phase: Phase::Leaving, ..Shared::default() };
    let families = read(&exposition(&threads, &shared, &Process::now()));
    for (name, family) in families.iter().filter(|(_, family)| family.kind == "histogram") {
        check_histogram(name, family);
    }
    let value = |name: &str, labels: &[(&str, &str)]| {
        let family = name.trim_end_matches("_bucket").trim_end_matches("_count").trim_end_matches("_sum");
        let wanted: Vec<_> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let samples = &families.get(family).unwrap_or_else(|| panic!("no family {family}")).samples;
        samples.iter().find(|(sample, labels, _)| sample == name && *labels == wanted).map(|(_, _, value)| *value)
    };
    assert_eq!(value("tidings_connections_opened_total", &[]), Some(7.0));
    assert_eq!(value("tidings_connections_closed_total", &[("reason", "ping_timeout")]), Some(2.0));
    assert_eq!(value("tidings_channels", &[]), Some(9.0));
    assert_eq!(value("tidings_http_requests_total", &[("method", "GET"), ("status", "2xx")]), Some(2.0));
    assert_eq!(value("tidings_loop_lag_seconds_bucket", &[("le", "0.0001")]), Some(1.0));
    assert_eq!(value("tidings_loop_lag_seconds_sum", &[]), Some(2.000_075));
    assert_eq!(value("tidings_delivery_latency_seconds_bucket", &[("le", "0.000128")]), Some(1.0));
    assert_eq!(value("tidings_drain_state", &[("state", "leaving")]), Some(1.0));
    assert_eq!(value("tidings_drain_state", &[("state", "serving")]), Some(0.0));
    for name in ["process_cpu_seconds_total", "process_start_time_seconds", "process_open_fds", "process_max_fds"] {
        assert!(value(name, &[]) > Some(0.0), "{name}");
    }
    let build = &families["tidings_build_info"].samples[0].1;
    assert_eq!(build.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["version", "commit"]);
    assert!(!build[1].1.is_empty());
}

#[test]
fn key_sets_are_counted_by_issuer_and_have_an_age_while_there_are_keys() {
    let all = ["main", "a \"b\"\\\n"].map(|name| Arc::new(KeySetFigures::new(name))).to_vec();
    all[0].fetched.add(2);
    all[1].failed.add(3);
    all[0].hold(0);
    all[1].hold(7);
    all[1].let_go();
    let shared = Shared { uptime_s: 60, key_sets: Arc::new(all), ..Shared::default() };
    let families = read(&exposition(&[], &shared, &Process::default()));
    let samples = |name: &str| -> Vec<(Vec<String>, f64)> {
        let of = |(_, labels, value): &(String, Labels, f64)| {
            (labels.iter().map(|(_, value)| value.clone()).collect(), *value)
        };
        families[name].samples.iter().map(of).collect()
    };
    let row = |issuer: &str, outcome: &str, count| (vec![issuer.to_owned(), outcome.to_owned()], count);
    assert_eq!(
        samples("tidings_key_set_fetches_total"),
        [
            row("main", "fetched", 2.0),
            row("main", "failed", 0.0),
            row("a \"b\"\\\n", "fetched", 0.0),
            row("a \"b\"\\\n", "failed", 3.0)
        ]
    );
    assert_eq!(samples("tidings_key_set_age_seconds"), [(vec!["main".to_owned()], 60.0)]);
}

#[test]
fn reasons_that_cannot_occur_are_left_out() {
    let families = read(&exposition(&[], &Shared::default(), &Process::default()));
    let reasons = |name: &str| -> Vec<String> {
        families[name].samples.iter().map(|(_, labels, _)| labels[0].1.clone()).collect()
    };
    let (closed, refused) = (reasons("tidings_connections_closed_total"), reasons("tidings_refused_total"));
    assert!(closed.contains(&"peer_closed".to_owned()) && !refused.contains(&"peer_closed".to_owned()));
    assert!(!closed.contains(&"key_reused".to_owned()) && refused.contains(&"key_reused".to_owned()));
}

#[test]
fn a_phase_only_moves_on() {
    let phase = CurrentPhase::default();
    assert_eq!(phase.get(), Phase::Serving);
    phase.reach(Phase::Draining);
    phase.reach(Phase::Leaving);
    assert_eq!(phase.get(), Phase::Draining);
}
