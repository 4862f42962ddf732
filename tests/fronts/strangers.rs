//! Strangers behind every plain front: never operators, and publishers only where the front hides itself whole.

use super::proxy::{Program, Proxy};
use crate::support::frames::{RawSocket, TEXT, handshake};
use crate::support::http::HttpClient;
use crate::support::{OPERATOR, TestServer};
use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;

/// How a front can be told from a client on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// By what it speaks or adds: nobody publishes.
    Always,
    /// Not when the client says that it asks a loopback host.
    ByHost,
    /// Never: it writes a loopback Host itself, speaks HTTP/1.1 and adds nothing. Behind it a key must be configured.
    Never,
}

/// A front as its recipe has it: for nginx what stands beside `proxy_pass`, for HAProxy its mode.
struct Front {
    name: &'static str,
    program: Program,
    recipe: &'static str,
    told: Told,
}

const WEBSOCKET: Front = Front {
    name: "nginx, WebSocket recipe",
    program: Program::Nginx,
    recipe: "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection 'upgrade';",
    told: Told::Never,
};

const FRONTS: [Front; 7] = [
    Front { name: "nginx, proxy_pass alone", program: Program::Nginx, recipe: "", told: Told::Always },
    Front {
        name: "nginx, HTTP/1.1",
        program: Program::Nginx,
        recipe: "proxy_http_version 1.1; proxy_set_header Connection '';",
        told: Told::Never,
    },
    Front {
        name: "nginx, Host",
        program: Program::Nginx,
        recipe: "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $http_host;",
        told: Told::ByHost,
    },
    Front {
        name: "nginx, X-Real-IP",
        program: Program::Nginx,
        recipe: "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header X-Real-IP $remote_addr;",
        told: Told::Always,
    },
    WEBSOCKET,
    Front { name: "HAProxy, http", program: Program::HaProxy, recipe: "http", told: Told::ByHost },
    Front { name: "HAProxy, tcp", program: Program::HaProxy, recipe: "tcp", told: Told::ByHost },
];

impl Front {
    fn start(&self, server: &TestServer) -> Proxy {
        let (recipe, server) = (self.recipe, server.address());
        match self.program {
            Program::Nginx => Proxy::run(self.program, &|folder, address| nginx(recipe, folder, address, server)),
            Program::HaProxy => {
                Proxy::run(self.program, &|folder, address| haproxy(recipe, folder, address, &server.to_string()))
            }
        }
    }
}

