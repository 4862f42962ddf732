//! Sentinels: when the primary is gone, nodes find the one that took its place.

use super::account::Account;
use super::member::{Role, Traffic};
use super::{is_ready, stop};
use crate::support::http::get;
use crate::support::process::Process;
use crate::support::redis::{self, Redis};
use crate::support::{wait_until, wait_within};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// After how long a Sentinel holds a primary for gone.
const DOWN_AFTER: Duration = Duration::from_millis(500);
/// How long nodes may take to find the new primary once Sentinel has one.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

/// How long Sentinel may take to have a primary of before follow: it gives it 8 s, and asks it every 10 s who it is.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(60);

/// What is done to the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Killed,
    Stopped,
    /// By the operator's command: nothing was wrong with it.
    Asked,
}

fn primary_of(sentinel: &Redis) -> u16 {
    let address = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]);
    address.list()[1].text().parse().expect("a port")
}

/// One failover under load: the account, how long Sentinel took, and how long nodes took after that.
fn fail_over(fault: Fault) -> (Account, Duration, Duration) {
    let mut primary = Redis::start(&[]);
    let replica = Redis::replica_of(&primary, &[]);
    let sentinel = Redis::sentinel_of(&primary, DOWN_AFTER);
    wait_until("the Sentinel knows the replica", || {
        !sentinel.ask(&["SENTINEL", "REPLICAS", "mymaster"]).list().is_empty()
    });
    let sentinels = format!("127.0.0.1:{}", sentinel.port);
    let start = || {
        let variables = [("TIDINGS_REDIS_SENTINELS", sentinels.as_str())];
        let more = ["--engine", "redis", "--reactors", "1", "--workers", "1", "--redis.ready_grace", "100ms"];
        Process::start_with(&variables, &more)
    };
    let nodes = [start(), start()];
    nodes.iter().for_each(|node| wait_until("the node is ready", || is_ready(node.address)));
    let addresses = nodes.each_ref().map(|node| node.address);
    let mut traffic = Traffic::new(&addresses, 5);
    traffic.may_reset = true;
    traffic.may_be_away = true;
    let reader = |node| Role { node, reads: true, ..Role::default() };
    let publisher = |node| Role { node, window: 4, pace: Duration::from_millis(2), ..Role::default() };
    let roles = [reader(0), reader(1), publisher(0), publisher(1)];
    let (mut decided, mut found) = (Duration::ZERO, Duration::ZERO);
    let answered = || traffic.answered.load(Ordering::Relaxed);
    let seen = traffic.run(&roles, || {
        wait_until("publishing goes on", || answered() > 50);
        let began = Instant::now();
        match fault {
            Fault::Killed => primary.kill(),
            Fault::Stopped => primary.signal("STOP"),
            Fault::Asked => drop(sentinel.ask(&["SENTINEL", "FAILOVER", "mymaster"])),
        }
        if fault != Fault::Asked {
            wait_until("readiness tells", || !is_ready(addresses[0]) || primary_of(&sentinel) == replica.port);
        }
        wait_until("the Sentinel has decided", || primary_of(&sentinel) == replica.port);
        decided = began.elapsed();
        let before = answered();
        wait_until("publishing goes on", || answered() > before + 20);
        found = began.elapsed() - decided;
        match fault {
            // It comes back as one that takes writes, until the Sentinel tells it better.
            Fault::Killed => primary.restart(),
            Fault::Stopped => primary.signal("CONT"),
            Fault::Asked => {}
        }
        // It ends connections when it becomes a replica.
        wait_within(FOLLOWS_WITHIN, "the old primary follows", || {
            let role = primary.client().try_ask(&["ROLE"]).map(|role| role.list()[0].text());
            role.is_ok_and(|role| role == "slave")
        });
        let before = answered();
        wait_until("publishing goes on", || answered() > before + 20);
    });
    wait_until("both are ready", || addresses.iter().all(|node| is_ready(*node)));
    assert_eq!(get(addresses[0], "/channels/traffic:0").status, 200);
    nodes.into_iter().for_each(stop);
    (Account::of(&seen), decided, found)
}

fn judge(fault: Fault) {
    let (account, decided, found) = fail_over(fault);
    println!(
        "sentinel: the primary {fault:?} under load: Sentinel had another after {decided:.2?}, and both nodes published there {found:.2?} \
         later; {} publications answered, {} of them on no primary any more, which {} readers were told; refused {:?}, unknown {:?}",
        account.answered, account.lost, account.told, account.refused, account.unknown
    );
    assert!(account.told > 0, "another run of Redis may have less: {account:?}");
    assert!(found < FOUND_WITHIN + Duration::from_secs(3), "nodes took {found:?}");
}

#[test]
fn nodes_follow_the_sentinels_when_the_primary_is_killed() {
    if redis::is_here("Sentinel") {
        judge(Fault::Killed);
    }
}

#[test]
#[ignore = "run by tests/cluster sentinel"]
fn nodes_follow_the_sentinels_whatever_happens_to_the_primary() {
    if redis::is_here("Sentinel") {
        for fault in [Fault::Killed, Fault::Stopped, Fault::Asked] {
            judge(fault);
        }
    }
}
