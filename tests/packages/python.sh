#!/usr/bin/env bash
# The Python package: built, installed from what was built, and checked by mypy:  PYTHON=PATH/TO/python tests/packages/python.sh
# PYTHON is that of a venv with build, hatchling, mypy, pytest and websockets. Its tests are run by pythons.sh.
set -euo pipefail
python=$PYTHON
cd "$(dirname "${BASH_SOURCE[0]}")/../../clients/python"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$python" -m build --no-isolation --outdir "$folder" . > "$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
"$python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$folder"/*.whl
"$python" - "$folder" <<'END'
import pathlib, sys, zipfile

[wheel] = pathlib.Path(sys.argv[1]).glob("*.whl")
names = zipfile.ZipFile(wheel).namelist()
wanted = {f"tidings/{path.name}" for path in pathlib.Path("src/tidings").iterdir() if path.suffix in (".py", ".typed")}
found = {name for name in names if not name.startswith("tidings-")}
assert found == wanted, found ^ wanted
assert sum("/licenses/" in name for name in names) == 2, names
END
echo "the wheel holds the package, its mark that it is typed, and both licences: 1 passed"

# The tests find the installed package, not its source: so it is found to be typed.
"$python" -m mypy --strict src
"$python" -m mypy --strict tests
