//! Frames in the read buffer: our decoder, and tungstenite's `WebSocketContext` on the same bytes.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::io::{Cursor, Read, Result, Write};
use tidings::wire::frame::{Decoded, Decoder, FrameLimits, Opcode, Role, write_masked};
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig, WebSocketContext};

/// What a context reads from; it writes nowhere.
struct Input(Cursor<Vec<u8>>);

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Input {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn frames(size: usize, count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for index in 0..count {
        write_masked(&mut out, Opcode::Text, true, &vec![b'a'; size], [1, 2, 3, index as u8]);
    }
    out
}

fn decode_all(input: &mut [u8]) -> usize {
    let (mut decoder, limits) = (Decoder::new(Role::Server), FrameLimits::default());
    let (mut offset, mut messages) = (0, 0);
    while offset < input.len() {
        let (consumed, decoded) = decoder.decode(&mut input[offset..], &limits);
        offset += consumed;
        messages += usize::from(matches!(decoded, Ok(Decoded::Event(_))));
    }
    messages
}

fn decode(c: &mut Criterion) {
    // The buffer it would be given in a server: the default of 128 KiB is cleared before each read.
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let mut group = c.benchmark_group("frame_decode");
    for (size, count) in [(20, 16), (128, 16), (1024, 16), (16 * 1024, 1)] {
        let input = frames(size, count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("ours, {size} B x {count}"), |b| {
            b.iter_batched_ref(|| input.clone(), |input| assert_eq!(decode_all(input), count), BatchSize::SmallInput);
        });
        group.bench_function(format!("tungstenite, {size} B x {count}"), |b| {
            b.iter_batched_ref(
                || (WebSocketContext::new(TheirRole::Server, Some(config)), Input(Cursor::new(input.clone()))),
                |(context, input)| (0..count).for_each(|_| assert!(context.read(input).is_ok())),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
