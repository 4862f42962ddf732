//! What it costs to ask whether a client may send one more: at most 100 ns each, with the table.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};
use tidings::Config;
use tidings::access::limits::{Client, Limiter, Moment, Party, What};
use tidings::model::ids::{ConnId, MailboxId};

/// Clients of the crowd: as many as the table holds by default.
const CLIENTS: u32 = 100_000;

fn limiter(settings: &str) -> Limiter {
    let config = Config::from_toml("bench", &format!("[limits]\n{settings}")).expect("settings");
    Limiter::new(&config)
}

fn client(slot: u32, party: Party<'_>) -> Client<'_> {
    Client { connection: ConnId::here(MailboxId(0), slot, 7), party, address: None }
}

/// One request each time, ten times as seldom as the default allows.
fn checks(c: &mut Criterion) {
    let mut group = c.benchmark_group("limits");
    let mut bench = |name, settings, ask: &dyn Fn(&Limiter, u32, Moment) -> bool| {
        let (limiter, mut step, started) = (limiter(settings), 0_u32, Instant::now());
        let mut now = started;
        group.bench_function(name, |b| {
            b.iter(|| {
                step = step.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                now += Duration::from_millis(50);
                assert!(ask(&limiter, black_box(step), Moment::of(now, started)));
            });
        });
    };
    let ask = |limiter: &Limiter, client: &Client<'_>, now| limiter.admit(client, What::Requests, false, now).is_ok();
    bench("one connection", "", &|limiter, _, now| ask(limiter, &client(1, Party::Anonymous), now));
    bench("one of a crowd of connections", "", &|limiter, step, now| {
        ask(limiter, &client(step % CLIENTS, Party::Anonymous), now)
    });
    bench("one of a crowd of keys", "key_requests = \"1000/s\"", &|limiter, step, now| {
        let name = [b"backend-of-", &step.to_le_bytes()[..2]].concat();
        ask(limiter, &client(1, Party::Key(&String::from_utf8_lossy(&name))), now)
    });
    group.finish();
}

criterion_group!(benches, checks);
criterion_main!(benches);
