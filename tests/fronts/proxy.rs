//! A proxy as a process of its own in front of a server: its configuration, its start, its log.

use crate::support::http::HttpClient;
use crate::support::{PATIENCE, wait_until};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// What stands in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// nginx as it comes: each request on a connection of its own, in HTTP/1.0.
    NginxPlain,
    /// nginx as its manual has it for WebSockets: HTTP/1.1 on kept connections. It passes fields on that it would drop.
    NginxKept,
    /// HAProxy with kept connections that clients share, and every tolerance that it has.
    HaProxy,
}

/// What reads a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Nginx,
    HaProxy,
}

/// A proxy that runs until it goes out of scope.
pub(crate) struct Proxy {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
}

/// One request that the proxy saw, from its log.
#[derive(Debug)]
pub(super) struct Seen {
    /// The client's port.
    pub(super) port: u16,
    /// What the proxy answered.
    pub(super) status: u16,
    /// How often it asked the server.
    pub(super) asked: usize,
    /// The request line.
    pub(super) line: String,
}

impl Proxy {
    /// Starts a proxy before `server` that waits `wait` for what clients have to send.
    pub(super) fn start(kind: Kind, server: SocketAddr, wait: &str) -> Proxy {
        match kind {
            Kind::NginxPlain | Kind::NginxKept => {
                Proxy::run(Program::Nginx, &|folder, address| nginx(kind, folder, address, server, wait))
            }
            Kind::HaProxy => Proxy::run(Program::HaProxy, &|folder, address| haproxy(folder, address, server, wait)),
        }
    }

    /// Starts a proxy with the configuration that is made for its folder and its address. It has to answer `/front` with the
    /// folder, by which it is known to be ready.
    pub(crate) fn run(program: Program, config: &dyn Fn(&Path, SocketAddr) -> String) -> Proxy {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let until = Instant::now() + PATIENCE;
        // Neither proxy can tell which port it was given, so a free one is looked for; somebody may take it before the
        // proxy does, which then ends.
        loop {
            let name = format!("front-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            fs::create_dir_all(&folder).expect("a writable folder");
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = free.local_addr().expect("a port");
            drop(free);
            let child = spawn(program, &folder, &config(&folder, address));
            let mut proxy = Proxy { child, folder, address };
            if proxy.is_ready() {
                return proxy;
            }
            assert!(Instant::now() < until, "{program:?} does not start: {}", proxy.errors());
        }
    }

    /// Waits until it answers for itself; false when it ended instead.
    fn is_ready(&mut self) -> bool {
        let mut ended = false;
        wait_until("the proxy starts", || {
            ended = self.child.try_wait().expect("a child").is_some();
            ended || TcpStream::connect(self.address).is_ok()
        });
        let token = self.folder.display().to_string();
        !ended && HttpClient::connect(self.address).request("GET", "/front", &[], b"").text().trim() == token
    }

    /// What it saw since `from`, a place in the log, which moves on; waits until a line with `last` is there.
    pub(super) fn seen(&self, from: &mut usize, last: &str) -> Vec<Seen> {
        let mut text = String::new();
        wait_until("the proxy logs what it saw", || {
            let bytes = fs::read(self.folder.join("seen")).expect("the log");
            text = String::from_utf8_lossy(&bytes[*from..]).into_owned();
            text.lines().any(|line| line.contains(last)) && text.ends_with('\n')
        });
        *from = fs::read(self.folder.join("seen")).expect("the log").len().min(*from + text.len());
        text.lines().filter_map(parse).collect()
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.join("errors")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A line of a log: client's port, status, what was asked (statuses of the server, or its name), request line.
fn parse(line: &str) -> Option<Seen> {
    let mut parts = line.splitn(4, '|');
    let (port, status, asked, line) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let asked = if matches!(asked, "" | "-" | "<NOSRV>") { 0 } else { asked.split(',').count() };
    Some(Seen { port: port.parse().ok()?, status: status.parse().unwrap_or(0), asked, line: line.to_owned() })
}

fn spawn(program: Program, folder: &Path, text: &str) -> Child {
    let config = folder.join("config");
    fs::write(&config, text).expect("a writable folder");
    let open = |name: &str| File::create(folder.join(name)).expect("a writable folder");
    let mut command = match program {
        Program::Nginx => {
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-c").arg(&config).arg("-e").arg(folder.join("errors"));
            command.stdout(Stdio::null()).stderr(open("said"));
            // It opens its log itself.
            open("seen");
            command
        }
        Program::HaProxy => {
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(&config).stdout(open("seen")).stderr(open("errors"));
            command
        }
    };
    command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
        panic!("{program:?} does not start: {error}; install nginx-light and haproxy, as tests/run fronts does")
    })
}

fn nginx(kind: Kind, folder: &Path, address: SocketAddr, server: SocketAddr, wait: &str) -> String {
    let folder = folder.display();
    let (tolerance, upstream) = if kind == Kind::NginxPlain {
        (String::new(), format!("proxy_pass http://{server};"))
    } else {
        let tolerance = "ignore_invalid_headers off; underscores_in_headers on; merge_slashes off; \
                         large_client_header_buffers 4 256k;";
        let upstream = "proxy_pass http://tidings; proxy_http_version 1.1; proxy_set_header Host $http_host; \
                        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $passed_connection;";
        (tolerance.to_owned(), upstream.to_owned())
    };
    format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
         events {{ worker_connections 512; }}
         http {{
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
           log_format seen '$remote_port|$status|$upstream_status|$request'; access_log {folder}/seen seen;
           client_header_timeout {wait}; client_body_timeout {wait}; client_max_body_size 4m; {tolerance}
           map $http_upgrade $passed_connection {{ default upgrade; '' ''; }}
           upstream tidings {{ server {server}; keepalive 8; }}
           server {{
             listen {address};
             location = /front {{ return 200 '{folder}'; }}
             location / {{ {upstream} proxy_set_header X-Forwarded-For $remote_addr; }}
           }}
         }}\n"
    )
}

fn haproxy(folder: &Path, address: SocketAddr, server: SocketAddr, wait: &str) -> String {
    format!(
        "global
  maxconn 256
  nbthread 1
  log stdout len 65535 format raw local0
defaults
  mode http
  log global
  log-format \"%cp|%ST|%s|%r\"
  timeout connect 5s
  timeout client {wait}
  timeout server 60s
  timeout http-request {wait}
  timeout tunnel 60s
  option http-keep-alive
  http-reuse always
frontend front
  bind {address}
  option accept-invalid-http-request
  http-request return status 200 content-type text/plain string {} if {{ path /front }}
  default_backend back
backend back
  option forwardfor
  option accept-invalid-http-response
  server tidings {server}\n",
        folder.display()
    )
}
