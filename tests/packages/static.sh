#!/usr/bin/env bash
# The static binary in a folder that holds nothing else but /dev/random and /dev/urandom:  static.sh TIDINGS, as root.
set -euo pipefail
binary=$(realpath "$1")
root=$(mktemp -d)
chmod 0755 "$root"
servers=()
finish() {
  kill "${servers[@]}" 2> /dev/null || true
  wait
  rm -rf "$root"
}
trap finish EXIT
passed=0
ok() {
  passed=$((passed + 1))
  echo "ok: $1"
}

# Neither a loader nor a library: what `ldd` would look for.
if readelf --program-headers --dynamic --wide "$binary" | grep -E 'INTERP|NEEDED'; then
  echo "FAILED: it is linked to the files above"
  exit 1
fi
ok "it is linked to nothing"

mkdir -p "$root/usr/bin" "$root/etc" "$root/dev"
# Where a static binary finds no getrandom in the C library by name, random bytes come from here; containers have both.
mknod --mode 0666 "$root/dev/random" c 1 8
mknod --mode 0666 "$root/dev/urandom" c 1 9
cp "$binary" "$root/usr/bin/tidings"
# The user of the container image, which owns nothing here.
inside() {
  chroot --userspec 65532:65532 --groups= "$root" /usr/bin/tidings "$@"
}

inside --version | grep -q '^tidings '
ok "it runs"
# It was said that there is no operator key.
mv "$root/dev" "$root/gone"
for command in 'serve --listen 127.0.0.1:0' 'key new app'; do
  # One that finds random bytes elsewhere serves until it is ended: 124.
  status=0
  # shellcheck disable=SC2086
  timeout 10 chroot --userspec 65532:65532 --groups= "$root" /usr/bin/tidings $command > "$root/said" 2>&1 || status=$?
  [[ $status == 0 || $status == 124 ]] || grep -q 'no random bytes' "$root/said" || { cat "$root/said"; exit 1; }
done
mv "$root/gone" "$root/dev"
ok "where there are no random bytes, it says so"
inside config check | grep -q 'the configuration is valid'
ok "it checks a configuration"

# serve OPTION…: starts one; its address is in $address.
serve() {
  rm -f "$root/address"
  mkfifo "$root/address"
  # Not by the function: its shell would be what is ended.
  chroot --userspec 65532:65532 --groups= "$root" /usr/bin/tidings serve --listen 127.0.0.1:0 "$@" > "$root/address" 2> "$root/log" &
  servers+=($!)
  read -r _ _ address _ < "$root/address"
}

# receives URL OPTION…: a publication comes back, to a subscriber in there, too.
receives() {
  local url=$1 line subscriber
  shift
  inside publish news '{"text":"hello"}' --url "$url" "$@" > /dev/null
  exec 3< <(exec timeout 20 chroot --userspec 65532:65532 --groups= "$root" /usr/bin/tidings subscribe news --last 1 --url "$url" "$@" 2> /dev/null)
  subscriber=$!
  read -r -t 20 -u 3 line
  kill "$subscriber"
  exec 3<&-
  [[ $line == *'{"text":"hello"}'* ]]
}

serve
receives "$address"
ok "what is published is received"
inside health --url "$address" | grep -q ready
ok "it says that it is well"

# Names: with a file of hosts and without one.
if inside health --url "http://localhost:${address##*:}" > "$root/said" 2>&1; then
  ok "localhost is found without a file of hosts"
else
  echo '127.0.0.1 localhost' > "$root/etc/hosts"
  inside health --url "http://localhost:${address##*:}" | grep -q ready
  ok "localhost is found in a file of hosts"
fi
echo '127.0.0.1 push.example.com' > "$root/etc/hosts"
inside health --url "http://push.example.com:${address##*:}" | grep -q ready
ok "a name is found in /etc/hosts"

# By DNS, from a server in a network of its own that answers every name with 127.0.0.1, where nothing listens.
echo 'nameserver 127.0.0.1' > "$root/etc/resolv.conf"
cat > "$root/dns.py" << 'EOF'
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, peer = server.recvfrom(512)
    end = query.index(0, 12) + 5
    is_ipv4 = query[end - 4 : end - 2] == b"\0\1"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if is_ipv4 else b""
    head = query[:2] + b"\x81\x80\0\1\0" + bytes([is_ipv4]) + b"\0\0\0\0"
    server.sendto(head + query[12:end] + answer, peer)
EOF
# shellcheck disable=SC2016
unshare --net bash -c '
  ip link set lo up
  exec 3< <(exec python3 "$1/dns.py")
  server=$!
  read -r -u 3 _
  chroot --userspec 65532:65532 --groups= "$1" /usr/bin/tidings health --url http://dns.example.com:9
  kill "$server"
' bash "$root" > "$root/said" 2>&1 || true
grep -q 'Connection refused' "$root/said" || { cat "$root/said"; exit 1; }
ok "a name is found by DNS"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=push.example.com \
  -addext subjectAltName=DNS:push.example.com -addext basicConstraints=critical,CA:FALSE -keyout "$root/key.pem" -out "$root/chain.pem" 2> /dev/null
chmod 0644 "$root/key.pem"
serve --server.tls true --tls.chain /chain.pem --tls.key /key.pem --allow-host push.example.com --allow-anonymous-publish
receives "https://push.example.com:${address##*:}" --ca /chain.pem
ok "over TLS, by name, too"

echo "$passed passed, 0 failed"
