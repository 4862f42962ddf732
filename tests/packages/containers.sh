#!/usr/bin/env bash
# Dockerfile, compose files and Kubernetes manifests, as far as they can be checked without a container engine or a cluster:
#   TOOLS=FOLDER containers.sh TIDINGS
# TOOLS has hadolint, yamllint, check-jsonschema and kubernetes-validate.
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../../packaging"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
# must NAME COMMAND…: what the command says is shown only where it fails.
must() {
  local name=$1
  shift
  "$@" > "$folder/said" 2>&1 || { cat "$folder/said"; echo "FAILED: $name"; exit 1; }
  passed=$((passed + 1))
  echo "ok: $name"
}

must "Dockerfile: hadolint" "$TOOLS/hadolint" docker/Dockerfile
must "YAML" "$TOOLS/yamllint" --strict -d '{extends: default, rules: {line-length: disable, document-start: disable, braces: disable, brackets: disable}}' .
for file in compose/*.yaml; do
  must "$file: the schema of compose" "$TOOLS/check-jsonschema" --builtin-schema vendor.compose-spec "$file"
done
for kind in base monitoring several; do
  must "kubernetes/$kind: kustomize" kubectl kustomize "kubernetes/$kind" --output "$folder/$kind.yaml"
  must "kubernetes/$kind: the schemas of Kubernetes" "$TOOLS/kubernetes-validate" --strict "$folder/$kind.yaml"
  # A kind of the Prometheus operator, whose schema is not among them.
  [[ $kind == monitoring ]] || must "kubernetes/$kind: all of it has a schema" bash -c "! grep -q \"Couldn't find schema\" $folder/said"
done
for file in docker/tidings.toml kubernetes/base/tidings.toml; do
  must "$file is a configuration" "$binary" config check --config "$file"
done
must "what belongs together fits" "$TOOLS/python" ../tests/packages/containers.py "$binary" "$folder"

# What the image is built from: the ignore file begins with everything.
mkdir "$folder/context"
sed -n 's/^!//p' docker/Dockerfile.dockerignore | (cd .. && xargs cp --recursive --parents --target-directory "$folder/context")
must "the context of the image is a whole workspace" cargo metadata --locked --offline --format-version 1 --manifest-path "$folder/context/Cargo.toml"

sed 's/tidings:8080/127.0.0.1:8080/' compose/nginx.conf > "$folder/nginx.conf"
must "nginx takes its configuration" nginx -t -q -c "$folder/nginx.conf" -g "pid $folder/pid; error_log stderr;"
must "HAProxy takes its configuration" haproxy -c -f compose/haproxy.cfg
must "Caddy takes its configuration" env SITE=localhost caddy validate --config compose/Caddyfile --adapter caddyfile
echo "$passed passed, 0 failed"
