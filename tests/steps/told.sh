# Runs the commands of a step, and keeps what they came to: time, CPU seconds, tests passed and failed. Sourced by tests/run.
#
# A lane is a row of steps that run one after another, beside those of other lanes. Where there is one, its output is shown as
# it comes; where there are several, that of a step is shown when it ends, whole. Whatever else a lane says is in lane-NAME.log.

LANE=
running_lanes=()
# What this run notes of itself; another one beside it notes its own.
RUN=$(mktemp -d "$LOGS/run-XXXXXX")
RESULTS=$RUN/results.tsv
: > "$RESULTS"
# What is shown goes here: a lane's standard output is its own log.
exec 3>&1

heading() {
  if [[ -z $LANE ]]; then printf '\n=== %s ===\n' "$1" >&3; else printf '\n=== %s ===\n' "$1"; fi
}

# record RESULT PASSED FAILED MILLISECONDS CPU_MILLISECONDS NAME: a line for the sum; lanes write it, and tests/run reads it.
record() {
  local IFS=$'\t'
  printf '%s\n' "$*" >> "$RESULTS"
}

# The sums of the closing lines "N passed; N failed" (cargo), "N passed, N failed" (our own scripts) and "# pass N",
# "# fail N" (node --test) in a log.
count() {
  { grep -aoE '[0-9]+ (passed|failed)|^# (pass|fail) [0-9]+' "$1" || true; } |
    awk -v word="$2" '$2 == word { sum += $1 } $1 == "#" && $2 "ed" == word { sum += $3 } END { print sum + 0 }'
}

# cpu_so_far: milliseconds that the ended children of this lane, and theirs, were on a CPU; left in the variable `cpu`.
cpu_so_far() {
  local user system
  times > "$RUN/times-${LANE:-alone}"
  { read -r _; read -r user system; } < "$RUN/times-${LANE:-alone}"
  cpu=$(($(milliseconds "$user") + $(milliseconds "$system")))
}

