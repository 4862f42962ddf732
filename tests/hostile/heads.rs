//! Heads that come byte by byte: a byte costs the same in a large head as in a small one.

use super::witness::Witness;
use crate::support::http::HttpClient;
use std::io::Write;

/// Heads of each size.
const HEADS: usize = 3;

#[test]
#[ignore = "run by tests/run hostile"]
fn a_byte_of_a_dripping_head_costs_the_same_whatever_the_size_of_the_head() {
    let server = super::server("[http]\nhead_bytes = \"1 MiB\"\n");
    let witness = Witness::that_stays_on(&server);
    let mut cost = Vec::new();
    for size in [16 * 1024, 32 * 1024, 64 * 1024, 128 * 1024] {
        let head = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Filler: {}\r\n\r\n", "a".repeat(size));
        let before = server.cpu_ticks();
        for _ in 0..HEADS {
            let mut client = HttpClient::connect(server.address);
            for byte in head.as_bytes().chunks(1) {
                client.raw.stream.write_all(byte).expect("the server reads");
            }
            assert_eq!(client.read_answer(false).status, 200);
        }
        let spent = (server.cpu_ticks() - before) as f64 * 10_000.0 / (HEADS * head.len()) as f64;
        println!("heads: {size} bytes one at a time cost {spent:.2} µs of the server's CPU each");
        cost.push(spent);
    }
    witness.finish("heads");
    // Parsing anew at each byte takes at least 30 µs of each at the largest size and 4 µs at the smallest. How many bytes
    // one read finds differs with what else the machine does, and so does the price of a byte, threefold and more.
    assert!(cost[3] < 3.0 * cost[0] + 12.0, "{cost:?}");
}
