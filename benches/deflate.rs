//! permessage-deflate: a message compressed by itself at two levels, and inflated; other implementations beside it.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, Compression, FlushCompress};
use tidings::wire::deflate::{Codec, Tuning};

/// JSON as prices are published, of about `bytes` bytes.
fn prices(bytes: usize) -> Vec<u8> {
    let mut text = String::from("[");
    let mut number = 1_u32;
    while text.len() < bytes {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (price, volume) = (number % 50_000, number >> 20);
        text.push_str(&format!(
            r#"{{"symbol":"S{}","price":{}.{:02},"volume":{volume}}},"#,
            price % 97,
            price / 100,
            price % 100
        ));
    }
    text.truncate(bytes);
    text.into_bytes()
}

fn deflate(c: &mut Criterion) {
    for bytes in [100, 256, 1024, 16 * 1024, 256 * 1024] {
        let message = prices(bytes);
        let mut group = c.benchmark_group(format!("deflate/{bytes}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        for level in [1, 6] {
            let mut codec = Codec::new(Tuning { level, least_bytes: 1, most_bytes: usize::MAX });
            let made = codec.deflate(15, &message).map_or(bytes, <[u8]>::len);
            group.bench_function(format!("level {level}, to {made} bytes"), |b| {
                b.iter(|| codec.deflate(15, &message).map(<[u8]>::len));
            });
        }
        let mut other = Compress::new(Compression::new(1), false);
        let mut out = Vec::with_capacity(bytes + 1024);
        group.bench_function("miniz_oxide, level 1", |b| {
            b.iter(|| {
                other.reset();
                out.clear();
                other.compress_vec(&message, &mut out, FlushCompress::Sync).expect("it compresses");
                out.len()
            });
        });
        let mut codec = Codec::new(Tuning { level: 1, least_bytes: 1, most_bytes: usize::MAX });
        if let Some(packed) = codec.deflate(15, &message).map(<[u8]>::to_vec) {
            group.bench_function("inflate", |b| {
                b.iter(|| codec.inflate(&packed, bytes).expect("it was made from a message of that size").len());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, deflate);
criterion_main!(benches);
