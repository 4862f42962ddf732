//! The one integration binary: every suite is a module, every server is a real one on a port of its own.

mod access;
#[cfg(feature = "acme")]
mod acme;
mod activation;
mod addresses;
mod admin;
mod advice;
#[cfg(feature = "tokio")]
mod asynchronous;
mod bodies;
#[cfg(feature = "tls")]
mod certificates;
mod changed;
mod credentials;
mod data;
mod deadlines;
mod deflate;
mod documents;
mod drain;
mod durable;
mod echo;
mod elsewhere;
mod embedding;
mod exchanges;
mod exhausted;
mod files;
mod flood;
mod framing;
mod fronts;
mod handshake;
#[cfg(feature = "tls")]
mod handshakes;
mod health;
mod hooks;
mod hostile;
mod http;
#[cfg(feature = "outbound")]
mod key_sets;
mod keys;
mod last_words;
mod laws;
mod leaving;
mod library;
mod limits;
mod listeners;
mod logs;
mod memory;
mod metrics;
mod nodes;
mod operators;
mod pool;
mod properties;
mod protocol;
mod publishing;
mod redirects;
mod reference;
mod refusals;
mod reload;
mod reports;
mod resume;
mod revoked;
mod rules;
mod settings;
mod signed;
mod smoke;
mod snapshots;
mod sse;
mod support;
mod syscalls;
mod takeover;
mod tidy;
#[cfg(feature = "tls")]
mod tls;
mod together;
mod tokens;
mod trials;
mod turned_away;
mod websocket;
