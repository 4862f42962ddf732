#!/usr/bin/env bash
# The matrix's part that websocat can do:  WEBSOCAT=PATH bash websocat.sh PATH/TO/tidings
set -euo pipefail
binary=$1
websocat=${WEBSOCAT:-websocat}
folder=$(mktemp -d)
passed=0
failed=0

tls=()
sealed=
if [[ -n ${CERTIFICATES:-} ]]; then
  # Over TLS (over-tls.sh).
  tls=(--server.tls true --tls.chain "$CERTIFICATES/chain.pem" --tls.key "$CERTIFICATES/key.pem")
  sealed=s
fi
# Before it is looked into, which may be before the process that writes it has opened it.
: > "$folder/said"
"$binary" serve --listen 127.0.0.1:0 "${tls[@]}" > "$folder/said" 2> "$folder/errors" &
server=$!
trap 'kill "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; rm -rf "$folder"' EXIT
address=
for _ in $(seq 200); do
  address=$(sed -n 's#^listening on https*://\([0-9.:]*\)/*$#\1#p' "$folder/said")
  [[ -n $address ]] && break
  sleep 0.05
done
[[ -n $address ]] || { cat "$folder/errors"; exit 1; }

# check SENTENCE COMMAND…: counts whether the command succeeds.
check() {
  local sentence=$1
  shift
  if "$@" > "$folder/out" 2>&1; then
    passed=$((passed + 1))
    echo "ok - $sentence"
  else
    failed=$((failed + 1))
    echo "not ok - $sentence"
    head -c 500 "$folder/out"
  fi
}

# echoes KIND SIZE: one message there and back, byte for byte.
echoes() {
  if [[ $1 == text ]]; then
    head -c "$2" < <(yes 'tidings and more tidings' | tr '\n' ' ') > "$folder/sent"
    timeout 20 "$websocat" -t -1 -n -B 2000000 "ws$sealed://$address/echo" < "$folder/sent" > "$folder/back"
    # It ends each text with a line end.
    printf '\n' >> "$folder/sent"
  else
    head -c "$2" /dev/urandom > "$folder/sent"
    timeout 20 "$websocat" -b -1 -n -B 2000000 "ws$sealed://$address/echo" < "$folder/sent" > "$folder/back"
  fi
  cmp "$folder/sent" "$folder/back"
}

reads_a_push() {
  curl -sf -d '{"n":1}' "http$sealed://$address/channels/websocat" > /dev/null
  timeout 20 "$websocat" -t -1 -n -U "ws$sealed://$address/channels/websocat?since=neverwas00:0" > "$folder/answer" || true
  grep -q '"recovered":false' "$folder/answer"
}

for size in 1 125 126 65535 65536 1048576; do
  check "websocat echoes $size bytes of text" echoes text "$size"
  check "websocat echoes $size bytes of binary" echoes binary "$size"
done
check "websocat is answered by a channel that it opens" reads_a_push
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
