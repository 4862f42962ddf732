//! Finding the rule of a channel among 1,000 `[[channel]]` blocks, and judging by it: what each subscription and each
//! publication asks where there are rules.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tidings::access::{Action, Actions, ChannelRules, Grants, Identity, Who};
use tidings::config::ChannelRule;
use tidings::model::glob::Glob;
use tidings::model::name::ChannelName;

/// Blocks of the configuration.
const BLOCKS: usize = 1_000;

/// Rules by the patterns of so many blocks.
fn rules(blocks: usize, pattern: impl Fn(usize) -> String) -> ChannelRules {
    let rule = |number| ChannelRule::new(Glob::parse(&pattern(number)).expect("a pattern"));
    ChannelRules::new(&(0..blocks).map(rule).collect::<Vec<_>>(), false, "")
}

fn finding(c: &mut Criterion) {
    type Shape = (&'static str, fn(usize) -> String, fn(usize) -> String);
    // How blocks are written, and a name that meets the block of a number.
    let shapes: [Shape; 4] = [
        ("exact names", |n| format!("orders:{n:04}"), |n| format!("orders:{n:04}")),
        ("app-N:*", |n| format!("app-{n:04}:*"), |n| format!("app-{n:04}:room-7")),
        (
            "prefixes of 100 lengths",
            |n| format!("{n:04}-{}:*", "x".repeat(n % 100)),
            |n| format!("{n:04}-{}:room-7", "x".repeat(n % 100)),
        ),
        // What begins alike is tried in order.
        ("chat:*:N", |n| format!("chat:*:{n:04}"), |n| format!("chat:room-7:{n:04}")),
    ];
    for (name, pattern, meets) in shapes {
        let rules = rules(BLOCKS, pattern);
        let mut group = c.benchmark_group(format!("1,000 blocks, {name}"));
        for (place, number) in [("first", 0), ("middle", BLOCKS / 2), ("last", BLOCKS - 1), ("none", BLOCKS)] {
            let channel = meets(number);
            let expected = (number < BLOCKS).then_some(number + 1);
            assert_eq!(rules.met(&channel).number, expected, "{channel}");
            group.bench_function(place, |b| b.iter(|| rules.met(black_box(&channel)).number));
        }
        group.finish();
    }
}

/// The whole verdict on a user, by how many blocks there are.
fn judging(c: &mut Criterion) {
    let user = Identity::new(Who::User("ada".into()), Grants::everywhere(Actions::ALL));
    let mut group = c.benchmark_group("rules");
    for blocks in [1, 8, 10, 100, BLOCKS] {
        let rules = rules(blocks, |n| format!("app-{n:04}:*"));
        let channel = ChannelName::new(&format!("app-{:04}:room-7", blocks / 2)).expect("a name");
        group.bench_function(BenchmarkId::new("judged by", blocks), |b| {
            b.iter(|| rules.judge(black_box(&user), Action::Read, &channel).expect("granted"));
        });
    }
    group.finish();
}

criterion_group!(benches, finding, judging);
criterion_main!(benches);
