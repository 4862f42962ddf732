//! What a program does with a server inside it: hooks that refuse, messages with events and keys, history, counts.
//!
//! `cargo run --example embedded`, then `tidings subscribe auction` or `curl localhost:8080/channels/auction`.

use std::time::Duration;
use tidings::{Config, Denied, Hooks, Message, Replay, Server};

/// The lowest bid, in cents.
const LEAST_CENTS: u64 = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hooks = Hooks::default()
        .on_read(|reading| match reading.channel() {
            "reserve-price" => Err(Denied::new("the reserve price is secret")),
            _ => Ok(()),
        })
        .on_write(|bid| match std::str::from_utf8(bid.data()).ok().and_then(|text| text.parse::<u64>().ok()) {
            Some(cents) if cents >= LEAST_CENTS => Ok(()),
            _ => Err(Denied::new(format!("a bid is a number of cents, {LEAST_CENTS} or more"))),
        });
    let server = Server::start_with(Config::default(), hooks)?;
    let _bids = server.subscribe("auction", |bid| match bid.json::<u64>() {
        Ok(cents) => println!("bid {} at {}: {cents} cents", bid.offset(), bid.position()),
        Err(error) => println!("no bid: {error}"),
    })?;
    // Published once, however often it is tried.
    let opening = Message::json("100").event("opening").key("opening-bid");
    server.publish("auction", opening.clone())?;
    server.publish("auction", opening)?;
    loop {
        std::thread::sleep(Duration::from_secs(10));
        let history = server.history("auction", Replay::last(3))?;
        let newest: Vec<u64> = history.publications.iter().filter_map(|bid| bid.json().ok()).collect();
        println!("{} subscribers, newest bids: {newest:?}", server.subscribers("auction"));
    }
}
