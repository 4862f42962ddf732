//! A server that stops while others take over, as a balancer and its clients see it.

use super::fronts::balanced;
use crate::fronts::proxy::{Program, Proxy};
use crate::support::frames::RawSocket;
use crate::support::http::post;
use crate::support::process::{Process, descriptors_allowed};

/// Two servers behind a balancer; one is told to stop. Nobody's request fails: it goes on serving until the balancer has
/// noticed, and its sockets are told that it restarts.
#[test]
#[ignore = "run by tests/run reports: needs HAProxy"]
fn a_rolling_restart_refuses_requests_for_a_moment() {
    let toml = "[server]\ndrain_delay = \"3s\"\n";
    let start = || Process::start_by(&[], descriptors_allowed(), toml, &["--allow-anonymous-publish"]);
    let (first, second) = (start(), start());
    let servers = [first.address, second.address];
    let front = Proxy::run(Program::HaProxy, &|folder, address| balanced(folder, address, &servers));
    let sockets: Vec<RawSocket> = (0..4).map(|_| RawSocket::open(front.address, "/channels/news")).collect();
    let publish = |count: &mut usize| {
        let answer = post(front.address, "/channels/news", "1");
        assert_eq!(answer.status, 200, "after {count} requests: {}", answer.text());
        *count += 1;
    };
    let mut count = 0;
    (0..20).for_each(|_| publish(&mut count));
    first.signal("TERM");
    let ended = std::thread::spawn(move || first.wait());
    while !ended.is_finished() {
        publish(&mut count);
    }
    let (status, log) = ended.join().expect("no panic");
    assert!(status.success(), "{log}");
    (0..20).for_each(|_| publish(&mut count));
    println!("reports: {count} requests during a restart, none refused");
    second.signal("TERM");
    for mut socket in sockets {
        let (code, reason) = socket.read_close();
        assert_eq!((code, reason.split(':').next()), (Some(1012), Some("server_shutdown")));
    }
}
