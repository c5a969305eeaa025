#!/bin/bash
# Tries the packages of two releases:
#
#	run.sh OLD NEW [SUITE...]
#
# OLD and NEW are folders that `release build` wrote. The .deb is installed,
# started, upgraded while its account is online, removed and purged in a Debian 12,
# a Debian 13 and an Ubuntu (or each SUITE), booted with its systemd (inside.sh).
# The .rpm, the .apk and the Arch package are taken apart with Debian's tools, and
# their scripts are run by hand in a Debian without systemd (foreign.sh). Needs
# root, the Debian packages debootstrap, systemd-container, rpm, rpm2cpio, cpio and
# zstd, and the first time the mirror that apt uses here. Exits with 0 if all
# holds, 1 if something does not, 77 with a reason where nothing can be tried.
set -euo pipefail
old=$(realpath "$1") new=$(realpath "$2")
shift 2
here=$(dirname "$(realpath "$0")")
. "$here/../tree/tree.sh"
needs debootstrap:debootstrap systemd-nspawn:systemd-container apt-get:apt rpm:rpm rpm2cpio:rpm2cpio cpio:cpio zstd:zstd
packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,procps,sudo,xvfb,xauth

one() { # one FOLDER ENDING prints the package for this machine
	ls "$1"/ncatd_*_linux_"$(dpkg --print-architecture)$2"
}

booted() { # booted SUITE
	case $1 in
	jammy | noble) tree booted trixie $packages,ubuntu-keyring || return 77 ;; # Debian 12 does not have the keys
	esac
	tree booted "$1" "$packages$([ "$1" != trixie ] || echo ,ubuntu-keyring)" || return 77
	fresh "booted-$1" "$1"
	mkdir -p "$root/srv/deb"
	cp "$(one "$old" .deb)" "$root/srv/deb/old.deb"
	cp "$(one "$new" .deb)" "$root/srv/deb/new.deb"
	echo "--- $1"
	boot "$here/inside.sh"
}

tried=0 bad=0
suites=("$@")
[ $# -gt 0 ] || suites=(bookworm trixie noble)
for suite in "${suites[@]}"; do
	if booted "$suite"; then
		tried=1
	elif [ $? -ne 77 ]; then
		bad=1
	fi
done
[ $tried$bad != 00 ] || exit 77

if [ $# -eq 0 ] && tree base bookworm; then
	. "$here/foreign.sh"
fi
exit $bad
