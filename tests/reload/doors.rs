//! Listeners that a reload adds, keeps and removes.

use super::{File, ask, config, port, started};
use crate::support::http::{HttpClient, get};
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, TestServer, wait_until, with_one_and_two_reactors};
use serde_json::json;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tidings::config::ListenAt;

fn addresses(server: &TestServer) -> Vec<SocketAddr> {
    server.listening().iter().filter_map(|listener| listener.at.address()).collect()
}

fn block(address: SocketAddr, serves: &str) -> String {
    format!("[[listener]]\naddress = \"{address}\"\nserves = [\"{serves}\"]\n")
}

#[test]
fn a_listener_is_bound_when_the_reload_is_answered_and_its_connections_outlive_it() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|own| *own = config(reactors, ""));
        let (first, added) = (server.address(), port());
        let mut before = WsClient::connect(first);
        let told = server.reload(&config(reactors, &block(added, "clients"))).expect("valid");
        assert_eq!((told.opened, told.closed), (vec![added.to_string()], vec![]));
        assert_eq!(addresses(&server), [first, added]);
        // More than one, so that each reactor has some.
        let mut there: Vec<WsClient> = (0..8).map(|_| WsClient::connect(added)).collect();
        there.iter_mut().for_each(|socket| drop(socket.subscribe("a")));
        let mut kept = HttpClient::connect(added);
        assert!(kept.is_kept());

        let told = server.reload(&config(reactors, "")).expect("valid");
        assert_eq!((told.opened, told.closed), (vec![], vec![added.to_string()]));
        wait_until("the port is closed", || TcpStream::connect(added).is_err());
        assert_eq!(before.post("a", &json!(7))["status"], 200);
        for socket in &mut there {
            assert_eq!(socket.next_push()["data"], 7);
            assert_eq!(socket.request(json!({"method": "GET", "path": "/channels/b"}))["status"], 200);
        }
        assert!(kept.is_kept());
        let list = HttpClient::connect(first).request("GET", "/admin/subscribers?channel=a", &[OPERATOR], b"").json();
        let rows = list["connections"].as_array().expect("a list");
        assert!(rows.len() == 8 && rows.iter().all(|row| row["listener"] == added.to_string()), "{list}");
        // It comes back at the same number, and others come beside it.
        for _ in 0..3 {
            let other = port();
            server.reload(&config(reactors, &(block(added, "clients") + &block(other, "clients")))).expect("valid");
            assert_eq!((get(added, "/livez").status, get(other, "/livez").status), (200, 200));
            server.reload(&config(reactors, "")).expect("valid");
        }
        there.iter_mut().for_each(|socket| drop(socket.subscribe("c")));
    });
}

#[test]
fn a_listener_serves_something_else_and_goes_to_another_port_of_the_same_address() {
    let server = TestServer::start(|own| *own = config(2, ""));
    let at = port();
    server.reload(&config(2, &block(at, "health"))).expect("valid");
    assert_eq!((get(at, "/livez").status, get(at, "/channels/a").status), (200, 404));
    server.reload(&config(2, &block(at, "clients"))).expect("valid");
    assert_eq!(get(at, "/limits").status, 200);
    // All addresses instead of one, on the same port: the old one is open until the new one is.
    let everywhere: SocketAddr = format!("0.0.0.0:{}", at.port()).parse().expect("an address");
    let told = server.reload(&config(2, &block(everywhere, "health"))).expect("valid");
    assert_eq!((told.opened, told.closed), (vec![everywhere.to_string()], vec![at.to_string()]));
    for _ in 0..20 {
        assert_eq!(get(at, "/livez").status, 200);
    }
}

#[test]
fn an_address_that_is_taken_refuses_all_of_it() {
    let server = TestServer::start(|own| *own = config(1, ""));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (free, taken) = (port(), taken.local_addr().expect("an address"));
    let text = format!("[http]\nheaders = 8\n{}{}", block(free, "clients"), block(taken, "clients"));
    let error = server.reload(&config(1, &text)).expect_err("it is taken").to_string();
    assert!(error.contains(&taken.to_string()), "{error}");
    assert!(TcpStream::connect(free).is_err(), "what was bound before is closed again");
    assert_eq!(addresses(&server).len(), 1);
}

#[test]
fn a_port_that_any_free_one_is_stays() {
    let two = "[[listener]]\naddress = \"127.0.0.1:0\"\nserves = [\"clients\"]\n";
    let server = TestServer::start(|own| *own = config(1, two));
    let before = addresses(&server);
    server.reload(&config(1, two)).expect("valid");
    assert_eq!(addresses(&server), before);
    server.reload(&config(1, "")).expect("valid");
    assert_eq!(addresses(&server), before[..1]);
}

#[test]
fn a_unix_socket_comes_gets_another_mode_and_goes_with_its_file() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("reload-{}.sock", std::process::id()));
    let text = |mode: &str| {
        format!("[[listener]]\npath = \"{}\"\nmode = \"{mode}\"\nserves = [\"clients\"]\n", path.display())
    };
    let server = TestServer::start(|own| *own = config(2, ""));
    for mode in ["0600", "0660"] {
        server.reload(&config(2, &text(mode))).expect("valid");
        let file = std::fs::metadata(&path).expect("a socket");
        assert_eq!(format!("{:04o}", file.permissions().mode() & 0o7777), mode);
        for _ in 0..8 {
            std::os::unix::net::UnixStream::connect(&path).expect("it listens");
        }
        assert!(matches!(&server.listening()[1].at, ListenAt::Path { .. }));
    }
    server.reload(&config(2, "")).expect("valid");
    assert!(!path.exists(), "the file goes with its listener");
}

#[test]
fn connections_that_wait_at_a_listener_that_closes_are_served() {
    let file = File::with("");
    let process = started(&file);
    for _ in 0..20 {
        let at = port();
        file.write(&block(at, "clients"));
        assert_eq!(ask(process.address).status, 200);
        // Sent, and perhaps not accepted yet.
        let mut clients: Vec<HttpClient> = (0..16).map(|_| HttpClient::connect(at)).collect();
        clients.iter_mut().for_each(|client| client.raw.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        file.write("");
        assert_eq!(ask(process.address).status, 200);
        clients.iter_mut().for_each(|client| assert_eq!(client.read_answer(false).status, 200));
    }
}
