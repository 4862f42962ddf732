#!/usr/bin/env bash
# The Debian package: made from a binary, judged by lintian, and used on a machine of its own:  CARGO_DEB=… deb.sh TIDINGS
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Larger and sooner made than the one that is published.
packaging/deb/build "$binary" "$folder" --fast > "$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
package=$(echo "$folder"/*.deb)
# Tags of Debian itself: a package enters it by closing a bug; and cargo deb takes the description of the crate.
lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$package"
echo "lintian: 1 passed"

# At most 2.0 of 10: what is left is that it reaches networks.
systemd-analyze security --offline=true --threshold=20 --no-pager packaging/systemd/tidings.service > "$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
tail -n 1 "$folder/log"
echo "systemd-analyze security: 1 passed"

# The next version, with another configuration.
cp "$package" "$folder/first.deb"
dpkg-deb --raw-extract "$package" "$folder/next"
sed -i 's/^Version: .*/&.1/' "$folder/next/DEBIAN/control"
echo '# of the second version' >> "$folder/next/etc/tidings/tidings.toml"
(cd "$folder/next" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | xargs md5sum > DEBIAN/md5sums)
dpkg-deb -Zgzip -z1 --root-owner-group --build "$folder/next" "$folder/second.deb" > /dev/null
sed -n 's/^Version: //p' "$folder/next/DEBIAN/control" > "$folder/second"

if [[ $(id -u) != 0 ]]; then
  echo "skipped: the package is installed by root alone"
  exit 0
fi
tests/packages/machine.sh tests/packages/installed.sh "$folder/first.deb" "$folder/second.deb" "$folder/second"
