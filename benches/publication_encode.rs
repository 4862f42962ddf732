//! A publication into each encoding that its subscribers share.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tidings::hub::publication::{Draft, Publication};
use tidings::model::encoding::Encoding;
use tidings::model::ids::ChannelId;
use tidings::model::publication::{Data, Epoch, Position};
use tidings::protocol::encoders::{BINARY, EVENT_STREAM, TEXT, encoded};
use tidings::wire::deflate::{Codec, Tuning};

fn publication(data: &Data) -> Publication {
    let position = Position { epoch: Epoch::from_random(7), offset: 123_456 };
    Publication::new(
        "stocks".try_into().expect("a name"),
        ChannelId(1),
        position,
        Draft { data: data.clone(), event: None, time: None },
    )
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("publication_encode");
    for size in [128, 1024] {
        let json = Data::Json(Bytes::from(format!("\"{}\"", "x".repeat(size - 2))));
        let binary = Data::Binary { bytes: Bytes::from(vec![7; size]), content_type: "image/png".into() };
        let mut codec = Codec::new(Tuning { level: 1, least_bytes: 256, most_bytes: 1 << 20 });
        let rows: [(&str, &Data, Encoding); 5] = [
            ("text frame of JSON", &json, TEXT),
            ("text frame of JSON, compressed", &json, TEXT.deflated()),
            ("text frame of bytes", &binary, TEXT),
            ("binary frame", &binary, BINARY),
            ("event stream", &json, EVENT_STREAM),
        ];
        for (name, data, encoding) in rows {
            group.bench_function(format!("{name}, {size} B"), |b| {
                let encode = |publication: &mut Publication| encoded(publication, encoding, &mut codec);
                b.iter_batched_ref(|| publication(data), encode, BatchSize::SmallInput);
            });
        }
        let publication = publication(&json);
        for (name, encoding) in [("text frame", TEXT), ("compressed frame", TEXT.deflated())] {
            let name = format!("{name} again, {size} B");
            group.bench_function(name, |b| b.iter(|| encoded(&publication, encoding, &mut codec)));
        }
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
