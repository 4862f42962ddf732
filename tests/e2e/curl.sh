#!/usr/bin/env bash
# What a person tries with curl, against the tidings binary: curl.sh PATH/TO/tidings
set -u
binary=${1:?usage: curl.sh PATH/TO/tidings}
dir=$(mktemp -d)
passed=0 failed=0

export TIDINGS_OPERATOR_KEY=the-key-of-the-tests-0123456789
"$binary" serve --listen 127.0.0.1:0 >"$dir/out" 2>"$dir/err" &
server=$!
trap 'kill -KILL "$server" 2>/dev/null; rm -rf "$dir"' EXIT

# within SECONDS COMMAND…: repeats the command until it succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    read -rt 0.05 <> <(:) || true
  done
}

# check SENTENCE WANTED FOUND: WANTED is a pattern that FOUND must match.
check() {
  # shellcheck disable=SC2053
  if [[ $3 == $2 ]]; then
    passed=$((passed + 1)); echo "ok $((passed + failed)) - $1"
  else
    failed=$((failed + 1)); printf 'not ok %d - %s\n  # found  %s\n  # wanted %s\n' $((passed + failed)) "$1" "$3" "$2"
  fi
}

within 30 grep -q 'listening on http://' "$dir/out" || { cat "$dir/err"; echo "0 passed, 1 failed"; exit 1; }
url=$(grep -om1 'http://[0-9.:]*' "$dir/out")
ask() { curl -sS --noproxy '*' --max-time 20 "$@"; }
status() { ask -o /dev/null -w '%{http_code}' "$@"; }

check 'livez answers 200' 200 "$(status "$url/livez")"
check 'readyz answers 200' 200 "$(status "$url/readyz")"
check 'the console is a page' '*<!doctype html>*' "$(ask "$url/")"
check 'the console has a content security policy' "*default-src 'self'*" "$(ask -D - -o /dev/null "$url/")"
check 'the browser client is a script' 'text/javascript*' "$(ask -o /dev/null -w '%{content_type}' "$url/tidings.js")"
check 'the tutorial page is there' 200 "$(status "$url/tutorial")"
check 'curl -d with JSON publishes JSON' '*"offset":1*' "$(ask -d '{"hello":"世界","n":1.10}' "$url/channels/curl")"
check 'data is kept byte for byte' '*{"hello":"世界","n":1.10}*' "$(ask "$url/channels/curl")"
check 'curl -d with a form publishes an object of strings' '*{"name":"张三","age":"25"}*' \
  "$(ask -o /dev/null --data-urlencode 'name=张三' -d age=25 "$url/channels/form"; ask "$url/channels/form")"
check 'text is published as a JSON string' '*"data":"plain text"*' \
  "$(ask -o /dev/null -H 'Content-Type: text/plain' -d 'plain text' "$url/channels/text"; ask "$url/channels/text")"
check 'bytes are published as base64' '*"data_base64":"AP8K"*' \
  "$(printf '\000\377\n' | ask -o /dev/null -H 'Content-Type: application/octet-stream' --data-binary @- "$url/channels/bytes"; ask "$url/channels/bytes")"
check 'multipart is refused with 415' 415 "$(status -F a=b "$url/channels/curl")"
check 'JSON that is none is refused with 400' 400 "$(status -H 'Content-Type: application/json' -d '{"a":' "$url/channels/curl")"
check 'the same key publishes once' '*"offset":2*' \
  "$(ask -o /dev/null -H 'Idempotency-Key: k' -d 1 "$url/channels/curl"; ask -H 'Idempotency-Key: k' -d 1 "$url/channels/curl")"
check 'the same key with another body is refused with 409' 409 "$(status -H 'Idempotency-Key: k' -d 2 "$url/channels/curl")"
check 'POST /ws follows the tutorial' '服务器收到POST请求,并返回数据' \
  "$(ask -H 'Content-Type: application/json' -d '{"name":"张三","age":25}' "$url/ws")"
check 'POST /ws with the headers of an upgrade is still a POST' '服务器收到POST请求,并返回数据' \
  "$(ask --http1.1 -H 'Host: example.com' -H 'Upgrade: websocket' -H 'Connection: Upgrade' -H 'Sec-WebSocket-Key: dGhlIHNhbHQgYSBub3Q=' \
    -H 'Sec-WebSocket-Version: 13' -H 'Content-Type: application/json' -d '{"name":"张三"}' "$url/ws")"
check 'the tutorial key is accepted and answered' '*3ZClkQAfukXyB7loppiOrRWEHe8=*' \
  "$(curl -sS --noproxy '*' --http1.1 --max-time 2 -D - -o /dev/null -H 'Upgrade: websocket' -H 'Connection: Upgrade' \
    -H 'Sec-WebSocket-Key: dGhlIHNhbHQgYSBub3Q=' -H 'Sec-WebSocket-Version: 13' "$url/ws" 2>/dev/null)"
check 'a plain GET of /ws is told to upgrade' 426 "$(status "$url/ws")"
check 'an unknown path is 404' 404 "$(status "$url/nowhere")"
check 'a wrong method is 405' 405 "$(status -X PUT -d 1 "$url/channels/curl")"
check 'a foreign origin may not publish' 403 "$(status -H 'Origin: http://evil.test' -d 1 "$url/channels/curl")"
check 'the origin null may not publish' 403 "$(status -H 'Origin: null' -d 1 "$url/channels/curl")"
check 'another loopback port may publish' 200 "$(status -H 'Origin: http://localhost:1' -d 1 "$url/channels/curl")"
check 'a foreign host name is misdirected' 421 "$(status -H 'Host: evil.test' "$url/channels/curl")"
check 'metrics are for operators' 401 "$(status "$url/metrics")"
check 'metrics are Prometheus text' '*# TYPE*' "$(ask -H "Authorization: Bearer $TIDINGS_OPERATOR_KEY" "$url/metrics")"

curl -sSN --noproxy '*' -H 'Accept: text/event-stream' "$url/channels/live" >"$dir/live" 2>/dev/null &
stream=$!
within 20 grep -q 'event: position' "$dir/live"
ask -o /dev/null -d '"streamed 中文"' "$url/channels/live"
within 20 grep -q 'data: "streamed 中文"' "$dir/live"
check 'curl -N streams what is posted' '*id: *:1*data: "streamed 中文"*' "$(cat "$dir/live")"

kill -TERM "$server"
wait "$server"
check 'the server drains and exits with 0' 0 $?
wait "$stream" 2>/dev/null
check 'the stream ended cleanly' 0 $?
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
