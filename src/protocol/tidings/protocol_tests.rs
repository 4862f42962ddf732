//! The protocol's text agrees with the code: its examples parse as they are answered, its tables are complete.

use super::parse::Parsed;
use super::parse::{Dialect, parse_json_body, parse_text};
use super::path::parse_name_in_url;
use crate::access::{SignedNames, SignedRefused};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::sign_secrets::SignSecrets;
use crate::wire::json::JsonScratch;

const PROTOCOL: &str = include_str!("PROTOCOL.md");

/// The fenced blocks: info string and lines.
fn blocks() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut found = Vec::new();
    let mut lines = PROTOCOL.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            found.push((info, lines.by_ref().take_while(|line| *line != "```").collect()));
        }
    }
    found
}

fn refusals(parsed: Parsed) -> Vec<Refusal> {
    match parsed {
        Parsed::PlainGet | Parsed::PlainPost(_) | Parsed::One(Ok(_)) => Vec::new(),
        Parsed::Refused(refusal) => vec![refusal],
        Parsed::One(Err(refused)) => vec![refused.refusal],
        Parsed::Batch(items) => items.into_iter().filter_map(Result::err).map(|refused| refused.refusal).collect(),
    }
}

/// The answer holds the code of each refusal, and no code that `bad_…` input alone can lead to when there is none.
fn check_answer(request: &str, answer: &str, refusals: &[Refusal]) {
    for refusal in refusals {
        assert!(answer.contains(&format!("\"code\":\"{}\"", refusal.label())), "{request}\n{answer}\n{refusal:?}");
        assert!(answer.contains(&format!("\"status\":{}", refusal.status())), "{request}\n{answer}\n{refusal:?}");
    }
    assert!(!refusals.is_empty() || !answer.contains(":400"), "{request} is understood, but not by its example");
}

#[test]
fn no_block_is_taken_for_rust() {
    let blocks = blocks();
    assert!(blocks.len() > 10);
    for (info, lines) in blocks {
        assert!(["text", "json", "text,socket", "text,http", "text,signed"].contains(&info), "{info}: {lines:?}");
    }
}

#[test]
fn the_frames_of_the_examples_are_understood_as_they_are_answered() {
    let mut scratch = JsonScratch::new();
    for (_, lines) in blocks().into_iter().filter(|(info, _)| *info == "text,socket") {
        for (at, line) in lines.iter().enumerate() {
            let Some(frame) = line.strip_prefix("> ") else { continue };
            let answers = lines[at + 1..].iter().take_while(|line| line.starts_with("< "));
            let answer: String = answers.copied().collect();
            let parsed = parse_text(frame.replace("EPOCH", "abcdefgh").as_bytes(), &mut scratch, Dialect::Open);
            check_answer(frame, &answer, &refusals(parsed));
        }
    }
}

#[test]
fn the_bodies_of_the_examples_are_understood_as_they_are_answered() {
    let mut scratch = JsonScratch::new();
    for (_, lines) in blocks().into_iter().filter(|(info, _)| *info == "text,http") {
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "> POST /ws") {
            let body = lines[at + 2].strip_prefix("> ").expect("a body after the empty line");
            let status = lines[at + 3].strip_prefix("< ").expect("a status");
            let refused = refusals(parse_json_body(body.as_bytes(), &mut scratch, Dialect::Open));
            assert_eq!(refused.first().map_or(200, |refusal| refusal.status()).to_string(), status, "{body}");
        }
    }
}

#[test]
fn the_signed_addresses_are_signed_with_their_secrets() {
    let mut signed = 0;
    for (_, lines) in blocks().into_iter().filter(|(info, _)| *info == "text,signed") {
        for line in lines {
            let [secret, exp, address] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let names = SignedNames::with(&SignSecrets::parse(secret).expect("a secret"));
            let (path, query) = address.split_once('?').expect("a query");
            let name = parse_name_in_url(path.strip_prefix("/channels/").expect("a channel")).expect("a name");
            let sig = query.strip_prefix("sig=").and_then(|query| query.strip_suffix(&format!("&exp={exp}")));
            let until: u64 = exp.parse().expect("a moment");
            let at = |now| names.verify(&name, sig.expect("a signature and the moment"), exp, now);
            assert_eq!(
                at(until - 1).map(|granted| (granted.channel, granted.until)),
                Ok((name.clone(), until)),
                "{line}"
            );
            assert_eq!(at(until), Err(SignedRefused::Expired { until, now: until }), "{line}");
            signed += 1;
        }
    }
    assert!(signed >= 5, "only {signed} vectors");
}

#[test]
fn every_code_stands_in_the_tables_as_it_is() {
    let tables = PROTOCOL.split("## Statuses and codes").nth(1).expect("the tables");
    for code in Code::ALL {
        let (label, status, close) = (code.label(), code.http_status(), code.websocket_code());
        if code.ends() {
            let row = format!("| `{label}` | {close} | {status} |");
            assert!(tables.contains(&row), "PROTOCOL.md lacks {row}");
        } else if code.refuses() {
            let row = format!("| {status} | `{label}` |");
            assert!(tables.contains(&row), "PROTOCOL.md lacks {row}");
        }
    }
}

#[test]
fn the_tables_hold_no_code_that_is_not_there() {
    let tables = PROTOCOL.split("## Statuses and codes").nth(1).expect("the tables");
    let mut seen = 0;
    for row in tables.lines().filter(|row| row.starts_with("| `") || row.starts_with("| 4") || row.starts_with("| 5")) {
        let label = row.split('`').nth(1).expect("a label");
        let code = Code::ALL.into_iter().find(|code| code.label() == label).unwrap_or_else(|| panic!("{row}"));
        assert!(row.contains(&format!("| {} |", code.http_status())), "{row}");
        seen += 1;
    }
    assert!(seen >= Code::ALL.len() - 1, "only {seen} rows were found");
}
