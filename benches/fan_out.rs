//! Publishing into the hub, and one publication into the outboxes of many subscribers.

mod nowhere;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nowhere::Nowhere;
use std::io::IoSlice;
use std::sync::{Arc, LazyLock};
use std::time::Instant;
use tidings::access::{Identities, Identity};
use tidings::connection::buffer_pool::BufferPool;
use tidings::connection::outbox::{Outbox, SLICES_MAX};
use tidings::hub::limits::HubLimits;
use tidings::hub::publication::{Draft, Publication};
use tidings::hub::{Hub, RandomSource};
use tidings::model::ids::{ChannelId, ConnId, MailboxId};
use tidings::model::name::ChannelName;
use tidings::model::publication::{Data, Epoch, Position};
use tidings::model::request::{GetOptions, PostOptions, Request, Verb};
use tidings::model::ticket::Ticket;
use tidings::node::execute::{Node, Progress, execute};
use tidings::node::work::Work;
use tidings::protocol::encoders::{TEXT, encoded};
use tidings::wire::deflate::{Codec, Tuning};

fn name() -> ChannelName {
    ChannelName::new("stocks").expect("a valid name")
}

fn data() -> Data {
    Data::Json(Bytes::from(format!("\"{}\"", "x".repeat(126))))
}

/// Somebody who may publish.
static PUBLISHER: LazyLock<Arc<Identity>> = LazyLock::new(|| Identities::default().publisher);

fn work(verb: Verb, mailbox: u32) -> Work {
    let to = ConnId::here(MailboxId(mailbox), 0, 0);
    Work::one(to, Arc::clone(&PUBLISHER), Ticket::default(), Ok(Request { id: None, verb }))
}

fn publish(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish");
    for mailboxes in [0, 1, 2] {
        let hub = Hub::new(HubLimits::default(), RandomSource::secret());
        for mailbox in 0..mailboxes {
            let verb = Verb::Get { channel: name(), options: GetOptions::default() };
            execute(&mut work(verb, mailbox), Node::open(&hub), &Nowhere, Instant::now(), 0);
        }
        let (channel, now) = (name(), Instant::now());
        group.bench_function(format!("128 B to {mailboxes} mailboxes"), |b| {
            b.iter(|| {
                let options = PostOptions::of(data());
                let verb = Verb::Post { channel: channel.clone(), post: options };
                assert_eq!(execute(&mut work(verb, 0), Node::open(&hub), &Nowhere, now, 0), Progress::Done);
            });
        });
    }
    group.finish();
}

fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("fan_out");
    let position = Position { epoch: Epoch::from_random(7), offset: 1 };
    let draft = Draft { data: data(), event: None, time: None };
    let publication = Publication::new(name(), ChannelId(1), position, draft);
    for subscribers in [100, 1_000, 10_000] {
        let mut outboxes: Vec<Outbox> = (0..subscribers).map(|_| Outbox::default()).collect();
        let mut buffers = BufferPool::default();
        let mut codec = Codec::new(Tuning { level: 1, least_bytes: 256, most_bytes: 1 << 20 });
        group.throughput(Throughput::Elements(subscribers as u64));
        group.bench_function(format!("push and take, {subscribers} outboxes"), |b| {
            b.iter(|| {
                let frame = encoded(&publication, TEXT, &mut codec);
                for outbox in &mut outboxes {
                    outbox.push_shared(frame.clone(), &mut buffers);
                    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                    let filled = outbox.slices(&mut slices);
                    let bytes = slices[..filled].iter().map(|slice| slice.len()).sum();
                    outbox.advance(bytes, &mut buffers);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, publish, fan_out);
criterion_main!(benches);