# 1m02.345s
milliseconds() {
  local seconds=${1#*m}
  seconds=${seconds//[!0-9]/}
  printf '%s' $((${1%%m*} * 60000 + 10#$seconds))
}

now() { printf '%s' "${EPOCHREALTIME//[!0-9]/}"; }

# timed LOG COMMAND…: runs it; leaves the time that it took, and the CPU time, in the variables `took` and `used`. The log is a file
# and no pipe: what a hanging command leaves running would keep a pipe open.
timed() {
  local log=$1 start before running status=0
  shift
  start=$(now)
  cpu_so_far
  before=$cpu
  : > "$log"
  # A group of processes each, which can be ended as one; `timeout` makes its own.
  set -m
  if declare -F "$1" > /dev/null; then "$@" > "$log" 2>&1 & else timeout --kill-after=10 "$STEP_SECONDS" "$@" > "$log" 2>&1 & fi
  running=$!
  set +m
  printf '%s\n' "$running" > "$RUN/running-${LANE:-alone}"
  if [[ -z $LANE ]]; then tail --lines=+1 --follow --sleep-interval=0.2 --pid="$running" "$log" >&3; fi
  wait "$running" || status=$?
  rm -f "$RUN/running-${LANE:-alone}"
  cpu_so_far
  took=$((($(now) - start) / 1000))
  used=$((cpu - before))
  return "$status"
}

# step NAME COMMAND…: runs the command, shows what it took, and counts its tests, or itself as one.
step() {
  local name=$1 log result=ok good bad took used cpu
  shift
  log=$LOGS/${name//[^a-zA-Z0-9]/-}.log
  if [[ -z $LANE ]]; then heading "$name"; fi
  timed "$log" "$@" || result=FAILED
  good=$(count "$log" passed)
  bad=$(count "$log" failed)
  if [[ $result == FAILED && $bad == 0 ]]; then bad=1; fi
  if [[ $bad != 0 ]]; then result=FAILED; fi
  if [[ $good == 0 && $bad == 0 ]]; then good=1; fi
  record "$result" "$good" "$bad" "$took" "$used" "$name"
  {
    # One at a time: lanes share the output.
    flock 9
    if [[ -n $LANE ]]; then
      printf '\n=== %s ===\n' "$name"
      cat "$log"
    fi
    printf -- '--- %s: %s after %d.%d s, %d.%d s of CPU\n' "$name" "$result" \
      $((took / 1000)) $((took % 1000 / 100)) $((used / 1000)) $((used % 1000 / 100))
  } 9> "$RUN/output.lock" >&3
}

# prepared NAME COMMAND…: what is made before steps can run. It tests nothing and is counted as nothing, and its time shows.
prepared() {
  local name=$1 log=$LOGS/${1//[^a-zA-Z0-9]/-}.log took used cpu result=made
  shift
  timed "$log" "$@" || result='NOT MADE'
  record "$result" 0 0 "$took" "$used" "$name"
  if [[ $result != made ]]; then cat "$log"; fi
}

skip() {
  printf -- '--- skipped: %s\n' "$1" >&3
  record skipped 0 "$([[ ${CI:-} == true ]] && echo 1 || echo 0)" 0 0 "skipped: $1"
}

# skip_as_said NAME: what the tests of a step said that they could not do.
skip_as_said() {
  local line
  while IFS= read -r line; do
    skip "${line#skipped: }"
  done < <(grep -aoE 'skipped: .*' "$LOGS/$1.log" || true)
}

# lanes NAME "STEP…" …: each row of steps in a process of its own, beside the others; returns when all have ended.
lanes() {
  local name pids=()
  while (($# > 0)); do
    name=$1
    # shellcheck disable=SC2086 # It is a list.
    (
      LANE=$name
      # Compilers in the way of a browser would have its tests wait beyond their time.
      if [[ $name == building ]]; then renice -n 19 -p "$BASHPID" > /dev/null; fi
      exec > "$LOGS/lane-$name.log" 2>&1
      if [[ $name != needs ]]; then exec 8>&-; fi
      each_of $2
      touch "$RUN/ended-$name"
    ) &
    pids+=($!)
    running_lanes+=("$name:$!")
    shift 2
  done
  # Should its lane end without opening it, nobody else holds it.
  exec 8>&-
  for pid in "${pids[@]}"; do wait "$pid" || true; done
  for name in "${running_lanes[@]%%:*}"; do
    if [[ ! -f $RUN/ended-$name ]]; then
      record FAILED 0 1 0 0 "lane $name ended early: $LOGS/lane-$name.log"
      cat "$LOGS/lane-$name.log"
    fi
  done
  running_lanes=()
}

# What a step runs is ended with it, the step of a lane and the one of a run without lanes; tests/run ends no other processes.
stop_lanes() {
  local lane file
  for lane in "${running_lanes[@]}"; do kill "${lane#*:}" 2> /dev/null || true; done
  for file in "$RUN"/running-*; do
    if [[ -f $file ]]; then kill -- "-$(< "$file")" 2> /dev/null || true; fi
  done
}

# The steps in the order of the time that they took, so that one sees where it goes; with CPU seconds, which stay the same beside
# others' work: a step that used few of its own was waiting.
table() {
  printf '\n%9s %9s %6s  %s\n' 'seconds' 'CPU' 'busy' 'step'
  sort -t $'\t' -k4,4nr "$RESULTS" | awk -F '\t' '$1 != "skipped" {
    printf "%9.1f %9.1f %5.1fx  %s%s\n", $4 / 1000, $5 / 1000, ($4 > 0 ? $5 / $4 : 0), $6, ($1 == "ok" ? "" : " (" $1 ")")
  }'
}

# reasons NAME: what the log of a failed step says of its failures, or how it ended. At the end of a long output, since of that often
# no more is kept.
reasons() {
  local log=$LOGS/${1//[^a-zA-Z0-9]/-}.log found
  if [[ ! -f $log ]]; then return; fi
  found=$(grep -aE -A 6 "^not ok|panicked at|^test .* FAILED$|^error|^\S* *FAILED" "$log" | head -n 40 || true)
  printf '\n=== why %s failed ===\n%s\n' "$1" "${found:-$(tail -n 20 "$log")}"
}

# sum SECONDS: the closing lines, and whether all is well.
sum() {
  local passed=0 failed=0 skipped=0 cpu=0 failures=() result good bad took used name line
  while IFS=$'\t' read -r result good bad took used name; do
    passed=$((passed + good)) failed=$((failed + bad)) cpu=$((cpu + used))
    if [[ $result == skipped ]]; then skipped=$((skipped + 1)); fi
    if ((bad > 0)); then failures+=("$name"); fi
  done < "$RESULTS"
  table
  for name in "${failures[@]}"; do reasons "$name"; done
  printf '\n=== sum after %d s: %d s of CPU, of %d that there were ===\n' "$1" $((cpu / 1000)) $(($1 * $(getconf _NPROCESSORS_ONLN)))
  if ((failed > 0)); then printf 'failed: %s\n' "${failures[@]}"; fi
  line="$passed passed, $failed failed"
  if ((skipped > 0)); then line+=", $skipped skipped"; fi
  printf '%s\n' "$line"
  ((failed == 0))
}
