//! Nothing: cargo wants a target in a package, and this one is there for its dependency.
