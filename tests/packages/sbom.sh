#!/usr/bin/env bash
# The list of all parts of the command (CycloneDX, JSON):  CYCLONEDX=… sbom.sh FOLDER. It is left in the folder, and compared with
# what cargo says.
set -euo pipefail
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
made() { find . -name '*.cdx.json' -not -path './target/*' -not -path '*/node_modules/*'; }
[[ -z $(made) ]] || { echo "there are lists already: $(made)"; exit 1; }
"$CYCLONEDX" cyclonedx --format json --describe crate --spec-version 1.5 --target "$(uname -m)-unknown-linux-gnu" --no-build-deps
mv tidings.cdx.json "$out/tidings.cdx.json"
made | xargs --no-run-if-empty rm
python3 - "$out/tidings.cdx.json" <<'END'
import json, subprocess, sys

listed = json.load(open(sys.argv[1]))
parts = {(one["name"], one["version"]) for one in listed["components"]}
without = [one["name"] for one in listed["components"] if not one.get("licenses") or not one.get("purl")]
assert not without, f"no licence or no address: {without}"
tree = subprocess.run(
    ["cargo", "tree", "--package", "tidings", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--locked"],
    capture_output=True, text=True, check=True,
).stdout
used = {(line.split()[0], line.split()[1].removeprefix("v")) for line in tree.splitlines() if line} - {("tidings", listed["metadata"]["component"]["version"])}
missing = used - parts
assert not missing, f"not listed: {sorted(missing)}"
print(f"{len(parts)} parts with licence and address, all {len(used)} of the command among them: 1 passed")
END
