//! The targets of `tests/properties`, by name, for the fuzzers in `fuzz_targets`.

#[path = "../../properties/targets/mod.rs"]
mod targets;

/// Runs one target on one input; panics when a property does not hold.
pub fn run(name: &str, data: &[u8]) {
    let target = targets::ALL.iter().find(|target| target.name == name).expect("a target of this name");
    let outcome = (target.check)(data);
    debug_assert!(target.outcomes.contains(&outcome) && !target.words.is_empty());
}
