# Runs tests by the names that a command gives them, against the release build, and sums up. Sourced by tests/faults and tests/cluster.
#
# The command has NAMES, and by name ABOUT, TESTS and NEEDS; a function run_NAME of its own runs something else than tests.

if (($# == 0)); then
  for name in "${NAMES[@]}"; do printf '%-11s %s\n' "$name" "${ABOUT[$name]}"; done
  exit
fi
names=("$@")
if [[ $* == all ]]; then names=("${NAMES[@]}"); fi
for name in "${names[@]}"; do
  if [[ -z ${ABOUT[$name]:-} ]]; then
    printf 'there is no test called %s; there are: %s\n' "$name" "${NAMES[*]}" >&2
    exit 2
  fi
done

TARGET=${CARGO_TARGET_DIR:-$PWD/target}
LOGS=$TARGET/test-logs
LANE=
# As tests/run builds them, so that nothing is built twice.
OURS=(--workspace --features tidings/tokio)
# None takes half of this.
SECONDS_MOST=1200
mkdir -p "$LOGS"
RUN=$(mktemp -d "$LOGS/named-XXXXXX")
trap 'rm -rf "$RUN"' EXIT
# shellcheck source=tests/steps/needs.sh
source tests/steps/needs.sh
ulimit -n "$(ulimit -Hn)" || true

run_tests() {
  local tests
  read -r -d '' -a tests <<< "${TESTS[$1]}" || true
  timeout "$SECONDS_MOST" cargo test --quiet "${OURS[@]}" --test all -- --ignored --exact --nocapture --test-threads 1 "${tests[@]}"
}

run_named() {
  local one
  for one in ${NEEDS[$1]:-}; do need "${one%%:*}" "${one##*:}" || true; done
  if declare -F "run_$1" > /dev/null; then "run_$1"; else run_tests "$1"; fi
}

cargo build --release -p tidings -p tidings-loadgen
cargo test --quiet "${OURS[@]}" --test all --no-run
export BINARY_UNDER_TEST=$TARGET/release/tidings

failed=0
for name in "${names[@]}"; do
  printf '\n=== %s: %s ===\n' "$name" "${ABOUT[$name]}"
  began=$SECONDS result=ok
  run_named "$name" 2>&1 | tee "$RUN/log" || result=FAILED
  if [[ $result == ok ]] && grep -q '^skipped: ' "$RUN/log"; then result="ok, in part skipped"; fi
  if [[ $result == FAILED ]]; then failed=1; fi
  printf '%s\t%s\t%s\n' "$name" "$((SECONDS - began))" "$result" >> "$RUN/results"
done
printf '\n%-11s %8s  %s\n' name seconds result
while IFS=$'\t' read -r name took result; do printf '%-11s %8s  %s\n' "$name" "$took" "$result"; done < "$RUN/results"
exit "$failed"