pub(super) fn nginx(recipe: &str, folder: &Path, address: SocketAddr, server: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
         events {{ worker_connections 64; }}
         http {{
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; access_log off;
           map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
           server {{
             listen {address};
             location = /front {{ return 200 '{folder}'; }}
             location / {{ proxy_pass http://{server}; {recipe} }}
           }}
         }}\n"
    )
}

/// A front that passes bytes alone has no answer of its own, so a second one beside it says that it is ready. After the mode
/// may stand further lines, and after the server its options.
pub(super) fn haproxy(mode: &str, folder: &Path, address: SocketAddr, server: &str) -> String {
    let answer = format!("http-request return status 200 content-type text/plain string {}", folder.display());
    let name = folder.file_name().expect("a folder has a name").to_string_lossy();
    let ready = if mode.starts_with("http") {
        format!("{answer} if {{ path /front }}")
    } else {
        "tcp-request inspect-delay 20s
  tcp-request content accept if { req.len gt 0 }
  use_backend ready if { req.payload(0,10) -m sub /front }"
            .to_owned()
    };
    format!(
        "defaults
  mode {mode}
  timeout connect 5s
  timeout client 30s
  timeout server 60s
frontend front
  bind {address}
  {ready}
  default_backend back
backend back
  server tidings {server}
backend ready
  server ready abns@{name}
frontend token
  mode http
  bind abns@{name}
  {answer}\n"
    )
}

/// Nothing but bytes to and fro, in threads that end with their connections.
fn relay(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a port");
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(upstream)) = (client, TcpStream::connect(server)) else { return };
            let pairs =
                [(client.try_clone().expect("a socket"), upstream.try_clone().expect("a socket")), (upstream, client)];
            for (mut from, mut to) in pairs {
                std::thread::spawn(move || {
                    // Either side may go at any time.
                    let _ = copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    address
}

/// What must hold for every stranger who comes through a front.
fn check(what: &str, front: SocketAddr, server: &TestServer, told: Told) {
    server.publish("news", "0").expect("published");
    for host in ["localhost", "www.example.com", "127.0.0.1:8080"] {
        let is_local = host != "www.example.com";
        let ask = |method: &str, target: &str, more: &[(&str, &str)], body: &[u8]| {
            let fields = [&[("Host", host)], more].concat();
            HttpClient::connect(front).request(method, target, &fields, body).status
        };
        for (method, target) in [("GET", "/metrics"), ("GET", "/channels"), ("DELETE", "/channels/news")] {
            for more in
                [&[][..], &[("Authorization", "Bearer guessed-0123456789")], &[("Origin", "http://localhost:3000")]]
            {
                let status = ask(method, target, more, b"");
                assert!(matches!(status, 401 | 403 | 421), "{what}: {method} {target} {host} {more:?}: {status}");
            }
        }
        let publishes = match told {
            Told::Always => false,
            Told::ByHost => is_local,
            Told::Never => true,
        };
        let status = ask("POST", "/channels/news", &[], b"1");
        assert_eq!(status == 200, publishes, "{what}: POST {host}: {status}");
        assert!(publishes || matches!(status, 403 | 421), "{what}: POST {host}: {status}");
        assert_eq!(ask("GET", "/livez", &[], b""), 200, "{what}: anybody may ask whether it lives");
        // The key works through everything that passes it on, where the Host is one of the server's.
        let with_key = ask("GET", "/metrics", &[OPERATOR], b"");
        assert!(with_key == 200 || (with_key == 421 && !is_local), "{what}: {host}: {with_key}");
    }
}

/// Behind `proxy_pass` alone everybody read /metrics, emptied histories and published.
#[test]
#[ignore = "run by tests/run fronts"]
fn strangers_behind_a_front_are_never_operators() {
    for front in &FRONTS {
        let server = TestServer::start(|_| ());
        let proxy = front.start(&server);
        check(front.name, proxy.address, &server, front.told);
    }
}

/// The same where no proxy is installed.
#[test]
fn strangers_behind_a_relay_are_never_operators() {
    let server = TestServer::start(|_| ());
    check("a relay", relay(server.address()), &server, Told::ByHost);
}

/// With the flag everybody publishes, and still nobody is an operator.
#[test]
#[ignore = "run by tests/run fronts"]
fn open_publishing_behind_a_front_makes_no_operator() {
    for front in &FRONTS {
        let server = TestServer::start(|config| {
            config.server.allow_anonymous_publish = true;
            config.server.allow_host = vec!["www.example.com".to_owned()];
        });
        let proxy = front.start(&server);
        let ask = |method: &str, target: &str, body: &[u8]| {
            HttpClient::connect(proxy.address).request(method, target, &[("Host", "www.example.com")], body).status
        };
        assert_eq!(ask("POST", "/channels/news", b"1"), 200, "{}", front.name);
        assert_eq!(ask("GET", "/metrics", b""), 401, "{}", front.name);
        assert_eq!(ask("DELETE", "/channels/news", b""), 401, "{}", front.name);
    }
}

/// An upgrade passes the recipe, and the socket is no operator's.
#[test]
#[ignore = "run by tests/run fronts"]
fn a_socket_behind_the_recipe_empties_no_history() {
    let server = TestServer::start(|_| ());
    server.publish("news", "0").expect("published");
    let proxy = WEBSOCKET.start(&server);
    let mut client = HttpClient::connect(proxy.address);
    client.raw.send(handshake("/ws", &[]));
    let mut socket = RawSocket::after_head(client);
    socket.send(TEXT, br#"{"id":1,"method":"DELETE","path":"/channels/news"}"#);
    assert_eq!(socket.next_json()["status"], 401);
}
