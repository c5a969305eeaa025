#!/bin/bash
# Boots a Debian with a real systemd in a container and tries the service there:
#   e2e.sh NCATD [ROOT]
# NCATD is the program; ROOT is a Debian tree that is made with debootstrap if it
# is not there. Needs root, debootstrap and systemd-nspawn (Debian's packages
# debootstrap and systemd-container). Ends with 0 if all holds, 77 where it
# cannot be tried.
set -euo pipefail
ncatd=$(realpath "$1")
root=${2:-/var/tmp/ncatd-e2e-systemd}
here=$(dirname "$(realpath "$0")")
skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
command -v systemd-nspawn >/dev/null || skip "needs systemd-nspawn (package systemd-container)"
command -v debootstrap >/dev/null || skip "needs debootstrap"
unshare -m true 2>/dev/null || skip "this machine allows no namespaces"
if [ ! -e "$root/.complete" ]; then
	rm -rf "$root"
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,procps bookworm "$root" >/dev/null
	touch "$root/.complete"
fi
install -m 755 "$ncatd" "$root/usr/local/bin/ncatd"
install -m 755 "$here/inside.sh" "$root/usr/local/bin/e2e-inside"
cat >"$root/etc/systemd/system/e2e.service" <<UNIT
[Unit]
After=dbus.service
[Service]
Type=oneshot
TimeoutStartSec=300
ExecStart=/usr/local/bin/e2e-inside
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../e2e.service "$root/etc/systemd/system/multi-user.target.wants/e2e.service"
rm -rf "$root"/results* "$root/var/lib/ncatd" "$root/etc/systemd/system/ncatd.service"
for boot in first second; do
	timeout 180 systemd-nspawn --quiet -D "$root" --register=no --keep-unit -b >"$root/boot-$boot.log" 2>&1 || true
	if [ ! -e "$root/results-$boot" ]; then
		tail -5 "$root/boot-$boot.log"
		skip "the container does not boot here"
	fi
	echo "--- $boot boot"
	cat "$root/results-$boot"
done
grep -q '^FAIL' "$root"/results-* && exit 1
grep -q '^all of the second boot$' "$root/results-second"
