//! Clients over TLS that mean harm: those that never read, broken handshakes, changes of keys without end, and records of a byte.

use super::witness::Witness;
use crate::support::frames::handshake;
use crate::support::process::Process;
use crate::support::tls::{BOTH, Stream, client, connect, pair};
use crate::support::wait_until;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// The real server, with a second address that speaks TLS; and what its clients need.
struct Sealed {
    server: Process,
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

fn sealed(name: &str, toml: &str) -> Sealed {
    let own = pair(name, &["localhost"]);
    let files = format!("chain = {:?}\nkey = {:?}\n", own.chain, own.key);
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\ntls = true\n";
    let toml = format!("{toml}{listener}[[certificate]]\n{files}");
    let arguments = ["--reactors", "2", "--workers", "1"];
    let (server, address) = Process::start_sealed(super::DESCRIPTORS, &toml, &arguments);
    Sealed { server, address, config: client(&[&own.chain], BOTH) }
}

/// A socket over TLS that is open, on a connection whose receive buffer is as small as the kernel allows.
fn small_window(to: &Sealed, path: &str) -> Stream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a descriptor");
    socket.set_recv_buffer_size(2048).expect("an option");
    socket.connect(&to.address.into()).expect("the server accepts");
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(Arc::clone(&to.config), name).expect("a client");
    let mut stream = StreamOwned::new(tls, TcpStream::from(socket));
    stream.write_all(&handshake(path, &[])).expect("open");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 101");
    stream
}

#[test]
#[ignore = "run by tests/run hostile"]
fn who_never_reads_over_tls_is_cut_off_and_costs_nothing_before() {
    const EACH: usize = 100;
    let to = sealed("never", "delivery.outbox_bytes = \"1 MiB\"\n");
    let server = &to.server;
    let (blocked, slow): (Vec<_>, Vec<_>) =
        (0..EACH).map(|_| (small_window(&to, "/channels/some"), small_window(&to, "/channels/much"))).unzip();
    let post = |channel: &str| {
        let data = format!("\"{}\"", "x".repeat(100_000));
        assert_eq!(crate::support::http::post(server.address, &format!("/channels/{channel}"), &data).status, 200);
    };
    // More than the kernel takes, and less than an outbox holds.
    while (server.metric("tidings_outbox_bytes") as usize) < EACH * 200_000 {
        post("some");
    }
    let (before, span) = (server.cpu_ticks(), Duration::from_secs(2));
    std::thread::sleep(span);
    let ticks = server.cpu_ticks() - before;
    println!("sealed: {EACH} that take nothing: {} ms of CPU in {span:?}", 10 * ticks);
    // One reactor that goes round and round would take 200 of them.
    assert!(ticks < 40, "{ticks}");
    let witness = Witness::before_attack_on(server);
    let closed = || server.metric("tidings_connections_closed_total{reason=\"slow_consumer\"}") as usize;
    while closed() < EACH {
        post("much");
    }
    println!("sealed: {} are cut off as slow, {} bytes wait", closed(), server.metric("tidings_outbox_bytes"));
    drop((blocked, slow));
    wait_until("all is given back", || server.metric("tidings_outbox_bytes") == 0.0);
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
    witness.finish("sealed");
}

/// Attackers at work until `over`: how often they did it.
fn attack(count: usize, once: impl Fn(&AtomicBool) + Send + Sync + 'static, span: Duration) -> usize {
    let (over, done, once) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(once));
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let (over, done, once) = (Arc::clone(&over), Arc::clone(&done), Arc::clone(&once));
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    once(&over);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    std::thread::sleep(span);
    over.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().expect("an attacker goes on"));
    done.load(Ordering::Relaxed)
}

/// Each of these made the server panic, which was caught: the alert was looked for twice.
#[test]
#[ignore = "run by tests/run hostile"]
fn broken_handshakes_over_tls_end_their_connections_alone() {
    let to = sealed("broken", "");
    let witness = Witness::before_attack_on(&to.server);
    let span = Duration::from_secs(super::scale(3, 60));
    let address = to.address;
    let once = move |_: &AtomicBool| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        // A piece of a message, and what may not follow it.
        stream.write_all(&[22, 3, 1, 0, 1, 1, 23, 3, 3, 0, 1, 0]).expect("open");
        drop(stream.read(&mut [0; 64]));
    };
    let done = attack(4, once, span);
    let failed = || to.server.metric("tidings_tls_handshake_failures_total{reason=\"misbehaved\"}");
    wait_until("all are counted", || failed() as usize == done);
    println!("sealed: {done} broken handshakes in {span:?}");
    assert_eq!(to.server.metric("tidings_panics_total"), 0.0);
    assert_eq!(to.server.metric("tidings_tls_handshakes_in_progress"), 0.0);
    witness.finish("sealed, broken");
}

/// One message that never ends: each byte in a record of its own, or after a change of keys that asks for another.
#[test]
#[ignore = "run by tests/run hostile"]
fn floods_of_records_and_of_keys_over_tls_delay_nobody() {
    for changes_keys in [false, true] {
        let to = sealed("floods", "websocket.echo = \"on\"\nwebsocket.echo_message_bytes = \"64 MiB\"\n");
        let witness = Witness::before_attack_on(&to.server);
        let memory = to.server.pss();
        let (address, config) = (to.address, Arc::clone(&to.config));
        let records = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&records);
        let once = move |over: &AtomicBool| {
            let mut stream = connect(address, &config, "localhost");
            stream.write_all(&handshake("/echo", &[])).expect("open");
            stream.write_all(&crate::support::frames::header(0x81, 32 << 20)).expect("open");
            let mut sealed = Vec::new();
            while !over.load(Ordering::Relaxed) {
                for _ in 0..500 {
                    if changes_keys && stream.conn.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
                        stream.conn.refresh_traffic_keys().expect("TLS 1.3");
                    }
                    stream.conn.writer().write_all(b"x").expect("room");
                    while stream.conn.wants_write() {
                        stream.conn.write_tls(&mut sealed).expect("memory");
                    }
                }
                stream.sock.write_all(&sealed).expect("it is read");
                counter.fetch_add(500, Ordering::Relaxed);
                sealed.clear();
            }
        };
        let span = Duration::from_secs(super::scale(3, 60));
        let clients = attack(4, once, span);
        let grown = to.server.pss().saturating_sub(memory);
        let records = records.load(Ordering::Relaxed);
        let what = if changes_keys { "bytes, each with other keys" } else { "records of a byte" };
        println!("sealed: {records} {what} from {clients} clients in {span:?}, {} of PSS more", super::kib(grown));
        assert!(grown < 16 << 20, "{}", super::kib(grown));
        assert_eq!(to.server.metric("tidings_panics_total"), 0.0);
        witness.finish("sealed, floods");
    }
}
