//! Peers that fall silent: those who close their window for ever, and those behind a route that leads nowhere.

use super::witness::Witness;
use crate::support::frames::{RawSocket, handshake};
use crate::support::http::{HttpClient, post};
use crate::support::raw::RawClient;
use crate::support::{PATIENCE, wait_until};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Deadlines of the servers here: a ping after two seconds of silence, the end two seconds later.
const SETTINGS: &str = "websocket.ping_idle = \"2s\"\nwebsocket.pong_wait = \"2s\"\nwebsocket.close_wait = \"1s\"\n\
                        sse.comment = \"1s\"\nhttp.body_timeout = \"2s\"\n";
/// Both together, and half again, on a machine that does much else.
const GONE: Duration = Duration::from_secs(12);

#[test]
#[ignore = "run by tests/run hostile"]
fn who_closes_the_window_for_ever_is_cut_off_on_every_transport() {
    const EACH: usize = 50;
    let server = super::server(&format!("{SETTINGS}delivery.outbox_bytes = \"8 MiB\"\n"));
    let witness = Witness::before_attack_on(&server);
    let data = format!("\"{}\"", "x".repeat(200_000));
    let sockets: Vec<RawSocket> = (0..EACH)
        .map(|_| small_window(server.address, &handshake("/channels/shut", &[])))
        .map(|raw| RawSocket { raw })
        .collect();
    let stream = b"GET /channels/shut HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    let streams: Vec<RawClient> = (0..EACH).map(|_| small_window(server.address, stream)).collect();
    wait_until("all are subscribed", || server.metric("tidings_subscriptions") == (2 * EACH + 1) as f64);
    // More than the kernel's buffers hold and less than an outbox may: nobody is a slow consumer.
    let waiting = || server.metric("tidings_outbox_bytes") as usize;
    while waiting() < (2 * EACH) << 20 {
        assert_eq!(post(server.address, "/channels/shut", &data).status, 200);
    }
    let ask = b"GET /channels/shut HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    let snapshots: Vec<RawClient> = (0..EACH).map(|_| small_window(server.address, &ask)).collect();
    println!("silent: {} wait for {} closed windows", super::kib(waiting()), 3 * EACH);
    let began = Instant::now();
    wait_until("the sockets are gone", || closed(server.address, "ping_timeout") == EACH as f64);
    println!("silent: sockets gone {:?} after the last byte", began.elapsed());
    wait_until("the requests are gone", || closed(server.address, "idle_timeout") == EACH as f64);
    println!("silent: requests gone {:?} after the last byte", began.elapsed());
    // A stream is not pinged: what is written to it fills its outbox until it is a slow consumer.
    wait_until("the streams are gone", || {
        assert_eq!(post(server.address, "/channels/shut", &data).status, 200);
        closed(server.address, "slow_consumer") == EACH as f64
    });
    wait_until("all is given back", || {
        server.metric("tidings_outbox_bytes") == 0.0 && server.metric("tidings_subscriptions") == 1.0
    });
    drop((sockets, streams, snapshots));
    witness.finish("silent");
}

/// A request on a connection whose receive buffer is as small as the kernel allows, and never read.
pub(crate) fn small_window(address: SocketAddr, request: &[u8]) -> RawClient {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a descriptor");
    socket.set_recv_buffer_size(2048).expect("an option");
    socket.connect(&address.into()).expect("the server accepts");
    let mut client = RawClient::on(TcpStream::from(socket));
    client.send(request);
    client
}

fn closed(address: SocketAddr, reason: &str) -> f64 {
    crate::support::metric(address, &format!("tidings_connections_closed_total{{reason=\"{reason}\"}}"))
}

/// Set in the copy of this test that runs in a network of its own.
const INSIDE: &str = "TIDINGS_INSIDE_NETWORK";

/// The address, in that network, to which the route is lost.
const LOST: &str = "10.99.0.2";

/// What its figures begin with.
const FIGURES: &str = "dead route: ";

fn ip(arguments: &str) -> bool {
    Command::new("ip").args(arguments.split(' ')).status().is_ok_and(|status| status.success())
}

#[test]
#[ignore = "run by tests/run hostile"]
fn peers_behind_a_dead_route_are_gone_after_a_ping_and_its_wait() {
    if std::env::var_os(INSIDE).is_some() {
        return behind_a_dead_route();
    }
    let own = std::env::current_exe().expect("this program");
    let name = "hostile::silent::peers_behind_a_dead_route_are_gone_after_a_ping_and_its_wait";
    if !Command::new("unshare").args(["--net", "ip", "link", "set", "lo", "up"]).status().is_ok_and(|s| s.success()) {
        println!("skipped: peers behind a dead route: no network namespace may be made here (unshare --net, ip)");
        return;
    }
    let mut command = Command::new("unshare");
    command.arg("--net").arg(own).args([name, "--exact", "--ignored", "--nocapture"]).env(INSIDE, "1");
    let output = command.output().expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().filter_map(|line| line.find(FIGURES).map(|at| &line[at..])).for_each(|line| println!("{line}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in a network of its own: {said}\n{errors}");
}

fn behind_a_dead_route() {
    const PEERS: usize = 500;
    assert!(ip("link set lo up") && ip(&format!("address add {LOST}/32 dev lo")));
    let server = super::server(SETTINGS);
    let witness = Witness::before_attack_on(&server);
    let (memory, descriptors) = (server.pss(), server.descriptors());
    let peers: Vec<RawSocket> = (0..PEERS)
        .map(|index| {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a descriptor");
            let source: SocketAddr = format!("{LOST}:0").parse().expect("an address");
            socket.bind(&source.into()).expect("an address of this network");
            socket.connect(&server.address.into()).expect("the server accepts");
            let mut client = HttpClient { raw: RawClient::on(TcpStream::from(socket)) };
            client.raw.send(handshake(&format!("/channels/far-{}", index % 10), &[]));
            assert_eq!(client.read_answer(false).status, 101);
            let mut socket = RawSocket { raw: client.raw };
            assert_eq!(socket.next_json()["status"], 200);
            socket
        })
        .collect();
    assert_eq!(server.metric("tidings_interest"), (PEERS + 1) as f64);
    assert!(ip(&format!("route replace blackhole {LOST}/32 table local")));
    let began = Instant::now();
    // Half of them are published to, which is lost on the way; the others are only pinged.
    (0..5).for_each(|index| assert_eq!(post(server.address, &format!("/channels/far-{index}"), "1").status, 200));
    let until = began + GONE + PATIENCE;
    while server.metric("tidings_interest") > 1.0 {
        assert!(Instant::now() < until, "{} are still there", server.metric("tidings_interest"));
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    println!("dead route: {PEERS} gone after {took:?}; ping after 2 s, its answer within 2 s, the Close within 1 s");
    assert!(took < GONE, "{took:?}");
    let gone = closed(server.address, "ping_timeout") + closed(server.address, "peer_vanished");
    assert_eq!(gone, PEERS as f64);
    wait_until("all descriptors are given back", || server.descriptors() <= descriptors + 1);
    for name in ["tidings_subscriptions", "tidings_interest"] {
        assert_eq!(server.metric(name), 1.0, "{name}");
    }
    assert_eq!(server.metric("tidings_outbound_bytes"), 0.0);
    println!("dead route: {} of PSS more", super::kib(server.pss().saturating_sub(memory)));
    drop(peers);
    witness.finish("dead route");
}
