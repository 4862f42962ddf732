//! What waits in an outbox within a tick, before anything is written.

use super::{Rehearsal, masked};
use crate::config::Config;
use crate::reactor::RUN_BYTES;

/// A run for one channel is pushed whole to who can take it, and the publication of another channel that ends the run
/// comes on top: an audit that knew of the limit and a few publications found 18,220 bytes of 17,408.
#[test]
fn before_a_flush_half_the_limit_a_run_and_a_publication_wait_at_most() {
    let mut config = Config::default();
    config.delivery.outbox_bytes = 4096;
    let limit = config.delivery.outbox_bytes as u64;
    let mut server = Rehearsal::new(&config);
    let reader = server.open("/ws");
    server.send(reader, &masked(br#"[{"method":"GET","path":"/channels/a"},{"method":"GET","path":"/channels/b"}]"#));
    server.turn();
    let publisher = server.open("/ws");
    let post = |channel: char| masked(format!("POST /channels/{channel} \"{}\"", "x".repeat(400)).as_bytes());
    let publication = 500;
    server.send(publisher, &[post('a').repeat(36), post('b'), post('a').repeat(30)].concat());
    let (mut before, mut most) = (server.written(reader).expect("it is there"), 0);
    while server.engine.is_busy() || most == 0 {
        server.engine.turn();
        let now = server.written(reader).expect("it is there");
        most = most.max(now - before);
        before = now;
    }
    assert!(most > limit + publication, "a whole run is one write: {most} bytes");
    assert!(most <= limit / 2 + RUN_BYTES as u64 + publication, "{most} bytes waited");
    assert_eq!(server.hub().stats().published, 67);
}
