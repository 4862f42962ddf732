#!/usr/bin/env bash
# Boots systemd in namespaces of its own, on a copy of this machine's files that is forgotten afterwards, and runs a script there:
#   machine.sh SCRIPT FILE…
# The files are in /srv there. Needs root. Nothing of this machine changes: not its files, processes, addresses or services.
set -euo pipefail

# A machine that hangs is ended from outside.
SECONDS_MAX=180

if [[ ${1:-} != --inside ]]; then
  top=$(mktemp -d)
  trap 'rm -rf "$top"' EXIT
  mkdir "$top/given"
  cp "$@" "$top/given/"
  mv "$top/given/$(basename "$1")" "$top/given/script"
  timeout --signal=KILL "$SECONDS_MAX" \
    unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child bash "$0" --inside "$top" > "$top/console" 2>&1 < /dev/null || true
  if [[ ! -s $top/outcome ]]; then
    echo "the machine did not come as far as its script:"
    cat "$top/console"
    exit 1
  fi
  cat "$top/said"
  exit "$(cat "$top/outcome")"
fi

top=$2
mkdir "$top/files"
# On a file system of its own, since an overlay cannot stand on another.
mount -t tmpfs tmpfs "$top/files"
mkdir "$top"/files/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/files/upper,workdir=$top/files/work" "$top/files/root"
cd "$top/files/root"
mount -t proc proc proc
# What of the kernel is not in a namespace is this machine's, too.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs dev -o mode=755
for name in null zero full random urandom tty; do
  : > "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
mkdir dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
mount -t cgroup2 cgroup2 sys/fs/cgroup
ip link set lo up

# Of this machine's services none is started there.
rm -rf etc/systemd/system/*.wants srv
# Some machines forbid packages to start services.
rm -f usr/sbin/policy-rc.d
for unit in systemd-{sysctl,modules-load,udevd,udev-trigger,binfmt,random-seed}.service systemd-udevd-{control,kernel}.socket; do
  ln -sf /dev/null "etc/systemd/system/$unit"
done
: > etc/machine-id
cp -r "$top/given" srv
mkdir outside
mount --bind "$top" outside
cat > etc/systemd/system/script.service << 'EOF'
[Unit]
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive HOME=/root
WorkingDirectory=/srv
ExecStart=/bin/bash -c 'bash ./script > /outside/said 2>&1; echo $? > /outside/outcome'
EOF
mount -t tmpfs tmpfs tmp
# Not chroot: from within one no namespace of users can be made, and the service has one.
mkdir former
pivot_root . former
umount --lazy /former
exec env -i container=overlay PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=script.service --log-target=console
