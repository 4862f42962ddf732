//! Tokens, right and wrong: a table of some thousand, what becomes of each, and that another library agrees.
//!
//! `all` makes the table for a second; whatever presents tokens to a server can use it as well.

mod algorithms;
mod busy;
mod claims;
mod form;
mod headers;
mod keys;
mod row;
mod times;
mod world;

use jsonwebtoken::Validation;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use proptest::sample::Index;
use row::{Expected, Row, Rows, USER};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tidings::access::tokens::Issuers;
use tidings::model::refusal::Refusal;
use world::{Known, World};

/// The second of the table in the tests of this file: of no meaning.
const NOW: u64 = 1_800_000_000;

/// The table for a second.
pub(crate) fn all(world: &World, now: u64) -> Vec<Row> {
    let mut rows = Rows { rows: Vec::new(), now };
    form::add(&mut rows, world);
    algorithms::add(&mut rows, world);
    headers::add(&mut rows, world);
    claims::add(&mut rows, world);
    times::add(&mut rows, world);
    rows.rows
}

#[test]
fn every_token_of_the_table_becomes_what_it_should() {
    let world = World::new();
    let issuers = world.issuers();
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::<String, usize>::new());
    for row in all(&world, NOW) {
        let outcome = issuers.verify(&row.token, NOW);
        let found = outcome.as_ref().map_or_else(Expected::of, |_| Expected::Accepted);
        if found != row.expected {
            wrong.push(format!("{}: {found:?} and not {:?}", row.what, row.expected));
        }
        if let Err(refused) = outcome {
            let refusal = Refusal::from(refused);
            assert_eq!(Some(refusal.label()), found.code(), "{}", row.what);
            check_message(&row, &refusal.message);
        }
        if found == Expected::Accepted && !row.is_of_the_second {
            assert!(issuers.verify(&row.token, NOW + 5).is_ok(), "{}: some seconds later", row.what);
        }
        *counts.entry(format!("{found:?}")).or_default() += 1;
    }
    println!("{counts:#?}");
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let refused: usize = counts.iter().filter(|(what, _)| *what != "Accepted").map(|(_, count)| count).sum();
    assert!(refused > 400 && counts["Accepted"] > 100, "{counts:?}");
}

/// Whether another library takes a token for one of an issuer, by any of its keys. It knows neither what the table's
/// second is nor the names of our claims.
fn is_right_to_another_library(known: &Known, token: &str) -> bool {
    known.signers.iter().any(|(_, _, signer)| {
        let (algorithm, key) = signer.theirs();
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[known.iss()]);
        validation.set_audience(&known.config.audience);
        validation.set_required_spec_claims(&["iss", "aud"]);
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
    })
}

#[test]
fn another_library_accepts_what_is_accepted_and_refuses_every_signature_that_is_refused() {
    let world = World::new();
    let issuers = world.issuers();
    let mut compared = 0;
    for row in all(&world, NOW) {
        match (issuers.verify(&row.token, NOW), &row.expected) {
            (Ok(claims), _) => {
                assert!(is_right_to_another_library(&world.issuers[claims.issuer], &row.token), "{}", row.what);
            }
            (Err(_), Expected::Signature) => {
                let right = world.issuers.iter().find(|known| is_right_to_another_library(known, &row.token));
                assert!(right.is_none(), "{}", row.what);
            }
            _ => continue,
        }
        compared += 1;
    }
    assert!(compared > 3000, "{compared}");
}

/// One right token of each algorithm.
static RIGHT: LazyLock<(Issuers, Vec<String>)> = LazyLock::new(|| {
    let world = World::new();
    let rows = all(&world, NOW);
    let right = rows.into_iter().filter(|row| row.what.starts_with("right: "));
    (world.issuers(), right.map(|row| row.token).collect())
});

/// One change of a token: where, as a part of its length, and how.
fn changed(token: &str, place: f64, how: u8, with: char) -> String {
    let mut characters: Vec<char> = token.chars().collect();
    let at = (place * characters.len() as f64) as usize;
    match how {
        0 => characters[at] = with,
        1 => characters.insert(at, with),
        2 => drop(characters.remove(at)),
        3 => characters.truncate(at),
        4 => characters.swap(at, token.len() / 2),
        5 => characters.rotate_left(at),
        6 => drop(characters.drain(..at)),
        _ => characters[at] = if characters[at].is_lowercase() { characters[at].to_ascii_uppercase() } else { 'x' },
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_changed_token_is_accepted(
        which in any::<Index>(),
        changes in vec((0.0..1.0, 0..8_u8, "[-A-Za-z0-9_.=+/ ]|\\PC"), 1..4),
    ) {
        let (issuers, right) = &*RIGHT;
        let token = which.get(right);
        let wrong = changes.iter().fold(token.clone(), |token, (place, how, with)| {
            if token.is_empty() { token } else { changed(&token, *place, *how, with.chars().next().unwrap_or('.')) }
        });
        let outcome = issuers.verify(&wrong, NOW);
        prop_assert_eq!(outcome.is_ok(), right.contains(&wrong), "{}", wrong);
    }
}

/// A message says something, and repeats neither a piece of the token nor a value of a claim.
fn check_message(row: &Row, message: &str) {
    const PIECE: usize = 12;
    assert!((30..400).contains(&message.len()), "{}: {message}", row.what);
    assert!(!message.contains(USER) && !message.contains("nobody.example"), "{}: {message}", row.what);
    let pieces = row.token.as_bytes().chunks_exact(PIECE).filter_map(|piece| std::str::from_utf8(piece).ok());
    for piece in pieces {
        assert!(!message.contains(piece), "{}: {message}", row.what);
    }
}
