#!/usr/bin/env bash
# The tests of the Python client on each Python that its classifiers name and that is here, beside each other; the oldest one with
# the oldest websockets that is allowed:  PYTHON=PATH/TO/python PYTEST=pytest==9 VENVS=FOLDER pythons.sh PATH/TO/tidings
# PYTHON is that of a venv with build and hatchling; its version is tried, too, should it be another.
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../../clients/python"
mkdir -p "$VENVS"
named=$(grep -oP '(?<="Programming Language :: Python :: )3\.\d+' pyproject.toml)
oldest=$(grep -oP '(?<=requires-python = ">=)[\d.]+' pyproject.toml)
oldest_websockets=$(grep -oP '(?<="websockets>=)[\d.]+' pyproject.toml)
[[ $(head -1 <<< "$named") == "$oldest" ]] || { echo "requires $oldest and names $named"; exit 1; }

# Debian has one; pyenv may have the others. Its commands are there for versions that they do not start, too.
find_python() {
  local found
  for found in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    if [[ $("$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null) == "$1" ]]; then
      echo "$found"
      return
    fi
  done
  return 1
}

# try VERSION PYTHON: the package is installed by a stranger's pip, and its tests run with that.
try() {
  local venv=$VENVS/$1 websockets=websockets
  if [[ $1 == "$oldest" ]]; then websockets="websockets==$oldest_websockets"; fi
  [[ -x $venv/bin/pytest ]] || "$2" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$PYTEST" "$websockets"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$WHEELS"/*.whl
  "$venv/bin/python" -c 'import platform, websockets; print("Python", platform.python_version(), "with websockets", websockets.__version__)'
  TIDINGS_BINARY=$binary "$venv/bin/python" -m pytest -q -s -p no:cacheprovider tests/cases.py tests/real.py tests/signing_in.py
}

WHEELS=$(mktemp -d)
trap 'rm -rf "$WHEELS"' EXIT
"$PYTHON" -m build --no-isolation --wheel --outdir "$WHEELS" . > "$WHEELS/log" 2>&1 || { cat "$WHEELS/log"; exit 1; }
running=()
own=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for version in $(sort --version-sort --unique <<< "$named"$'\n'"$own"); do
  if python=$(find_python "$version"); then
    try "$version" "$python" > "$WHEELS/$version.log" 2>&1 &
    running+=("$version:$!")
  else
    echo "Python $version is not here, and not tried"
  fi
done
status=0
for one in "${running[@]}"; do
  wait "${one#*:}" || status=1
  cat "$WHEELS/${one%%:*}.log"
done
exit "$status"
