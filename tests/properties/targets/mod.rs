//! What reads network input, each as one function of bytes that panics when a property does not hold.
//!
//! The same functions are run by plain `cargo test` (see `properties`) and by libFuzzer (see `tests/fuzz`). Each says
//! what became of its input, so that a run can show that every outcome and every listed difference is met.

pub(crate) mod addresses;
pub(crate) mod chunks;
pub(crate) mod connection;
pub(crate) mod deflate;
pub(crate) mod entries;
pub(crate) mod extensions;
pub(crate) mod frames;
pub(crate) mod grammar;
pub(crate) mod head;
pub(crate) mod head_rules;
pub(crate) mod heard;
pub(crate) mod input;
pub(crate) mod json;
pub(crate) mod jwks;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod peer;
pub(crate) mod proxied;
pub(crate) mod replies;
pub(crate) mod requests;
pub(crate) mod signed;
pub(crate) mod world;

/// One target.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// Its name, also that of its corpus.
    pub(crate) name: &'static str,
    /// Panics when a property does not hold; says what became of the input.
    pub(crate) check: fn(&[u8]) -> &'static str,
    /// Everything that may become of an input; all of it is met by the corpus and the random inputs together.
    pub(crate) outcomes: &'static [&'static str],
    /// Words that random inputs are seasoned with.
    pub(crate) words: &'static [&'static str],
}

/// All targets.
pub(crate) const ALL: &[Target] = &[
    frames::TARGET,
    head::TARGET,
    chunks::TARGET,
    requests::TARGET,
    names::TARGET,
    extensions::TARGET,
    deflate::TARGET,
    connection::TARGET,
    jwt::TARGET,
    jwks::TARGET,
    keys::TARGET,
    signed::TARGET,
    addresses::TARGET,
    proxied::TARGET,
    replies::TARGET,
    entries::TARGET,
];
