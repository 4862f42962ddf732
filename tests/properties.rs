//! Properties of everything that reads network input: the stored corpus, then random and mutated inputs from seeds.
//!
//! `TIDINGS_PROPERTY_SEED=n` runs the case of one seed alone (a failure prints it), `TIDINGS_PROPERTY_CASES=n` that many
//! instead of the few of every day. The same targets are fuzzed with coverage by `tests/fuzz/run`.

mod replay;
mod targets;

use targets::Target;

fn run(name: &str, cases: u64) {
    let target: &Target = targets::ALL.iter().find(|target| target.name == name).expect("a target of this name");
    replay::run(target, cases);
}

#[test]
fn frames_are_read_as_tungstenite_reads_them() {
    run("frames", 20_000);
}

#[test]
fn heads_mean_to_a_second_parser_what_they_mean_to_us() {
    run("head", 20_000);
}

#[test]
fn chunked_bodies_mean_to_a_second_decoder_what_they_mean_to_us() {
    run("chunks", 20_000);
}

#[test]
fn requests_mean_what_a_reader_by_serde_finds_in_them() {
    run("requests", 20_000);
}

#[test]
fn names_follow_their_grammar_on_every_way_in() {
    run("names", 20_000);
}

#[test]
fn what_is_agreed_of_extensions_answers_an_offer() {
    run("extensions", 20_000);
}

#[test]
fn compressed_messages_mean_to_another_implementation_what_they_mean_to_us() {
    run("deflate", 5_000);
}

#[test]
fn a_connection_keeps_its_limits_and_sends_only_what_its_peer_can_read() {
    run("connection", 20_000);
}

#[test]
fn tokens_that_are_accepted_mean_to_another_library_what_they_mean_to_us() {
    run("jwt", 20_000);
}

#[test]
fn key_sets_hold_what_another_library_can_use_and_never_a_private_key() {
    run("jwks", 5_000);
}

#[test]
fn keys_are_exactly_those_that_are_configured() {
    run("keys", 20_000);
}

#[test]
fn signed_names_are_exactly_those_that_were_signed() {
    run("signed", 20_000);
}

#[test]
fn clients_are_where_a_plain_reading_finds_them_whatever_stands_before() {
    run("addresses", 20_000);
}

#[test]
fn proxy_headers_mean_what_a_plain_reading_finds_in_them() {
    run("proxied", 20_000);
}

#[test]
fn replies_of_redis_are_read_as_they_were_written_and_within_their_limits() {
    run("replies", 20_000);
}

#[test]
fn entries_are_read_as_they_were_written_or_refused() {
    run("entries", 20_000);
}

#[test]
fn every_target_has_its_corpus_and_its_fuzzer() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let named = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder of tests/fuzz");
        let names = entries.map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_owned());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let mut known: Vec<&str> = targets::ALL.iter().map(|target| target.name).collect();
    known.sort_unstable();
    assert_eq!(named("corpus"), known);
    assert_eq!(named("fuzz_targets"), known);
}
