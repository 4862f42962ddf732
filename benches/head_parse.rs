//! The first stage of the river: reading a request head.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tidings::wire::http::head::{HeadLimits, parse_head};

const SMALL: &str = "GET /channels/stocks HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
const POST: &str = "POST /channels/stocks HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
                    Content-Type: application/json\r\nContent-Length: 17\r\n\r\n";
const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\n\
    Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/140.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: http://localhost:8080\r\n\
    Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: tidings.v1\r\n\r\n";

fn heads(c: &mut Criterion) {
    let limits = HeadLimits::default();
    let mut group = c.benchmark_group("head_parse");
    for (name, head) in [("small GET", SMALL), ("POST of curl", POST), ("upgrade of a browser", UPGRADE)] {
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| parse_head(black_box(head.as_bytes()), &limits).expect("valid").expect("complete").1);
        });
    }
    group.finish();
}

criterion_group!(benches, heads);
criterion_main!(benches);
