#!/usr/bin/env bash
# Dashboard and alert rules: figures.sh TIDINGS. Needs promtool, of Debian's package prometheus.
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 tests/packages/figures.py "$binary" "$folder"
promtool check rules --lint=all --lint-fatal packaging/prometheus/alerts.yaml > "$folder/log" || { cat "$folder/log"; exit 1; }
promtool test rules packaging/prometheus/alerts_test.yaml > "$folder/log" || { cat "$folder/log"; exit 1; }
# An alert without a case would be one of which nobody knows whether it fires.
for alert in $(sed -n 's/.*- alert: //p' packaging/prometheus/alerts.yaml); do
  grep -q "alertname: $alert," packaging/prometheus/alerts_test.yaml || { echo "no case of $alert"; exit 1; }
done
echo "each alert fires where it should and nowhere else: 1 passed"
