#!/usr/bin/env bash
# The servers that Tidings is compared with:  benches/peers/servers.sh list | build NAME | start NAME
# `build` installs and compiles what a server needs, below target/peers. `start` becomes the server; its first line is
# `listening on ADDRESS`, except for nchan and nats, which cannot choose a port: for those this script chooses one and says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
TARGET=${CARGO_TARGET_DIR:-$PWD/target}/peers
PEERS=benches/peers
NAMES=(floor floor-unbatched fastwebsockets tokio-tungstenite tokio-tungstenite-default sockudo-ws uwebsockets uwebsockets-tls ws socketio nchan nats sockudo tidings tidings-tls)
SOCKUDO_VERSION=5.2.0
mkdir -p "$TARGET"

rust() { cargo build --quiet --release --locked --manifest-path $PEERS/rust/Cargo.toml --target-dir "$TARGET"; }

node_modules() {
  mkdir -p "$TARGET/node"
  cp $PEERS/node/* "$TARGET/node/"
  (cd "$TARGET/node" && npm ci --silent --no-audit --no-fund)
}

# Where cargo has the crate with uWebSockets' sources: fetched and checked against the lock file.
uws_crate() {
  cargo metadata --format-version 1 --locked --filter-platform x86_64-unknown-linux-gnu --manifest-path $PEERS/uwebsockets/Cargo.toml |
    python3 -c 'import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(*(os.path.dirname(p["manifest_path"]) for p in packages if p["name"] == "libuwebsockets-sys"))'
}

# The sources in the crate are uWebSockets' own; its build script is not used.
uwebsockets() {
  local sources
  [[ $TARGET/uwebsockets -nt $PEERS/uwebsockets/main.cpp ]] && return
  package g++ zlib1g-dev /usr/include/zlib.h
  sources=$(uws_crate)/uWebSockets
  (
    cd "$TARGET"
    for file in "$sources"/uSockets/src/*.c "$sources"/uSockets/src/eventing/*.c; do
      gcc -O3 -flto -DLIBUS_NO_SSL -DLIBUS_USE_EPOLL -I"$sources/uSockets/src" -c "$file" -o "uws-$(basename "$file" .c).o"
    done
  )
  g++ -O3 -flto=auto -std=c++20 -DLIBUS_NO_SSL -I"$sources/src" -I"$sources/uSockets/src" \
    $PEERS/uwebsockets/main.cpp "$TARGET"/uws-*.o -o "$TARGET/uwebsockets" -lpthread -lz
}

# The same with its TLS, by the system's OpenSSL.
uwebsockets_tls() {
  local sources
  [[ $TARGET/uwebsockets-tls -nt $PEERS/uwebsockets/main.cpp ]] && return
  package g++ zlib1g-dev /usr/include/zlib.h
  package openssl libssl-dev /usr/include/openssl/ssl.h
  sources=$(uws_crate)/uWebSockets
  (
    cd "$TARGET"
    for file in "$sources"/uSockets/src/*.c "$sources"/uSockets/src/eventing/*.c "$sources"/uSockets/src/crypto/*.c; do
      gcc -O3 -flto -Wno-deprecated-declarations -DLIBUS_USE_OPENSSL -DLIBUS_USE_EPOLL -I"$sources/uSockets/src" -c "$file" -o "sealed-$(basename "$file" .c).o"
    done
  )
  g++ -O3 -flto=auto -std=c++20 -DLIBUS_USE_OPENSSL -I"$sources/src" -I"$sources/uSockets/src" $PEERS/uwebsockets/main.cpp \
    "$sources/uSockets/src/crypto/sni_tree.cpp" "$TARGET"/sealed-*.o -o "$TARGET/uwebsockets-tls" -lssl -lcrypto -lpthread -lz
}

# An ECDSA certificate (P-256) for this machine, of which both servers with TLS show the same.
certificate() {
  [[ -e $TARGET/key.pem ]] && return
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -addext basicConstraints=critical,CA:FALSE -keyout "$TARGET/key.pem.part" -out "$TARGET/certificate.pem" 2> /dev/null
  mv "$TARGET/key.pem.part" "$TARGET/key.pem"
}

package() {
  command -v "$1" > /dev/null && { [[ $# -lt 3 ]] || [[ -e $3 ]]; } && return
  apt-get install -y -qq --no-install-recommends "$2" > "$TARGET/apt.log" 2>&1 || { cat "$TARGET/apt.log"; return 1; }
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Says where, once somebody listens there, while the server is being started.
announce() { (while ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; do sleep 0.05; done; echo "listening on 127.0.0.1:$1") & }

nchan() {
  local port dir
  port=$(free_port) dir=$(mktemp -d)
  cat > "$dir/nginx.conf" << CONF
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off; worker_processes 1; pid $dir/pid; error_log $dir/error.log warn;
worker_rlimit_nofile 20000;
events { worker_connections 20000; }
http {
  access_log off; keepalive_timeout 1h; keepalive_requests 1000000000; nchan_shared_memory_size 256M;
  client_body_temp_path $dir/body; proxy_temp_path $dir/proxy; fastcgi_temp_path $dir/f; uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
  server { listen 127.0.0.1:$port;
    location ~ ^/pub/(.+)\$ { nchan_publisher; nchan_channel_id \$1; nchan_message_buffer_length 2; }
    location ~ ^/sub/(.+)\$ { nchan_subscriber; nchan_channel_id \$1; nchan_subscriber_first_message newest; }
  }
}
CONF
  announce "$port"
  exec nginx -p "$dir" -c "$dir/nginx.conf"
}

nats() {
  local port tcp dir
  port=$(free_port) tcp=$(free_port) dir=$(mktemp -d)
  cat > "$dir/nats.conf" << CONF
host: 127.0.0.1
port: $tcp
max_connections: 19000
websocket { host: 127.0.0.1, port: $port, no_tls: true, compression: false }
CONF
  announce "$port"
  GOMAXPROCS=1 exec nats-server --config "$dir/nats.conf" > "$dir/log" 2>&1 3>&1
}

# Without the parts for other databases, queues and telemetry. Its own release profile takes a quarter of an hour of link-time
# optimization; SOCKUDO_LTO=fat asks for that.
sockudo_install() {
  [[ -x $TARGET/sockudo/bin/sockudo ]] && return
  package protoc protobuf-compiler
  package pkg-config pkg-config
  # Google's own messages come with the library's headers.
  package protoc libprotobuf-dev /usr/include/google/protobuf/struct.proto
  package openssl libssl-dev /usr/include/openssl/ssl.h
  CARGO_PROFILE_RELEASE_LTO=${SOCKUDO_LTO:-off} CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 cargo install --quiet sockudo \
    --version "$SOCKUDO_VERSION" --locked --no-default-features --features local --root "$TARGET/sockudo" --target-dir "$TARGET/sockudo-build"
  rm -rf "$TARGET/sockudo-build"
}

# One application, with the id, key and secret that the load generator's adapter has by default.
sockudo() {
  local port dir
  port=$(free_port) dir=$(mktemp -d)
  cd "$dir"
  announce "$port"
  HOST=127.0.0.1 PORT=$port METRICS_ENABLED=false RATE_LIMITER_ENABLED=false SOCKUDO_DEFAULT_APP_ID=app-id SOCKUDO_DEFAULT_APP_KEY=app-key \
    SOCKUDO_DEFAULT_APP_SECRET=app-secret SOCKUDO_DEFAULT_APP_ENABLED=true SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES=true \
    SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS=20000 SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND=1000000 exec "$TARGET/sockudo/bin/sockudo" > "$dir/log" 2>&1
}

build() {
  case $1 in
    floor* | fastwebsockets | tokio-tungstenite* | sockudo-ws) rust ;;
    uwebsockets) uwebsockets ;;
    uwebsockets-tls) certificate && uwebsockets_tls ;;
    ws | socketio) node_modules ;;
    nchan) package nginx libnginx-mod-nchan /usr/lib/nginx/modules/ngx_nchan_module.so ;;
    nats) package nats-server nats-server ;;
    sockudo) sockudo_install ;;
    tidings) cargo build --quiet --release ;;
    tidings-tls) certificate && cargo build --quiet --release ;;
    *) echo "there is no peer $1: there are ${NAMES[*]}" >&2; exit 2 ;;
  esac
}

start() {
  case $1 in
    floor) exec "$TARGET/release/peer-floor" ;;
    floor-unbatched) exec "$TARGET/release/peer-floor" --unbatched ;;
    tokio-tungstenite-default) exec "$TARGET/release/peer-tokio-tungstenite" --default-buffers ;;
    fastwebsockets | tokio-tungstenite | sockudo-ws) exec "$TARGET/release/peer-$1" ;;
    uwebsockets) exec "$TARGET/uwebsockets" ;;
    uwebsockets-tls) exec "$TARGET/uwebsockets-tls" "$TARGET/certificate.pem" "$TARGET/key.pem" ;;
    ws | socketio) exec node "$TARGET/node/$1.mjs" ;;
    nchan) nchan ;;
    nats) nats ;;
    sockudo) sockudo ;;
    tidings) exec "${TARGET%/peers}/release/tidings" serve --listen 127.0.0.1:0 --reactors 1 ;;
    tidings-tls) exec "${TARGET%/peers}/release/tidings" serve --listen 127.0.0.1:0 --reactors 1 --server.tls true --tls.chain "$TARGET/certificate.pem" --tls.key "$TARGET/key.pem" ;;
    *) echo "there is no peer $1: there are ${NAMES[*]}" >&2; exit 2 ;;
  esac
}

case ${1:-} in
  list) printf '%s\n' "${NAMES[@]}" ;;
  build | start) "$1" "${2:?a name: ${NAMES[*]}}" ;;
  *) echo "usage: benches/peers/servers.sh list | build NAME | start NAME" >&2; exit 2 ;;
esac
