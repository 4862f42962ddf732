//! The proxies of the reports: as their manuals say, and compressing whatever they may.

use std::net::SocketAddr;
use std::path::Path;

/// What proxies are told to compress.
const TYPES: &str = "text/plain text/html text/event-stream application/json text/javascript text/css";

pub(super) fn nginx(folder: &Path, address: SocketAddr, server: SocketAddr) -> String {
    let folder = folder.display();
    // text/html is compressed by nginx whenever anything is.
    let types = TYPES.replace("text/html ", "");
    format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
         events {{ worker_connections 512; }}
         http {{
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; access_log off; client_max_body_size 100m;
           gzip on; gzip_min_length 1; gzip_proxied any; gzip_types {types};
           map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
           server {{
             listen {address};
             location = /front {{ return 200 '{folder}'; }}
             location / {{
               proxy_pass http://{server}; proxy_http_version 1.1; proxy_set_header Host $http_host;
               proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
               proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
             }}
           }}
         }}\n"
    )
}

/// `more` stands with the frontend, for another address for example.
pub(super) fn haproxy(folder: &Path, address: SocketAddr, server: SocketAddr, more: &str) -> String {
    format!(
        "global
  maxconn 256
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 60s
  timeout tunnel 60s
frontend front
  bind {address}
{more}
  http-request return status 200 content-type text/plain string {} if {{ path /front }}
  compression algo gzip
  compression type {TYPES}
  default_backend back
backend back
  option forwardfor
  server tidings {server}\n",
        folder.display()
    )
}

/// HAProxy that shares its clients out among servers, and asks each of them whether it is ready. It tries nothing twice.
pub(super) fn balanced(folder: &Path, address: SocketAddr, servers: &[SocketAddr]) -> String {
    let lines: String =
        servers.iter().enumerate().map(|(n, server)| format!("  server s{n} {server} check\n")).collect();
    format!(
        "global
  maxconn 256
  nbthread 1
defaults
  mode http
  retries 0
  timeout connect 5s
  timeout client 30s
  timeout server 60s
  timeout tunnel 60s
  timeout check 5s
frontend front
  bind {address}
  http-request return status 200 content-type text/plain string {} if {{ path /front }}
  default_backend back
backend back
  balance roundrobin
  option forwardfor
  option httpchk GET /readyz
  default-server inter 100ms fall 1 rise 1
{lines}",
        folder.display()
    )
}
