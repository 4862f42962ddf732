# The steps that need the Rust toolchain and what it can build, and count what the code costs. Sourced by tests/run.

run_format() {
  step format cargo fmt --all --check
}

# That what is counted here is true.
run_steps() {
  step steps tests/steps/check
}

# Everything, then the library as programs embed it: without what only the command needs.
run_lint() {
  step lint cargo clippy "${OURS[@]}" --all-targets -- -D warnings
  step "lint of the library alone" cargo clippy -p tidings --lib --no-default-features -- -D warnings
  step "lint of the library with tokio" cargo clippy -p tidings --lib --no-default-features --features tokio -- -D warnings
  step "lint of the library with outbound" cargo clippy -p tidings --lib --no-default-features --features outbound -- -D warnings
  step "lint of the library with tls" cargo clippy -p tidings --lib --no-default-features --features tls -- -D warnings
  step "crates of the library alone" bash -c "$(declare -f without_the_command); without_the_command"
  step "lint of the axum example" cargo clippy --manifest-path examples/axum/Cargo.toml --locked --all-targets \
    "${AS_IN_OURS[@]}" -- -D warnings
  step "lint of the peers" cargo clippy --manifest-path benches/peers/rust/Cargo.toml --locked --all-targets "${AS_IN_OURS[@]}" -- -D warnings
}

# Fails when the library brings a crate that only the command has a use for.
without_the_command() {
  local crates unwanted
  crates=$(cargo tree -p tidings --edges normal --no-default-features --prefix none --format '{p}') || return 1
  for unwanted in clap rustls hyper signal-hook tokio futures-core; do
    if grep -qE "^$unwanted v" <<< "$crates"; then
      printf 'the library alone brings %s\n' "$unwanted"
      return 1
    fi
  done
  printf '%d crates\n' "$(sort -u <<< "$crates" | wc -l)"
}

run_docs() {
  step docs env RUSTDOCFLAGS="-D warnings" cargo doc "${OURS[@]}" --no-deps
}

# What `test` runs, while browsers and other clients mostly wait.
run_compile() {
  prepared "tests of our own" cargo test "${OURS[@]}" --no-run
}

run_test() {
  need redis-server redis-server || skip "nodes: no redis-server"
  valkey_server || skip "nodes: no valkey-server"
  step test cargo test "${OURS[@]}" --no-fail-fast
  step "test of the axum example" cargo test --manifest-path examples/axum/Cargo.toml --locked "${AS_IN_OURS[@]}"
}

# Threads under a model checker: the tests of the library are built once more, with its atomics and locks.
run_models() {
  step models bash -c "$(declare -f models_of_threads); models_of_threads"
}

models_of_threads() {
  local built binary
  built=$(cargo rustc -p tidings --lib --profile test --features tokio --message-format json-render-diagnostics -- --cfg shuttle) || return 1
  binary=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<< "$built" | tail -1)
  "$binary" models::
}

# That the fuzzers still build; what they check is checked by `test` with stored and random inputs. See tests/fuzz.
run_fuzz() {
  if need c++ g++; then
    step fuzz cargo clippy --manifest-path tests/fuzz/Cargo.toml --all-targets "${AS_IN_OURS[@]}" -- -D warnings
  else
    skip "fuzz: libFuzzer needs a C++ compiler"
  fi
}

run_build() {
  step build cargo build --release
}

run_bench() {
  if compgen -G 'benches/*.rs' > /dev/null; then
    # Whether they work, not how fast: built as the tests are, which takes half a minute instead of five.
    step bench cargo bench "${OURS[@]}" --profile dev --bench '*' -- --test
  else
    skip "bench: there is none"
  fi
}

# Instructions and allocations against the committed baseline, and system calls: exact, however busy the machine is.
run_counts() {
  if need valgrind valgrind && need python3 python3; then
    step counts benches/counts/run
  else
    skip "counts: no valgrind"
  fi
  need strace strace || true
  step syscalls cargo test "${OURS[@]}" --test all syscalls:: -- --ignored --test-threads 1 --nocapture
  skip_as_said syscalls
}

run_deny() {
  local tool
  if tool=$(cargo_deny); then
    step deny "$tool" --workspace check bans licenses sources
  else
    skip "deny: cargo-deny cannot be installed"
  fi
}
