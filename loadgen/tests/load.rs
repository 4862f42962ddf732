//! The load generator as a program, against servers that are known: a crooked one that says what it did, a real one, and
//! one that is stopped.

#[path = "load/adapters.rs"]
mod adapters;
#[path = "load/command.rs"]
mod command;
#[path = "load/crooked.rs"]
mod crooked;
#[path = "load/honesty.rs"]
mod honesty;
#[path = "load/keys.rs"]
mod keys;
#[path = "load/nothing.rs"]
mod nothing;
#[path = "load/outputs.rs"]
mod outputs;
#[path = "load/pages.rs"]
mod pages;
#[path = "load/requests.rs"]
mod requests;
#[path = "load/scenarios.rs"]
mod scenarios;
#[path = "load/signing_in.rs"]
mod signing_in;
#[path = "load/stopped.rs"]
mod stopped;
#[path = "load/support.rs"]
mod support;
