#!/usr/bin/env bash
# The crate as it is published: packed, unpacked elsewhere, installed from there, and used:  TARGET=FOLDER crate.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
ok() {
  passed=$((passed + 1))
  echo "ok: $1"
}

# Dirty: whoever works on it tests it, too. It is built below, where nothing else is.
cargo package --package tidings --locked --allow-dirty --no-verify --target-dir "$folder/packed" 2> "$folder/log" || { cat "$folder/log"; exit 1; }
crate=$(echo "$folder"/packed/package/tidings-*.crate)
tar --extract --gzip --file "$crate" --directory "$folder"
source=$(echo "$folder"/tidings-*/)
files=$(find "$source" -type f | wc -l)
echo "$files files, $(stat -c %s "$crate") bytes"
[[ -f $source/clients/js/src/files.txt && -f $source/src/protocol/tidings/PROTOCOL.md && -f $source/Cargo.lock && -f $source/LICENSE-MIT ]]
[[ -z $(find "$source" -path '*/node_modules/*' -o -path '*/tests/fuzz/*' -o -path '*/benches/*') ]]
ok "it holds what is built, and no tests, benchmarks or clients"

# With the libraries that are built already, where they are: they are the same.
cargo install --path "$source" --locked --debug --root "$folder/installed" --target-dir "$TARGET" 2> "$folder/log" || { cat "$folder/log"; exit 1; }
ok "cargo install builds it"
tidings=$folder/installed/bin/tidings
"$tidings" --version
mkfifo "$folder/address"
"$tidings" --listen 127.0.0.1:0 > "$folder/address" 2> /dev/null &
server=$!
trap 'kill "$server" 2> /dev/null || true; wait; rm -rf "$folder"' EXIT
read -r _ _ address < "$folder/address"
"$tidings" health --url "$address" | grep -q ready
curl --silent --fail "$address/tidings.js" | grep -q 'export'
"$tidings" publish news '{"text":"hello"}' --url "$address" | grep -q ':1'
ok "it serves the browser client, and what is published gets its offset"
echo "$passed passed, 0 failed"
