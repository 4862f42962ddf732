//! A Redis that is killed under load, again and again, with and without what it had: what was answered is there or readers are told,
//! and no position ever has two bodies.

use super::account::Account;
use super::member::{Role, Traffic};
use super::{Cluster, is_ready};
use crate::support::redis;
use crate::support::wait_until;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What a Redis that was killed has when it is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    /// All that it answered: an append-only file, and the operator's word for it.
    WithAll,
    /// As much as it wrote each second, without that word.
    Unvouched,
    /// All of it, after an end in order, and the operator's word.
    InOrder,
    /// Nothing.
    Empty,
    /// What it had some time before.
    WithSome,
}

impl Back {
    fn lines(self) -> &'static [&'static str] {
        match self {
            Back::WithSome => &[],
            // With everysec it answers up to two seconds before it writes, where its disk is slow to sync.
            Back::WithAll => &["appendonly yes", "appendfsync always"],
            _ => &["appendonly yes", "appendfsync everysec"],
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        if matches!(self, Back::WithAll | Back::InOrder) { &["--redis.keeps_data", "true"] } else { &[] }
    }
}

/// Kills Redis so many times while three nodes are published to and read at.
fn kill(back: Back, kills: usize, between: Duration, pace: Duration) -> Option<Account> {
    if !redis::is_here("kills of Redis") {
        return None;
    }
    // A node that comes back after another one is to find all that was published meanwhile.
    let more = [back.arguments(), &["--history.count", "100000", "--history.bytes", "64MiB"]].concat();
    let mut cluster = Cluster::start("kills of Redis", 3, back.lines(), &more)?;
    let mut traffic = Traffic::new(&cluster.addresses(), 10);
    traffic.may_be_away = true;
    traffic.may_reset = !matches!(back, Back::WithAll | Back::InOrder);
    let reader = |node| Role { node, reads: true, ..Role::default() };
    let publisher = |node| Role { node, window: 16, pace, ..Role::default() };
    let roles: Vec<Role> = (0..3).map(reader).chain((0..3).map(publisher)).collect();
    let began = Instant::now();
    let addresses = cluster.addresses();
    let redis = &mut cluster.redis;
    let seen = traffic.run(&roles, || {
        for _ in 0..kills {
            let before = traffic.answered.load(Ordering::Relaxed);
            wait_until("publishing goes on", || traffic.answered.load(Ordering::Relaxed) > before + 50);
            std::thread::sleep(between / 2);
            if back == Back::WithSome {
                redis.snapshot();
            }
            std::thread::sleep(between / 2);
            if back == Back::InOrder {
                redis.stop()
            } else {
                redis.kill()
            }
            match back {
                Back::WithAll | Back::Unvouched | Back::InOrder => redis.restart(),
                Back::Empty => redis.restart_empty(),
                Back::WithSome => redis.restart_from_snapshot(),
            }
            wait_until("all nodes are ready", || addresses.iter().all(|node| is_ready(*node)));
        }
    });
    let account = Account::of(&seen);
    println!(
        "kills: Redis killed {kills} times in {:.0} s, back {back:?}: {} publications answered, {} received; told {} times that something \
         may be missing, {} answered that no reader has; refused {:?}, unknown {:?} of which {} were published; no position with two bodies",
        began.elapsed().as_secs_f64(),
        account.answered,
        account.received,
        account.told,
        account.lost,
        account.refused,
        account.unknown,
        account.unknown_published
    );
    cluster.stop();
    Some(account)
}

/// What must hold whatever it came back with.
fn judge(back: Back, account: &Account) {
    match back {
        Back::WithAll | Back::InOrder => assert_eq!((account.told, account.lost), (0, 0), "{account:?}"),
        // Hardly anything is missing, and nobody knows: they are told once for each kill.
        Back::Unvouched | Back::Empty | Back::WithSome => assert!(account.told > 0, "{account:?}"),
    }
}

#[test]
fn what_was_answered_outlives_kills_of_a_redis_that_keeps_its_data() {
    let Some(account) = kill(Back::WithAll, 2, Duration::from_millis(200), Duration::from_millis(2)) else { return };
    judge(Back::WithAll, &account);
}

#[test]
fn a_redis_that_comes_back_with_less_gives_no_position_twice() {
    let Some(account) = kill(Back::WithSome, 2, Duration::from_millis(200), Duration::from_millis(2)) else { return };
    judge(Back::WithSome, &account);
}

#[test]
#[ignore = "run by tests/cluster kills"]
fn twenty_kills_of_each_kind_lose_nothing_silently() {
    for back in [Back::WithAll, Back::Unvouched, Back::InOrder, Back::Empty, Back::WithSome] {
        let Some(account) = kill(back, 20, Duration::from_millis(600), Duration::ZERO) else { return };
        judge(back, &account);
    }
}
