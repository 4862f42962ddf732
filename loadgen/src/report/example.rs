//! A result with everything in it, for the tests of what is shown of results.

use crate::message::Distribution;
use crate::outcome::{Latency, Outcome, Window, WindowLatency, WindowServer};
use crate::random::Random;
use std::collections::BTreeMap;

/// What the latencies are, in the order of the receivers that they belong to, and their scales in nanoseconds.
const SCALES: [(&str, f64); 7] = [
    ("delivery", 3e6),
    ("response", 3.2e6),
    ("service", 3e6),
    ("lag", 2e4),
    ("first", 3e5),
    ("median", 3e6),
    ("last", 7e6),
];

/// Half a minute of fan-out; its figures depend on the seed. Nothing was measured from second 10 to second 12.
pub(crate) fn example(label: &str, seed: u64) -> Outcome {
    let mut outcome: Outcome = serde_json::from_str(include_str!("html/example.json")).expect("an example");
    outcome.label = label.to_owned();
    let mut random = Random::new(seed);
    for (name, scale) in SCALES {
        let mut distribution = Distribution::default();
        // Log-logistic: half of the values below the scale, and a long tail above it.
        (0..20_000).for_each(|_| {
            let share = random.share().clamp(1e-6, 1.0 - 1e-6);
            distribution.record((scale * (share / (1.0 - share)).powf(0.3)) as u64);
        });
        let latency = Latency::of(distribution.histogram(), &[50.0, 90.0, 99.0, 99.9]);
        outcome.latencies.insert(name.to_owned(), latency);
    }
    outcome.series = (0..30).filter(|at| !(10..12).contains(at)).map(|at| window(at, &mut random)).collect();
    outcome
}

fn window(at: u32, random: &mut Random) -> Window {
    let p99 = 1e-2 * (1.0 + random.share());
    let latency = WindowLatency { count: 1000, p50: 3e-3 * (1.0 + 0.1 * random.share()), p99, max: 2.0 * p99 };
    let server =
        WindowServer { cpu_user: 0.2, cpu_system: 0.4, rss: (40 << 20) + u64::from(at) * 4096, descriptors: 112 };
    Window {
        at: f64::from(at),
        seconds: 1.0,
        connections: 101,
        sent: 100,
        received: 10_000 + random.next() % 50,
        latencies: BTreeMap::from([("delivery".to_owned(), latency)]),
        server: Some(server),
        generator_busy: 0.3 + 0.1 * random.share(),
        ..Window::default()
    }
}
