//! A publication into each encoding that its subscribers share.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tidings::hub::publication::{Draft, Publication};
use tidings::model::ids::ChannelId;
use tidings::model::publication::{Data, Epoch, Position};
use tidings::wire::frame::SharedFrame;

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
        type Encoding = fn(&Publication) -> SharedFrame;
        let rows: [(&str, &Data, Encoding); 4] = [
            ("text frame of JSON", &json, Publication::text_frame),
            ("text frame of bytes", &binary, Publication::text_frame),
            ("binary frame", &binary, Publication::binary_frame),
            ("event stream", &json, Publication::event_stream),
        ];
        for (name, data, encode) in rows {
            group.bench_function(format!("{name}, {size} B"), |b| {
                b.iter_batched_ref(|| publication(data), |publication| encode(publication), BatchSize::SmallInput);
            });
        }
        let encoded = publication(&json);
        encoded.text_frame();
        group.bench_function(format!("text frame again, {size} B"), |b| b.iter(|| encoded.text_frame()));
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
