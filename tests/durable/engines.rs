//! The table of engines in the protocol's text is what servers do: each row is tried with each engine.

use super::{Store, position, published};
use crate::support::http::{HttpClient, get, post};
use crate::support::redis::{self, Redis};
use crate::support::{PATIENCE, TestServer};
use tidings::{Config, EngineKind};

const PROTOCOL: &str = include_str!("../../src/protocol/tidings/PROTOCOL.md");

/// A server of one engine, and where it keeps what it keeps.
struct Served {
    engine: &'static str,
    store: Store,
    /// One of its own.
    redis: Option<Redis>,
}

impl Served {
    fn start(&self) -> TestServer {
        TestServer::start(|config: &mut Config| {
            match (self.engine, &self.redis) {
                ("disk", _) => self.store.keep(config),
                ("redis", Some(redis)) => {
                    config.server.engine = EngineKind::Redis;
                    config.redis.url = redis.url().parse().expect("its address");
                }
                _ => {}
            }
            config.history.count = 5;
        })
    }

    /// What a row of the table is like with this engine.
    fn answer(&self, feature: &str) -> &'static str {
        let server = self.start();
        let first = published(&post(server.address(), "/channels/a", "1"));
        let keyed = |server: &TestServer| {
            let fields = [("Idempotency-Key", "k")];
            HttpClient::connect(server.address()).request("POST", "/channels/a", &fields, b"2").json()
        };
        let second = keyed(&server);
        let restarted = |server: TestServer| {
            server.stop(PATIENCE);
            self.start()
        };
        let resumes = |server: &TestServer| {
            get(server.address(), &format!("/channels/a?since={first}")).json()["recovered"] == true
        };
        let does = match feature {
            "publish, subscribe, and everything else on this page" => second["offset"] == 2,
            "resume while the server runs" => resumes(&server),
            "read pages of more than `history.count`" => {
                (3..=20).for_each(|n| drop(published(&post(server.address(), "/channels/a", &n.to_string()))));
                resumes(&server)
            }
            "remember an idempotency key" => keyed(&server) == second,
            "resume after a restart" => resumes(&restarted(server)),
            "keep the epoch over a restart" => {
                let server = restarted(server);
                published(&post(server.address(), "/channels/a", "3")) == first.replace(":1", ":3")
            }
            "remember an idempotency key over a restart" => position(&keyed(&restarted(server))) == position(&second),
            "reset a channel, by the program that embeds the server" => match server.reset_channel("a") {
                Ok(position) => position.is_some_and(|position| position.offset == 0),
                Err(error) => return if error.code() == "not_with_this_engine" { "501" } else { "another error" },
            },
            other => panic!("no check for {other:?}"),
        };
        if does { "yes" } else { "no" }
    }
}

#[test]
fn every_row_of_the_table_of_engines_is_so() {
    let table = PROTOCOL.split("## Engines").nth(1).and_then(|rest| rest.split("## ").next()).expect("a section");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| feature"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 8, "{rows:?}");
    let has_redis = redis::is_here("the column of redis in the table of engines");
    for row in rows {
        for (engine, expected) in [("memory", row[1]), ("disk", row[2]), ("redis", row[3])] {
            let redis = (engine == "redis" && has_redis).then(|| Redis::start(&[]));
            if engine == "redis" && redis.is_none() {
                continue;
            }
            let served = Served { engine, store: Store::new(), redis };
            assert_eq!(served.answer(row[0]), expected, "{} with {engine}", row[0]);
        }
    }
}
