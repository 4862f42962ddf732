//! A text frame into a request, and what it stands on: validation by simd-json, with serde_json for comparison.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::de::IgnoredAny;
use std::hint::black_box;
use tidings::protocol::tidings::parse::{Dialect, Parsed, parse_text};
use tidings::wire::json::{JsonScratch, validate};

/// A POST whose data is an array of numbers and texts of about `bytes`.
fn post(bytes: usize) -> String {
    let item = r#"{"s":"TIDE","p":101.25},"#;
    let items = item.repeat(bytes / item.len() + 1);
    format!("{{\"method\":\"POST\",\"path\":\"/channels/stocks\",\"data\":[{}]}}", items.trim_end_matches(','))
}

fn parse(c: &mut Criterion) {
    let mut scratch = JsonScratch::default();
    let mut group = c.benchmark_group("request_parse");
    for size in [10, 100, 1024, 16 * 1024, 60 * 1024] {
        let text = post(size);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("request, {size} B of data"), |b| {
            b.iter(|| {
                let parsed = parse_text(black_box(text.as_bytes()), &mut scratch, Dialect::Strict);
                assert!(matches!(parsed, Parsed::One(Ok(_))));
            });
        });
        group.bench_function(format!("validate with simd-json, {size} B"), |b| {
            b.iter(|| validate(black_box(text.as_bytes()), &mut scratch).is_ok());
        });
        group.bench_function(format!("validate with serde_json, {size} B"), |b| {
            b.iter(|| serde_json::from_slice::<IgnoredAny>(black_box(text.as_bytes())).is_ok());
        });
        group.bench_function(format!("serde_json::Value, {size} B"), |b| {
            b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(text.as_bytes())).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
