//! What a hop through the worker pool costs beside parsing in place: the break-even gives `server.inline_parse_bytes`.

use arc_swap::ArcSwap;
use criterion::{Criterion, criterion_group, criterion_main};
use std::sync::{Arc, LazyLock};
use std::thread::{Thread, current, park};
use std::time::Instant;
use tidings::Config;
use tidings::access::{Identities, Identity};
use tidings::connection::env::Limits;
use tidings::handoff::errand::Errands;
use tidings::handoff::job::{Job, JobQueues};
use tidings::handoff::mailbox::{Letter, MailboxLimits, Mailboxes, Outcome, Wake};
use tidings::handoff::postman::Postman;
use tidings::hub::limits::HubLimits;
use tidings::hub::{Hub, RandomSource};
use tidings::model::ids::{ConnId, MailboxId};
use tidings::node::execute::{Node, execute};
use tidings::protocol::Session;
use tidings::protocol::scope::Settings;
use tidings::protocol::task::{RawWork, Reading, Task};
use tidings::protocol::tidings::parse::Dialect;
use tidings::wire::frame::Kind;
use tidings::wire::json::JsonScratch;
use tidings::workers::Worker;

/// Wakes the benchmark's thread as a waker wakes a reactor.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(&self) {
        self.0.unpark();
    }
}

const TO: ConnId = ConnId::here(MailboxId(0), 0, 0);

/// Somebody who may publish.
static PUBLISHER: LazyLock<Arc<Identity>> = LazyLock::new(|| Identities::default().publisher);

fn raw(payload: Vec<u8>) -> RawWork<Vec<u8>> {
    RawWork {
        task: Task::Message(Session::Tidings(Dialect::Strict), Kind::Text),
        payload,
        identity: Arc::clone(&PUBLISHER),
    }
}

/// A POST of an array of about `bytes`.
fn payload(bytes: usize) -> Vec<u8> {
    let item = r#"{"s":"TIDE","p":101.25},"#;
    let items = item.repeat(bytes / item.len() + 1);
    let items = items.trim_end_matches(',');
    format!("{{\"method\":\"POST\",\"path\":\"/channels/stocks\",\"data\":[{items}]}}").into_bytes()
}

fn hand_off(c: &mut Criterion) {
    let hub = Arc::new(Hub::new(HubLimits::default(), RandomSource::secret()));
    let limits = MailboxLimits { entries: 4096, bytes: 16 << 20 };
    let (mailboxes, mut inboxes) = Mailboxes::new(vec![Box::new(Unpark(current()))], limits, 1 << 30);
    let inbox = inboxes.remove(0);
    let (jobs, room, mut queues) = JobQueues::new(1, 256, 16 << 20);
    let worker = Worker {
        index: 0,
        jobs: queues.remove(0),
        room,
        hub: Arc::clone(&hub),
        rules: Arc::default(),
        mailboxes: Arc::clone(&mailboxes),
        counters: Arc::default(),
        limits: Arc::new(ArcSwap::from_pointee(Limits::new(&Config::default()))),
        errands: Errands::new(1).0,
    };
    let thread = std::thread::spawn(move || worker.run());
    let postman = Postman::new(Arc::clone(&mailboxes), Some(MailboxId(0)));
    let settings = Settings::new(&Config::default());
    let mut scratch = JsonScratch::default();
    let mut group = c.benchmark_group("hand_off");
    for size in [128, 1024, 4096, 8192, 16 * 1024, 60 * 1024] {
        let text = payload(size);
        group.bench_function(format!("in place, {size} B"), |b| {
            b.iter(|| {
                let mut work =
                    raw(text.clone()).prepare(TO, &mut Reading { scratch: &mut scratch, settings: &settings });
                execute(&mut work, Node::open(&hub), &postman, Instant::now(), 0);
                while inbox.next().is_some() {}
            });
        });
        group.bench_function(format!("through a worker, {size} B"), |b| {
            b.iter(|| {
                assert!(jobs.submit(Job::Work { to: TO, raw: raw(text.clone()), limited: None }).is_ok());
                loop {
                    mailboxes.begin_drain(MailboxId(0));
                    match inbox.next() {
                        Some(Letter::Order(_)) => {}
                        Some(Letter::Returned(returned)) => {
                            assert!(matches!(returned.outcome, Outcome::Done));
                            break;
                        }
                        Some(Letter::Delivery(_) | Letter::Reply(_)) => {}
                        None => park(),
                    }
                }
            });
        });
    }
    group.finish();
    drop(jobs);
    thread.join().expect("the worker ends with its queue");
}

criterion_group!(benches, hand_off);
criterion_main!(benches);
