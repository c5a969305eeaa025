#!/bin/bash
# Boots a Debian with a real systemd in a container and tries the service there:
#
#	run.sh NCATD POISON
#
# NCATD is the program, POISON one whose bot ends its process (internal/soak),
# both statically linked. Needs root, Debian's packages
# debootstrap and systemd-container, and, the first time, the mirror that apt
# uses here. The Debian tree is kept in $NCATD_E2E_CACHE (default: ncatd-e2e in
# the user's cache folder); everything else is temporary. Without a network of
# its own but loopback, the container cannot meet ports or displays of the host.
# Exits with 0 if all holds, 1 if something does not, 77 with a reason where it
# cannot be tried.
set -euo pipefail
ncatd=$(realpath "$1")
poison=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
cache=${NCATD_E2E_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ncatd-e2e}
boot_limit=400 # seconds a boot with its tests may take

skip() {
	echo "skipped: $*"
	exit 77
}

[ "$(uname -s)" = Linux ] || skip "needs Linux"
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in debootstrap:debootstrap systemd-nspawn:systemd-container apt-get:apt; do
	command -v "${tool%%:*}" >/dev/null || skip "needs ${tool%%:*} (package ${tool##*:})"
done
unshare -mpn true 2>/dev/null || skip "no namespaces may be made here"

# The tree: of the release and from the mirror that apt uses here.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
tree=$cache/systemd-$codename-2
if [ ! -e "$tree" ]; then
	target=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v c="$codename" '$1 == c { print $2, $3 }' | sort -u)
	mirror=$(awk '$1 == "main" { print $2; exit }' <<<"$target")
	[ -n "$mirror" ] || skip "apt has no mirror of $codename"
	components=$(awk -v m="$mirror" '$2 == m { print $1 }' <<<"$target" | paste -sd,)
	mkdir -p "$cache"
	rm -rf "$cache"/new.*
	new=$(mktemp -d "$cache/new.XXXXXX")
	chmod 755 "$new"
	echo "--- debootstrap $codename"
	if ! timeout -k 10 600 debootstrap --variant=minbase --components="$components" \
		--include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,procps,sudo,xvfb,xauth \
		"$codename" "$new" "$mirror" >"$cache/debootstrap.log" 2>&1; then
		rm -rf "$new"
		tail -3 "$cache/debootstrap.log"
		skip "debootstrap did not get through"
	fi
	mv "$new" "$tree"
fi

# A fresh copy of it: an overlay, else a real copy.
work=$(mktemp -d /var/tmp/ncatd-e2e-XXXXXX)
name=$(basename "$work")
root=$work/root
mkdir "$work/upper" "$work/work" "$root"
nspawn=
clean() {
	if [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null; then
		kill "$nspawn" # timeout hands it on, and kills what does not heed it
		wait "$nspawn" 2>/dev/null || true
	fi
	if mountpoint -q "$root"; then umount "$root" 2>/dev/null || umount -l "$root"; fi
	rm -rf --one-file-system "$work"
	rmdir "/run/systemd/nspawn/propagate/$name" 2>/dev/null || true
}
trap clean EXIT
trap 'exit 130' INT TERM
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work" "$root" 2>/dev/null ||
	cp -a --reflink=auto "$tree/." "$root"

install -m 755 "$ncatd" "$root/usr/local/bin/ncatd"
install -m 755 "$poison" "$root/usr/local/sbin/poison"
install -m 755 "$here/inside.sh" "$root/usr/local/sbin/e2e-inside"
install -m 644 "$here/strangers.sh" "$root/usr/local/sbin/e2e-strangers"
: >"$root/etc/machine-id"
echo e2e >"$root/etc/hostname"
install -m 644 "$here/e2e.service" "$root/etc/systemd/system/e2e.service"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/var/log/journal"
ln -s ../e2e.service "$root/etc/systemd/system/multi-user.target.wants/e2e.service"

bad=0
for boot in first second; do
	echo "--- $boot boot"
	touch "$root/e2e-$boot"
	timeout -k 20 "$boot_limit" systemd-nspawn --quiet --directory="$root" --machine="$name" \
		--register=no --keep-unit --private-network --boot \
		</dev/null >"$work/console-$boot" 2>&1 &
	nspawn=$!
	tail -n +1 --pid="$nspawn" -s 0.2 -f "$root/e2e-$boot" &
	wait $! # which a signal interrupts, unlike a program in the foreground
	wait "$nspawn" && rc=0 || rc=$?
	nspawn=
	if [ ! -s "$root/e2e-$boot" ]; then
		tail -5 "$work/console-$boot"
		[ $boot = first ] || exit 1
		skip "the container does not boot here (status $rc)"
	fi
	if grep -q '^FAIL' "$root/e2e-$boot"; then bad=1; fi
	if ! grep -q "^all of the $boot boot$" "$root/e2e-$boot"; then
		echo "FAIL: the tests did not come to their end (status $rc)"
		bad=1
		break
	fi
done
if [ $bad != 0 ]; then
	echo "--- journal"
	journalctl -D "$root/var/log/journal" --no-pager -o short-precise -n 150 _SYSTEMD_UNIT=ncatd.service + _SYSTEMD_USER_UNIT=ncatd.service + UNIT=ncatd.service + USER_UNIT=ncatd.service 2>/dev/null || true
fi
exit $bad
