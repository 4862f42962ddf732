#!/usr/bin/env bash
# The Debian package in the hands of systemd: installed, used, upgraded, removed, purged. For machine.sh, as root, with the two
# versions first.deb and second.deb beside it.
set -euo pipefail

passed=0
ok() {
  passed=$((passed + 1))
  echo "ok: $1"
}
fail() {
  echo "FAILED: $1"
  systemctl status --no-pager --full tidings 2>&1 | tail -20 || true
  journalctl --no-pager --unit tidings 2>&1 | tail -20 || true
  exit 1
}
holds() {
  local name=$1
  shift
  "$@" || fail "$name: $*"
  ok "$name"
}
# Everything on this machine that is named for it, but for logs and caches.
traces() {
  find / -xdev \( -path /proc -o -path /work -o -path /srv -o -path /outside -o -path /var/log -o -path /var/cache -o -path /root -o -path /home \) -prune \
    -o -iname '*tidings*' -print 2> /dev/null | sort
  getent passwd tidings || true
  getent group tidings || true
}
# answers PORT: the service's user has a server there.
answers() {
  [[ $(curl --silent --max-time 10 --retry 20 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$1/readyz") == ready ]]
}
# A subscriber that was there before receives what is published.
receives() {
  local subscriber line
  exec 3< <(exec timeout 20 tidings subscribe news --last 1 --url "127.0.0.1:$1" 2>&1)
  subscriber=$!
  tidings publish news '{"text":"hello"}' --url "127.0.0.1:$1" > /dev/null
  read -r -t 20 -u 3 line || true
  kill "$subscriber" 2> /dev/null || true
  exec 3<&-
  [[ $line == *'{"text":"hello"}'* ]] || { echo "received: $line"; return 1; }
}

traces > before

dpkg --install first.deb
holds "the service is enabled" systemctl --quiet is-enabled tidings
holds "the service runs" systemctl --quiet is-active tidings
holds "it answers" answers 8080
pid=$(systemctl show --property MainPID --value tidings)
holds "its user is its own" test "$(stat -c %U "/proc/$pid")" = tidings
holds "it has no capability" grep -q '^CapEff:	0*$' "/proc/$pid/status"
holds "its system calls are filtered" grep -q '^Seccomp:	2$' "/proc/$pid/status"
# A million where the machine allows that many.
holds "it may have as many descriptors as there can be" awk '/^Max open files/ { exit !($4 == $5) }' "/proc/$pid/limits"
holds "what is published is received" receives 8080
holds "operators find their key" tidings who --operator-key-file /run/tidings/operators/operator-8080
holds "nobody else reads it" test "$(stat -c '%a %U' /run/tidings/operators)" = '700 tidings'
holds "the configuration is the server's alone" test "$(stat -c '%a %U %G' /etc/tidings/tidings.toml)" = '640 root tidings'
holds "the unit is as systemd wants it" test -z "$(systemd-analyze verify tidings.service 2>&1 | grep -F tidings | grep -vF "Failed to parse service type, ignoring: notify-reload")"
holds "the manual is there" man --where tidings-publish
# systemd holds the socket while the service restarts.
cp /usr/share/doc/tidings/examples/tidings.socket /etc/systemd/system/
systemctl daemon-reload
systemctl stop tidings
systemctl start tidings.socket
systemctl start tidings
(
  for number in {1..200}; do
    curl --silent --max-time 20 --output /dev/null http://127.0.0.1:8080/livez || echo "$?"
  done > troubles
) &
for number in 1 2 3; do
  systemctl reset-failed tidings
  systemctl restart tidings
done
wait
# 7: it could not connect; 56: its connection was reset; 52: it was closed without an answer. That can only meet a client that connects and
# does not ask within the second that it is given when the drain begins; these ask at once.
holds "of 200 clients that come during three restarts all are answered" test -z "$(cat troubles)"
systemctl stop tidings.socket tidings
systemctl start tidings
holds "without the socket it listens itself" answers 8080
pid=$(systemctl show --property MainPID --value tidings)
holds "the watchdog waits" test "$(systemctl show --property WatchdogUSec --value tidings)" = 30s
# systemd knows notify-reload from 253 on; before, docs/systemd.md has a line for it.
if [[ $(systemctl show --property Type --value tidings) != notify-reload ]]; then
  mkdir /etc/systemd/system/tidings.service.d
  printf '[Service]\nExecReload=/bin/kill -HUP $MAINPID\n' > /etc/systemd/system/tidings.service.d/reload.conf
  systemctl daemon-reload
fi
sed -i 's/^listen = .*/listen = ["127.0.0.1:8081"]/' /etc/tidings/tidings.toml
systemctl reload tidings
holds "a changed configuration holds after a reload" answers 8081
holds "a reload keeps the process" test "$(systemctl show --property MainPID --value tidings)" = "$pid"
echo 'nonsense' >> /etc/tidings/tidings.toml
systemctl reload tidings || true
holds "a wrong configuration changes nothing" answers 8081
systemctl stop tidings
holds "a stop is a clean end" test "$(systemctl show --property Result --value tidings)" = success
systemctl start tidings 2> /dev/null || true
holds "it does not start with a wrong configuration" test "$(systemctl show --property ActiveState --value tidings)" = failed
holds "and is not started again and again" test "$(systemctl show --property NRestarts --value tidings)" = 0
sed -i '/^nonsense$/d' /etc/tidings/tidings.toml
systemctl reset-failed tidings
systemctl start tidings
holds "it starts again" answers 8081
pid=$(systemctl show --property MainPID --value tidings)

dpkg --install --force-confdef --force-confold second.deb
holds "the second version is there" test "$(dpkg-query --show --showformat '${Version}' tidings)" = "$(cat second)"
holds "an upgrade keeps the changed configuration" answers 8081
holds "and leaves the new one beside it" grep -q 'of the second version' /etc/tidings/tidings.toml.dpkg-dist
holds "another process serves after an upgrade" test "$(systemctl show --property MainPID --value tidings)" != "$pid"
holds "it received nothing worse than a clean end" test "$(systemctl show --property Result --value tidings)" = success
holds "what is published is received after an upgrade" receives 8081

dpkg --remove tidings
holds "removed, nothing runs" test -z "$(pgrep --uid tidings || true)"
holds "removed, the program is gone" test ! -e /usr/bin/tidings
holds "removed, the configuration stays" grep -q 8081 /etc/tidings/tidings.toml

# What an operator wrote is the operator's.
rm -rf /etc/systemd/system/tidings.service.d /etc/systemd/system/tidings.socket
dpkg --purge tidings
traces > after
holds "purged, nothing is left" diff before after
echo "$passed passed, 0 failed"
